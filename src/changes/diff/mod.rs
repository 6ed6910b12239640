//! Finds the logins that a new policy answers differently, among all possible logins and not only among samples.
//!
//! The two policies divide each dimension of a login, such as its service or its source, into atoms: an atom holds
//! values that no rule distinguishes. A rule is a product of sets of atoms. The walk through both lists of rules splits
//! all logins into regions, and each policy decides the same way for every login of a region.

mod answer;
mod atoms;
mod region;
mod world;

use std::collections::BTreeMap;

use self::answer::changes_of_all;
pub use self::answer::{Answer, Change};
use self::region::Region;
use self::world::{Part, World};
use crate::verifier::accounts::Accounts;
use crate::verifier::enrollment::UserRecord;
use crate::verifier::policy::Policy;

/// The answers that a new policy changes.
#[derive(Debug)]
pub struct PolicyDiff {
    /// Logins that get another answer; the most dangerous changes come first.
    pub logins: Vec<LoginChange>,
    /// What changed for every login: the throttle, the prompts.
    pub everywhere: Vec<(Change, String)>,
    /// Enrolled users who could pass the old policy and can't pass the new one.
    pub locked_out: Vec<LockedOut>,
    /// Whether the policies were too complex to compare all logins; the new policy may be weaker somewhere.
    pub is_incomplete: bool,
}

/// Logins that get another answer, for one pair of rules.
#[derive(Debug, PartialEq, Eq)]
pub struct LoginChange {
    /// The kind of change.
    pub change: Change,
    /// What in the chain changed.
    pub details: Vec<String>,
    /// The answer of the old policy.
    pub before: String,
    /// The rule that gave the old answer, counted from 0; `None` for the default chain.
    pub rule_before: Option<usize>,
    /// The answer of the new policy.
    pub after: String,
    /// The rule that gives the new answer, counted as `rule_before` is.
    pub rule_after: Option<usize>,
    /// The services; empty for any.
    pub services: Vec<String>,
    /// The users; empty for any.
    pub users: Vec<String>,
    /// Groups that these users are in.
    pub groups: Vec<String>,
    /// Groups that these users are not in.
    pub outside_groups: Vec<String>,
    /// The sources; empty for any.
    pub sources: Vec<String>,
    /// The terminals; empty for any.
    pub terminals: Vec<String>,
    /// The enrolled users who are among these users.
    pub enrolled: Vec<String>,
}

impl LoginChange {
    /// How many conditions the logins have to meet; reports show the change with the fewest first.
    fn narrowness(&self) -> usize {
        let lists =
            [&self.services, &self.users, &self.groups, &self.outside_groups, &self.sources, &self.terminals];
        lists.iter().filter(|list| !list.is_empty()).count()
    }
}

/// A user who could pass and no longer can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedOut {
    /// The user.
    pub user: String,
    /// The services; empty for any.
    pub services: Vec<String>,
    /// The answer that the user can't pass.
    pub answer: String,
}

/// A user of the store.
pub type Enrolled = (String, UserRecord);

impl PolicyDiff {
    /// Compares `new` with `old`, for the users in `enrolled` and the groups that `accounts` lists.
    #[must_use]
    pub fn of(old: &Policy, new: &Policy, enrolled: &[Enrolled], accounts: &dyn Accounts) -> Self {
        let names: Vec<String> = enrolled.iter().map(|(name, _)| name.clone()).collect();
        let world = World::of([old, new], &names, accounts);
        let (before, after) = (world.parts(old), world.parts(new));
        let mut walk = Walk { before: &before, after: &after, found: BTreeMap::new(), steps: 0 };
        let is_complete = walk.go(&world);
        let mut logins = Vec::new();
        let mut locked_out: Vec<LockedOut> = Vec::new();
        for ((at_before, at_after), (region, users)) in &walk.found {
            let (Some(old), Some(new)) = (before.get(*at_before), after.get(*at_after)) else { continue };
            let Some((change, details)) = old.answer.change_to(&new.answer) else { continue };
            let here = |user: &&Enrolled| users.iter().any(|number| world.user(number) == Some(&user.0));
            let present: Vec<&Enrolled> = enrolled.iter().filter(here).collect();
            let shut = present.iter().filter(|(_, record)| {
                old.answer.can_be_passed_with(record) && !new.answer.can_be_passed_with(record)
            });
            locked_out.extend(shut.map(|(user, _)| LockedOut {
                user: user.clone(),
                services: world.services(region),
                answer: new.answer.shown(),
            }));
            let (groups, outside_groups) = world.groups(region);
            logins.push(LoginChange {
                change,
                details,
                before: old.answer.shown(),
                rule_before: old.rule,
                after: new.answer.shown(),
                rule_after: new.rule,
                services: world.services(region),
                users: world.users(region),
                groups,
                outside_groups,
                sources: world.sources(region),
                terminals: world.terminals(region),
                enrolled: present.iter().map(|(user, _)| user.clone()).collect(),
            });
        }
        logins.sort_by_key(|login| (login.change, login.narrowness()));
        locked_out.dedup();
        Self { logins, everywhere: changes_of_all(old, new), locked_out, is_incomplete: !is_complete }
    }

