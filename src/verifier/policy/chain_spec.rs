//! What a chain asks for.

use std::iter;

use super::factor::Factor;
use crate::verifier::time::UnixTime;

/// A chain as the policy describes it: at least one factor, no factor twice, and between one and all of them
/// required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    name: String,
    mode: Mode,
    required_steps: usize,
    on_wrong_code: OnWrongCode,
    unenrolled: Unenrolled,
    first: Factor,
    rest: Vec<Factor>,
}

impl ChainSpec {
    /// A chain that asks for all of its factors in the given order, denies at the first wrong code, and denies
    /// users who haven't enrolled them.
    ///
    /// A factor whose id came before is left out: two steps of a chain never share a token.
    #[must_use]
    pub fn fixed(name: &str, first: Factor, rest: Vec<Factor>) -> Self {
        let mut distinct: Vec<Factor> = Vec::with_capacity(rest.len());
        for factor in rest {
            if factor.id != first.id && distinct.iter().all(|earlier| earlier.id != factor.id) {
                distinct.push(factor);
            }
        }
        Self {
            name: name.to_owned(),
            mode: Mode::default(),
            required_steps: distinct.len().saturating_add(1),
            on_wrong_code: OnWrongCode::default(),
            unenrolled: Unenrolled::default(),
            first,
            rest: distinct,
        }
    }

    /// The same chain in another mode.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The same chain with another number of steps; `None` when that is 0 or more than its factors.
    #[must_use]
    pub fn with_required_steps(self, required_steps: usize) -> Option<Self> {
        let possible = (1..=self.factor_count()).contains(&required_steps);
        possible.then_some(Self { required_steps, ..self })
    }

    /// The same chain with another answer to a wrong code.
    #[must_use]
    pub fn with_on_wrong_code(self, on_wrong_code: OnWrongCode) -> Self {
        Self { on_wrong_code, ..self }
    }

    /// The same chain with another answer to users who haven't enrolled enough factors.
    #[must_use]
    pub fn with_unenrolled(self, unenrolled: Unenrolled) -> Self {
        Self { unenrolled, ..self }
    }

    /// Its name; `default` for the chain of the policy's top level.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the order of its steps comes about.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many codes it asks for: at least 1, at most [`Self::factor_count`].
    #[must_use]
    pub fn required_steps(&self) -> usize {
        self.required_steps
    }

    /// When a wrong code is told.
    #[must_use]
    pub fn on_wrong_code(&self) -> OnWrongCode {
        self.on_wrong_code
    }

    /// What becomes of users with fewer enrolled factors than required steps.
    #[must_use]
    pub fn unenrolled(&self) -> Unenrolled {
        self.unenrolled
    }

    /// Its factors, in policy order.
    pub fn factors(&self) -> impl Iterator<Item = &Factor> + Clone {
        iter::once(&self.first).chain(&self.rest)
    }

    /// The number of its factors, at least 1.
    #[must_use]
    pub fn factor_count(&self) -> usize {
        self.rest.len().saturating_add(1)
    }
}

/// How the order of a chain's steps comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The first factors that the user has enrolled, in policy order.
    #[default]
    Fixed,
    /// A draw per attempt among the factors that the user has enrolled.
    Random,
}

/// When a wrong code is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWrongCode {
    /// At once; the next attempt starts at step 1.
    #[default]
    Reset,
    /// After all steps were asked, so that nobody learns which code was wrong.
    Conceal,
}

/// What becomes of users who haven't enrolled enough factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unenrolled {
    /// They are denied.
    #[default]
    Deny,
    /// They pass while the time is before this one: a roll-out with a deadline.
    ExemptUntil(UnixTime),
}

#[cfg(test)]
mod tests {
    use super::super::factor::{CodeParameters, FactorKind, Label};
    use super::super::factor_id::FactorId;
    use super::*;

    #[test]
    fn a_fixed_chain_requires_all_of_its_factors_in_order() {
        let chain = ChainSpec::fixed("x", factor("a"), vec![factor("b"), factor("c")]);
        let ids: Vec<_> = chain.factors().map(|factor| factor.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!((chain.factor_count(), chain.required_steps()), (3, 3));
        assert_eq!(
            (chain.name(), chain.mode(), chain.on_wrong_code(), chain.unenrolled()),
            ("x", Mode::Fixed, OnWrongCode::Reset, Unenrolled::Deny)
        );
    }

    #[test]
    fn a_repeated_factor_is_left_out() {
        let chain = ChainSpec::fixed("x", factor("a"), vec![factor("a"), factor("b"), factor("b")]);
        assert_eq!((chain.factor_count(), chain.required_steps()), (2, 2));
    }

    #[test]
    fn required_steps_lie_between_one_and_all() {
        let chain = ChainSpec::fixed("x", factor("a"), vec![factor("b")]);
        for (steps, possible) in [(0, false), (1, true), (2, true), (3, false)] {
            let changed = chain.clone().with_required_steps(steps);
            assert_eq!(changed.map(|chain| chain.required_steps()), possible.then_some(steps), "{steps}");
        }
    }

    fn factor(id: &str) -> Factor {
        let id = FactorId::parse(id).unwrap();
        let kind = FactorKind::Totp { window: 1 };
        Factor { label: Label::from(&id), id, kind, enrollment: CodeParameters::default() }
    }
}
