//! `mfa-chain policy`: the policy is changed as a whole, after a look at what the change does.

mod apply;
pub mod arguments;
pub mod candidate;
mod diff;
mod edit;
mod effect;
mod install;
mod log;
mod undo;

use self::arguments::PolicyAction;
use super::Context;
use super::arguments::PolicyArguments;
use super::failure::{Exit, Failure};

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] as the action says.
pub fn run(context: &Context, arguments: &PolicyArguments) -> Result<Exit, Failure> {
    match &arguments.action {
        PolicyAction::Diff(arguments) => diff::run(context, arguments),
        PolicyAction::Apply(arguments) => apply::run(context, arguments),
        PolicyAction::Edit(arguments) => edit::run(context, arguments),
        PolicyAction::Log(arguments) => log::run(context, arguments),
        PolicyAction::Undo(arguments) => undo::run(context, arguments),
    }
}
