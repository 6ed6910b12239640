//! What a policy answers to a login, and which of two answers is the weaker one.

use crate::verifier::enrollment::UserRecord;
use crate::verifier::policy::{ChainSpec, Factor, Mode, OnWrongCode, Policy, Unenrolled, accepted_codes};
use crate::verifier::time::UnixTime;

/// What a policy does with a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'p> {
    /// Denies it.
    Deny,
    /// Asks for nothing.
    Exempt,
    /// Asks for nothing before this time, then for a chain.
    Observe(&'p ChainSpec, UnixTime),
    /// Asks for a chain.
    Require(&'p ChainSpec),
}

/// How an answer differs from the one before it. The order is that of a report: the most dangerous first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// No code is asked any more.
    Exempt,
    /// A guesser or a thief gets in more easily.
    Weaker,
    /// Neither weaker nor stricter.
    Other,
    /// Logins are asked for more.
    Stricter,
}

impl Change {
    /// Its word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::Weaker => "weaker",
            Self::Other => "other",
            Self::Stricter => "stricter",
        }
    }

    /// Whether the change lets in a login that the old policy kept out.
    #[must_use]
    pub const fn is_weaker(self) -> bool {
        matches!(self, Self::Exempt | Self::Weaker)
    }
}

impl Answer<'_> {
    /// The answer in words: `exempt`, `deny`, `chain admin (2 of phone, token)`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Deny => "deny".to_owned(),
            Self::Exempt => "exempt".to_owned(),
            Self::Observe(chain, until) => {
                format!("exempt through {}, then {}", until.last_day_before(), Self::Require(chain).shown())
            }
            Self::Require(chain) => {
                let ids: Vec<&str> = chain.factors().map(|factor| factor.id.as_str()).collect();
                format!("chain {} ({} of {})", chain.name(), chain.required_steps(), ids.join(", "))
            }
        }
    }

    /// Whether a user with `record` gets in with right codes, as far as the policy goes.
    #[must_use]
    pub fn can_be_passed_with(&self, record: &UserRecord) -> bool {
        match self {
            Self::Deny => false,
            Self::Exempt | Self::Observe(..) => true,
            Self::Require(chain) => {
                let enrolled = chain.factors().filter(|factor| record.credential(factor).is_some()).count();
                enrolled >= chain.required_steps() || chain.unenrolled() != Unenrolled::Deny
            }
        }
    }

    /// How `new` differs, and in what details; `None` where `new` amounts to the same.
    #[must_use]
    pub fn change_to(&self, new: &Self) -> Option<(Change, Vec<String>)> {
        match (self, new) {
            (Self::Deny, Self::Deny) | (Self::Exempt, Self::Exempt) => None,
            (_, Self::Exempt) | (Self::Deny | Self::Require(_), Self::Observe(..)) => {
                Some((Change::Exempt, Vec::new()))
            }
            (Self::Deny, Self::Require(_)) => Some((Change::Weaker, Vec::new())),
            (_, Self::Deny) | (Self::Exempt, Self::Observe(..) | Self::Require(_)) => {
                Some((Change::Stricter, Vec::new()))
            }
            (Self::Observe(..), Self::Require(_)) => Some((Change::Stricter, Vec::new())),
            (Self::Observe(_, old), Self::Observe(_, new)) if new != old => {
                let change = if new > old { Change::Exempt } else { Change::Stricter };
                Some((change, vec![format!("observed through {}", new.last_day_before())]))
            }
            (Self::Observe(old, _), Self::Observe(new, _)) | (Self::Require(old), Self::Require(new)) => {
                change_of_chain(old, new)
            }
        }
    }
}

/// What makes a chain weaker or stricter, each with its description.
fn change_of_chain(old: &ChainSpec, new: &ChainSpec) -> Option<(Change, Vec<String>)> {
    let mut found = Vec::new();
    let mut note = |change, what: String| found.push((change, what));
    let (before, after) = (old.required_steps(), new.required_steps());
    if before != after {
        let change = if after < before { Change::Weaker } else { Change::Stricter };
        note(change, format!("required_steps {before} -> {after}"));
    }
    if old.mode() != new.mode() {
        // In a fixed chain a thief of the user's first authenticators knows that they are enough.
        let change = if new.mode() == Mode::Fixed { Change::Weaker } else { Change::Stricter };
        note(change, "mode".to_owned());
    }
    if old.on_wrong_code() != new.on_wrong_code() {
        // A chain that reports each wrong code at once shows a guesser which code was right.
        let weaker = new.on_wrong_code() == OnWrongCode::Reset;
        note(if weaker { Change::Weaker } else { Change::Stricter }, "on_wrong_code".to_owned());
    }
    if let Some(change) = change_of_unenrolled(old.unenrolled(), new.unenrolled()) {
        note(change, "unenrolled users".to_owned());
    }
    for (change, what) in changes_of_factors(old, new) {
        note(change, what);
    }
    let change = found.iter().map(|(change, _)| *change).min()?;
    Some((change, found.into_iter().map(|(_, what)| what).collect()))
}

