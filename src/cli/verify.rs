//! `mfa-chain verify USER [FACTOR]`: what a code is that a user reads out at the telephone. Uses nothing up, counts
//! nothing.

use serde::Serialize;
use serde_json::json;

use super::arguments::VerifyArguments;
use super::enrolled::{self, factor_list};
use super::failure::{Exit, Failure};
use super::terminal::Terminal;
use super::who::Who;
use super::{Context, administration, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::enrollment::Credential;
use crate::verifier::otp::Response;
use crate::verifier::policy::{FactorKind, Policy};
use crate::verifier::ports::Clock;
use crate::verifier::state::LoginState;
use crate::verifier::time::UnixTime;

/// How far a clock may be off, either way.
const HOUR_SECONDS: u64 = 3_600;
/// How far a counter may be ahead.
const COUNTERS: u64 = 1_000;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a user or factor that is not enrolled, and at the end of input.
pub fn run(context: &Context, arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let store = FileStore::at(&context.store);
    let who = Who::of(context, &arguments.user)?;
    let (record, state) = enrolled::find(&store, &who.user)?;
    let is_meant = |credential: &&Credential| {
        arguments.factor.as_ref().is_none_or(|id| credential.factor.as_str() == id)
    };
    let credentials: Vec<&Credential> = record.credentials().iter().filter(is_meant).collect();
    if credentials.is_empty() {
        let enrolled = factor_list(record.credentials());
        return Err(Failure::refused(format!(
            "{} has not enrolled that factor; enrolled: {enrolled}",
            who.user
        )));
    }
    let typed = Terminal::of_stdin().ask_unseen("Code that the user reads out: ")?;
    let (answer, now) = (Response::from_bytes(typed.as_bytes()), SystemClock.now());
    let mut found =
        credentials.iter().filter_map(|credential| Match::of(credential, &policy, &state, &answer, now));
    let found = found.next();
    let factor = found.as_ref().map_or("none", |found| found.factor.as_str());
    administration::record(context, "verify", who.user.as_str(), &[("factor", factor)]);
    if context.json {
        output::print_json(&found.as_ref().map_or(json!({ "match": null }), Match::to_json))?;
    } else {
        output::print(&found.as_ref().map_or_else(|| NO_MATCH.to_owned(), Match::text))?;
    }
    Ok(if found.is_some() { Exit::Done } else { Exit::Denied })
}

const NO_MATCH: &str = "This is no code of the user's authenticators within an hour or 1,000 counters: another account in the app, \
    another secret, or a mistyped digit.\n";

/// What a code is.
#[derive(Debug, PartialEq, Eq)]
struct Match {
    factor: String,
    /// Seconds that the authenticator's clock is ahead of this host's, or counters that the token is ahead.
    ahead: i64,
    is_counter: bool,
    outcome: Outcome,
}

/// What a login would make of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Accepted,
    /// It, or a later one, was accepted before.
    Used,
    /// A reset of the login state made it void.
    Void,
    OutOfWindow,
    /// The policy has no factor of that name.
    NotInPolicy,
}

impl Match {
    fn of(
        credential: &Credential,
        policy: &Policy,
        state: &LoginState,
        answer: &Response,
        now: UnixTime,
    ) -> Option<Self> {
        let (present, reach, unit) = if let Some(step) = credential.step_at(now) {
            let seconds = credential.otp_type.period_seconds();
            (step, HOUR_SECONDS.checked_div(seconds)?, seconds)
        } else {
            (state.lowest_counter(credential), COUNTERS, 1)
        };
        let candidates = present.saturating_sub(reach)..=present.saturating_add(reach);
        let found = credential.nearest(answer, candidates, present)?;
        let steps = i64::try_from(found).ok()?.saturating_sub(i64::try_from(present).ok()?);
        let factor = policy.factor(credential.factor.as_str());
        Some(Self {
            factor: credential.factor.to_string(),
            ahead: steps.saturating_mul(i64::try_from(unit).ok()?),
            is_counter: credential.step_at(now).is_none(),
            outcome: factor.map_or(Outcome::NotInPolicy, |factor| {
                Outcome::of(found, credential, factor.kind, state, found.abs_diff(present))
            }),
        })
    }

    fn to_json(&self) -> serde_json::Value {
        json!({ "match": {
            "factor": self.factor,
            "ahead": self.ahead,
            "unit": if self.is_counter { "counters" } else { "seconds" },
            "outcome": self.outcome,
        }})
    }

    fn text(&self) -> String {
        let Self { factor, ahead, is_counter, outcome } = self;
        let off = match (is_counter, ahead) {
            (true, 0) => "the token stands where this host expects it".to_owned(),
            (true, 1..) => format!("the token stands {ahead} counters ahead"),
            (true, _) => format!("it is {} counters behind the next one", ahead.unsigned_abs()),
            (false, 0) => "its clock agrees with this host's".to_owned(),
            (false, 1..) => format!("its clock is about {ahead} s ahead of this host's"),
            (false, _) => format!("its clock is about {} s behind this host's", ahead.unsigned_abs()),
        };
        let advice = outcome.advice(*is_counter);
        format!("A code of `{factor}`: {off}. {advice}\nNothing was used up or counted.\n")
    }
}

impl Outcome {
    fn of(found: u64, credential: &Credential, kind: FactorKind, state: &LoginState, distance: u64) -> Self {
        let window = match kind {
            FactorKind::Totp { window } => u64::from(window),
            FactorKind::Hotp { look_ahead } => u64::from(look_ahead).saturating_sub(1),
        };
        let is_reset = state.mark(credential.id()).is_some_and(|mark| mark.by_reset);
        match found < state.next_acceptable(credential) {
            true if is_reset => Self::Void,
            true => Self::Used,
            false if distance <= window => Self::Accepted,
            false => Self::OutOfWindow,
        }
    }

    const fn advice(self, is_counter: bool) -> &'static str {
        match (self, is_counter) {
            (Self::Accepted, _) => "A login would take it.",
            (Self::Used, _) => {
                "It was used before, or is older than a used one: a login takes the next code."
            }
            (Self::Void, true) => {
                "It is void since the login state was reset: run `mfa-chain resync` with two codes in a row."
            }
            (Self::Void, false) => {
                "It is void since the login state was reset: codes are good again some minutes after the reset."
            }
            (Self::OutOfWindow, true) => {
                "A login would not take it: run `mfa-chain resync` with two codes in a row."
            }
            (Self::OutOfWindow, false) => {
                "A login would not take it: set the clock of the authenticator, or of this host (`timedatectl`)."
            }
            (Self::NotInPolicy, _) => "No login asks for it: the policy has no factor of this name.",
        }
    }
}
