//! The files (policy, secret files, login states) and the clock of this host.
//!
//! `docs/file-formats.md` describes the formats of the files.
#![forbid(unsafe_code)]

mod administration;
mod batch;
mod decoys;
mod error;
mod file_store;
#[cfg(test)]
mod golden;
mod layout;
mod owner;
mod policy_file;
mod secret_file;
mod slot;
mod state_file;
mod system_clock;
mod takeover;
mod trusted;
mod undisturbed;
mod walk;

pub use batch::{BatchEntry, BatchError, Replacing};
pub use error::{Problem, StoreError};
pub use file_store::{DEFAULT_STORE, FileStore, LoginStore};
pub use policy_file::{DEFAULT_POLICY, folder_of_included, included as files_included, load as load_policy};
pub use system_clock::SystemClock;
pub use trusted::TrustedDir;