    /// Whether the new policy lets somebody in more easily, or may do so.
    #[must_use]
    pub fn is_weaker(&self) -> bool {
        self.is_incomplete
            || self.logins.iter().any(|login| login.change.is_weaker())
            || self.everywhere.iter().any(|(change, _)| change.is_weaker())
    }

    /// Whether no answer changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_incomplete && self.logins.is_empty() && self.everywhere.is_empty()
    }
}

/// A walk through both lists of rules.
struct Walk<'a, 'p> {
    before: &'a [Part<'p>],
    after: &'a [Part<'p>],
    /// For each pair of rules with different answers: the logins that meet both rules, and the users who can be among
    /// them.
    found: BTreeMap<(usize, usize), (Region, atoms::Atoms)>,
    steps: usize,
}

/// Enough for hundreds of rules whose logins overlap; a walk of this length takes a second or two.
const MOST_STEPS: usize = 5_000_000;

impl Walk<'_, '_> {
    /// Walks through both lists. Returns false when the walk stopped at [`MOST_STEPS`].
    fn go(&mut self, world: &World) -> bool {
        // Each entry: a region that no earlier rule took, and the number of the next rule to look at.
        let mut waiting = vec![(world.whole(), 0)];
        while let Some((region, next)) = waiting.pop() {
            let Some((at, here, rest)) = self.first_that_meets(self.before, &region, next) else {
                return false;
            };
            waiting.extend(rest.into_iter().map(|part| (part, at.saturating_add(1))));
            if !self.go_through_new(world, here, at) {
                return false;
            }
        }
        true
    }

    fn go_through_new(&mut self, world: &World, region: Region, before: usize) -> bool {
        let mut waiting = vec![(region, 0)];
        while let Some((region, next)) = waiting.pop() {
            let Some((after, here, rest)) = self.first_that_meets(self.after, &region, next) else {
                return false;
            };
            waiting.extend(rest.into_iter().map(|part| (part, after.saturating_add(1))));
            self.note(world, before, after, here);
        }
        true
    }

    /// Finds the first part, from `next` on, that takes logins of `region`. Returns the number of the part, the logins
    /// that it takes and the logins that it leaves.
    fn first_that_meets(
        &mut self,
        parts: &[Part<'_>],
        region: &Region,
        next: usize,
    ) -> Option<(usize, Region, Vec<Region>)> {
        for (at, part) in parts.iter().enumerate().skip(next) {
            self.steps = self.steps.saturating_add(1);
            if self.steps > MOST_STEPS {
                return None;
            }
            if let Some(here) = region.within(&part.conditions) {
                return Some((at, here, region.beyond(&part.conditions)));
            }
        }
        None
    }

    fn note(&mut self, world: &World, before: usize, after: usize, region: Region) {
        let answers = (self.before.get(before), self.after.get(after));
        let (Some(old), Some(new)) = answers else { return };
        if old.answer.change_to(&new.answer).is_none() {
            return;
        }
        let users = world.users_in(&region);
        if users.is_empty() {
            return;
        }
        match self.found.get_mut(&(before, after)) {
            None => {
                self.found.insert((before, after), (region, users));
            }
            Some((known, known_users)) => {
                for (ours, theirs) in known.0.iter_mut().zip(&region.0) {
                    ours.add(theirs);
                }
                known_users.add(&users);
            }
        }
    }
}

#[cfg(test)]
mod tests;
