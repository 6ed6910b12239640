//! The enrollment of a user, and the proof of a new authenticator.

mod authenticator;
mod credential;
pub mod otpauth;
mod proof;
mod record;
mod serial;
mod subscriber;

pub use authenticator::Authenticator;
pub(crate) use credential::Scan;
pub use credential::{Credential, CredentialId, OtpType};
pub use proof::{Misfit, Proof, consecutive, proof};
pub use record::{InvalidRecord, UserRecord, same_account};
pub use serial::Serial;
pub use subscriber::Subscriber;
