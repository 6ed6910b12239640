//! The engine as a library: begin an attempt, submit answers by factor, learn what comes next.

use super::chain::{Chain, ChainBreached, ChainProof, Progress, Step, StepOutcome};
use super::draw::DrawSeed;
use super::event::{Event, Severity};
use super::failures::SourceKey;
use super::judge::{Answer, Circumstances, judge};
use super::policy::{ChainSpec, Decision, Factor, Policy, Unenrolled};
use super::ports::{Accounts, Audit, Claimant, Clock, Store};
use super::record::same_account;
use super::request::Request;
use super::response::Response;
use super::time::UnixTime;
use super::verdict::{DenyReason, Exemption, Refusal, Verdict};

/// Runs attempts under one policy. Attempts are independent; any number can be open side by side.
#[derive(Debug)]
pub struct Orchestrator<'a, S, C, N, A> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// Where enrolments are kept.
    pub store: &'a S,
    /// The time of day.
    pub clock: &'a C,
    /// The system's accounts and groups.
    pub accounts: &'a N,
    /// Where audit lines go.
    pub audit: &'a A,
}

/// How an attempt begins.
#[derive(Debug)]
pub enum Begin<'a, S, C, N, A> {
    /// A chain is asked for: its first step is in [`Attempt::expected`].
    Attempt(Box<Attempt<'a, S, C, N, A>>),
    /// Nothing is asked: the login is exempt or denied.
    Over(Verdict),
}

/// One attempt at a chain. Every submission consumes it.
#[derive(Debug)]
pub struct Attempt<'a, S, C, N, A> {
    orchestrator: &'a Orchestrator<'a, S, C, N, A>,
    request: Request,
    claimant: Claimant,
    spec: &'a ChainSpec,
    chain: Chain,
    waiting: Vec<Answer>,
    begun_at: UnixTime,
    steps: usize,
    rule: Option<usize>,
    another_account: bool,
}

/// What a submission led to.
#[derive(Debug)]
pub enum Submission<'a, S, C, N, A> {
    /// Go on with the next step.
    NextStep(Box<Attempt<'a, S, C, N, A>>),
    /// The chain is complete: every step was right, and that is recorded.
    Complete(ChainProof),
    /// The attempt is over; the next one starts at step 1.
    Reset(DenyReason),
}

