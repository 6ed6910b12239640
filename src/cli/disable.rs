//! `mfa-chain disable SERVICE...`: takes out what `enable` wrote.

use super::enable::arguments::DisableArguments;
use super::failure::{Exit, Failure};
use super::terminal::ask_for_yes;
use super::{Context, administration, output};
use crate::changes::pending::{Pending, Plan, Program, Write};
use crate::changes::{ChangesFolder, all_logins, services, sshd};
use crate::store::SystemClock;
use crate::verifier::ports::Clock;

/// Runs the command. The files are byte for byte as they were before `enable`, but for what others changed since.
///
/// # Errors
///
/// [`Failure`] when nothing was switched on, nobody said yes, or a file can't be written; everything is as it was then.
pub fn run(context: &Context, arguments: &DisableArguments) -> Result<Exit, Failure> {
    let folder = ChangesFolder::open(&context.store)?;
    if let Some(other) = Pending::waiting(&folder)? {
        return Err(other.stands_in_the_way().into());
    }
    let program = arguments.all_logins.then(|| all_logins::program(false)).transpose()?;
    if program.is_some() && !all_logins::is_on() {
        return Err(Failure::refused("no code is asked for in the stack of all logins; nothing was changed"));
    }
    let writes = arguments.planned()?;
    if !context.json {
        output::print(&services::shown(&writes)?)?;
    }
    if !arguments.yes {
        ask_for_yes("Switch the codes off? A key or a password is enough to get in then.")?;
    }
    let through = arguments.through();
    let names = through.join(", ");
    switch_off(context, &folder, arguments, writes, program)?;
    if context.json {
        output::print_json(&serde_json::json!({ "disabled": through }))?;
    } else {
        output::print(&format!("No codes are asked for through {names} any more.\n"))?;
    }
    Ok(Exit::Done)
}

fn switch_off(
    context: &Context,
    folder: &ChangesFolder,
    arguments: &DisableArguments,
    writes: Vec<Write>,
    program: Option<Program>,
) -> Result<(), Failure> {
    let through = arguments.through();
    let names = through.join(", ");
    let reload_sshd = through.iter().any(|service| service == "sshd");
    let plan = Plan {
        what: format!("the login through {names}"),
        by: administration::in_words(context),
        services: Vec::new(),
        one_of: Vec::new(),
        asks_nobody: true,
        witnesses: Vec::new(),
        reload_sshd,
        policy: None,
        writes,
        program,
    };
    let _lock = folder.lock()?;
    services::check_unchanged(&plan.writes, &arguments.planned()?)?;
    administration::record_change(
        context,
        "disable",
        &[("services", &names)],
        Some("no code is asked there any more"),
    );
    // With a timer for the moment between two files; nobody has to confirm it.
    let pending = plan.make(folder, SECONDS_BETWEEN_FILES, SystemClock.now())?;
    if reload_sshd {
        if let Err(error) = sshd::in_force() {
            pending.put_back(folder)?;
            return Err(error.into());
        }
        sshd::reload();
    }
    Ok(pending.forget(folder)?)
}

impl DisableArguments {
    /// The services that ask no longer.
    fn through(&self) -> Vec<String> {
        if self.all_logins { all_logins::services() } else { self.services.clone() }
    }

    fn planned(&self) -> Result<Vec<Write>, Failure> {
        if self.all_logins && self.through().iter().any(|service| service == "sshd") {
            return Ok(sshd::disable()?);
        }
        Ok(services::disable(&self.services)?)
    }
}

const SECONDS_BETWEEN_FILES: u64 = 60;
