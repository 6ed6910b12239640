//! The judgement on a batch: pure arithmetic on a record and a state, run by the store under the user's lock.

use super::chain::{Chain, Step, StepOutcome, StepProof};
use super::credential::{Credential, Scan};
use super::failures::{Budget, SourceKey};
use super::login_state::LoginState;
use super::otp::Digits;
use super::policy::ThrottlePolicy;
use super::record::UserRecord;
use super::recovery::{RecoveryCode, RecoverySet};
use super::request::Request;
use super::response::{Code, Response, Shape};
use super::time::UnixTime;
use super::verdict::Refusal;

/// One answer, with the time it came.
#[derive(Debug)]
pub struct Answer {
    /// What was typed.
    pub response: Response,
    /// When.
    pub at: UnixTime,
}

/// What a judgement goes by, beside the chain and the answers.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// Where the answers come from.
    pub request: &'a Request,
    /// How failures slow a claimant down.
    pub throttle: &'a ThrottlePolicy,
    /// When.
    pub now: UnixTime,
    /// Whether the account is known not to be the one that enrolled.
    pub another_account: bool,
}

/// Judges `answers` against the next batch of `chain` and moves `state` to what must be on disk before
/// anybody learns the outcome.
///
/// Unknown, unenrolled and throttled claimants cost the same work as others: every answer is compared with
/// every candidate before any of it decides.
#[must_use]
pub fn judge(
    chain: &Chain,
    answers: &[Answer],
    record: &UserRecord,
    state: &mut LoginState,
    circumstances: &Circumstances<'_>,
) -> Vec<StepOutcome> {
    let Circumstances { request, throttle, now, another_account } = *circumstances;
    // The record may have changed hands while the claimant was at the prompt.
    let another_account = another_account || !record.is_of(request.uid());
    let source = SourceKey::of(request, &state.draw_key);
    state.failures = std::mem::take(&mut state.failures).at(now);
    let home = state.failures.last_passed_from(source, now);
    let mut judged = state.clone();
    let outcomes: Vec<StepOutcome> = chain
        .next_batch()
        .zip(answers)
        .map(|(step, answer)| judge_step(chain, step, answer, record, &mut judged, home))
        .map(|outcome| if another_account { outcome.refused(Refusal::AnotherAccount) } else { outcome })
        .collect();

    let wait = |budget| state.failures.wait_seconds(source, budget, throttle, now);
    let wait_seconds = budgets_of(&outcomes).into_iter().map(wait).max().unwrap_or(0);
    if wait_seconds > 0 {
        return refuse_all(outcomes, Refusal::Throttled { wait_seconds });
    }
    if chain.is_genuine() && outcomes.iter().any(|outcome| outcome.result == Err(Refusal::SshdJunk)) {
        // sshd would refuse this user whatever we say; nobody guessed, so nothing is charged.
        return refuse_all(outcomes, Refusal::SshdJunk);
    }
    charge(&mut judged, chain, &outcomes, source, now);
    *state = judged;
    outcomes
}

/// Writes one failure or, at the end of a whole chain, the success. Codes that were right stay burnt either
/// way: whoever saw them must not use them (RFC 6238 §5.2).
fn charge(state: &mut LoginState, chain: &Chain, outcomes: &[StepOutcome], source: SourceKey, now: UnixTime) {
    let wrong: Vec<&StepOutcome> = outcomes.iter().filter(|outcome| outcome.result.is_err()).collect();
    let replayed = |outcome: &&StepOutcome| outcome.result == Err(Refusal::ReplayFromSource);
    // Nor does the draw move: it would be moved for nothing.
    if !wrong.is_empty() && wrong.iter().all(replayed) {
        return;
    }
    if chain.is_untouched() {
        state.attempt = state.attempt.wrapping_add(1);
    }
    let complete = outcomes.len() == chain.next_batch().count();
    if complete && wrong.is_empty() {
        if chain.next_batch_is_last() {
            state.failures.pass(source, now);
            state.last_success = Some(now);
        }
        return;
    }
    #[cfg(mfa_fault = "charge-forgotten")]
    return;
    #[cfg(not(mfa_fault = "charge-forgotten"))]
    for budget in budgets_of(wrong) {
        state.failures.charge(source, budget, now);
    }
}

