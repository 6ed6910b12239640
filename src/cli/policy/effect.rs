//! What a new policy answers otherwise, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::failure::Failure;
use crate::changes::diff::{Change, LoginChange, PolicyDiff};
use crate::store::FileStore;
use crate::verifier::accounts::Accounts;
use crate::verifier::policy::Policy;

/// Two policies and how they differ.
pub struct Effect<'p> {
    old: &'p Policy,
    new: &'p Policy,
    /// The difference.
    pub diff: PolicyDiff,
}

impl<'p> Effect<'p> {
    /// Compares them for the users of `store`.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the store is there and can't be read.
    pub fn of(
        old: &'p Policy,
        new: &'p Policy,
        store: &FileStore,
        accounts: &dyn Accounts,
    ) -> Result<Self, Failure> {
        let mut enrolled = Vec::new();
        if store.exists() {
            for user in store.users()? {
                // A record that can't be read lets nobody pass, before and after.
                let record = store.record(&user).ok().flatten().unwrap_or_default();
                enrolled.push((user.as_str().to_owned(), record));
            }
        }
        Ok(Self { old, new, diff: PolicyDiff::of(old, new, &enrolled, accounts) })
    }

    /// The difference in lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (change, heading) in HEADINGS {
            let logins: Vec<&LoginChange> =
                self.diff.logins.iter().filter(|login| login.change == change).collect();
            let everywhere: Vec<&String> =
                self.diff.everywhere.iter().filter(|(of, _)| *of == change).map(|(_, what)| what).collect();
            if logins.is_empty() && everywhere.is_empty() {
                continue;
            }
            // Writing to a String can't fail.
            let _ = writeln!(text, "{heading}");
            for what in everywhere {
                let _ = writeln!(text, "  {what}");
            }
            for login in logins.iter().take(MOST_SHOWN) {
                text.push_str(&self.login(login));
            }
            if let Some(more) = logins.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
                let _ = writeln!(text, "  and {more} narrower ones, which --json lists");
            }
        }
        if !self.diff.locked_out.is_empty() {
            text.push_str("can no longer pass, though enrolled\n");
            for out in &self.diff.locked_out {
                let through =
                    if out.services.is_empty() { "any service".to_owned() } else { listed(&out.services) };
                let _ = writeln!(text, "  {} through {through}: {}", out.user, out.answer);
            }
        }
        text.push_str(self.summary());
        text
    }

    /// One line that says whether something becomes weaker.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        if self.diff.is_incomplete {
            "The rules have too much to do with each other to compare all logins: take it as weaker.\n"
        } else if self.diff.is_empty() {
            "No login gets another answer.\n"
        } else if self.diff.is_weaker() {
            "Something becomes weaker.\n"
        } else {
            "Nothing becomes weaker.\n"
        }
    }

    /// What becomes weaker, in one short line for the log; `None` where nothing does.
    #[must_use]
    pub fn weaker_in_short(&self) -> Option<String> {
        if !self.diff.is_weaker() {
            return None;
        }
        let weaker = self.diff.logins.iter().filter(|login| login.change.is_weaker());
        let logins = weaker.map(|login| {
            format!("{} -> {} {}", login.before, login.after, place(self.new, login.rule_after))
        });
        let everywhere = self.diff.everywhere.iter().filter(|(change, _)| change.is_weaker());
        let mut told: Vec<String> = everywhere.map(|(_, what)| what.clone()).chain(logins).collect();
        told.dedup();
        let more = told.len().saturating_sub(MOST_LOGGED);
        told.truncate(MOST_LOGGED);
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        if self.diff.is_incomplete {
            told.push("not all logins were compared".to_owned());
        }
        Some(told.join("; "))
    }

    /// The difference as an object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rule = |place: Option<usize>| place.map(|place| place.saturating_add(1));
        let login = |login: &LoginChange| {
            json!({
                "change": login.change.word(), "details": login.details,
                "before": login.before, "rule_before": rule(login.rule_before),
                "after": login.after, "rule_after": rule(login.rule_after),
                "services": login.services, "users": login.users, "groups": login.groups,
                "outside_groups": login.outside_groups, "from": login.sources, "ttys": login.terminals,
                "enrolled": login.enrolled,
            })
        };
        let everywhere = self.diff.everywhere.iter();
        let everywhere: Vec<Value> =
            everywhere.map(|(change, what)| json!({"change": change.word(), "what": what})).collect();
        let locked_out = self.diff.locked_out.iter();
        let locked_out: Vec<Value> = locked_out
            .map(|out| json!({"user": out.user, "services": out.services, "answer": out.answer}))
            .collect();
        json!({
            "weaker": self.diff.is_weaker(), "complete": !self.diff.is_incomplete,
            "logins": self.diff.logins.iter().map(login).collect::<Vec<_>>(),
            "everywhere": everywhere, "cannot_pass": locked_out,
        })
    }

    fn login(&self, login: &LoginChange) -> String {
        let mut text = format!(
            "  {} {} -> {} {}",
            login.before,
            place(self.old, login.rule_before),
            login.after,
            place(self.new, login.rule_after)
        );
        if !login.details.is_empty() {
            let _ = write!(text, ": {}", login.details.join("; "));
        }
        let parts = [
            ("services", &login.services),
            ("users", &login.users),
            ("in groups", &login.groups),
            ("not in groups", &login.outside_groups),
            ("from", &login.sources),
            ("ttys", &login.terminals),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(key, list)| format!("{key} {}", listed(list)))
            .collect();
        let logins = if parts.is_empty() { "every login".to_owned() } else { parts.join("; ") };
        let _ = writeln!(text, "\n    {logins}");
        if !login.enrolled.is_empty() {
            let _ = writeln!(text, "    enrolled: {}", listed(&login.enrolled));
        }
        text
    }
}

/// A rule's number and line.
fn place(policy: &Policy, rule: Option<usize>) -> String {
    let found = rule.and_then(|place| Some((place.saturating_add(1), policy.rules().get(place)?)));
    found
        .map_or_else(|| "(no rule)".to_owned(), |(number, rule)| format!("(rule {number}, {})", rule.place()))
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let shown = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

const HEADINGS: [(Change, &str); 4] = [
    (Change::Exempt, "no code is asked any more"),
    (Change::Weaker, "weaker"),
    (Change::Other, "other"),
    (Change::Stricter, "stricter"),
];
const MOST_SHOWN: usize = 12;
const MOST_NAMES: usize = 12;
const MOST_LOGGED: usize = 3;
