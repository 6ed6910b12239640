//! In what order the lines of a stack are asked, and which of them keep ours from being asked (pam.conf(5)).

use std::fmt;

use super::walk::{self, Ours, Passer};

/// One line of a stack, or the lines of a `substack`, which end and jump among themselves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A module.
    Module(Place),
    /// A substack.
    Substack(Vec<Self>),
}

/// A module at its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The control field as it is written, without brackets.
    pub control: String,
    /// The file name of the module, without its folder.
    pub module: String,
    /// What it is given.
    pub arguments: Vec<String>,
    /// The service file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// What is odd about the place of our line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A success of this line ends the stack before ours.
    Ends(Place),
    /// This line jumps over ours.
    Jumps(Place),
    /// Our line does not have to succeed.
    IsIgnored(Place),
    /// This line, which takes a password, comes after ours.
    PasswordBehind(Place),
    /// A wrong password at this line does not keep ours from being asked.
    AsksAfterWrongPassword(Place),
}

const OURS: &str = "pam_mfa_chain.so";
/// Modules that take a password.
const PASSWORDS: [&str; 5] = ["pam_unix.so", "pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so"];
const DENIES: &str = "pam_deny.so";

/// What is odd about our line in the `auth` lines of a service.
#[must_use]
pub fn oddities(items: &[Item]) -> Vec<Oddity> {
    let Some(ours) = items.iter().position(Item::holds_ours) else { return Vec::new() };
    let mut found = ways_past(items);
    let optional = items.get(ours).and_then(of_no_consequence);
    found.extend(optional.filter(|oddity| !found.contains(oddity)));
    let behind = items.get(ours.saturating_add(1)..).unwrap_or_default();
    found.extend(first_password(behind).cloned().map(Oddity::PasswordBehind));
    let before = items.get(..ours).unwrap_or_default();
    let is_passed_over = found.iter().any(|oddity| matches!(oddity, Oddity::Ends(_) | Oddity::Jumps(_)));
    if let Some(place) = first_password(before)
        && !is_passed_over
        && goes_on_after_wrong_password(before)
    {
        found.push(Oddity::AsksAfterWrongPassword(place.clone()));
    }
    found
}

/// The lines that lead past ours to a success, and those that jump over it where they succeed; then ours, where the
/// stack succeeds though it denied.
fn ways_past(items: &[Item]) -> Vec<Oddity> {
    let mut found = Vec::new();
    for ending in walk::endings(items) {
        let passer = ending.passed_by.filter(|passer| ending.granted || (passer.jumped && passer.succeeded));
        if let (Ours::Unasked, Some(Passer { place, jumped, .. })) = (ending.ours, passer) {
            found.push(if jumped { Oddity::Jumps(place) } else { Oddity::Ends(place) });
        } else if ending.granted && ending.ours == Ours::Denied {
            found.extend(items.iter().find_map(place_of_ours).cloned().map(Oddity::IsIgnored));
        }
    }
    let key = |oddity: &Oddity| oddity.place().clone();
    found.sort_by_key(key);
    found.dedup();
    found
}

fn of_no_consequence(ours: &Item) -> Option<Oddity> {
    let place = place_of_ours(ours)?;
    matches!(place.control.as_str(), "optional" | "sufficient").then(|| Oddity::IsIgnored(place.clone()))
}

fn place_of_ours(item: &Item) -> Option<&Place> {
    match item {
        Item::Module(place) => place.is_ours().then_some(place),
        Item::Substack(items) => items.iter().find_map(place_of_ours),
    }
}

impl Oddity {
    /// The line.
    #[must_use]
    pub const fn place(&self) -> &Place {
        match self {
            Self::Ends(place)
            | Self::Jumps(place)
            | Self::IsIgnored(place)
            | Self::PasswordBehind(place)
            | Self::AsksAfterWrongPassword(place) => place,
        }
    }
}

/// The lines of modules, those of substacks too, in their order.
#[must_use]
pub fn modules(items: &[Item]) -> Vec<&Place> {
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Module(place) => found.push(place),
            Item::Substack(inner) => found.extend(modules(inner)),
        }
    }
    found
}

/// Whether the line behind `items` is asked though each of them that takes a password was given a wrong one, and
/// whatever else is there let the login go on. A `substack` ends only itself: what is behind it is asked whatever came
/// of it.
fn goes_on_after_wrong_password(items: &[Item]) -> bool {
    let mut at = 0;
    while let Some(item) = items.get(at) {
        at = at.saturating_add(1);
        let Item::Module(place) = item else { continue };
        match place.action_after_wrong_password() {
            Action::GoOn => {}
            Action::Jump(lines) => at = at.saturating_add(lines),
            Action::Die => return false,
        }
    }
    // Further on lies what a jump over that line reaches.
    at == items.len()
}

/// What becomes of the stack.
enum Action {
    GoOn,
    Jump(usize),
    Die,
}

impl Item {
    /// Whether it is our line, or holds it.
    #[must_use]
    pub fn holds_ours(&self) -> bool {
        place_of_ours(self).is_some()
    }
}

fn first_password(items: &[Item]) -> Option<&Place> {
    items.iter().find_map(|item| match item {
        Item::Module(place) => PASSWORDS.contains(&place.module.as_str()).then_some(place),
        Item::Substack(inner) => first_password(inner),
    })
}

/// Whether `module`, as a line writes it, is this one. libpam takes a carriage return for a part of the name.
#[must_use]
pub fn names_ours(module: &str) -> bool {
    module.trim_end_matches('\r').rsplit('/').next() == Some(OURS)
}

impl Place {
    /// Whether it is a line of this module.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        names_ours(&self.module)
    }

    /// The actions that the control field gives for success, or for whatever it does not name.
    fn actions_of_success(&self) -> impl Iterator<Item = &str> {
        let pairs = || self.control.split_whitespace().filter_map(|pair| pair.split_once('='));
        let named = pairs().find(|(value, _)| *value == "success");
        named.or_else(|| pairs().find(|(value, _)| *value == "default")).map(|(_, action)| action).into_iter()
    }

    /// Of a module that takes no password, only a line that dies whatever comes of it ends the stack, such as
    /// `[default=die] pam_faillock.so authfail`.
    fn action_after_wrong_password(&self) -> Action {
        if self.module == DENIES || PASSWORDS.contains(&self.module.as_str()) {
            return self.action_of_failure();
        }
        if self.actions_of_success().any(|action| action == "die") { Action::Die } else { Action::GoOn }
    }

    /// What the control field says to a failed authentication.
    fn action_of_failure(&self) -> Action {
        let pairs = || self.control.split_whitespace().filter_map(|pair| pair.split_once('='));
        let named = pairs()
            .find(|(value, _)| *value == "auth_err")
            .or_else(|| pairs().find(|(value, _)| *value == "default"));
        match (self.control.as_str(), named.map(|(_, action)| action)) {
            ("requisite", _) | (_, Some("die")) => Action::Die,
            (_, Some(action)) => action.parse().map_or(Action::GoOn, Action::Jump),
            _ => Action::GoOn,
        }
    }
}
