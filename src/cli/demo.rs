//! `mfa-chain demo`: logins through libpam and the module in a scratch folder. It shows a newcomer what the
//! module does, and proves to an administrator that this build does it.

mod devices;
mod hands;
mod hands_on;
mod scenes;
mod scratch;
mod show;

use super::Context;
use super::arguments::DemoArguments;
use super::failure::{Exit, Failure};
use super::module_path;
use crate::rehearsal::Libpam;

/// Runs the demonstration. Policy and store of the system are not looked at.
///
/// # Errors
///
/// [`Failure`] when there is no module, no room for a scratch folder, or libpam can't be asked. A verdict that is
/// not the expected one is an [`Exit::Denied`].
pub fn run(_: &Context, arguments: &DemoArguments, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let module = module_path::find(arguments.module.as_deref())?;
    if arguments.interactive { hands_on::run(&module, libpam) } else { show::run(&module, libpam) }
}
