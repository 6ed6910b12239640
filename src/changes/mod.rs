//! Guarded changes of what decides who gets in: the policy, and the lines in the stacks of services.
//!
//! A change is written down with everything that it replaces before the first file is touched, and a timer is started
//! before that. It stays only if it is confirmed; else the timer, the next command or the next boot puts every file
//! back.
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
