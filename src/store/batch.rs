//! Authenticators of many users that are enrolled together: all of them or none, also if the command is killed.
//!
//! The new entries are written into the secret files first, each with the name of the batch. Logins pass over them as
//! long as the folder `batches` has no file of that name. Making that file is the one step that puts all of them in
//! force. The secret files are then written once more without the name, and the file is removed.

use std::fmt;

use base16ct::lower as hex;
use nix::unistd::syncfs;

use super::error::StoreError;
use super::file_store::{FileStore, SECRETS, check_not_enrolled, secret_name};
use super::owner::Owner;
use super::secret_file;
use super::trusted::{Readers, TrustedDir};
use crate::verifier::enrollment::{Credential, InvalidRecord, Subscriber, UserRecord};
use crate::verifier::otp::{NoRandomness, fill};
use crate::verifier::policy::FactorId;
use crate::verifier::username::Username;

/// The folder of the batches that are in force and not yet written into their records.
pub(super) const BATCHES: &str = "batches";

/// What one user gets in a batch.
#[derive(Debug)]
pub struct BatchEntry {
    /// Whose they are.
    pub subscriber: Subscriber,
    /// The new authenticators.
    pub credentials: Vec<Credential>,
}

/// Whether authenticators that users have already may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacing {
    /// A factor that is enrolled refuses the batch.
    Refused,
    /// The new authenticator takes the place of the old one.
    Allowed,
}

impl FileStore {
    /// Enrolls all of `entries`, or none of them.
    ///
    /// # Errors
    ///
    /// [`BatchError`]; nobody has a new authenticator then.
    pub fn enroll_batch(&self, entries: &[BatchEntry], replacing: Replacing) -> Result<(), BatchError> {
        let dir = &self.dir()?;
        let _alone = self.lock_commands()?;
        self.make_folder(BATCHES)?;
        self.settle_batches(dir)?;
        for entry in entries {
            self.merged(entry, replacing)?;
            check_not_enrolled_without_state(dir, &entry.subscriber.user)?;
        }
        let batch = new_name()?;
        for entry in entries {
            self.prepare(dir, entry, &batch)?;
        }
        sync(dir)?;
        // This one file puts the whole batch in force.
        let names: Vec<String> = entries.iter().map(|entry| entry.subscriber.user.to_file_name()).collect();
        self.replace(BATCHES, &format!("{BATCHES}/{batch}"), names.join("\n").as_bytes())?;
        // The batch counts already, so a failure from here on loses nothing. The next batch settles it.
        let _ = self.settle_batches(dir);
        Ok(())
    }

    /// The record that the user will have.
    fn merged(&self, entry: &BatchEntry, replacing: Replacing) -> Result<UserRecord, BatchError> {
        let user = &entry.subscriber.user;
        let current = self.record(user)?.unwrap_or_default();
        if !entry.subscriber.owns(&current) {
            return Err(BatchError::AnotherAccount(user.clone()));
        }
        let is_new = |factor: &FactorId| entry.credentials.iter().any(|new| new.factor == *factor);
        let (mut credentials, recovery) = current.into_parts();
        if let Some(old) = credentials.iter().find(|old| is_new(&old.factor))
            && replacing == Replacing::Refused
        {
            return Err(BatchError::Enrolled(user.clone(), old.factor.clone()));
        }
        credentials.retain(|old| !is_new(&old.factor));
        credentials.extend(entry.credentials.iter().map(Credential::copied));
        UserRecord::new(credentials, recovery).map_err(|error| BatchError::Record(user.clone(), error))
    }

    /// Writes what a user gets beside what the user has. It does not count yet.
    fn prepare(&self, dir: &TrustedDir, entry: &BatchEntry, batch: &str) -> Result<(), StoreError> {
        let user = &entry.subscriber.user;
        let current = self.record(user)?.unwrap_or_default();
        let bound = entry.subscriber.bind(current);
        self.index_uid(user, bound.uid())?;
        let text = secret_file::render_with(&bound, Some((batch, &entry.credentials)), user);
        // The record comes first: a kill between the two leaves a user who is not enrolled, never a state without
        // its record.
        self.put(&secret_name(user), text.as_bytes(), |_| Ok(()))?;
        if !dir.has(&Owner(user.clone()).file_name())? {
            self.create_fresh_state(user)?;
        }
        Ok(())
    }

