//! What this host will do at a login: its PAM stacks, and what sshd is set to. Reads, and writes nothing.
#![forbid(unsafe_code)]

pub mod directory;
pub mod file_systems;
pub mod order;
pub mod sshd;
pub mod stacks;
