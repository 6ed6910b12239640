//! `mfa-chain explain`.

use super::Context;
use super::arguments::ExplainArguments;
use super::failure::{Exit, Failure};

/// Runs the command.
///
/// # Errors
///
/// Always, so far.
pub fn run(context: &Context, arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let _ = (context, arguments);
    Err(Failure::refused("not built yet"))
}
