//! The last policies, which the store keeps: who put each in force, and what it made weaker.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::policy_files::PolicyFiles;
use super::{ChangeError, ChangesFolder};
use crate::store::StoreError;
use crate::verifier::time::UnixTime;

/// A policy that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    version: u32,
    /// Counts up from 1.
    pub number: u64,
    at: u64,
    /// Who put it in force.
    pub by: String,
    /// The command that put it in force: `apply`, `edit`, `undo`, `rollback`; `found` for a policy that no command put
    /// there.
    pub action: String,
    /// What this policy made weaker than the one before.
    pub weaker: Option<String>,
    /// The texts of the policy.
    #[serde(flatten)]
    pub files: PolicyFiles,
}

impl Entry {
    /// An entry to keep next.
    #[must_use]
    pub fn new(action: &str, by: &str, weaker: Option<String>, files: PolicyFiles, now: UnixTime) -> Self {
        let (by, action) = (by.to_owned(), action.to_owned());
        Self { version: VERSION, number: 0, at: now.seconds(), by, action, weaker, files }
    }

    /// When the policy was put in force, or found.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        UnixTime::from_seconds(self.at)
    }
}

/// The policies that the store keeps, the newest last. Damaged entries and those of other versions are left out.
///
/// # Errors
///
/// [`ChangeError`] when the folder can't be listed, or an entry can't be read.
pub fn entries(folder: &ChangesFolder) -> Result<Vec<Entry>, ChangeError> {
    let mut found = Vec::new();
    for number in numbers(&folder.policies())? {
        let entry = folder
            .read_file(&file_of(number))?
            .and_then(|bytes| serde_json::from_slice::<Entry>(&bytes).ok());
        found.extend(entry.filter(|entry| entry.version == VERSION));
    }
    Ok(found)
}

/// Keeps `entry`, unless the newest entry has the same texts. Removes all entries but the last [`MOST`].
///
/// # Errors
///
/// [`ChangeError`] when the entry can't be written.
pub fn keep(folder: &ChangesFolder, entry: Entry) -> Result<(), ChangeError> {
    if entries(folder)?.last().is_some_and(|newest| newest.files == entry.files) {
        return Ok(());
    }
    let known = numbers(&folder.policies())?;
    let number = known.last().copied().unwrap_or(0).saturating_add(1);
    let entry = Entry { number, ..entry };
    let bytes = serde_json::to_vec(&entry)
        .map_err(|error| StoreError::invalid(&folder.policies(), format!("cannot be written: {error}")))?;
    folder.write(&file_of(number), &bytes)?;
    let too_many = known.len().saturating_add(1).saturating_sub(MOST);
    known.into_iter().take(too_many).try_for_each(|number| folder.remove(&file_of(number)))
}

/// How many policies are kept.
pub const MOST: usize = 20;
const VERSION: u32 = 1;

fn file_of(number: u64) -> String {
    format!("policies/{number:06}.json")
}

/// The numbers of the kept entries, in order.
fn numbers(path: &Path) -> Result<Vec<u64>, ChangeError> {
    let failed = |error| ChangeError::io(path, "list the folder", error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_last_twenty_are_kept_and_the_same_text_once() {
        let store = tempfile::tempdir().expect("a folder");
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o700)).expect("mode");
        let folder = ChangesFolder::open(store.path()).expect("the folder");
        let keep_text = |text: &str| {
            let files = PolicyFiles { text: text.to_owned(), included: Vec::new() };
            keep(&folder, Entry::new("apply", "root", None, files, UnixTime::from_seconds(7))).expect("kept");
        };
        keep_text("a");
        keep_text("a");
        assert_eq!(entries(&folder).expect("entries").len(), 1);
        for number in 0..30 {
            keep_text(&number.to_string());
        }
        let kept = entries(&folder).expect("entries");
        assert_eq!(kept.len(), MOST);
        assert_eq!((kept[0].number, kept[0].files.text.as_str()), (12, "10"));
        assert_eq!((kept[19].number, kept[19].files.text.as_str(), kept[19].at().seconds()), (31, "29", 7));
    }
}
