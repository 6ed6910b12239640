//! One rule: which logins, and what becomes of them.

use std::fmt;

use super::conditions::{Conditions, Names};

/// A rule. Shown in one line: `services sudo, sudo-i; groups wheel -> chain admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    line: usize,
    conditions: Conditions,
    action: RuleAction,
    fail_delay_seconds: Option<u64>,
}

impl Rule {
    pub(super) fn new(
        line: usize,
        conditions: Conditions,
        action: RuleAction,
        fail_delay_seconds: Option<u64>,
    ) -> Self {
        Self { line, conditions, action, fail_delay_seconds }
    }

    /// The line of the policy where it begins, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What becomes of the logins it matches.
    #[must_use]
    pub fn action(&self) -> &RuleAction {
        &self.action
    }

    /// Seconds by which the application delays the answer to a failure of these logins; `None` for what holds for all.
    #[must_use]
    pub fn fail_delay_seconds(&self) -> Option<u64> {
        self.fail_delay_seconds
    }

    /// Whether it looks at the address a login comes from.
    #[must_use]
    pub fn names_sources(&self) -> bool {
        self.conditions.from.is_some()
    }

    /// The services that it names; `None` where any will do.
    #[must_use]
    pub fn services(&self) -> Option<Vec<&str>> {
        self.conditions.services.as_ref().map(Names::to_vec)
    }

    /// The users that it names; `None` where any will do.
    #[must_use]
    pub fn users(&self) -> Option<Vec<&str>> {
        self.conditions.users.as_ref().map(Names::to_vec)
    }

    /// The groups that it names; `None` where membership is not asked.
    #[must_use]
    pub fn groups(&self) -> Option<Vec<&str>> {
        self.conditions.groups.as_ref().map(Names::to_vec)
    }

    /// Whether a login on `terminal` can match, as far as terminals go.
    #[must_use]
    pub fn takes_terminal(&self, terminal: &str) -> bool {
        let patterns = self.conditions.ttys.as_ref();
        patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(terminal)))
    }

    /// Whether it matches every login.
    #[must_use]
    pub fn matches_every_login(&self) -> bool {
        self.conditions == Conditions::default()
    }

    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {}", self.conditions, self.action)?;
        self.fail_delay_seconds.map_or(Ok(()), |seconds| write!(formatter, ", delay {seconds} s"))
    }
}

/// What a rule does with the logins it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// They pass the chain of this name.
    Chain(String),
    /// They need no code.
    Exempt,
    /// They are denied without being asked.
    Deny,
}

impl fmt::Display for RuleAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(name) => write!(formatter, "chain {name}"),
            Self::Exempt => formatter.write_str("exempt"),
            Self::Deny => formatter.write_str("deny"),
        }
    }
}
