//! The judgement on a batch: pure arithmetic on a record and a state, run by the store under the user's lock.

use super::chain::{AnsweredBy, Chain, Step, StepOutcome, StepProof};
use super::credential::{Credential, Scan};
use super::failures::{Budget, SourceKey};
use super::login_state::LoginState;
use super::otp::Digits;
use super::past_outcome::{NameKey, OutcomeNumber, PastOutcome};
use super::policy::ThrottlePolicy;
use super::record::UserRecord;
use super::recovery::{BypassCode, RecoveryCode, RecoverySet};
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
    let Circumstances { request, now, another_account, .. } = *circumstances;
    // The record may have changed hands while the claimant was at the prompt.
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
        // sshd would refuse this user whatever we say; nobody guessed, so no count of codes moves. What others would
        // be asked next is asked here too.
        outcomes = refuse_all(outcomes, Refusal::SshdJunk);
        state.failures.charge(source, Budget::Fillers, chain.mark(), now);
    } else {
        charged = charge(&mut bench.state, chain, &outcomes, source, now);
        *state = bench.state;
    }
    keep(state, chain, &outcomes, circumstances, charged);
    outcomes
}

/// Seconds until these answers are judged. Recovery codes are, at any time, and so are the codes beside a right one: a
/// wait that others brought about must not make it worthless.
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

/// Writes one failure or, at the end of a whole chain, the success; says whether it was a failure. Codes that were
/// right stay burnt either way: whoever saw them must not use them (RFC 6238 §5.2).
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
    #[cfg(not(mfa_fault = "charge-forgotten"))]
    for budget in budgets_of(wrong) {
        state.failures.charge(source, budget, chain.mark(), now);
    }
    true
}

/// Keeps the outcomes for those who look later.
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

/// The budgets that outcomes draw on; that of codes where nothing was answered at all, as after a breach.
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
    /// As it is after the steps before.
    state: LoginState,
    /// When a chain was last passed from where the answers come from, if none was passed from elsewhere since.
    home: Option<UnixTime>,
    /// Whether the account is known not to be the one that enrolled.
    another_account: bool,
    /// Whether the bypass code was taken for a step before.
    bypassed: bool,
}

impl Bench<'_> {
    fn judge_step(&mut self, step: &Step, answer: &Answer) -> StepOutcome {
        let enrolled = self.record.credential(&step.factor).filter(|_| self.chain.is_genuine());
        let digits = enrolled.map_or_else(Digits::default, |credential| credential.digits);
        let can_pass = enrolled.is_some() && !self.another_account;
        let (by, verified) = match answer.response.shape(digits) {
            Shape::SshdJunk => (AnsweredBy::Code, Err(Refusal::SshdJunk)),
            Shape::Malformed => (AnsweredBy::Code, Err(Refusal::Malformed)),
            Shape::Recovery(code) => self.judge_recovery_code(&code, can_pass, answer.at),
            Shape::Code(code) => (AnsweredBy::Code, self.judge_code(&code, step, enrolled, answer.at)),
        };
        // The one place that makes a proof. Someone who has not enrolled the factor passes by no answer.
        let result = match (verified, enrolled) {
            // What sshd sends says nothing of who is meant.
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
        // No code can be right, of a time that is void or a counter that is.
        let none_is_good = *candidates.end() < mark.next || mark.next == u64::MAX;
        // One past the window is the ordinary case of an authenticator that runs ahead and was just used.
        let is_far_behind = candidates.end().saturating_add(1) < mark.next;
        // Looked at whatever was typed and whoever types, so that the time tells nothing: the last accepted code,
        // which may lie behind the window by now.
        let last = mark.next.saturating_sub(1);
        let is_last = credential.scan(code, last..=last, u64::MAX) == Scan::Replay && self.state.holds(&mark);
        let is_from_source = self.home.is_some_and(|passed_at| passed_at >= mark.used_at);
        #[cfg(mfa_fault = "replay-uncharged")]
        let is_from_source = true;
        match credential.scan(code, candidates, mark.next) {
            Scan::Match(moving_factor) => {
                // Nothing is burnt of a decoy, which nobody holds.
                if enrolled.is_some() {
                    self.state.burn_at(mark, moving_factor, at);
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

    /// A code is used up only where the step can pass by it.
    /// A code is used up only where the step can pass by it.
    fn judge_recovery_code(
        &mut self,
        code: &RecoveryCode,
        can_pass: bool,
        now: UnixTime,
    ) -> (AnsweredBy, Result<(), Refusal>) {
        // The same work where no set was made, nor a bypass code.
        let decoy = RecoverySet::decoy();
        let set = self.record.recovery().unwrap_or(&decoy);
        let bypass = self.state.bypass.unwrap_or_else(BypassCode::decoy);
        let (place, is_bypass) = (set.find(code), bypass.is(code));
        let by = if is_bypass { AnsweredBy::BypassCode } else { AnsweredBy::RecoveryCode };
        let taken = match by {
            // The step is refused for that.
            _ if !can_pass => Err(Refusal::Unenrolled),
            AnsweredBy::BypassCode => self.take_bypass(bypass, now),
            _ => self.take_recovery_code(set, place, now),
        };
        (by, taken)
    }

    /// It is good for one chain: every step of the one that took it first.
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
