//! `mfa-chain demo`.

use super::Context;
use super::arguments::DemoArguments;
use super::failure::{Exit, Failure};
use crate::store::rehearsal::Libpam;

/// Runs the command.
///
/// # Errors
///
/// Always, so far.
pub fn run(context: &Context, arguments: &DemoArguments, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let _ = (context, arguments, libpam);
    Err(Failure::refused("not built yet"))
}
