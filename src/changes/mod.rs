//! Guarded changes of what decides about logins: the policy, and the lines in the stacks of services.
//!
//! Before a command touches the first file, it starts a timer and then writes down the change with everything that the
//! change replaces. The change stays only if the administrator confirms it; otherwise the timer, the next command or
//! the next boot puts every file back.
#![forbid(unsafe_code)]

pub mod all_logins;
pub mod diff;
pub mod editor;
mod error;
mod file_copy;
mod folder;
pub mod history;
pub mod pending;
pub mod policy_files;
pub mod services;
pub mod sshd;
pub mod stack;
pub mod timer;
pub mod witness;

pub use error::ChangeError;
pub use file_copy::FileCopy;
pub use folder::ChangesFolder;
