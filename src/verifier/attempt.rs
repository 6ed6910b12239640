//! The engine as a library: begin an attempt, submit answers by factor, learn what comes next.

use std::sync::Arc;

use super::accounts::{Accounts, NoAccounts};
use super::attempt_id::AttemptId;
use super::chain::{
    Answer, Chain, ChainBreached, Circumstances, DrawSeed, Progress, Step, StepOutcome, judge,
};
use super::enrollment::same_account;
use super::event::{Event, Severity};
use super::otp::Response;
use super::policy::{ChainSpec, Decision, Factor, Policy, Unenrolled};
use super::ports::{Audit, Claimant, Clock, NoAudit, Store};
use super::reason::{DenyReason, Refusal};
use super::request::Request;
use super::state::SourceKey;
use super::time::UnixTime;
use super::verdict::{Exemption, Verdict};

/// Runs attempts under one policy. Attempts are independent; any number can be open side by side, and a server shares
/// one orchestrator among its threads.
#[derive(Clone, Debug)]
pub struct Orchestrator<S, C, N = NoAccounts, A = NoAudit> {
    policy: Arc<Policy>,
    store: S,
    clock: C,
    accounts: N,
    audit: A,
}

impl<S, C> Orchestrator<S, C> {
    /// Runs attempts under `policy`, with enrollments in `store` and the time of `clock`. Every name stands
    /// for itself, and there is no audit trail.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>, store: S, clock: C) -> Self {
        Self { policy: policy.into(), store, clock, accounts: NoAccounts, audit: NoAudit }
    }
}

impl<S, C, N, A> Orchestrator<S, C, N, A> {
    /// The same with the accounts and groups of a system.
    #[must_use]
    pub fn with_accounts<M>(self, accounts: M) -> Orchestrator<S, C, M, A> {
        let Self { policy, store, clock, audit, .. } = self;
        Orchestrator { policy, store, clock, accounts, audit }
    }

