//! `mfa-chain policy apply NEW`: puts a policy in force that undoes itself unless it is confirmed.

use super::super::Context;
use super::super::failure::{Exit, Failure};
use super::arguments::PolicyApplyArguments;
use super::candidate::Candidate;
use super::install::Installation;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when the new policy is not valid, nobody said yes, or it can't be put in force.
pub fn run(context: &Context, arguments: &PolicyApplyArguments) -> Result<Exit, Failure> {
    let new = Candidate::read_file(&arguments.new, &context.policy)?;
    Installation::begin(context, "apply")?.put_in_force(&new, &arguments.guard)
}
