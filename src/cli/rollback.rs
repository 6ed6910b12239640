//! `mfa-chain rollback`: puts everything back as it was before the change that waits.

use std::io::{self, Write};

use super::enable::arguments::RollbackArguments;
use super::failure::{Exit, Failure};
use super::{Context, administration, output};
use crate::changes::history::{self, Entry};
use crate::changes::pending::{self, Pending};
use crate::changes::policy_files::PolicyFiles;
use crate::changes::{ChangesFolder, sshd, timer};
use crate::store::SystemClock;
use crate::verifier::ports::Clock;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when nothing waits and something was expected, or a file can't be put back.
pub fn run(context: &Context, arguments: &RollbackArguments) -> Result<Exit, Failure> {
    let folder = ChangesFolder::open(&context.store)?;
    if let (Some(seconds), Some(id)) = (arguments.after, &arguments.change) {
        become_timer();
        // The timer is started before the change is written down, under the lock of who makes it.
        let is_settled = || folder.is_quiet() && !pending::is_waiting(&folder, id);
        if !timer::wait(seconds, is_settled) {
            return Ok(Exit::Done);
        }
    }
    let is_meant = |pending: &Pending| {
        arguments.change.as_ref().is_none_or(|id| *id == pending.id)
            && (!arguments.due || pending.is_due(SystemClock.now()))
    };
    let mut undone = undo(context, &folder, is_meant);
    if let Some(id) = &arguments.change {
        // Nobody reads what a timer says, and a file system that is read-only now may not stay so.
        for _ in 0..TRIES {
            if undone.is_ok() || !timer::wait(SECONDS_BETWEEN_TRIES, || !pending::is_waiting(&folder, id)) {
                break;
            }
            undone = undo(context, &folder, is_meant);
        }
    }
    let undone = undone?;
    if undone.is_none() && arguments.change.is_none() && !arguments.due {
        return Err(Failure::refused("no change waits for a confirmation"));
    }
    let what = undone.map(|pending| pending.what);
    if context.json {
        output::print_json(&serde_json::json!({ "rolled_back": what }))?;
    } else if let Some(what) = what {
        output::print(&format!("Rolled back: {what} is as it was before.\n"))?;
    }
    Ok(Exit::Done)
}

/// An hour of tries.
const TRIES: u32 = 360;
const SECONDS_BETWEEN_TRIES: u64 = 10;

/// Undoes a change whose time is over. Called before every command: a timer may have been killed.
///
/// # Errors
///
/// [`Failure`] when a file can't be put back.
pub fn settle(context: &Context) -> Result<(), Failure> {
    // Users other than the owner of the store can neither see nor undo a change.
    if !pending::is_there(&ChangesFolder::at(&context.store)) {
        return Ok(());
    }
    let folder = ChangesFolder::open(&context.store)?;
    if let Some(pending) = undo(context, &folder, |pending| pending.is_due(SystemClock.now()))? {
        output::warn(&format!("{} was not confirmed in time and is as it was before", pending.what));
    }
    Ok(())
}

/// Puts everything back where `is_meant` holds for the change that waits.
fn undo(
    context: &Context,
    folder: &ChangesFolder,
    is_meant: impl Fn(&Pending) -> bool,
) -> Result<Option<Pending>, Failure> {
    let _lock = folder.lock()?;
    let Some(pending) = Pending::waiting(folder)?.filter(is_meant) else { return Ok(None) };
    pending.put_back(folder)?;
    administration::record_change(context, "rollback", &[("what", &pending.what)], None);
    if pending.reload_sshd {
        sshd::reload();
    }
    if let Some(policy) = &pending.policy
        && let Ok(text) = std::fs::read_to_string(policy)
    {
        let by = administration::in_words(context);
        let files = PolicyFiles::beside(policy, text)?;
        history::keep(folder, Entry::new("rollback", &by, None, files, SystemClock.now()))?;
    }
    Ok(Some(pending))
}

/// Leaves the session of the terminal, whose end must not end the timer.
fn become_timer() {
    // Fails only for the leader of a group, which a process that was just started is not.
    let _ = nix::unistd::setsid();
    let mut output = io::stdout();
    let _ = output.write_all(timer::READY.as_bytes()).and_then(|()| output.flush());
}
