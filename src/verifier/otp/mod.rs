//! One-time codes: parameters, secrets, recovery codes, and answers as they are typed.

mod answered_by;
mod entropy;
mod keyed_hash;
mod parameters;
mod recovery;
mod response;
mod secret;

pub use answered_by::AnsweredBy;
pub use entropy::NoRandomness;
pub(crate) use entropy::fill;
pub(crate) use keyed_hash::{keyed_hash, keyed_number};
pub use parameters::{Algorithm, Digits, Period};
pub use recovery::{BypassCode, RecoveryCode, RecoveryHash, RecoverySet};
pub use response::Response;
pub(crate) use response::{Code, Shape};
pub use secret::{InvalidSecret, SharedSecret};
