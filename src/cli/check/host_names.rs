//! The names that this host knows: accounts, groups and PAM services.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::verifier::accounts::{Accounts, AccountsError};

/// What is asked of a host. What could not be answered is kept, and told once.
pub struct HostNames<'a> {
    accounts: &'a dyn Accounts,
    /// `None` where no folder of services can be read.
    services: Option<BTreeSet<String>>,
    unanswered: RefCell<Vec<(String, String)>>,
}

impl<'a> HostNames<'a> {
    /// A host with these databases and folders of services.
    #[must_use]
    pub fn of(accounts: &'a dyn Accounts, folders: &[impl AsRef<Path>]) -> Self {
        let services = services_in(folders);
        Self { accounts, services, unanswered: RefCell::default() }
    }

    /// The name that the host has for the account; `Some(None)` where it lists none, `None` where it gave no answer.
    #[must_use]
    #[expect(clippy::option_option, reason = "no answer is not the answer that there is none")]
    pub fn account(&self, name: &str) -> Option<Option<String>> {
        let found = self.accounts.account(name).map(|account| account.map(|account| account.name));
        found.map_err(|error| self.remember(format!("the user `{name}`"), &error)).ok()
    }

    /// Whether the host lists the group; `None` where it gave no answer.
    #[must_use]
    pub fn has_group(&self, name: &str) -> Option<bool> {
        self.accounts
            .lists_group(name)
            .map_err(|error| self.remember(format!("the group `{name}`"), &error))
            .ok()
    }

    /// Whether the service has a file; `None` where that can't be told.
    #[must_use]
    pub fn has_service(&self, name: &str) -> Option<bool> {
        self.services.as_ref().map(|known| known.contains(name))
    }

    /// "is `sshd` meant?", where services of a similar name are known.
    #[must_use]
    pub fn near_services(&self, name: &str) -> String {
        let near = |known: &&String| known.starts_with(name) || name.starts_with(known.as_str());
        let near = self.services.iter().flatten().filter(near).take(FEW).map(|known| format!("`{known}`"));
        let near: Vec<String> = near.collect();
        if near.is_empty() { String::new() } else { format!("is {} meant?", near.join(" or ")) }
    }

    /// What could not be looked up, in one line for each cause.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let unanswered = self.unanswered.borrow();
        let causes: BTreeSet<&str> = unanswered.iter().map(|(_, cause)| cause.as_str()).collect();
        let told = causes.into_iter().map(|cause| {
            let mut names: Vec<&str> =
                unanswered.iter().filter(|(_, its)| its == cause).map(|(name, _)| name.as_str()).collect();
            names.sort_unstable_by(|one, other| other.cmp(one));
            names.dedup();
            let more = if names.len() > FEW { " and others" } else { "" };
            names.truncate(FEW);
            let names = names.join(" and ");
            format!("{names}{more} could not be looked up: {cause}; check again when it answers")
        });
        told.collect()
    }

    fn remember(&self, name: String, error: &AccountsError) {
        let cause = error.0.rsplit_once(": ").map_or(error.0.as_str(), |(_, cause)| cause);
        self.unanswered.borrow_mut().push((name, cause.to_owned()));
    }
}

fn services_in(folders: &[impl AsRef<Path>]) -> Option<BTreeSet<String>> {
    let mut read = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).peekable();
    read.peek()?;
    let mut names: BTreeSet<String> =
        read.flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // One file for all, with the service at the start of each line (pam.conf(5)).
    let lines = fs::read_to_string("/etc/pam.conf").unwrap_or_default();
    let first_words = lines.lines().filter_map(|line| line.split_whitespace().next());
    names.extend(first_words.filter(|word| !word.starts_with('#')).map(str::to_lowercase));
    Some(names)
}

/// How many names are shown.
const FEW: usize = 5;