    /// The same with an audit trail.
    #[must_use]
    pub fn with_audit<B>(self, audit: B) -> Orchestrator<S, C, N, B> {
        let Self { policy, store, clock, accounts, .. } = self;
        Orchestrator { policy, store, clock, accounts, audit }
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where enrollments are kept.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    pub(super) const fn clock(&self) -> &C {
        &self.clock
    }

    pub(super) const fn accounts(&self) -> &N {
        &self.accounts
    }

    /// Where audit lines go.
    #[must_use]
    pub const fn audit(&self) -> &A {
        &self.audit
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// Ask for the step in [`Attempt::expected`], and submit the answer.
    Ask(Attempt),
    /// The attempt is over: granted, exempt or denied. After a denial the next attempt starts at step 1.
    Over(Verdict),
}

/// One attempt at a chain, between two answers. It holds no secret and no lock, so a server keeps it where it
/// keeps its sessions, never with the client. Every submission consumes it. It can be neither copied nor
/// serialized: a second copy could be answered too.
#[derive(Debug)]
pub struct Attempt(Box<Open>);

#[derive(Debug)]
struct Open {
    request: Request,
    claimant: Claimant,
    chain: Chain,
    waiting: Vec<Answer>,
    begun_at: UnixTime,
    steps: usize,
    rule: Option<usize>,
    another_account: bool,
}

impl<S: Store, C: Clock, N: Accounts, A: Audit> Orchestrator<S, C, N, A> {
    /// Begins an attempt, or returns the verdict if none is needed or allowed. Unknown and unenrolled users
    /// begin as others do, unless the policy exempts them.
    #[must_use]
    pub fn begin(&self, request: &Request) -> Next {
        let begun = match request.resolved(&self.accounts) {
            Ok(request) => self.try_begin(&request).map_err(|reason| (request, reason)),
            Err(error) => Err((request.clone(), DenyReason::Accounts(error.to_string()))),
        };
        begun.unwrap_or_else(|(request, reason)| Next::Over(self.deny(&request, None, reason)))
    }

    fn try_begin(&self, request: &Request) -> Result<Next, DenyReason> {
        let decision = self.policy.decide(request, &self.accounts);
        let (spec, rule) = match decision.map_err(|error| DenyReason::Accounts(error.to_string()))? {
            Decision::Deny { rule } => return Err(DenyReason::Rule(rule)),
            Decision::Exempt { rule } => return Ok(self.exempt(request, Exemption::Rule(rule))),
            Decision::Observe { chain, rule, until } => {
                if request.account.is_some() && self.clock.now() < until {
                    return Ok(self.observe(request, chain, rule));
                }
                (chain, rule)
            }
            Decision::Require { chain, rule } => (chain, rule),
        };
        let claimant = self.store.find(request.name()).map_err(|failure| DenyReason::Store(failure.0))?;
        let begun_at = self.clock.now();
        let same = same_account(claimant.uid, request.uid());
        let id = AttemptId::random().map_err(|error| DenyReason::Store(error.to_string()))?;
        let chain = drawn(spec, &claimant, request, begun_at, same, id)
            .ok_or_else(|| DenyReason::Store("the chain has no step".to_owned()))?;
        let mut another_account = !same;
        if !chain.can_pass() && self.is_exempt_by_roll_out(spec, request) {
            another_account |= self.enrolled_as_another(request)?;
            if !another_account {
                return Ok(self.exempt(request, Exemption::RollOut));
            }
        }
        let event = Event::new(Severity::Debug, "begin").about(request).with("attempt", &id.to_string());
        let event = event.with("chain", spec.name());
        let event = event.with_some("rule", rule.map(|rule| rule_number(rule).to_string()).as_deref());
        self.audit.record(&event);
        Ok(Next::Ask(Attempt(Box::new(Open {
            steps: chain.step_count(),
            request: request.clone(),
            waiting: Vec::new(),
            claimant,
            chain,
            begun_at,
            rule,
            another_account,
        }))))
    }

    /// The roll-out exempts only accounts that the system lists: in a stack with only this module, no other
    /// module checks that the account exists.
    fn is_exempt_by_roll_out(&self, spec: &ChainSpec, request: &Request) -> bool {
        match spec.unenrolled() {
            Unenrolled::ExemptUntil(deadline) => request.account.is_some() && self.clock.now() < deadline,
            Unenrolled::Deny => false,
        }
    }

    /// Whether the account enrolled under another name. A renamed account must not get the exemption of
    /// unenrolled users.
    fn enrolled_as_another(&self, request: &Request) -> Result<bool, DenyReason> {
        let Some(uid) = request.uid() else { return Ok(false) };
        let holder = self.store.enrolled_as(uid).map_err(|failure| DenyReason::Store(failure.0))?;
        Ok(holder.is_some_and(|holder| holder != request.name()))
    }

    /// Exempts the login, and logs what it would have met. What the store doesn't tell changes nothing: no answer of it
    /// lets anybody in here.
    fn observe(&self, request: &Request, spec: &ChainSpec, rule: Option<usize>) -> Next {
        let could_pass = match self.store.find(request.name()) {
            Ok(claimant) => {
                let same = same_account(claimant.uid, request.uid());
                let chain = drawn(spec, &claimant, request, self.clock.now(), same, AttemptId::default());
                if same && chain.is_some_and(|chain| chain.can_pass()) { "yes" } else { "no" }
            }
            Err(_) => "unknown",
        };
        let event = Event::new(Severity::Notice, "verdict").about(request).with("verdict", "exempt");
        let event = event.with("reason", "observe").with("chain", spec.name());
        let event = event.with_some("rule", rule.map(|rule| rule_number(rule).to_string()).as_deref());
        self.audit.record(&event.with("could_pass", could_pass));
        Next::Over(Verdict::Exempt(Exemption::Observed))
    }

    fn exempt(&self, request: &Request, exemption: Exemption) -> Next {
        let event = Event::new(Severity::Notice, "verdict").about(request).with("verdict", "exempt");
        self.audit.record(&match exemption {
            Exemption::Rule(rule) => event.with("reason", "rule").with_number("rule", rule_number(rule)),
            Exemption::RollOut => event.with("reason", "roll-out"),
            Exemption::Observed => event.with("reason", "observe"),
        });
        Next::Over(Verdict::Exempt(exemption))
    }

    /// Writes the denial to the audit trail and returns the verdict.
    pub(super) fn deny(&self, request: &Request, attempt: Option<AttemptId>, reason: DenyReason) -> Verdict {
        let broken = matches!(reason, DenyReason::Store(_) | DenyReason::Accounts(_));
        let severity = if broken { Severity::Error } else { Severity::Warning };
        let event = Event::new(severity, "verdict").about(request);
        let event = event.with_some("attempt", attempt.map(|id| id.to_string()).as_deref());
        let event = event.with("verdict", "deny").with("reason", reason.log_word());
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

    /// Submits an answer for the step of `factor`. Under `reset` it is judged at once; under `conceal` it
    /// waits until every step is answered.
    ///
    /// # Errors
    ///
    /// [`ChainBreached`] when `factor` is not the expected one: the attempt is over and charged as a failure,
    /// even if the answer was right.
    pub fn submit(&self, attempt: Attempt, factor: &str, response: Response) -> Result<Next, ChainBreached> {
        let expected = attempt.expected().factor.id.clone();
        let Attempt(mut open) = attempt;
        if expected.as_str() != factor {
            self.charge_breach(&open);
            return Err(ChainBreached { expected, answered: factor.to_owned() });
        }
        let at = self.clock.now();
        if self.is_too_old(&open, at) {
            return Ok(Next::Over(self.deny(&open.request, Some(open.chain.attempt()), DenyReason::TooLate)));
        }
        open.waiting.push(Answer { response, at });
        if open.waiting.len() < open.chain.next_batch().count() {
            return Ok(Next::Ask(Attempt(open)));
        }
        Ok(self.judge_waiting(*open))
    }

    /// If the clock was turned back, the attempt ends.
    fn is_too_old(&self, open: &Open, at: UnixTime) -> bool {
        at.seconds().abs_diff(open.begun_at.seconds()) > self.policy.throttle().attempt_seconds()
    }

    fn judge_waiting(&self, mut open: Open) -> Next {
        let answers = std::mem::take(&mut open.waiting);
        let circumstances = self.circumstances(&open);
        let mut failures = 0;
        let committed = self.store.update(&open.claimant, |record, state| {
            let outcomes = judge(&open.chain, &answers, record, state, &circumstances);
            failures = state.failures.total();
            outcomes
        });
        let outcomes = match committed {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                let id = Some(open.chain.attempt());
                return Next::Over(self.deny(&open.request, id, DenyReason::Store(failure.0)));
            }
        };
        for outcome in outcomes.get() {
            self.record_step(&open, outcome, failures);
        }
        let Open { request, chain, .. } = open;
        let id = chain.attempt();
        match chain.advance(outcomes) {
            Progress::Continue(chain) => Next::Ask(Attempt(Box::new(Open { request, chain, ..open }))),
            Progress::Complete(proof) => {
                let event = Event::new(Severity::Notice, "verdict").about(&request);
                let event = event.with("attempt", &id.to_string());
                self.audit.record(&event.with("chain", proof.chain()).with("verdict", "grant"));
                Next::Over(Verdict::Grant(proof))
            }
            Progress::Reset(reason) => Next::Over(self.deny(&request, Some(id), reason)),
        }
    }

    fn circumstances<'a>(&'a self, open: &'a Open) -> Circumstances<'a> {
        Circumstances {
            request: &open.request,
            throttle: self.policy.throttle(),
            now: self.clock.now(),
            another_account: open.another_account,
        }
    }

    /// A breach is judged as an attempt without answers: one failure and a new attempt number.
    fn charge_breach(&self, open: &Open) {
        let circumstances = self.circumstances(open);
        let charged = self.store.update(&open.claimant, |record, state| {
            let _ = judge(&open.chain, &[], record, state, &circumstances);
        });
        // The attempt is over in any case; a failure of the store goes to the audit trail.
        let reason = charged.map_or_else(|failure| DenyReason::Store(failure.0), |_| DenyReason::Breach);
        let _ = self.deny(&open.request, Some(open.chain.attempt()), reason);
    }

    fn record_step(&self, open: &Open, outcome: &StepOutcome, failures: u32) {
        let word = outcome.result.as_ref().map_or_else(Refusal::log_word, |_| "accepted");
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let event = Event::new(Severity::Info, "step")
            .about(&open.request)
            .with("attempt", &open.chain.attempt().to_string())
            .with("chain", open.chain.name())
            .with_number("step", count(outcome.number))
            .with_number("steps", count(open.steps))
            .with("factor", outcome.factor.as_str())
            .with("outcome", word)
            .with_some("by", outcome.by.log_word())
            .with_some("charged", (outcome.result == Err(Refusal::ReplayFromSource)).then_some("no"))
            .with_number("failures", u64::from(failures));
        let wait = match outcome.result {
            Err(Refusal::Throttled { wait_seconds }) => event.with_number("wait", wait_seconds),
            _ => event,
        };
        self.audit.record(&wait);
    }
}

impl Attempt {
    /// The step to answer next.
    #[must_use]
    pub fn expected(&self) -> &Step {
        let Open { chain, waiting, .. } = &*self.0;
        // Under `conceal` the chain does not move until all answers are judged, so the waiting answers are
        // counted here.
        chain.next_batch().nth(waiting.len()).unwrap_or_else(|| chain.expected())
    }

    /// What tells its lines in the log, and its outcomes in the login state, from those of other attempts.
    #[must_use]
    pub const fn id(&self) -> AttemptId {
        self.0.chain.attempt()
    }

    /// The request, with the account that its name leads to.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.0.request
    }

    /// The rule that chose the chain, by its place in the policy.
    #[must_use]
    pub const fn rule(&self) -> Option<usize> {
        self.0.rule
    }

    /// How many steps the chain has.
    #[must_use]
    pub const fn step_count(&self) -> usize {
        self.0.steps
    }

    /// The name of the chain in the policy.
    #[must_use]
    pub fn chain_name(&self) -> &str {
        self.0.chain.name()
    }

    /// When it began. It ends `attempt_seconds` of the policy later.
    #[must_use]
    pub const fn begun_at(&self) -> UnixTime {
        self.0.begun_at
    }
}

/// Messages count rules from 1.
fn rule_number(place: usize) -> u64 {
    u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1)
}

/// The chain for `claimant` and the source of `request`.
fn drawn(
    spec: &ChainSpec,
    claimant: &Claimant,
    request: &Request,
    now: UnixTime,
    same_account: bool,
    id: AttemptId,
) -> Option<Chain> {
    let source = SourceKey::of(request, &claimant.draw_key);
    let draw = claimant.failures.draw(source, now);
    let seed = DrawSeed::new(&claimant.draw_key, &claimant.user, draw, spec.name());
    let has_enrolled = |factor: &Factor| same_account && claimant.has_enrolled(factor);
    Chain::begin(spec, has_enrolled, id, &seed)
}
