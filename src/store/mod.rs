//! The files: policy, secret files, login states; the clock and the account databases of this host.
//!
//! `docs/file-formats.md` says what the files look like.
#![forbid(unsafe_code)]

mod decoys;
mod enrolment;
mod error;
mod file_store;
#[cfg(test)]
mod golden;
mod layout;
mod owner;
mod policy_file;
#[cfg(feature = "cli")]
pub mod rehearsal;
mod secret_file;
mod slot;
mod state_file;
mod system_clock;
mod trusted;

pub use error::{Problem, StoreError};
pub use file_store::{DEFAULT_STORE, FileStore};
pub use policy_file::{DEFAULT_POLICY, load as load_policy};
pub use system_clock::SystemClock;
