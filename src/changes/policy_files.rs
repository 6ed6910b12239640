//! A policy as files: the policy itself, and what is included from the folder beside it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::pending::Write;
use crate::store::{Problem, StoreError, files_included, folder_of_included};
use crate::verifier::policy::Policy;

/// The texts of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFiles {
    /// The text of the policy itself.
    pub text: String,
    /// Each included file by its name, in their order.
    #[serde(default)]
    pub included: Vec<(String, String)>,
}

impl PolicyFiles {
    /// `text` in place of the policy at `policy`, with the files that are included there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when one of them is not safe or can't be read.
    pub fn beside(policy: &Path, text: String) -> Result<Self, StoreError> {
        let included = match files_included(policy) {
            // Without the policy there may be no folder yet.
            Err(error) if error.is_missing() => Vec::new(),
            included => included?,
        };
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { text, included: included.into_iter().map(|(path, text)| (name(&path), text)).collect() })
    }

    /// The policy that they say. Errors name the policy itself `shown`, and an included file by its path beside
    /// `policy`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] with every mistake.
    pub fn parse(&self, shown: &str, policy: &Path) -> Result<Policy, StoreError> {
        let folder = folder_of_included(policy);
        let included = self.included.iter();
        let included: Vec<(String, String)> =
            included.map(|(name, text)| (folder.join(name).display().to_string(), text.clone())).collect();
        Policy::parse_with(&self.text, shown, &included)
            .map_err(|error| StoreError::new(policy, Problem::Policy { error: Box::new(error) }))
    }

    /// The text of the included file `name`.
    #[must_use]
    pub fn included(&self, name: &str) -> Option<&str> {
        self.included.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The same with `text` in the included file `name`.
    #[must_use]
    pub fn with_included(mut self, name: &str, text: String) -> Self {
        self.included.retain(|(known, _)| known != name);
        self.included.push((name.to_owned(), text));
        self.included.sort();
        self
    }

    /// What has to be written beside `policy` to have these files in place of `present`.
    #[must_use]
    pub fn writes_over(&self, present: Option<&Self>, policy: &Path) -> Vec<Write> {
        let folder = folder_of_included(policy);
        let mut writes = Vec::new();
        let nothing = Self::default();
        let names = self.included.iter().chain(&present.unwrap_or(&nothing).included).map(|(name, _)| name);
        for name in names.collect::<BTreeSet<&String>>() {
            let (old, new) = (present.and_then(|present| present.included(name)), self.included(name));
            if old != new {
                writes.push(Write {
                    path: folder.join(name),
                    bytes: new.map(|text| text.as_bytes().to_owned()),
                });
            }
        }
        if present.is_none_or(|present| present.text != self.text) {
            writes.push(Write { path: policy.to_owned(), bytes: Some(self.text.clone().into_bytes()) });
        }
        writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_differ_are_written_and_others_are_removed() {
        let files = |text: &str, included: &[(&str, &str)]| PolicyFiles {
            text: text.to_owned(),
            included: included.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        let old = files("a", &[("1.toml", "x"), ("2.toml", "y"), ("3.toml", "z")]);
        let new = files("a", &[("1.toml", "x"), ("2.toml", "changed"), ("4.toml", "new")]);
        let policy = Path::new("/etc/mfa-chain/policy.toml");
        let writes = new.writes_over(Some(&old), policy);
        let told: Vec<(&str, Option<&[u8]>)> =
            writes.iter().map(|write| (write.path.to_str().expect("text"), write.bytes.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("/etc/mfa-chain/policy.d/2.toml", Some(&b"changed"[..])),
                ("/etc/mfa-chain/policy.d/3.toml", None),
                ("/etc/mfa-chain/policy.d/4.toml", Some(&b"new"[..])),
            ]
        );
        assert_eq!(new.writes_over(Some(&new), policy), []);
        assert_eq!(files("a", &[]).writes_over(None, policy).len(), 1);
        assert_eq!(old.with_included("2.toml", "changed".to_owned()).included("2.toml"), Some("changed"));
    }
}
