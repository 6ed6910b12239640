//! The chain of one attempt: its steps, the draw that chooses them, the judgement of answers.

mod draw;
mod judge;
mod steps;

pub use draw::DrawSeed;
pub use judge::{Answer, Circumstances, judge};
pub use steps::{Chain, ChainBreached, ChainProof, Progress, Step, StepOutcome, StepProof};
