//! The chain of one attempt. Each transition consumes it, so a step can be neither skipped nor repeated.

use std::fmt;

use super::draw::DrawSeed;
use crate::verifier::attempt_id::AttemptId;
use crate::verifier::otp::AnsweredBy;
use crate::verifier::policy::{ChainSpec, Factor, FactorId, Mode, OnWrongCode, hardness};
use crate::verifier::ports::Committed;
use crate::verifier::reason::{DenyReason, Refusal};
use crate::verifier::state::ChainMark;

/// One step of a chain: a factor at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The factor to prove.
    pub factor: Factor,
    /// Its place, from 1.
    pub number: usize,
}

/// A chain in progress: the steps that are right, the one expected, the ones after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain {
    user: String,
    name: String,
    attempt: AttemptId,
    mark: ChainMark,
    can_pass: bool,
    on_wrong_code: OnWrongCode,
    proven: Vec<StepProof>,
    recovered: bool,
    bypassed: bool,
    expected: Step,
    rest: Vec<Step>,
}

impl Chain {
    /// Begins the chain of `attempt`: the first `required_steps` factors that the user has
    /// enrolled, or the draw of this attempt among them. A user with fewer gets a chain over all factors of
    /// the policy, which looks the same and can't be passed.
    #[must_use]
    pub fn begin(
        spec: &ChainSpec,
        is_enrolled: impl Fn(&Factor) -> bool,
        attempt: AttemptId,
        seed: &DrawSeed<'_>,
    ) -> Option<Self> {
        let mine: Vec<&Factor> = spec.factors().filter(|factor| is_enrolled(factor)).collect();
        let can_pass = mine.len() >= spec.required_steps();
        let pool = if can_pass { mine } else { spec.factors().collect() };
        let places = match spec.mode() {
            Mode::Fixed => (0..spec.required_steps()).collect(),
            Mode::Random => seed.select(pool.len(), spec.required_steps()),
        };
        let drawn = places.into_iter().filter_map(|place| pool.get(place).copied().cloned());
        let mut steps = (1..).zip(drawn).map(|(number, factor)| Step { factor, number });
        let expected = steps.next()?;
        let rest: Vec<Step> = steps.collect();
        let asked = std::iter::once(&expected).chain(&rest).map(|step| &step.factor);
        let mark = ChainMark { key: seed.chain_key(), hardness: hardness(asked) };
        let on_wrong_code = spec.on_wrong_code();
        let proven = Vec::new();
        let (recovered, bypassed) = (false, false);
        let (user, name) = (seed.user().to_owned(), spec.name().to_owned());
        Some(Self {
            user,
            name,
            attempt,
            mark,
            can_pass,
            on_wrong_code,
            proven,
            recovered,
            bypassed,
            expected,
            rest,
        })
    }

    /// Whether the user has enrolled what the chain asks for; any other chain ends in a denial.
    #[must_use]
    pub const fn can_pass(&self) -> bool {
        self.can_pass
    }

    /// Its name in the policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many steps there are in all.
    #[must_use]
    pub fn step_count(&self) -> usize {
        self.proven.len().saturating_add(1).saturating_add(self.rest.len())
    }

    /// The steps that are judged together next: the expected step under `reset`, all remaining steps under
    /// `conceal`.
    pub fn next_batch(&self) -> impl Iterator<Item = &Step> {
        let more = match self.on_wrong_code {
            OnWrongCode::Reset => 0,
            OnWrongCode::Conceal => self.rest.len(),
        };
        std::iter::once(&self.expected).chain(self.rest.iter().take(more))
    }

    /// Which chain it is, for the counts of failures.
    #[must_use]
    pub const fn mark(&self) -> ChainMark {
        self.mark
    }

    /// Whether a recovery or bypass code answered an earlier step.
    #[must_use]
    pub const fn is_recovered(&self) -> bool {
        self.recovered
    }

    /// Whether the bypass code answered an earlier step of this chain; it may then answer the others too.
    #[must_use]
    pub const fn is_bypassed(&self) -> bool {
        self.bypassed
    }

