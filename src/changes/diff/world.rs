//! The services, users, sources, terminals and groups that two policies distinguish, divided into atoms.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::atoms::Atoms;
use super::region::{Conditions, Region};
use crate::verifier::accounts::{Accounts, AccountsError, Membership};
use crate::verifier::policy::{Network, Policy, Rule, RuleAction, TerminalPattern};

/// The atoms of every dimension. The last atom of a dimension stands for all values that neither policy names.
pub struct World {
    services: Vec<String>,
    /// Users that a policy names or the store holds; each with a membership for each group in `groups`, `None` if
    /// unknown.
    users: Vec<(String, Vec<Option<bool>>)>,
    /// Each network stands for its addresses outside the smaller networks of this list.
    sources: Vec<Network>,
    terminals: Vec<TerminalPattern>,
    groups: Vec<String>,
    unlisted: Vec<bool>,
}

/// A rule, or its part for one of its groups, with its answer.
pub struct Part<'p> {
    /// The logins that it takes.
    pub conditions: Conditions,
    /// The answer to these logins.
    pub answer: Answer<'p>,
    /// The rule's index in the policy; `None` for the default chain.
    pub rule: Option<usize>,
}

const SERVICES: usize = 0;
const USERS: usize = 1;
const SOURCES: usize = 2;
const TERMINALS: usize = 3;
const FIRST_GROUP: usize = 4;
/// The atoms of a group.
const MEMBER: usize = 0;
const NO_MEMBER: usize = 1;

impl World {
    /// The world of two policies; `accounts` provides the memberships of users, and whether the host lists a group.
    #[must_use]
    pub fn of(policies: [&Policy; 2], enrolled: &[String], accounts: &dyn Accounts) -> Self {
        let rules = || policies.into_iter().flat_map(Policy::rules);
        let names = |of: fn(&Rule) -> Option<Vec<&str>>| {
            let names: BTreeSet<String> = rules().filter_map(of).flatten().map(str::to_owned).collect();
            names
        };
        let groups: Vec<String> = names(Rule::groups).into_iter().collect();
        let mut users = names(Rule::users);
        users.extend(enrolled.iter().cloned());
        let users = users.into_iter().map(|user| {
            let memberships = memberships(&user, &groups, accounts);
            (user, memberships)
        });
        let mut sources: Vec<Network> = Network::all().into();
        sources.extend(rules().filter_map(Rule::sources).flatten());
        sources.sort();
        sources.dedup();
        let mut terminals: Vec<TerminalPattern> = Vec::new();
        for terminal in rules().filter_map(Rule::terminals).flatten() {
            if !terminals.contains(terminal) {
                terminals.push(terminal.clone());
            }
        }
        Self {
            services: names(Rule::services).into_iter().collect(),
            users: users.collect(),
            sources,
            terminals,
            unlisted: groups.iter().map(|group| accounts.lists_group(group) == Ok(false)).collect(),
            groups,
        }
    }

    /// All logins.
    #[must_use]
    pub fn whole(&self) -> Region {
        let named = [self.services.len(), self.users.len(), self.sources.len(), self.terminals.len()];
        let mut dimensions: Vec<Atoms> = named.iter().map(|count| every(count.saturating_add(1))).collect();
        if let Some(terminals) = dimensions.get_mut(TERMINALS) {
            // No rule distinguishes a terminal that no pattern covers from a login without a terminal.
            *terminals = every(self.terminals.len().saturating_add(1));
        }
        if let Some(sources) = dimensions.get_mut(SOURCES) {
            // A network whose smaller networks cover it has no address left.
            *sources = Atoms::which(self.sources.len().saturating_add(1), |atom| !self.is_filled(atom));
        }
        dimensions.extend(self.groups.iter().map(|_| every(2)));
        Region(dimensions)
    }

