//! The policy: which chain of one-time codes a login has to pass.
//!
//! [`Policy::parse`] takes the text of `policy.toml` and refuses whatever it doesn't fully understand, with
//! line, column and the words it knows. [`Policy::decide`] then finds the first rule that holds for a login.

mod builder;
mod chain_spec;
mod conditions;
mod coverage;
mod decision;
mod document;
mod error;
mod factor;
mod factor_id;
mod hardness;
mod network;
mod not_a_network;
mod prompt;
mod rule;
mod terminal;
mod throttle;

pub use builder::{InvalidPolicy, PolicyBuilder};
pub use chain_spec::{ChainSpec, Mode, OnWrongCode, Unenrolled};
pub use decision::Decision;
pub use error::PolicyError;
pub use factor::{CodeParameters, Factor, FactorKind, InvalidLabel, Label};
pub use factor_id::{FactorId, InvalidFactorId};
pub use hardness::{accepted_codes, hardness};
pub use network::Network;
pub use prompt::PromptPolicy;
pub use rule::{Rule, RuleAction};
pub use terminal::TerminalPattern;
pub use throttle::ThrottlePolicy;

pub(crate) use document::misread;

use super::time::UnixTime;

/// What the administrator wrote in `policy.toml`, complete and consistent: it exists only once everything in
/// the text was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    default_chain: ChainSpec,
    /// In the order of their names.
    named_chains: Vec<ChainSpec>,
    rules: Vec<Rule>,
    factors: Vec<Factor>,
    throttle: ThrottlePolicy,
    prompt: PromptPolicy,
    /// Before this time, logins that no rule matches are observed.
    observed_until: Option<UnixTime>,
}

impl Policy {
    /// The name of the chain that the top level of the policy describes.
    pub const DEFAULT_CHAIN: &'static str = "default";

    /// The longest policy, in bytes. A login reads it each time.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// The chain for logins that no rule matches.
    #[must_use]
    pub fn default_chain(&self) -> &ChainSpec {
        &self.default_chain
    }

    /// The chains under `[chains.NAME]`, in the order of their names.
    pub fn named_chains(&self) -> impl Iterator<Item = &ChainSpec> {
        self.named_chains.iter()
    }

    /// The chain called `name`; `default` is the one of the top level.
    #[must_use]
    pub fn chain(&self, name: &str) -> Option<&ChainSpec> {
        std::iter::once(&self.default_chain).chain(&self.named_chains).find(|chain| chain.name() == name)
    }

    /// The rules in the order they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first rule with which every login that has an address is exempt, by it and by the rules before it together.
    #[must_use]
    pub fn exempts_every_source(&self) -> Option<&Rule> {
        let mut networks = Vec::new();
        self.rules.iter().filter(|rule| *rule.action() == RuleAction::Exempt).find(|rule| {
            networks.extend_from_slice(rule.conditions().sources_alone().unwrap_or_default());
            network::hold_every_address(&networks)
        })
    }

    /// Until when logins that no rule matches are exempt and observed.
    #[must_use]
    pub const fn observed_until(&self) -> Option<UnixTime> {
        self.observed_until
    }

    /// Every factor, in policy order.
    #[must_use]
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// The factor called `id`.
    #[must_use]
    pub fn factor(&self, id: &str) -> Option<&Factor> {
        self.factors.iter().find(|factor| factor.id.as_str() == id)
    }

    /// Seconds by which the application delays the answer to a failure of logins that meet the rule at this place of
    /// [`rules`](Self::rules), or none.
    #[must_use]
    pub fn fail_delay_seconds(&self, rule: Option<usize>) -> u64 {
        let of_rule = rule.and_then(|place| self.rules.get(place)).and_then(Rule::fail_delay_seconds);
        of_rule.unwrap_or_else(|| self.throttle.fail_delay_seconds())
    }

    /// How long failures make a user wait.
    #[must_use]
    pub fn throttle(&self) -> &ThrottlePolicy {
        &self.throttle
    }

    /// How codes are asked for.
    #[must_use]
    pub fn prompt(&self) -> &PromptPolicy {
        &self.prompt
    }
}
