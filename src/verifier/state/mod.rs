//! What changes at logins: the login state of a user, its failures, its last outcomes.

mod draw_key;
mod failures;
mod login_state;
pub mod odds;
mod past_outcome;

pub use draw_key::DrawKey;
pub use failures::{Budget, ChainFailures, ChainMark, FailureCounts, KnownSource, Lane, SourceKey};
pub use login_state::{LoginState, RecoveryMarks, ReplayMark};
pub use past_outcome::{NameKey, OutcomeNumber, PastOutcome};
