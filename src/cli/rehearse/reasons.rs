//! What became of each step, for whoever may read the login state: the claimant sees one sentence for everything.

use std::fmt;

use serde_json::{Value, json};

use super::super::Context;
use super::super::arguments::TryArguments;
use super::super::failure::Failure;
use super::super::who::Who;
use crate::store::FileStore;
use crate::verifier::chain::AnsweredBy;
use crate::verifier::failures::SourceKey;
use crate::verifier::login_state::LoginState;
use crate::verifier::past_outcome::{NameKey, PastOutcome};
use crate::verifier::policy::{FactorId, Policy};
use crate::verifier::request::Request;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// One step of a login that has just ended.
#[derive(Debug)]
pub struct Reason {
    factor: Option<FactorId>,
    outcome: PastOutcome,
}

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
) -> Result<Vec<Reason>, Failure> {
    let Ok(typed) = Username::parse(&arguments.user) else { return Ok(Vec::new()) };
    let user = Who::of(context, &typed)?.user;
    let state = FileStore::at(&context.store).login_state(&user)?;
    let request = Request {
        rhost: arguments.rhost.clone(),
        tty: arguments.tty.clone(),
        ..Request::new(&arguments.service, user.as_str())
    };
    Ok(state.map_or_else(Vec::new, |state| latest(&state, policy, &request, started)))
}

/// The newest outcomes from there, back to the first step of their attempt.
fn latest(state: &LoginState, policy: &Policy, request: &Request, started: UnixTime) -> Vec<Reason> {
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
        let named = |id: &FactorId| NameKey::of_factor(id, key) == outcome.factor;
        let factor = policy.factors().iter().map(|factor| factor.id.clone()).find(named);
        reasons.push(Reason { factor, outcome: *outcome });
    }
    reasons.reverse();
    reasons
}

impl Reason {
    /// As one object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "step": self.outcome.step,
            "factor": self.factor.as_ref().map(FactorId::as_str),
            "outcome": self.outcome.outcome.word(),
            "by": self.outcome.by.word(),
            "charged": self.outcome.charged,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PastOutcome { step, outcome, by, .. } = &self.outcome;
        let factor = self.factor.as_ref().map_or("a factor that is gone", FactorId::as_str);
        let by = match by {
            AnsweredBy::Code => "",
            AnsweredBy::RecoveryCode => " by a recovery code",
            AnsweredBy::BypassCode => " by the bypass code",
        };
        let word = outcome.word();
        let meaning = MEANINGS.iter().find(|(known, _)| *known == word).map_or("", |(_, meaning)| meaning);
        write!(formatter, "step {step:<4}{factor}: {word}{by}{meaning}")
    }
}

/// What the words of the log mean, where they don't say it themselves.
const MEANINGS: [(&str, &str); 10] = [
    ("wrong-code", " (no code of the window)"),
    ("replay", " (the code, or a later one, was used before)"),
    ("wrong-recovery-code", " (no recovery code of this user)"),
    ("malformed", " (not the shape of a code)"),
    ("clock-behind", " (this host's clock stands before the last accepted code)"),
    ("unenrolled", " (not enrolled)"),
    ("another-account", " (another account enrolled; see `mfa-chain check`)"),
    ("throttled", " (nothing was judged; `mfa-chain unlock` ends the wait)"),
    ("voided", " (void since the login state was reset)"),
    ("expired", " (the bypass code was good for a day)"),
];
