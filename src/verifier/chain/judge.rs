//! The judgement on a batch: pure arithmetic on a record and a state, run by the store under the user's lock.

use super::steps::{Chain, Step, StepOutcome, StepProof};
use crate::verifier::enrollment::{Credential, Scan, UserRecord};
use crate::verifier::otp::{
    AnsweredBy, BypassCode, Code, Digits, RecoveryCode, RecoverySet, Response, Shape,
};
use crate::verifier::policy::ThrottlePolicy;
use crate::verifier::reason::Refusal;
use crate::verifier::request::Request;
use crate::verifier::state::{Budget, LoginState, NameKey, OutcomeNumber, PastOutcome, SourceKey};
use crate::verifier::time::UnixTime;

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

/// Judges `answers` against the next batch of `chain` and changes `state` to what must be on disk before the
/// outcome is reported.
///
/// Unknown, unenrolled and throttled claimants cost the same work as others: every answer is compared with
/// every candidate before anything is decided.
#[must_use]
pub fn judge(
    chain: &Chain,
    answers: &[Answer],
    record: &UserRecord,
    state: &mut LoginState,
    circumstances: &Circumstances<'_>,
) -> Vec<StepOutcome> {
    let Circumstances { request, now, another_account, .. } = *circumstances;
    // Checked again: the record may belong to another account by now, while the claimant was at the prompt.
    let another_account = another_account || !record.is_of(request.uid());
    let source = SourceKey::of(request, &state.draw_key);
    state.failures = std::mem::take(&mut state.failures).at(now);
    let home = state.failures.last_passed_from(source, now);
    let bypassed = chain.is_bypassed();
    let mut bench = Bench { chain, record, state: state.clone(), home, another_account, bypassed };
    let mut outcomes: Vec<StepOutcome> =
        chain.next_batch().zip(answers).map(|(step, answer)| bench.judge_step(step, answer)).collect();

    let is_filler = |outcome: &StepOutcome| outcome.result == Err(Refusal::SshdJunk);
    let mut charged = false;
    let wait_seconds = wait_seconds(chain, &outcomes, state, source, circumstances);
    if wait_seconds > 0 {
        outcomes = refuse_all(outcomes, Refusal::Throttled { wait_seconds });
    } else if outcomes.iter().any(is_filler) {
        // sshd will refuse this user in any case and sent no guess, so the counts of codes stay. The charge
        // as filler moves the draw, so the next prompts are those that other users would see.
        outcomes = refuse_all(outcomes, Refusal::SshdJunk);
        state.failures.charge(source, Budget::Fillers, chain.mark(), now);
    } else {
        charged = charge(&mut bench.state, chain, &outcomes, source, now);
        *state = bench.state;
    }
    keep(state, chain, &outcomes, circumstances, charged);
    outcomes
}

/// Seconds until these answers are judged. A right recovery code is judged at once, with the other codes of
/// its chain: otherwise the failures of others could make it worthless.
fn wait_seconds(
    chain: &Chain,
    outcomes: &[StepOutcome],
    state: &LoginState,
    source: SourceKey,
    circumstances: &Circumstances<'_>,
) -> u64 {
    let is_recovered = |outcome: &StepOutcome| outcome.by != AnsweredBy::Code && outcome.result.is_ok();
    if chain.is_recovered() || outcomes.iter().any(is_recovered) {
        return 0;
    }
    let wait =
        |budget| state.failures.wait_seconds(source, budget, circumstances.throttle, circumstances.now);
    budgets_of(outcomes).into_iter().map(wait).max().unwrap_or(0)
}

/// Records one failure or, at the end of a whole chain, the success; returns whether it was a failure. Right
/// codes stay used either way: somebody who saw them must not use them (RFC 6238 §5.2).
fn charge(
    state: &mut LoginState,
    chain: &Chain,
    outcomes: &[StepOutcome],
    source: SourceKey,
    now: UnixTime,
) -> bool {
    let wrong: Vec<&StepOutcome> = outcomes.iter().filter(|outcome| outcome.result.is_err()).collect();
    let replayed = |outcome: &&StepOutcome| outcome.result == Err(Refusal::ReplayFromSource);
    if !wrong.is_empty() && wrong.iter().all(replayed) {
        return false;
    }
    let complete = outcomes.len() == chain.next_batch().count();
    if complete && wrong.is_empty() {
        if chain.next_batch_is_last() {
            state.failures.pass(source, chain.mark(), now);
            state.last_success = Some(now);
        }
        return false;
    }
    for budget in budgets_of(wrong) {
        state.failures.charge(source, budget, chain.mark(), now);
    }
    true
}