    fn is_filled(&self, atom: usize) -> bool {
        let Some(network) = self.sources.get(atom) else { return false };
        let within: Vec<Network> =
            self.sources.iter().filter(|inner| *inner != network && network.covers(inner)).copied().collect();
        network.is_filled_by(&within)
    }

    /// The rules of `policy` as conditions on atoms, the default chain last.
    #[must_use]
    pub fn parts<'p>(&self, policy: &'p Policy) -> Vec<Part<'p>> {
        let mut parts = Vec::new();
        for (place, rule) in policy.rules().iter().enumerate() {
            let answer = match rule.action() {
                RuleAction::Exempt => Answer::Exempt,
                RuleAction::Deny => Answer::Deny,
                RuleAction::Chain(name) => policy.chain(name).map_or(Answer::Deny, Answer::Require),
                RuleAction::Observe { chain, until } => {
                    policy.chain(chain).map_or(Answer::Deny, |chain| Answer::Observe(chain, *until))
                }
            };
            self.add_parts(rule, place, answer, &mut parts);
        }
        let default = policy.default_chain();
        let answer =
            policy.observed_until().map_or(Answer::Require(default), |until| Answer::Observe(default, until));
        parts.push(Part { conditions: Vec::new(), answer, rule: None });
        parts
    }

    /// A rule takes the members of any of its groups. One part for each group keeps each part a plain product of atoms.
    fn add_parts<'p>(&self, rule: &Rule, place: usize, answer: Answer<'p>, parts: &mut Vec<Part<'p>>) {
        let conditions = self.conditions(rule);
        let Some(groups) = rule.groups() else {
            parts.push(Part { conditions, answer, rule: Some(place) });
            return;
        };
        for group in groups {
            let number = self.groups.iter().position(|known| known == group).unwrap_or_default();
            if self.unlisted.get(number) == Some(&true) {
                if rule.skips_unlisted_groups() {
                    continue;
                }
                // The module denies every login that reaches this group; it does not check the later groups.
                parts.push(Part { conditions, answer: Answer::Deny, rule: Some(place) });
                return;
            }
            let mut conditions = conditions.clone();
            conditions.push((FIRST_GROUP.saturating_add(number), Atoms::which(2, |atom| atom == MEMBER)));
            parts.push(Part { conditions, answer, rule: Some(place) });
        }
    }

    fn conditions(&self, rule: &Rule) -> Conditions {
        let mut conditions = Conditions::new();
        if let Some(named) = rule.services() {
            conditions.push((SERVICES, which(&self.services, |name| named.contains(&name.as_str()))));
        }
        if let Some(named) = rule.users() {
            conditions.push((USERS, which(&self.users, |(name, _)| named.contains(&name.as_str()))));
        }
        if let Some(named) = rule.sources() {
            let lies_within = |atom: &Network| named.iter().any(|outer| outer.covers(atom));
            conditions.push((SOURCES, which(&self.sources, lies_within)));
        }
        if let Some(named) = rule.terminals() {
            let is_meant = |atom: &TerminalPattern| named.iter().any(|outer| outer.covers(atom));
            conditions.push((TERMINALS, which(&self.terminals, is_meant)));
        }
        conditions
    }

    /// The users who can be in the region, given the groups that the host reports for them. The last atom stands for
    /// all other users, who may be in any group.
    #[must_use]
    pub fn users_in(&self, region: &Region) -> Atoms {
        let count = self.users.len().saturating_add(1);
        let Some(users) = region.0.get(USERS) else { return Atoms::none(count) };
        let fits = |memberships: &Vec<Option<bool>>| {
            memberships.iter().enumerate().all(|(number, is_member)| {
                let atoms = region.0.get(FIRST_GROUP.saturating_add(number));
                let atom = is_member.map(|is_member| if is_member { MEMBER } else { NO_MEMBER });
                atom.is_none_or(|atom| atoms.is_some_and(|atoms| atoms.has(atom)))
            })
        };
        Atoms::which(count, |user| {
            users.has(user) && self.users.get(user).is_none_or(|(_, memberships)| fits(memberships))
        })
    }

    /// The user with this number; `None` for the atom of all other users.
    #[must_use]
    pub fn user(&self, number: usize) -> Option<&str> {
        self.users.get(number).map(|(name, _)| name.as_str())
    }

    /// The services in words; empty for all.
    #[must_use]
    pub fn services(&self, region: &Region) -> Vec<String> {
        let name = |atom: usize| self.services.get(atom).cloned();
        self.named(region, SERVICES, name, "other services")
    }

    /// The users in words; empty for all.
    #[must_use]
    pub fn users(&self, region: &Region) -> Vec<String> {
        self.named(region, USERS, |atom| self.user(atom).map(str::to_owned), "other users")
    }

    /// The sources in words; empty for all.
    #[must_use]
    pub fn sources(&self, region: &Region) -> Vec<String> {
        let name = |atom: usize| {
            let network = self.sources.get(atom)?;
            let has_parts = self.sources.iter().any(|inner| inner != network && network.covers(inner));
            Some(match (Network::all().iter().position(|all| all == network), has_parts) {
                (Some(0), true) => "other IPv4 addresses".to_owned(),
                (Some(0), false) => "IPv4 addresses".to_owned(),
                (Some(_), true) => "other IPv6 addresses".to_owned(),
                (Some(_), false) => "IPv6 addresses".to_owned(),
                (None, true) => format!("the rest of {network}"),
                (None, false) => network.to_string(),
            })
        };
        self.named(region, SOURCES, name, "no address")
    }

    /// The terminals in words; empty for all.
    #[must_use]
    pub fn terminals(&self, region: &Region) -> Vec<String> {
        let name = |atom: usize| self.terminals.get(atom).map(ToString::to_string);
        self.named(region, TERMINALS, name, "other terminals or none")
    }

    /// The groups whose members make up the region, and the groups whose members are outside of it.
    #[must_use]
    pub fn groups(&self, region: &Region) -> (Vec<String>, Vec<String>) {
        let only = |atom: usize| {
            let numbers = self.groups.iter().enumerate().filter(|(number, _)| {
                let atoms = region.0.get(FIRST_GROUP.saturating_add(*number));
                atoms.is_some_and(|atoms| atoms.iter().eq([atom]))
            });
            numbers.map(|(_, group)| group.clone()).collect()
        };
        (only(MEMBER), only(NO_MEMBER))
    }

    fn named(
        &self,
        region: &Region,
        dimension: usize,
        name: impl Fn(usize) -> Option<String>,
        rest: &str,
    ) -> Vec<String> {
        let (Some(atoms), Some(whole)) = (region.0.get(dimension), self.whole().0.get(dimension).cloned())
        else {
            return Vec::new();
        };
        if *atoms == whole {
            return Vec::new();
        }
        atoms.iter().map(|atom| name(atom).unwrap_or_else(|| rest.to_owned())).collect()
    }
}

fn every(count: usize) -> Atoms {
    Atoms::which(count, |_| true)
}

/// The atoms for which `holds` returns true; never the last atom, which stands for unnamed values.
fn which<T>(atoms: &[T], holds: impl Fn(&T) -> bool) -> Atoms {
    Atoms::which(atoms.len().saturating_add(1), |atom| atoms.get(atom).is_some_and(&holds))
}

/// Whether `user` is in each of `groups`; `None` where the account databases did not answer.
fn memberships(user: &str, groups: &[String], accounts: &dyn Accounts) -> Vec<Option<bool>> {
    let account = accounts.account(user);
    let is_member = |group: &String| -> Result<bool, AccountsError> {
        let account = account.clone()?;
        Ok(accounts.membership(account.as_ref(), group)? == Membership::Member)
    };
    groups.iter().map(|group| is_member(group).ok()).collect()
}