impl<S: Store, C: Clock, N: Accounts, A: Audit> Orchestrator<'_, S, C, N, A> {
    /// Begins an attempt, or says at once that none is needed or allowed. Unknown and unenrolled users begin
    /// as others do, unless the policy exempts them.
    #[must_use]
    pub fn begin(&self, request: &Request) -> Begin<'_, S, C, N, A> {
        let begun = match request.resolved(self.accounts) {
            Ok(request) => self.try_begin(&request).map_err(|reason| (request, reason)),
            Err(error) => Err((request.clone(), DenyReason::Accounts(error.to_string()))),
        };
        begun.unwrap_or_else(|(request, reason)| Begin::Over(self.deny(&request, reason)))
    }

    fn try_begin(&self, request: &Request) -> Result<Begin<'_, S, C, N, A>, DenyReason> {
        let decision = self.policy.decide(request, self.accounts);
        let (spec, rule) = match decision.map_err(|error| DenyReason::Accounts(error.to_string()))? {
            Decision::Deny { rule } => return Err(DenyReason::Rule(rule)),
            Decision::Exempt { rule } => return Ok(self.exempt(request, Exemption::Rule(rule))),
            Decision::Require { chain, rule } => (chain, rule),
        };
        let claimant = self.store.find(request.name()).map_err(|failure| DenyReason::Store(failure.0))?;
        let begun_at = self.clock.now();
        let same = same_account(claimant.uid, request.uid());
        let chain = drawn(spec, &claimant, request, begun_at, same)
            .ok_or_else(|| DenyReason::Store("the chain has no step".to_owned()))?;
        let mut another_account = !same;
        if !chain.is_genuine() && self.is_exempt_by_roll_out(spec, request) {
            another_account |= self.enrolled_as_another(request)?;
            if !another_account {
                return Ok(self.exempt(request, Exemption::RollOut));
            }
        }
        #[cfg(mfa_fault = "unknown-early")]
        if !chain.is_genuine() {
            return Err(DenyReason::Breach);
        }
        let event = Event::new(Severity::Debug, "begin").about(request).with("chain", spec.name());
        let event = event.with_some("rule", rule.map(|rule| rule_number(rule).to_string()).as_deref());
        self.audit.record(&event);
        let steps = chain.step_count();
        let request = request.clone();
        let waiting = Vec::new();
        Ok(Begin::Attempt(Box::new(Attempt {
            orchestrator: self,
            request,
            claimant,
            spec,
            chain,
            waiting,
            begun_at,
            rule,
            steps,
            another_account,
        })))
    }

    /// Only an account that the system lists can be exempt for not having enrolled: in a stack of this module
    /// alone, nobody else would ask whether it exists.
    fn is_exempt_by_roll_out(&self, spec: &ChainSpec, request: &Request) -> bool {
        match spec.unenrolled() {
            Unenrolled::ExemptUntil(deadline) => request.account.is_some() && self.clock.now() < deadline,
            Unenrolled::Deny => false,
        }
    }

    /// Whether the account enrolled under another name. A renamed account must not fall back to what the
    /// unenrolled may do.
    fn enrolled_as_another(&self, request: &Request) -> Result<bool, DenyReason> {
        let Some(uid) = request.uid() else { return Ok(false) };
        let holder = self.store.enrolled_as(uid).map_err(|failure| DenyReason::Store(failure.0))?;
        Ok(holder.is_some_and(|holder| holder != request.name()))
    }

    fn exempt(&self, request: &Request, exemption: Exemption) -> Begin<'_, S, C, N, A> {
        let event = Event::new(Severity::Notice, "verdict").about(request).with("verdict", "exempt");
        self.audit.record(&match exemption {
            Exemption::Rule(rule) => event.with("reason", "rule").with_number("rule", rule_number(rule)),
            Exemption::RollOut => event.with("reason", "roll-out"),
        });
        Begin::Over(Verdict::Exempt(exemption))
    }

    /// Writes the denial to the audit trail and makes the verdict of it.
    pub(super) fn deny(&self, request: &Request, reason: DenyReason) -> Verdict {
        let broken = matches!(reason, DenyReason::Store(_) | DenyReason::Accounts(_));
        let severity = if broken { Severity::Error } else { Severity::Warning };
        let event = Event::new(severity, "verdict").about(request).with("verdict", "deny");
        let event = event.with("reason", reason.word());
        let event = match reason {
            DenyReason::Rule(rule) => event.with_number("rule", rule_number(rule)),
            _ => event,
        };
        self.audit.record(&match reason.detail_through(&request.service) {
            Some(detail) => event.saying(&detail),
            None => event,
        });
        Verdict::Deny(reason)
    }
}

impl<'a, S: Store, C: Clock, N: Accounts, A: Audit> Attempt<'a, S, C, N, A> {
    /// The step to answer next.
    #[must_use]
    pub fn expected(&self) -> &Step {
        // Answers that wait under `conceal` are ahead of the chain, which moves when all are judged.
        self.chain.next_batch().nth(self.waiting.len()).unwrap_or_else(|| self.chain.expected())
    }

    /// Who asks, as the account that the name leads to.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The rule that chose the chain, by its place in the policy.
    #[must_use]
    pub const fn rule(&self) -> Option<usize> {
        self.rule
    }

    /// How many steps the chain has.
    #[must_use]
    pub const fn step_count(&self) -> usize {
        self.steps
    }

    /// The name of the chain in the policy.
    #[must_use]
    pub fn chain_name(&self) -> &str {
        self.spec.name()
    }