/// The budgets that outcomes draw on; that of codes where nothing was answered at all, as after a breach.
fn budgets_of<'a>(outcomes: impl IntoIterator<Item = &'a StepOutcome>) -> Vec<Budget> {
    let mut budgets = Vec::with_capacity(2);
    for outcome in outcomes {
        let budget = if outcome.recovery { Budget::RecoveryCodes } else { Budget::Codes };
        if !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    if budgets.is_empty() {
        budgets.push(Budget::Codes);
    }
    budgets
}

fn refuse_all(outcomes: Vec<StepOutcome>, refusal: Refusal) -> Vec<StepOutcome> {
    outcomes.into_iter().map(|outcome| outcome.refused(refusal)).collect()
}

fn judge_step(
    chain: &Chain,
    step: &Step,
    answer: &Answer,
    record: &UserRecord,
    state: &mut LoginState,
    home: Option<UnixTime>,
) -> StepOutcome {
    let enrolled = record.credential(&step.factor).filter(|_| chain.is_genuine());
    let digits = enrolled.map_or_else(Digits::default, |credential| credential.digits);
    let shape = answer.response.shape(digits);
    let recovery = matches!(shape, Shape::Recovery(_));
    let verified = match shape {
        Shape::SshdJunk => Err(Refusal::SshdJunk),
        Shape::Malformed => Err(Refusal::Malformed),
        Shape::Recovery(code) => judge_recovery_code(&code, record.recovery(), state, answer.at),
        Shape::Code(code) => judge_code(&code, step, enrolled, state, answer.at, home),
    };
    // The one place that makes a proof. Someone who has not enrolled the factor passes by no answer.
    let result = match (verified, enrolled) {
        (Ok(()), Some(_)) => Ok(StepProof::assertion(step, chain.attempt())),
        (Err(refusal), Some(_)) => Err(refusal),
        (_, None) => Err(Refusal::Unenrolled),
    };
    StepOutcome { number: step.number, factor: step.factor.id.clone(), recovery, result }
}

fn judge_code(
    code: &Code,
    step: &Step,
    enrolled: Option<&Credential>,
    state: &mut LoginState,
    at: UnixTime,
    home: Option<UnixTime>,
) -> Result<(), Refusal> {
    let decoy = Credential::decoy(step.factor.id.clone(), step.factor.kind);
    let credential = enrolled.or(decoy.as_ref()).ok_or(Refusal::Unenrolled)?;
    let mark = state.mark_for(credential);
    let candidates = credential.candidates(step.factor.kind, at, mark.next);
    // One past the window is the ordinary case of an authenticator that runs ahead and was just used.
    let behind = candidates.end().saturating_add(1) < mark.next;
    // Looked at whatever was typed and whoever types, so that the time tells nothing: the last accepted code, which
    // may lie behind the window by now.
    let last = mark.next.saturating_sub(1);
    let is_last = credential.scan(code, last..=last, u64::MAX) == Scan::Replay && state.holds(&mark);
    let is_from_source = home.is_some_and(|passed_at| passed_at >= mark.used_at);
    #[cfg(mfa_fault = "replay-uncharged")]
    let is_from_source = true;
    match credential.scan(code, candidates, mark.next) {
        Scan::Match(moving_factor) => {
            // Nothing is burnt of a decoy, which nobody holds.
            if enrolled.is_some() {
                state.burn_at(mark, moving_factor, at);
            }
            Ok(())
        }
        _ if is_last && is_from_source => Err(Refusal::ReplayFromSource),
        Scan::Replay => Err(Refusal::Replay),
        Scan::NoMatch if is_last => Err(Refusal::Replay),
        Scan::NoMatch if behind => Err(Refusal::ClockBehind),
        Scan::NoMatch => Err(Refusal::WrongCode),
    }
}

fn judge_recovery_code(
    code: &RecoveryCode,
    set: Option<&RecoverySet>,
    state: &mut LoginState,
    now: UnixTime,
) -> Result<(), Refusal> {
    // The same work where no set was made.
    let decoy = RecoverySet::decoy();
    let set = set.unwrap_or(&decoy);
    let place = set.find(code).ok_or(Refusal::WrongRecoveryCode)?;
    if state.recovery_code_is_used(set, place) {
        return Err(Refusal::Replay);
    }
    state.use_recovery_code(set, place, now);
    Ok(())
}
