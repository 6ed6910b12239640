//! When a rule holds, and when an earlier one leaves it nothing.

use std::fmt;
use std::net::IpAddr;

use super::network::{self, Network};
use super::terminal::{self, TerminalPattern};
use crate::verifier::accounts::{Accounts, AccountsError, Membership};
use crate::verifier::request::Request;

/// The conditions of one rule: all that are present must hold, and one holds when any of its entries does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    pub(super) services: Option<Names>,
    pub(super) users: Option<Names>,
    pub(super) groups: Option<Names>,
    /// A group that the system does not list has no members, in place of denying.
    pub(super) skips_unlisted_groups: bool,
    pub(super) from: Option<Vec<Network>>,
    pub(super) ttys: Option<Vec<TerminalPattern>>,
}

impl Conditions {
    /// Whether all of them hold. Groups come last: a directory service may take its time, or be down.
    pub(super) fn hold(&self, login: &Login<'_>, accounts: &dyn Accounts) -> Result<bool, AccountsError> {
        if !self.hold_without_groups(login) {
            return Ok(false);
        }
        let Some(groups) = &self.groups else {
            return Ok(true);
        };
        for group in groups.iter() {
            match accounts.membership(login.request.account.as_ref(), group)? {
                Membership::Member => return Ok(true),
                Membership::NoSuchGroup if !self.skips_unlisted_groups => return Err(no_such_group(group)),
                Membership::NoMember | Membership::NoSuchGroup => {}
            }
        }
        Ok(false)
    }

    /// The networks that logins have to come from, where nothing else is asked of them.
    pub(super) fn sources_alone(&self) -> Option<&[Network]> {
        let Self { services: None, users: None, groups: None, from, ttys: None, .. } = self else {
            return None;
        };
        from.as_deref()
    }

    /// Whether these hold for every login that `later` holds for.
    pub(super) fn cover(&self, later: &Self) -> bool {
        covers(self.services.as_ref(), later.services.as_ref(), Names::cover)
            && covers(self.users.as_ref(), later.users.as_ref(), Names::cover)
            && covers(self.groups.as_ref(), later.groups.as_ref(), Names::cover)
            && covers(self.from.as_ref(), later.from.as_ref(), |ours, theirs| {
                theirs.iter().all(|inner| ours.iter().any(|outer| outer.covers(inner)))
            })
            && covers(self.ttys.as_ref(), later.ttys.as_ref(), |ours, theirs| {
                theirs.iter().all(|inner| ours.iter().any(|outer| outer.covers(inner)))
            })
    }

    fn hold_without_groups(&self, login: &Login<'_>) -> bool {
        let Login { request, address, terminal } = login;
        self.services.as_ref().is_none_or(|names| names.contains(&request.service))
            && self.users.as_ref().is_none_or(|names| names.contains(request.name()))
            && self.from.as_ref().is_none_or(|networks| {
                address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
            })
            && self.ttys.as_ref().is_none_or(|patterns| {
                terminal.is_some_and(|terminal| patterns.iter().any(|pattern| pattern.matches(terminal)))
            })
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [
            ("services", self.services.as_ref().map(|names| list(names.iter()))),
            ("users", self.users.as_ref().map(|names| list(names.iter()))),
            ("groups", self.groups.as_ref().map(|names| list(names.iter()))),
            ("from", self.from.as_ref().map(list)),
            ("ttys", self.ttys.as_ref().map(list)),
        ];
        let parts: Vec<String> =
            shown.into_iter().filter_map(|(key, list)| Some(format!("{key} {}", list?))).collect();
        formatter.write_str(if parts.is_empty() { "any login" } else { "" })?;
        formatter.write_str(&parts.join("; "))
    }
}

/// Names in their order, none twice. A policy is read at each login, and a sorted list is read faster than a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn iter(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }

    pub(super) fn to_vec(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    fn cover(&self, later: &Self) -> bool {
        later.iter().all(|name| self.contains(name))
    }
}

impl From<Vec<String>> for Names {
    fn from(mut names: Vec<String>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self(names)
    }
}

/// A request, read once for all rules.
pub(super) struct Login<'r> {
    request: &'r Request,
    address: Option<IpAddr>,
    terminal: Option<&'r str>,
}

