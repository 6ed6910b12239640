//! The command `mfa-chain`: joins the room of the command and the edge to libc and libpam, which do not know each
//! other.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use pam_mfa_chain::cli;
use pam_mfa_chain::pam::{SystemAccounts, application::SystemLibpam};

fn main() -> ExitCode {
    cli::main(&SystemLibpam, &SystemAccounts)
}
