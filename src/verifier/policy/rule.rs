//! One rule: which logins, and what becomes of them.

use std::fmt;

use super::conditions::{Conditions, Names};
use super::network::Network;
use super::terminal::TerminalPattern;
use crate::verifier::time::UnixTime;

/// A rule. Shown in one line: `services sudo, sudo-i; groups wheel -> chain admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    line: usize,
    /// The included file where it stands; `None` for the policy file itself.
    file: Option<String>,
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
        Self { line, file: None, conditions, action, fail_delay_seconds }
    }

    /// The same rule of an included file.
    pub(super) fn in_file(self, file: Option<&str>) -> Self {
        Self { file: file.map(str::to_owned), ..self }
    }

    /// The line of its file where it begins, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The included file where it stands; `None` for the policy file itself.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Where it stands, in words: `line 12`, `line 3 of /etc/mfa-chain/policy.d/50-site.toml`.
    #[must_use]
    pub fn place(&self) -> String {
        let line = self.line;
        self.file.as_ref().map_or_else(|| format!("line {line}"), |file| format!("line {line} of {file}"))
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

    /// Whether a group that the system does not list has no members for it; else it denies.
    #[must_use]
    pub fn skips_unlisted_groups(&self) -> bool {
        self.conditions.skips_unlisted_groups
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

    /// The networks that it names; `None` where the source is not looked at.
    #[must_use]
    pub fn sources(&self) -> Option<&[Network]> {
        self.conditions.from.as_deref()
    }

    /// The terminals that it names; `None` where any will do.
    #[must_use]
    pub fn terminals(&self) -> Option<&[TerminalPattern]> {
        self.conditions.ttys.as_deref()
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
    /// They are exempt before `until`, and the log says what `chain` would have asked. From then on they pass it.
    Observe {
        /// The name of the chain.
        chain: String,
        /// The first moment of asking.
        until: UnixTime,
    },
}

impl RuleAction {
    /// The chain that it asks for, now or later.
    #[must_use]
    pub fn chain(&self) -> Option<&str> {
        match self {
            Self::Chain(chain) | Self::Observe { chain, .. } => Some(chain),
            Self::Exempt | Self::Deny => None,
        }
    }
}

impl fmt::Display for RuleAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(name) => write!(formatter, "chain {name}"),
            Self::Exempt => formatter.write_str("exempt"),
            Self::Deny => formatter.write_str("deny"),
            Self::Observe { chain, until } => {
                write!(
                    formatter,
                    "observe chain {chain} through {} (exempt until then)",
                    until.last_day_before()
                )
            }
        }
    }
}