/// Keeps the outcomes for `mfa-chain why` and `mfa-chain try`.
fn keep(
    state: &mut LoginState,
    chain: &Chain,
    outcomes: &[StepOutcome],
    circumstances: &Circumstances<'_>,
    charged: bool,
) {
    let Circumstances { request, now, .. } = *circumstances;
    let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let key = state.draw_key;
    let expected = chain.expected();
    let past = PastOutcome {
        at: now,
        attempt: chain.attempt(),
        source: SourceKey::of(request, &key),
        service: NameKey::of_service(&request.service, &key),
        factor: NameKey::of_factor(&expected.factor.id, &key),
        step: small(expected.number),
        steps: small(chain.step_count()),
        outcome: OutcomeNumber::breach(),
        by: AnsweredBy::Code,
        charged,
    };
    for outcome in outcomes {
        let factor = NameKey::of_factor(&outcome.factor, &key);
        let (step, by) = (small(outcome.number), outcome.by);
        let outcome = OutcomeNumber::of(outcome.result.as_ref().err().copied());
        state.keep(PastOutcome { factor, step, outcome, by, ..past });
    }
    if outcomes.is_empty() {
        state.keep(past);
    }
}

/// The budgets that the outcomes are charged to; the budget of codes if there was no answer, as after a
/// breach.
fn budgets_of<'a>(outcomes: impl IntoIterator<Item = &'a StepOutcome>) -> Vec<Budget> {
    let mut budgets = Vec::with_capacity(2);
    for outcome in outcomes {
        let budget = match (&outcome.result, outcome.by) {
            (Err(Refusal::SshdJunk), _) => Budget::Fillers,
            (_, AnsweredBy::Code) => Budget::Codes,
            (_, AnsweredBy::RecoveryCode | AnsweredBy::BypassCode) => Budget::RecoveryCodes,
        };
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

/// What the steps of one batch are judged with, in their order.
struct Bench<'a> {
    chain: &'a Chain,
    record: &'a UserRecord,
    /// The state after the earlier steps of the batch.
    state: LoginState,
    /// When a chain was last passed from the source of the answers, unless one was passed from elsewhere
    /// since.
    home: Option<UnixTime>,
    /// Whether the account is known not to be the one that enrolled.
    another_account: bool,
    /// Whether the bypass code was taken for an earlier step.
    bypassed: bool,
}

impl Bench<'_> {
    fn judge_step(&mut self, step: &Step, answer: &Answer) -> StepOutcome {
        let enrolled = self.record.credential(&step.factor).filter(|_| self.chain.can_pass());
        let digits = enrolled.map_or_else(Digits::default, |credential| credential.digits);
        let can_pass = enrolled.is_some() && !self.another_account;
        let (by, verified) = match answer.response.shape(digits) {
            Shape::SshdJunk => (AnsweredBy::Code, Err(Refusal::SshdJunk)),
            Shape::Malformed => (AnsweredBy::Code, Err(Refusal::Malformed)),
            Shape::Recovery(code) => self.judge_recovery_code(&code, can_pass, answer.at),
            Shape::Code(code) => (AnsweredBy::Code, self.judge_code(&code, step, enrolled, answer.at)),
        };
        // Only this place makes a proof. A user who has not enrolled the factor passes with no answer.
        let result = match (verified, enrolled) {
            // First, so that filler from sshd gives the same outcome for every user.
            (Err(Refusal::SshdJunk), _) => Err(Refusal::SshdJunk),
            (_, _) if self.another_account => Err(Refusal::AnotherAccount),
            (Ok(()), Some(_)) => Ok(StepProof::assertion(step, self.chain.attempt())),
            (Err(refusal), Some(_)) => Err(refusal),
            (_, None) => Err(Refusal::Unenrolled),
        };
        StepOutcome { number: step.number, factor: step.factor.id.clone(), by, result }
    }

    fn judge_code(
        &mut self,
        code: &Code,
        step: &Step,
        enrolled: Option<&Credential>,
        at: UnixTime,
    ) -> Result<(), Refusal> {
        let decoy = Credential::decoy(step.factor.id.clone(), step.factor.kind);
        let credential = enrolled.or(decoy.as_ref()).ok_or(Refusal::Unenrolled)?;
        let mark = self.state.mark_for(credential);
        let candidates = credential.candidates(step.factor.kind, at, mark.next);
        // Every candidate is void: all are before the first acceptable step, or a reset voided the counter.
        let none_is_good = *candidates.end() < mark.next || mark.next == u64::MAX;
        // `+ 1`: a mark one past the window is normal for an authenticator whose clock is ahead and was just
        // used.
        let is_far_behind = candidates.end().saturating_add(1) < mark.next;
        // The last accepted code may lie behind the window by now, so it is compared separately. It is
        // compared for every answer and user, so that the time reveals nothing.
        let last = mark.next.saturating_sub(1);
        let is_last = credential.scan(code, last..=last, u64::MAX) == Scan::Replay && self.state.holds(&mark);
        let is_from_source = self.home.is_some_and(|passed_at| passed_at >= mark.used_at);
        match credential.scan(code, candidates, mark.next) {
            Scan::Match(moving_factor) => {
                // A decoy has no mark to move.
                if enrolled.is_some() {
                    self.state.mark_used_at(mark, moving_factor, at);
                }
                Ok(())
            }
            found if mark.by_reset && (found == Scan::Replay || none_is_good) => {
                Err(Refusal::Voided { since: mark.used_at, until: credential.time_of(mark.next) })
            }
            _ if is_last && is_from_source => Err(Refusal::ReplayFromSource),
            Scan::Replay => Err(Refusal::Replay),
            Scan::NoMatch if is_last => Err(Refusal::Replay),
            Scan::NoMatch if is_far_behind => Err(Refusal::ClockBehind),
            Scan::NoMatch => Err(Refusal::WrongCode),
        }
    }

    /// Uses up a code only if the step can pass with it.
    fn judge_recovery_code(
        &mut self,
        code: &RecoveryCode,
        can_pass: bool,
        now: UnixTime,
    ) -> (AnsweredBy, Result<(), Refusal>) {
        // Decoys cost the same work for users without recovery codes or a bypass code.
        let decoy = RecoverySet::decoy();
        let set = self.record.recovery().unwrap_or(&decoy);
        let bypass = self.state.bypass.unwrap_or_else(BypassCode::decoy);
        let (place, is_bypass) = (set.find(code), bypass.is(code));
        let by = if is_bypass { AnsweredBy::BypassCode } else { AnsweredBy::RecoveryCode };
        let taken = match by {
            // Refused before the code is taken, so the code stays unused.
            _ if !can_pass => Err(Refusal::Unenrolled),
            AnsweredBy::BypassCode => self.take_bypass(bypass, now),
            _ => self.take_recovery_code(set, place, now),
        };
        (by, taken)
    }

    /// Takes the bypass code, which is good for every step of the one chain that takes it first.
    fn take_bypass(&mut self, bypass: BypassCode, now: UnixTime) -> Result<(), Refusal> {
        if !bypass.is_in_time(now) {
            return Err(Refusal::Expired);
        }
        if bypass.used_at.is_some() && !self.bypassed {
            return Err(Refusal::Replay);
        }
        self.bypassed = true;
        self.state.bypass = Some(BypassCode { used_at: Some(now), ..bypass });
        Ok(())
    }

    fn take_recovery_code(
        &mut self,
        set: &RecoverySet,
        place: Option<u32>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let place = place.ok_or(Refusal::WrongRecoveryCode)?;
        if let Some(since) = self.state.recovery_codes_void_since(set) {
            return Err(Refusal::Voided { since, until: None });
        }
        if self.state.recovery_code_is_used(set, place) {
            return Err(Refusal::Replay);
        }
        self.state.use_recovery_code(set, place, now);
        Ok(())
    }
}