    /// Whether the next batch is the last one.
    #[must_use]
    pub fn next_batch_is_last(&self) -> bool {
        self.on_wrong_code == OnWrongCode::Conceal || self.rest.is_empty()
    }

    /// The step to answer next.
    #[must_use]
    pub const fn expected(&self) -> &Step {
        &self.expected
    }

    /// Which attempt it is of.
    #[must_use]
    pub const fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// Takes the recorded outcomes of the next batch, in order, and ends the chain or moves it on.
    #[must_use]
    pub fn advance(mut self, outcomes: Committed<Vec<StepOutcome>>) -> Progress {
        for outcome in outcomes.into_inner() {
            let proof = match outcome.result {
                Ok(proof) if proof.proves(&self.expected, self.attempt) && self.can_pass => proof,
                Ok(_) => return Progress::Reset(DenyReason::Breach),
                Err(refusal) => return Progress::Reset(DenyReason::Step(refusal)),
            };
            self.proven.push(proof);
            self.recovered |= outcome.by != AnsweredBy::Code;
            self.bypassed |= outcome.by == AnsweredBy::BypassCode;
            if self.rest.is_empty() {
                let Self { user, name: chain, attempt, proven: steps, .. } = self;
                return Progress::Complete(ChainProof { user, chain, attempt, steps });
            }
            self.expected = self.rest.remove(0);
        }
        Progress::Continue(self)
    }
}

/// Where a chain stands after a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More steps remain.
    Continue(Chain),
    /// Every step was right.
    Complete(ChainProof),
    /// A step was refused; the next attempt starts at step 1.
    Reset(DenyReason),
}

/// The outcome of one step, as it was judged and recorded.
#[derive(Debug, PartialEq, Eq)]
pub struct StepOutcome {
    /// The place of the step, from 1.
    pub number: usize,
    /// The factor asked for.
    pub factor: FactorId,
    /// What was typed.
    pub by: AnsweredBy,
    /// The proof, or why there is none.
    pub result: Result<StepProof, Refusal>,
}

impl StepOutcome {
    /// The same step, refused for another reason.
    #[must_use]
    pub(super) fn refused(self, refusal: Refusal) -> Self {
        Self { result: Err(refusal), ..self }
    }
}

/// Proof that the answer to one step of one attempt was right.
#[derive(Debug, PartialEq, Eq)]
pub struct StepProof {
    attempt: AttemptId,
    number: usize,
    factor: FactorId,
}

impl StepProof {
    /// Asserts that the answer to `step` of `attempt` was verified, was not used before, and is marked as
    /// used in the state that goes to disk. Only [`judge`](super::judge) may call this.
    pub(super) fn assertion(step: &Step, attempt: AttemptId) -> Self {
        Self { attempt, number: step.number, factor: step.factor.id.clone() }
    }

    fn proves(&self, step: &Step, attempt: AttemptId) -> bool {
        self.attempt == attempt && self.number == step.number && self.factor == step.factor.id
    }
}

/// Proof that every step of one attempt was right, in order. Only [`Chain::advance`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct ChainProof {
    user: String,
    chain: String,
    attempt: AttemptId,
    steps: Vec<StepProof>,
}

impl ChainProof {
    /// The user who passed, by the account's own name. Log in this user, not the typed name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The chain of the policy that was passed.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// The factors proven, in the order of the steps.
    pub fn factors(&self) -> impl Iterator<Item = &FactorId> {
        self.steps.iter().map(|proof| &proof.factor)
    }

    /// Which attempt passed it.
    #[must_use]
    pub const fn attempt(&self) -> AttemptId {
        self.attempt
    }
}

/// An answer came for a step other than the expected one. The attempt is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBreached {
    /// The factor that was expected.
    pub expected: FactorId,
    /// The factor that was answered, as the caller named it.
    pub answered: String,
}

impl fmt::Display for ChainBreached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "an answer for `{}` came where `{}` was expected; the chain starts again",
            self.answered, self.expected
        )
    }
}

impl std::error::Error for ChainBreached {}