fn change_of_unenrolled(old: Unenrolled, new: Unenrolled) -> Option<Change> {
    match (old, new) {
        (Unenrolled::Deny, Unenrolled::ExemptUntil(_)) => Some(Change::Exempt),
        (Unenrolled::ExemptUntil(_), Unenrolled::Deny) => Some(Change::Stricter),
        (Unenrolled::ExemptUntil(old), Unenrolled::ExemptUntil(new)) if new > old => Some(Change::Exempt),
        (Unenrolled::ExemptUntil(old), Unenrolled::ExemptUntil(new)) if new < old => Some(Change::Stricter),
        _ => None,
    }
}

fn changes_of_factors(old: &ChainSpec, new: &ChainSpec) -> Vec<(Change, String)> {
    let find = |chain: &ChainSpec, id: &str| chain.factors().find(|factor| factor.id.as_str() == id).cloned();
    let mut found = Vec::new();
    for factor in old.factors() {
        let id = factor.id.as_str();
        match find(new, id) {
            None => found.push((Change::Stricter, format!("factor {id} is gone"))),
            Some(same) => found.extend(change_of_factor(factor, &same)),
        }
    }
    let added = new.factors().filter(|factor| find(old, factor.id.as_str()).is_none());
    found.extend(added.map(|factor| (Change::Weaker, format!("factor {} is taken too", factor.id))));
    if found.is_empty() && !old.factors().map(|it| &it.id).eq(new.factors().map(|it| &it.id)) {
        found.push((Change::Other, "the order of the factors".to_owned()));
    }
    found
}

fn change_of_factor(old: &Factor, new: &Factor) -> Vec<(Change, String)> {
    let id = &old.id;
    let mut found = Vec::new();
    if old.kind.name() != new.kind.name() {
        found.push((
            Change::Stricter,
            format!("factor {id} is of another type: who enrolled it has to enroll again"),
        ));
    }
    let (before, after) = (accepted_codes(old), accepted_codes(new));
    if before != after {
        let change = if after > before { Change::Weaker } else { Change::Stricter };
        found.push((change, format!("factor {id} takes {after} codes at a time, {before} before")));
    }
    let (before, after) = (old.enrollment.digits.count(), new.enrollment.digits.count());
    if before != after {
        let change = if after < before { Change::Weaker } else { Change::Stricter };
        found.push((change, format!("new enrollments of {id} get {after} digits, {before} before")));
    }
    found
}

/// What changed for every login, whatever rule it meets.
#[must_use]
pub fn changes_of_all(old: &Policy, new: &Policy) -> Vec<(Change, String)> {
    let mut found = Vec::new();
    let (before, after) = (old.throttle(), new.throttle());
    let (larger, smaller) = (Change::Weaker, Change::Stricter);
    for (key, was, is, if_more) in [
        ("free_failures", before.free_failures().into(), after.free_failures().into(), larger),
        ("long_after", before.long_after().into(), after.long_after().into(), larger),
        ("lock_after", before.lock_after().into(), after.lock_after().into(), larger),
        ("failures_a_day", before.failures_a_day().into(), after.failures_a_day().into(), larger),
        ("attempt_seconds", before.attempt_seconds(), after.attempt_seconds(), larger),
        ("first_wait_seconds", before.first_wait_seconds(), after.first_wait_seconds(), smaller),
        ("longest_wait_seconds", before.longest_wait_seconds(), after.longest_wait_seconds(), smaller),
        ("long_wait_seconds", before.long_wait_seconds(), after.long_wait_seconds(), smaller),
        ("lock_wait_seconds", before.lock_wait_seconds(), after.lock_wait_seconds(), smaller),
        ("fail_delay_seconds", before.fail_delay_seconds(), after.fail_delay_seconds(), smaller),
    ] {
        let if_less = if if_more == larger { smaller } else { larger };
        if was != is {
            found.push((if is > was { if_more } else { if_less }, format!("throttle: {key} {was} -> {is}")));
        }
    }
    if old.prompt().echo() != new.prompt().echo() {
        let change = if new.prompt().echo() { Change::Weaker } else { Change::Stricter };
        found.push((change, format!("prompt: echo {} -> {}", old.prompt().echo(), new.prompt().echo())));
    }
    if old.prompt() != new.prompt() && old.prompt().echo() == new.prompt().echo() {
        found.push((Change::Other, "prompt: its words".to_owned()));
    }
    found
}
