//! `mfa-chain resync`: finds where the counter of an enrolled token stands (RFC 4226 §7.4).

use serde_json::json;

use super::arguments::ResyncArguments;
use super::confirmation::{TRIES, ask_codes, not_proven, warn_of_tries};
use super::enrolled::{self, factor_list};
use super::failure::{Exit, Failure};
use super::terminal::Terminal;
use super::who::Who;
use super::{Context, administration, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::enrollment::{Credential, OtpType, Proof, proof};
use crate::verifier::policy::Factor;
use crate::verifier::ports::Clock;
use crate::verifier::time::UnixTime;

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
    if credential.otp_type != OtpType::Hotp {
        let line =
            format!("`{name}` goes by the time, so there is no counter; see `timedatectl` for the clock");
        return Err(Failure::refused(line));
    }
    let factor = policy.factor(name).ok_or_else(|| {
        Failure::refused(format!("the policy has no factor `{name}` any more, so no login asks for it"))
    })?;
    let counter = state.lowest_counter(credential).max(arguments.counter.unwrap_or(0));
    let clock = SystemClock;
    let next = find_counter(credential, factor, counter)?;
    store.set_counter(user, credential, next, clock.now())?;
    administration::record(context, "resync", user.as_str(), &[("factor", name)]);
    if context.json {
        output::print_json(&json!({ "user": user.as_str(), "factor": name, "next_counter": next }))?;
    } else {
        output::print(&format!(
            "The token `{name}` of {user} stands at counter {next}; its next code is good.\n"
        ))?;
    }
    Ok(Exit::Done)
}

/// Asks for two codes in a row until they are found. Returns the counter behind them.
fn find_counter(credential: &Credential, factor: &Factor, counter: u64) -> Result<u64, Failure> {
    for left in (0..TRIES).rev() {
        let codes = ask_codes(Terminal::of_stdin(), factor)?;
        // Which codes a token takes does not depend on the time.
        if let Proof::Proven(next) = proof(credential, factor.kind, &codes, counter, UnixTime::default()) {
            return Ok(next);
        }
        warn_of_tries(left);
    }
    Err(not_proven())
}
