//! What became of each step, for administrators, who may read the login state. The claimant sees one sentence for all.

use super::super::Context;
use super::super::arguments::TryArguments;
use super::super::failure::Failure;
use super::super::outcomes::JudgedStep;
use super::super::who::Who;
use crate::store::FileStore;
use crate::verifier::policy::Policy;
use crate::verifier::request::Request;
use crate::verifier::state::{LoginState, NameKey, SourceKey};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// What the login state says of the login that began at `started`; nothing of a user who has none.
///
/// # Errors
///
/// [`Failure`] where the store can't be read.
pub fn of(
    context: &Context,
    policy: &Policy,
    arguments: &TryArguments,
    started: UnixTime,
) -> Result<Vec<JudgedStep>, Failure> {
    let Ok(typed) = Username::parse(&arguments.user) else { return Ok(Vec::new()) };
    let user = Who::of(context, &typed)?.user;
    let state = FileStore::at(&context.store).login_state(&user)?;
    let request = Request {
        rhost: arguments.rhost.clone(),
        tty: arguments.tty.clone(),
        ..Request::local(&arguments.service, user.as_str())
    };
    Ok(state.map_or_else(Vec::new, |state| latest(&state, policy, &request, started)))
}

/// The newest outcomes from there, back to the first step of their attempt.
fn latest(state: &LoginState, policy: &Policy, request: &Request, started: UnixTime) -> Vec<JudgedStep> {
    let key = &state.draw_key;
    let place = (SourceKey::of(request, key), NameKey::of_service(&request.service, key));
    let mut reasons = Vec::new();
    let mut later = u8::MAX;
    for outcome in state.outcomes.iter().rev() {
        if (outcome.source, outcome.service) != place {
            continue;
        }
        if outcome.at < started || outcome.step >= later {
            break;
        }
        later = outcome.step;
        reasons.push(JudgedStep::of(*outcome, policy, key));
    }
    reasons.reverse();
    reasons
}
