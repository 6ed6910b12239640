//! `mfa-chain resync`: finds where the counter of an enrolled token stands (RFC 4226 §7.4).

use serde_json::json;

use super::arguments::ResyncArguments;
use super::confirmation::confirm;
use super::enrolled::{self, factor_list};
use super::failure::{Exit, Failure};
use super::terminal::Terminal;
use super::who::Who;
use super::{Context, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::credential::MovingFactor;
use crate::verifier::ports::Clock;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a factor that goes by the time or is not enrolled, or where no two codes in a row are found. The
/// login state is as before then.
pub fn run(context: &Context, arguments: &ResyncArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let store = FileStore::at(&context.store);
    let who = Who::of(context, &arguments.user)?;
    let user = &who.user;
    let (record, state) = enrolled::find(&store, user)?;
    who.check_is_same(&record)?;
    let name = &arguments.factor;
    let credential = record.credentials().iter().find(|credential| credential.factor.as_str() == name);
    let credential = credential.ok_or_else(|| {
        let enrolled = factor_list(record.credentials());
        Failure::refused(format!("{user} has not enrolled `{name}`; enrolled: {enrolled}"))
    })?;
    if credential.moving != MovingFactor::Hotp {
        let line =
            format!("`{name}` goes by the time, so there is no counter; see `timedatectl` for the clock");
        return Err(Failure::refused(line));
    }
    let factor = policy.factor(name).ok_or_else(|| {
        Failure::refused(format!("the policy has no factor `{name}` any more, so no login asks for it"))
    })?;
    let counter = state.lowest_counter(credential).max(arguments.counter.unwrap_or(0));
    let clock = SystemClock;
    let next = confirm(credential, factor, counter, Terminal::of_stdin(), &clock)?;
    store.set_counter(user, credential, next, clock.now())?;
    if context.json {
        output::print_json(&json!({ "user": user.as_str(), "factor": name, "next_counter": next }))?;
    } else {
        output::print(&format!(
            "The token `{name}` of {user} stands at counter {next}; its next code is good.\n"
        ))?;
    }
    Ok(Exit::Done)
}
