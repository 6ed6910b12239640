//! The command `mfa-chain`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use crate::store::rehearsal::Libpam;

/// Runs the command. `libpam` is the application's side of libpam, which this room may not name.
#[must_use]
pub fn main(libpam: &dyn Libpam) -> ExitCode {
    let _ = libpam;
    ExitCode::SUCCESS
}
