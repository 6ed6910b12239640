//! The command `mfa-chain`: joins the room of the command and the edge to libc and libpam, which do not know each
//! other.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mfa_chain::cli;
use mfa_chain::pam::{SyslogAudit, SystemAccounts};
use mfa_chain::rehearsal::SystemLibpam;

fn main() -> ExitCode {
    let audit = Box::leak(Box::new(SyslogAudit::of_the_command()));
    cli::main(&SystemLibpam, &SystemAccounts, audit)
}
