//! Rules that can never match, found without comparing every rule with every other: a policy is read at each
//! login.

use crate::verifier::policy::Rule;
use crate::verifier::policy::conditions::Conditions;
use crate::verifier::policy::network::Network;

/// The place of the first rule that an earlier one leaves nothing, and the first of those earlier ones.
pub(super) fn first_covered(rules: &[Rule]) -> Option<(usize, &Rule)> {
    let index = Index::of(rules);
    rules.iter().enumerate().find_map(|(place, rule)| {
        let earlier = index.candidates(rule.conditions()).filter(|candidate| *candidate < place);
        let covering = earlier.filter(|earlier| {
            rules.get(*earlier).is_some_and(|earlier| earlier.conditions().cover(rule.conditions()))
        });
        Some((place, rules.get(covering.min()?)?))
    })
}

/// The places of rules under every entry of one condition of theirs, the one that tells most rules apart. What covers
/// another rule has all entries of that rule's condition, so it is found under any one of them.
struct Index<'r> {
    entries: Vec<(Entry<'r>, usize)>,
    /// Which prefixes the networks among the entries have.
    prefixes: [bool; LONGEST_PREFIX + 1],
    others: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Entry<'r> {
    User(&'r str),
    Group(&'r str),
    Service(&'r str),
    Network(Network),
}

impl<'r> Index<'r> {
    fn of(rules: &'r [Rule]) -> Self {
        let mut index = Self {
            entries: Vec::with_capacity(rules.len()),
            prefixes: [false; LONGEST_PREFIX + 1],
            others: Vec::new(),
        };
        for (place, rule) in rules.iter().enumerate() {
            index.insert(place, rule.conditions());
        }
        index.entries.sort_unstable();
        index
    }

    fn insert(&mut self, place: usize, conditions: &'r Conditions) {
        let Conditions { users, groups, services, from, .. } = conditions;
        if let Some(users) = users {
            self.entries.extend(users.iter().map(|name| (Entry::User(name), place)));
        } else if let Some(groups) = groups {
            self.entries.extend(groups.iter().map(|name| (Entry::Group(name), place)));
        } else if let Some(networks) = from {
            for network in networks {
                if let Some(prefix) = self.prefixes.get_mut(usize::from(network.prefix())) {
                    *prefix = true;
                }
                self.entries.push((Entry::Network(*network), place));
            }
        } else if let Some(services) = services {
            self.entries.extend(services.iter().map(|name| (Entry::Service(name), place)));
        } else {
            self.others.push(place);
        }
    }

    /// The places of all rules that could cover one with these conditions, among a few others.
    fn candidates<'a>(&'a self, later: &'a Conditions) -> impl Iterator<Item = usize> {
        let Conditions { users, groups, services, from, .. } = later;
        let user = users.iter().filter_map(|names| names.first()).map(|name| Entry::User(name));
        let group = groups.iter().filter_map(|names| names.first()).map(|name| Entry::Group(name));
        let service = services.iter().filter_map(|names| names.first()).map(|name| Entry::Service(name));
        let network = from.iter().filter_map(|networks| networks.first());
        let networks = network.flat_map(|network| self.outer_networks(*network));
        let entries = user.chain(group).chain(service).chain(networks);
        self.others.iter().copied().chain(entries.flat_map(|entry| self.places_under(entry)))
    }

    fn outer_networks(&self, network: Network) -> impl Iterator<Item = Entry<'_>> {
        let prefixes = (0..).zip(self.prefixes).filter(|(_, known)| *known);
        prefixes.filter_map(move |(prefix, _)| network.widened_to(prefix)).map(Entry::Network)
    }

    fn places_under<'a>(&'a self, entry: Entry<'a>) -> impl Iterator<Item = usize> {
        let start = self.entries.partition_point(|(known, _)| *known < entry);
        let found = self.entries.iter().skip(start).take_while(move |(known, _)| *known == entry);
        found.map(|(_, place)| *place)
    }
}

const LONGEST_PREFIX: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verifier::policy::RuleAction;
    use crate::verifier::policy::conditions::tests::conditions;

    proptest! {
        #[test]
        fn no_rule_is_missed_for_not_being_compared(conditions in prop::collection::vec(conditions(), 0..8)) {
            let rules = (1..).zip(conditions).map(|(line, these)| Rule::new(line, these, RuleAction::Deny, None));
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
