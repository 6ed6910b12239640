//! `mfa-chain check`.

use super::Context;
use super::arguments::CheckArguments;
use super::failure::{Exit, Failure};

/// Runs the command.
///
/// # Errors
///
/// Always, so far.
pub fn run(context: &Context, arguments: &CheckArguments) -> Result<Exit, Failure> {
    let _ = (context, arguments);
    Err(Failure::refused("not built yet"))
}
