//! `mfa-chain policy diff NEW`: which logins get another answer.

use super::super::failure::{Exit, Failure};
use super::super::{Context, output};
use super::arguments::PolicyDiffArguments;
use super::candidate::Candidate;
use super::effect::Effect;
use crate::store::{FileStore, load_policy};

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when either policy is not valid, or the store can't be read.
pub fn run(context: &Context, arguments: &PolicyDiffArguments) -> Result<Exit, Failure> {
    let old = load_policy(&context.policy)?;
    let new = Candidate::read_file(&arguments.new, &context.policy)?;
    let effect = Effect::of(&old, &new.policy, &FileStore::at(&context.store), context.accounts)?;
    if context.json {
        output::print_json(&effect.to_json())?;
    } else {
        output::print(&effect.to_text())?;
    }
    Ok(if effect.diff.is_weaker() { Exit::Weaker } else { Exit::Done })
}
