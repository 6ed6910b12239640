//! `mfa-chain policy undo`: puts an earlier policy in force again.

use super::super::Context;
use super::super::failure::{Exit, Failure};
use super::arguments::PolicyUndoArguments;
use super::candidate::Candidate;
use super::install::Installation;
use crate::changes::history;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when there is no such policy, nobody said yes, or it can't be put in force.
pub fn run(context: &Context, arguments: &PolicyUndoArguments) -> Result<Exit, Failure> {
    let installation = Installation::begin(context, "undo")?;
    let entries = history::entries(installation.folder())?;
    // The newest one is in force.
    let entry = arguments.number.map_or_else(
        || entries.iter().rev().nth(1).cloned(),
        |number| entries.iter().find(|entry| entry.number == number).cloned(),
    );
    let entry = entry.ok_or_else(|| {
        Failure::refused("no such policy is kept; `mfa-chain policy log` lists those that are")
    })?;
    // A newer version may refuse what an older one took.
    let new = Candidate::of(entry.files, &format!("policy {}", entry.number), &context.policy)?;
    installation.put_in_force(&new, &arguments.guard)
}
