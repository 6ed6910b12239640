//! What this host will do at a login: its PAM stacks, and what sshd is set to. Reads, and writes nothing.
#![forbid(unsafe_code)]

pub mod directory;
pub mod doors;
pub mod file_systems;
pub mod finding;
pub mod lines;
pub mod order;
pub mod programs;
pub mod resources;
pub mod service_file;
pub mod sshd;
pub mod sshd_user;
pub mod stacks;
pub mod sudo;
pub mod walk;
pub mod ways;
