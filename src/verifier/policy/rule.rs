//! One rule: which logins, and what becomes of them.

use std::fmt;

use super::conditions::Conditions;

/// A rule. Shown in one line: `services sudo, sudo-i; groups wheel -> chain admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    line: usize,
    conditions: Conditions,
    action: RuleAction,
}

impl Rule {
    pub(super) fn new(line: usize, conditions: Conditions, action: RuleAction) -> Self {
        Self { line, conditions, action }
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

    /// Whether it looks at the address a login comes from.
    #[must_use]
    pub fn names_sources(&self) -> bool {
        self.conditions.from.is_some()
    }

    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {}", self.conditions, self.action)
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
