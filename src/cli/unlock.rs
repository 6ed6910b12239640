//! `mfa-chain unlock`: lifts the wait that failures brought, or makes a lost login state anew.

use std::fmt::Write as _;

use serde_json::json;

use super::arguments::UnlockArguments;
use super::failure::{Exit, Failure};
use super::who::Who;
use super::{Context, enrolled, output};
use crate::store::{FileStore, SystemClock};
use crate::verifier::credential::MovingFactor;
use crate::verifier::ports::Clock;
use crate::verifier::record::UserRecord;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a user who has enrolled nothing, or a state that can't be read and is not to be reset.
pub fn run(context: &Context, arguments: &UnlockArguments) -> Result<Exit, Failure> {
    let store = FileStore::at(&context.store);
    let user = Who::enrolled(context, &store, &arguments.user)?;
    if arguments.reset_state {
        reset(context, &store, &user)?;
    } else {
        unlock(context, &store, &user)?;
    }
    Ok(Exit::Done)
}

fn unlock(context: &Context, store: &FileStore, user: &Username) -> Result<(), Failure> {
    let (_, state) = enrolled::find(store, user)?;
    store.clear_failures(user)?;
    let failures = state.failures.total();
    if context.json {
        return output::print_json(&json!({
            "user": user.as_str(), "failures_cleared": failures, "state_reset": false,
        }));
    }
    output::print(&format!(
        "Unlocked {user}: {failures} failures forgotten, the next attempt is judged at once. Used codes stay used.\n"
    ))
}

fn reset(context: &Context, store: &FileStore, user: &Username) -> Result<(), Failure> {
    let record = store.record(user)?.ok_or_else(|| enrolled::nobody(user))?;
    store.reset_state(user, SystemClock.now())?;
    if context.json {
        return output::print_json(&json!({
            "user": user.as_str(), "failures_cleared": null, "state_reset": true,
        }));
    }
    output::print(&meaning(user, &record))
}

/// What a reset costs the user.
fn meaning(user: &Username, record: &UserRecord) -> String {
    let mut text = format!(
        "Made a new login state for {user}. What the old one knew is replaced by the safe assumption:\n"
    );
    // Writing to a String can't fail.
    for credential in record.credentials() {
        let factor = &credential.factor;
        let _ = match credential.moving {
            MovingFactor::Totp(period) => {
                let minutes = period.seconds().saturating_mul(VOID_STEPS).div_ceil(60);
                writeln!(text, "- factor `{factor}`: codes of the next {minutes} minutes are void")
            }
            MovingFactor::Hotp => writeln!(
                text,
                "- factor `{factor}`: void; enrol the token anew, `mfa-chain enroll {user} {factor}`"
            ),
        };
    }
    if record.recovery().is_some() {
        let _ = writeln!(text, "- recovery codes: void; `mfa-chain recovery {user}` makes new ones");
    }
    text
}

/// Time steps that are void after a reset: the present one and the widest window of a policy.
const VOID_STEPS: u64 = 11;
