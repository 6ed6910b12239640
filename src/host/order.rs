//! In what order the lines of a stack are asked, and which of them keep ours from being asked (pam.conf(5)).

use std::fmt;

/// One line of a stack, or the lines of a `substack`, which end and jump among themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A module.
    Module(Place),
    /// A substack.
    Substack(Vec<Self>),
}

/// A module at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The control field as it is written, without brackets.
    pub control: String,
    /// The file name of the module, without its folder.
    pub module: String,
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
}

const OURS: &str = "pam_mfa_chain.so";
/// Modules that take a password.
const PASSWORDS: [&str; 5] = ["pam_unix.so", "pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so"];
/// Their success is root's own doing.
const OF_ROOT: [&str; 1] = ["pam_rootok.so"];

/// What is odd about our line in the `auth` lines of a service.
#[must_use]
pub fn oddities(items: &[Item]) -> Vec<Oddity> {
    let Some(ours) = items.iter().position(holds_ours) else { return Vec::new() };
    let mut found = Vec::new();
    for (at, item) in items.iter().enumerate().take(ours) {
        let Item::Module(place) = item else { continue };
        if OF_ROOT.contains(&place.module.as_str()) {
            continue;
        }
        if place.ends_the_stack() {
            found.push(Oddity::Ends(place.clone()));
        } else if at.saturating_add(place.longest_jump()) >= ours {
            found.push(Oddity::Jumps(place.clone()));
        }
    }
    match items.get(ours) {
        Some(Item::Substack(inner)) => found.extend(oddities(inner)),
        Some(Item::Module(place)) if matches!(place.control.as_str(), "optional" | "sufficient") => {
            found.push(Oddity::IsIgnored(place.clone()));
        }
        _ => {}
    }
    let behind = items.get(ours.saturating_add(1)..).unwrap_or_default();
    found.extend(first_password(behind).cloned().map(Oddity::PasswordBehind));
    found
}

fn holds_ours(item: &Item) -> bool {
    match item {
        Item::Module(place) => place.module == OURS,
        Item::Substack(items) => items.iter().any(holds_ours),
    }
}

fn first_password(items: &[Item]) -> Option<&Place> {
    items.iter().find_map(|item| match item {
        Item::Module(place) => PASSWORDS.contains(&place.module.as_str()).then_some(place),
        Item::Substack(inner) => first_password(inner),
    })
}

impl Place {
    /// The actions that the control field gives for success, or for whatever it does not name.
    fn actions_of_success(&self) -> impl Iterator<Item = &str> {
        let pairs = || self.control.split_whitespace().filter_map(|pair| pair.split_once('='));
        let named = pairs().find(|(value, _)| *value == "success");
        named.or_else(|| pairs().find(|(value, _)| *value == "default")).map(|(_, action)| action).into_iter()
    }

    fn ends_the_stack(&self) -> bool {
        self.control == "sufficient" || self.actions_of_success().any(|action| action == "done")
    }

    fn longest_jump(&self) -> usize {
        self.actions_of_success().filter_map(|action| action.parse().ok()).max().unwrap_or(0)
    }
}