impl<'r> Login<'r> {
    pub(super) fn new(request: &'r Request) -> Self {
        Self {
            request,
            address: request.rhost.as_deref().and_then(network::address_of),
            terminal: request.tty.as_deref().map(terminal::short_name),
        }
    }
}

/// An outage or a misspelt name must not count as "no member".
fn no_such_group(group: &str) -> AccountsError {
    AccountsError(format!(
        "the system lists no group `{group}`, or its directory is down; correct that, take the name out, or write \
         `unlisted_groups = \"skip\"` into the rule"
    ))
}

fn covers<T>(earlier: Option<&T>, later: Option<&T>, superset: impl Fn(&T, &T) -> bool) -> bool {
    match (earlier, later) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(ours), Some(theirs)) => superset(ours, theirs),
    }
}

fn list<T: fmt::Display>(entries: impl IntoIterator<Item = T>) -> String {
    entries.into_iter().map(|entry| entry.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use std::collections::BTreeSet;

    use super::*;
    use crate::verifier::accounts::Account;

    proptest! {
        #[test]
        fn a_covered_rule_never_matches_first(
            earlier in conditions(), later in conditions(), login in request(), member_of in groups()
        ) {
            let accounts = Members(member_of);
            let login = Login::new(&login);
            if earlier.cover(&later) && later.hold(&login, &accounts).unwrap() {
                prop_assert!(earlier.hold(&login, &accounts).unwrap(), "{earlier} leaves room for {later}");
            }
        }

        #[test]
        fn a_rule_is_covered_by_itself_and_by_one_without_conditions(conditions in conditions()) {
            prop_assert!(conditions.cover(&conditions));
            prop_assert!(Conditions::default().cover(&conditions));
        }
    }

    struct Members(BTreeSet<String>);

    impl Accounts for Members {
        fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
            panic!("asked about the account {name}")
        }

        fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
            panic!("asked about the account {uid}")
        }

        fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
            panic!("asked about the group {group}")
        }

        fn membership(&self, _: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
            Ok(self.0.contains(group).into())
        }
    }

    // Worlds small enough that generated rules and logins meet.
    const SERVICES: &[&str] = &["sshd", "sudo"];
    const USERS: &[&str] = &["alice", "bob"];
    const GROUPS: &[&str] = &["ops", "wheel"];
    const NETWORKS: &[&str] = &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "::/0", "fe80::/10"];
    const TERMINALS: &[&str] = &["*", "pts/*", "pts/0", "tty1"];

    pub(crate) fn conditions() -> impl Strategy<Value = Conditions> {
        let from = some_of(NETWORKS).prop_map(|texts| {
            texts.into_iter().map(|text| Network::parse(text).unwrap()).collect::<Vec<_>>()
        });
        let ttys = some_of(TERMINALS).prop_map(|texts| {
            texts.into_iter().map(|text| TerminalPattern::parse(text).unwrap()).collect::<Vec<_>>()
        });
        let names = (names(SERVICES), names(USERS), names(GROUPS));
        (names, option::of(from), option::of(ttys)).prop_map(|((services, users, groups), from, ttys)| {
            Conditions { services, users, groups, from, ttys, ..Conditions::default() }
        })
    }

    fn request() -> impl Strategy<Value = Request> {
        let rhost = prop::sample::select(&["10.1.2.3", "10.9.9.9", "fe80::1%eth0", "::1", "host"][..]);
        let tty = prop::sample::select(&["/dev/pts/0", "pts/1", "tty1", "ssh"][..]);
        let names = (prop::sample::select(SERVICES), prop::sample::select(USERS));
        (names, option::of(rhost), option::of(tty)).prop_map(|((service, user), rhost, tty)| Request {
            rhost: rhost.map(str::to_owned),
            tty: tty.map(str::to_owned),
            ..Request::local(service, user)
        })
    }

    fn groups() -> impl Strategy<Value = BTreeSet<String>> {
        subsequence(GROUPS, 0..=GROUPS.len()).prop_map(|names| owned(names).into_iter().collect())
    }

    fn names(world: &'static [&'static str]) -> impl Strategy<Value = Option<Names>> {
        option::of(some_of(world).prop_map(|names| Names::from(owned(names))))
    }

    fn some_of(world: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> + Clone {
        subsequence(world, 1..=world.len())
    }

    #[expect(clippy::needless_pass_by_value, reason = "prop_map hands over the value")]
    fn owned(names: Vec<&str>) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
