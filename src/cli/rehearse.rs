//! `mfa-chain try`.

use super::Context;
use super::arguments::TryArguments;
use super::failure::{Exit, Failure};
use crate::store::rehearsal::Libpam;

/// Runs the command.
///
/// # Errors
///
/// Always, so far.
pub fn run(context: &Context, arguments: &TryArguments, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let _ = (context, arguments, libpam);
    Err(Failure::refused("not built yet"))
}
