//! Rules that can never match, found without comparing every rule with every other: a policy is read at each
//! login.

use std::collections::{BTreeMap, BTreeSet};

use crate::verifier::policy::Rule;
use crate::verifier::policy::conditions::Conditions;
use crate::verifier::policy::network::Network;

/// The place of the first rule that an earlier one leaves nothing, and the first of those earlier ones.
pub(super) fn first_covered(rules: &[Rule]) -> Option<(usize, &Rule)> {
    let mut earlier = Index::default();
    for (place, rule) in rules.iter().enumerate() {
        let candidates = earlier.candidates(rule.conditions());
        let covering = candidates.filter(|candidate| candidate.conditions().cover(rule.conditions()));
        if let Some(first) = covering.min_by_key(|candidate| candidate.line()) {
            return Some((place, first));
        }
        earlier.insert(rule);
    }
    None
}

/// Rules under every entry of one condition of theirs, the one that tells most rules apart. What covers another rule
/// has all entries of that rule's condition, so it is found under any one of them.
#[derive(Default)]
struct Index<'r> {
    names: BTreeMap<(Kind, &'r str), Vec<&'r Rule>>,
    networks: BTreeMap<Network, Vec<&'r Rule>>,
    prefixes: BTreeSet<u8>,
    others: Vec<&'r Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    User,
    Group,
    Service,
}

impl<'r> Index<'r> {
    fn insert(&mut self, rule: &'r Rule) {
        let conditions = rule.conditions();
        if let Some(networks) = conditions.from.as_ref().filter(|_| conditions.users.is_none()) {
            for network in networks {
                self.prefixes.insert(network.prefix());
                self.networks.entry(*network).or_default().push(rule);
            }
        } else if let Some((kind, names)) = names(conditions).next() {
            for name in names {
                self.names.entry((kind, name)).or_default().push(rule);
            }
        } else {
            self.others.push(rule);
        }
    }

    /// Every rule that could cover one with these conditions, among a few others.
    fn candidates(&self, later: &'r Conditions) -> impl Iterator<Item = &'r Rule> {
        let named = names(later).filter_map(|(kind, names)| self.names.get(&(kind, names.first()?.as_str())));
        let network = later.from.as_ref().and_then(|networks| networks.first());
        let outer = self.prefixes.iter().filter_map(move |prefix| network?.widened_to(*prefix));
        let within = outer.filter_map(|outer| self.networks.get(&outer));
        std::iter::once(&self.others).chain(named).chain(within).flatten().copied()
    }
}

fn names(conditions: &Conditions) -> impl Iterator<Item = (Kind, &BTreeSet<String>)> {
    let Conditions { users, groups, services, .. } = conditions;
    let kinds = [(Kind::User, users), (Kind::Group, groups), (Kind::Service, services)];
    kinds.into_iter().filter_map(|(kind, names)| Some((kind, names.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verifier::policy::RuleAction;
    use crate::verifier::policy::conditions::tests::conditions;

    proptest! {
        #[test]
        fn no_rule_is_missed_for_not_being_compared(conditions in prop::collection::vec(conditions(), 0..8)) {
            let rules = (1..).zip(conditions).map(|(line, these)| Rule::new(line, these, RuleAction::Deny));
            let rules: Vec<Rule> = rules.collect();
            let compared = rules.iter().enumerate().find_map(|(place, later)| {
                let mut earlier = rules.iter().take(place);
                let first = earlier.find(|earlier| earlier.conditions().cover(later.conditions()))?;
                Some((place, first))
            });
            prop_assert_eq!(first_covered(&rules), compared);
        }
    }
}
