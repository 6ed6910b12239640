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
    let _ = context;
    if arguments.user.is_empty() {
        return Ok(Exit::Denied);
    }
    Err(Failure::refused("not built yet"))
}
