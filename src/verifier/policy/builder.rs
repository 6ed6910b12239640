//! A policy that is made in code.

use std::fmt;

use super::Policy;
use super::chain_spec::{ChainSpec, Mode, OnWrongCode};
use super::factor::{Factor, FactorKind};
use super::factor_id::FactorId;
use super::prompt::PromptPolicy;
use super::throttle::ThrottlePolicy;

/// Builds a policy of one chain, which every login has to pass. Rules, named chains and waits of your own are for the
/// text form, [`Policy::parse`].
#[derive(Clone, Debug, Default)]
pub struct PolicyBuilder {
    factors: Vec<Factor>,
    mode: Mode,
    required_steps: Option<usize>,
    on_wrong_code: OnWrongCode,
}

impl Policy {
    /// A policy without a factor, to add some to.
    #[must_use]
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }
}

impl PolicyBuilder {
    /// Adds a factor behind those before.
    #[must_use]
    pub fn factor(mut self, factor: Factor) -> Self {
        self.factors.push(factor);
        self
    }

    /// How the order of the steps comes about; fixed where nothing is said.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// How many codes a login takes; one of each factor where nothing is said.
    #[must_use]
    pub fn required_steps(self, required_steps: usize) -> Self {
        Self { required_steps: Some(required_steps), ..self }
    }

    /// When a wrong code is told; at once where nothing is said.
    #[must_use]
    pub fn on_wrong_code(self, on_wrong_code: OnWrongCode) -> Self {
        Self { on_wrong_code, ..self }
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] by the rules that hold for the text form.
    pub fn build(self) -> Result<Policy, InvalidPolicy> {
        for (place, factor) in self.factors.iter().enumerate() {
            check_reach(factor)?;
            for other in self.factors.iter().skip(place.saturating_add(1)) {
                if other.id == factor.id {
                    return Err(InvalidPolicy::FactorTwice(factor.id.clone()));
                }
                if other.label == factor.label {
                    return Err(InvalidPolicy::LabelTwice(factor.id.clone(), other.id.clone()));
                }
            }
        }
        let mut chosen = self.factors.iter().cloned();
        let first = chosen.next().ok_or(InvalidPolicy::NoFactor)?;
        let chain = ChainSpec::fixed(Policy::DEFAULT_CHAIN, first, chosen.collect());
        let (factors, steps) = (chain.factor_count(), self.required_steps.unwrap_or(chain.factor_count()));
        let chain = chain.with_required_steps(steps).ok_or(InvalidPolicy::Steps { steps, factors })?;
        Ok(Policy {
            observed_until: None,
            default_chain: chain.with_mode(self.mode).with_on_wrong_code(self.on_wrong_code),
            named_chains: Vec::new(),
            rules: Vec::new(),
            factors: self.factors,
            throttle: ThrottlePolicy::default(),
            prompt: PromptPolicy::default(),
        })
    }
}

fn check_reach(factor: &Factor) -> Result<(), InvalidPolicy> {
    let is_known = match factor.kind {
        FactorKind::Totp { window } => window <= FactorKind::WIDEST_WINDOW,
        FactorKind::Hotp { look_ahead } => (1..=FactorKind::LONGEST_LOOK_AHEAD).contains(&look_ahead),
    };
    if is_known { Ok(()) } else { Err(InvalidPolicy::Reach(factor.id.clone())) }
}

/// Why the parts make no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// A chain needs a factor.
    NoFactor,
    /// Two factors have this id.
    FactorTwice(FactorId),
    /// Two factors have one label, so prompts could not tell them apart.
    LabelTwice(FactorId, FactorId),
    /// The window of this factor is wider than 10 time steps, or its look-ahead is not 1 to 100.
    Reach(FactorId),
    /// The steps are none, or more than there are factors.
    Steps {
        /// What was asked for.
        steps: usize,
        /// How many factors there are.
        factors: usize,
    },
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFactor => formatter.write_str("a policy needs a factor"),
            Self::FactorTwice(id) => write!(formatter, "two factors have the id `{id}`"),
            Self::LabelTwice(first, second) => {
                write!(formatter, "the factors `{first}` and `{second}` have the same label")
            }
            Self::Reach(id) => write!(
                formatter,
                "factor `{id}`: the window is 0 to {}, the look-ahead 1 to {}",
                FactorKind::WIDEST_WINDOW,
                FactorKind::LONGEST_LOOK_AHEAD
            ),
            Self::Steps { steps, factors } => {
                write!(formatter, "{steps} steps of {factors} factors; 1 to {factors} are possible")
            }
        }
    }
}

impl std::error::Error for InvalidPolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone() -> Factor {
        Factor::totp("phone").expect("a factor")
    }

    #[test]
    fn a_policy_made_in_code_is_the_one_that_its_text_says() {
        let text = "mode = 'random'\nrequired_steps = 1\non_wrong_code = 'conceal'\n[[factors]]\nid = 'phone'\ntype = 'totp'\n\
                    [[factors]]\nid = 'token'\nlabel = 'Hardware token'\ntype = 'hotp'\n";
        let token = Factor::hotp("token").expect("a factor").with_label("Hardware token").expect("a label");
        let built = Policy::builder().factor(phone()).factor(token).mode(Mode::Random).required_steps(1);
        let built = built.on_wrong_code(OnWrongCode::Conceal).build().expect("a policy");
        assert_eq!(built, Policy::parse(text, "policy.toml").expect("a policy"));
        let all = Policy::builder().factor(phone()).build().expect("a policy");
        assert_eq!(all.default_chain().required_steps(), 1);
    }

    #[test]
    fn what_the_text_form_refuses_is_refused() {
        assert_eq!(Policy::builder().build(), Err(InvalidPolicy::NoFactor));
        let twice = Policy::builder().factor(phone()).factor(phone());
        assert_eq!(twice.build(), Err(InvalidPolicy::FactorTwice(phone().id)));
        let other = Factor::totp("tablet").expect("a factor").with_label("phone").expect("a label");
        let same = Policy::builder().factor(phone()).factor(other.clone());
        assert_eq!(same.build(), Err(InvalidPolicy::LabelTwice(phone().id, other.id)));
        for (steps, factors) in [(0, 1), (2, 1)] {
            let built = Policy::builder().factor(phone()).required_steps(steps).build();
            assert_eq!(built, Err(InvalidPolicy::Steps { steps, factors }));
        }
        let wide = Factor { kind: FactorKind::Totp { window: 11 }, ..phone() };
        assert_eq!(Policy::builder().factor(wide).build(), Err(InvalidPolicy::Reach(phone().id)));
        for look_ahead in [0, 101] {
            let far = Factor { kind: FactorKind::Hotp { look_ahead }, ..phone() };
            assert_eq!(Policy::builder().factor(far).build(), Err(InvalidPolicy::Reach(phone().id)));
        }
    }
}