    /// Submits an answer for the step of `factor`. Under `reset` it is judged at once; under `conceal` it
    /// waits until every step is answered.
    ///
    /// # Errors
    ///
    /// [`ChainBreached`] when `factor` is not the expected one: the attempt is over and charged as a failure,
    /// whatever the answer was.
    pub fn submit(
        mut self,
        factor: &str,
        response: Response,
    ) -> Result<Submission<'a, S, C, N, A>, ChainBreached> {
        let expected = self.expected().factor.id.clone();
        if expected.as_str() != factor {
            self.charge_breach();
            return Err(ChainBreached { expected, answered: factor.to_owned() });
        }
        let at = self.orchestrator.clock.now();
        if self.is_too_old(at) {
            return Ok(self.reset(DenyReason::TooLate));
        }
        self.waiting.push(Answer { response, at });
        if self.waiting.len() < self.chain.next_batch().count() {
            return Ok(Submission::NextStep(Box::new(self)));
        }
        Ok(self.judge_waiting())
    }

    /// A clock that was turned back makes no attempt last longer.
    fn is_too_old(&self, at: UnixTime) -> bool {
        at.seconds().abs_diff(self.begun_at.seconds()) > self.orchestrator.policy.throttle().attempt_seconds()
    }

    fn judge_waiting(mut self) -> Submission<'a, S, C, N, A> {
        let Orchestrator { store, .. } = self.orchestrator;
        let answers = std::mem::take(&mut self.waiting);
        let circumstances = self.circumstances();
        let mut failures = 0;
        let committed = store.update(&self.claimant, |record, state| {
            let outcomes = judge(&self.chain, &answers, record, state, &circumstances);
            failures = state.failures.total();
            outcomes
        });
        let outcomes = match committed {
            Ok(outcomes) => outcomes,
            Err(failure) => return self.reset(DenyReason::Store(failure.0)),
        };
        for outcome in outcomes.get() {
            self.record_step(outcome, failures);
        }
        match self.chain.advance(outcomes) {
            Progress::Continue(chain) => Submission::NextStep(Box::new(Attempt { chain, ..self })),
            Progress::Complete(proof) => {
                let event = Event::new(Severity::Notice, "verdict").about(&self.request);
                let event = event.with("chain", self.spec.name()).with("verdict", "grant");
                self.orchestrator.audit.record(&event);
                Submission::Complete(proof)
            }
            Progress::Reset(reason) => {
                let _ = self.orchestrator.deny(&self.request, reason.clone());
                Submission::Reset(reason)
            }
        }
    }

    fn circumstances(&self) -> Circumstances<'_> {
        let Orchestrator { policy, clock, .. } = self.orchestrator;
        Circumstances {
            request: &self.request,
            throttle: policy.throttle(),
            now: clock.now(),
            another_account: self.another_account,
        }
    }

    fn reset(self, reason: DenyReason) -> Submission<'a, S, C, N, A> {
        let _ = self.orchestrator.deny(&self.request, reason.clone());
        Submission::Reset(reason)
    }

    /// A breach is judged as an attempt without a single answer: one failure, the next attempt number.
    fn charge_breach(&mut self) {
        self.waiting.clear();
        let Orchestrator { store, .. } = self.orchestrator;
        let circumstances = self.circumstances();
        let charged = store.update(&self.claimant, |record, state| {
            let _ = judge(&self.chain, &[], record, state, &circumstances);
        });
        // The attempt is over either way; a store that fails says so in the trail.
        let reason = charged.map_or_else(|failure| DenyReason::Store(failure.0), |_| DenyReason::Breach);
        let _ = self.orchestrator.deny(&self.request, reason);
    }

    fn record_step(&self, outcome: &StepOutcome, failures: u32) {
        let word = outcome.result.as_ref().map_or_else(Refusal::word, |_| "accepted");
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let event = Event::new(Severity::Info, "step")
            .about(&self.request)
            .with("chain", self.spec.name())
            .with_number("step", count(outcome.number))
            .with_number("steps", count(self.steps))
            .with("factor", outcome.factor.as_str())
            .with("outcome", word)
            .with_some("by", outcome.by.word())
            .with_some("charged", (outcome.result == Err(Refusal::ReplayFromSource)).then_some("no"))
            .with_number("failures", u64::from(failures));
        let wait = match outcome.result {
            Err(Refusal::Throttled { wait_seconds }) => event.with_number("wait", wait_seconds),
            _ => event,
        };
        self.orchestrator.audit.record(&wait);
    }
}

/// Rules are counted from 1 wherever people read them.
fn rule_number(place: usize) -> u64 {
    u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1)
}

/// The chain that `claimant` meets from where `request` comes.
fn drawn(
    spec: &ChainSpec,
    claimant: &Claimant,
    request: &Request,
    now: UnixTime,
    same_account: bool,
) -> Option<Chain> {
    let source = SourceKey::of(request, &claimant.draw_key);
    let draw = claimant.failures.draw(source, now);
    let seed = DrawSeed::new(&claimant.draw_key, &claimant.user, draw, spec.name());
    let has_enrolled = |factor: &Factor| same_account && claimant.has_enrolled(factor);
    Chain::begin(spec, has_enrolled, draw.1, &seed)
}
