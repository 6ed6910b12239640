//! The command `mfa-chain`: joins the room of the command and the edge to libpam, which do not know each other.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use pam_mfa_chain::{cli, pam::application::SystemLibpam};

fn main() -> ExitCode {
    cli::main(&SystemLibpam)
}