    /// Writes the entries of batches that are in force into their records, and forgets the batches.
    fn settle_batches(&self, dir: &TrustedDir) -> Result<(), StoreError> {
        for batch in batches(dir)? {
            let name = format!("{BATCHES}/{batch}");
            let list = dir.read_file(&name, LONGEST_LIST, Readers::Owner)?;
            for file in String::from_utf8_lossy(&list).lines() {
                let Some(user) = self.user_of_file(file) else { continue };
                // As logins read it: with what the batch brought.
                if let Some(record) = self.record(&user)? {
                    let text = secret_file::render(&record, &user);
                    self.put(&secret_name(&user), text.as_bytes(), |_| Ok(()))?;
                }
            }
            sync(dir)?;
            dir.remove(&name)?;
            dir.sync_folder(BATCHES)?;
        }
        Ok(())
    }
}

/// The batches that are in force and not settled. Removes what a killed command left beside them.
fn batches(dir: &TrustedDir) -> Result<Vec<String>, StoreError> {
    let path = dir.path_of(BATCHES);
    let failed = |error| StoreError::io(&path, "list the folder", error);
    let mut batches = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)? {
        let Ok(name) = entry.map_err(failed)?.file_name().into_string() else { continue };
        if is_name(&name) {
            batches.push(name);
        } else if name.starts_with('.') {
            dir.remove(&format!("{BATCHES}/{name}"))?;
        }
    }
    Ok(batches)
}

/// Whether the entries of `batch` count.
///
/// # Errors
///
/// [`StoreError`] for a word that names no batch, or when the folder can't be looked into.
pub(super) fn is_in_force(dir: &TrustedDir, batch: &str) -> Result<bool, StoreError> {
    if !is_name(batch) {
        return Err(StoreError::invalid(&dir.path_of(SECRETS), "a batch has a name that no batch can have"));
    }
    dir.has(&format!("{BATCHES}/{batch}"))
}

/// A login state that was lost knew which codes were used, so a new one must not take its place.
fn check_not_enrolled_without_state(dir: &TrustedDir, user: &Username) -> Result<(), StoreError> {
    if dir.has(&Owner(user.clone()).file_name())? {
        return Ok(());
    }
    check_not_enrolled(dir, user)
}

fn new_name() -> Result<String, BatchError> {
    let mut bytes = [0; NAME_BYTES];
    fill(&mut bytes)?;
    Ok(hex::encode_string(&bytes))
}

fn is_name(name: &str) -> bool {
    name.len() == NAME_BYTES.saturating_mul(2)
        && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// One sync for all files: a batch has thousands.
fn sync(dir: &TrustedDir) -> Result<(), StoreError> {
    syncfs(dir).map_err(|error| StoreError::io(dir.path(), "sync", error))
}

const NAME_BYTES: usize = 8;
const LONGEST_LIST: usize = 64 * 1024 * 1024;

/// Why a batch was not enrolled.
#[derive(Debug)]
pub enum BatchError {
    /// The user's record belongs to an account with another user id.
    AnotherAccount(Username),
    /// The user has this factor already.
    Enrolled(Username, FactorId),
    /// The user's record would not be valid.
    Record(Username, InvalidRecord),
    /// The kernel gave no random bytes.
    Randomness(NoRandomness),
    /// The store could not be read or written.
    Store(StoreError),
}

impl fmt::Display for BatchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnotherAccount(user) => {
                write!(formatter, "{user}: the record belongs to an account with another user id")
            }
            Self::Enrolled(user, factor) => write!(formatter, "{user} has enrolled `{factor}` already"),
            Self::Record(user, error) => write!(formatter, "{user}: {error}"),
            Self::Randomness(error) => error.fmt(formatter),
            Self::Store(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for BatchError {}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NoRandomness> for BatchError {
    fn from(error: NoRandomness) -> Self {
        Self::Randomness(error)
    }
}
