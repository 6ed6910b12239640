//! The store on disk: secret files and login states below one folder that only root can enter.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::decoys::bucket_of;
use super::error::StoreError;
use super::secret_file;
use super::slot::Content;
use super::state_file::StateFile;
use super::trusted::{Readers, TrustedDir};
use crate::verifier::login_state::LoginState;
use crate::verifier::ports::{Claimant, Committed, Store, StoreFailure};
use crate::verifier::record::UserRecord;
use crate::verifier::username::Username;

/// Where the store is unless a module argument or option names another.
pub const DEFAULT_STORE: &str = "/var/lib/mfa-chain";
pub(super) const SECRETS: &str = "secrets";
pub(super) const STATE: &str = "state";
pub(super) const DECOYS: &str = "decoys";
const STORE_REMEDY: &str = "enrol a first user with `mfa-chain enroll USER FACTOR`, which makes it";

/// Enrolments and login states in files.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    opened: OnceCell<TrustedDir>,
}

impl FileStore {
    /// The store at `path`. It is opened when it is first needed, so that logins that a rule exempts need none.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: OnceCell::new() }
    }

    /// Its folder.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, or others could write to it or exchange it.
    pub(super) fn dir(&self) -> Result<&TrustedDir, StoreError> {
        if let Some(dir) = self.opened.get() {
            return Ok(dir);
        }
        let dir = TrustedDir::open(&self.path).map_err(|error| error.or_missing(STORE_REMEDY))?;
        Ok(self.opened.get_or_init(|| dir))
    }

    /// The record of `user`, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unreadable, unsafe or invalid.
    pub fn record(&self, user: &Username) -> Result<Option<UserRecord>, StoreError> {
        let name = secret_name(user);
        match self.dir()?.read(&name, secret_file::MAX_BYTES, Readers::Owner) {
            Ok(text) => secret_file::parse(&text, user, &self.dir()?.path_of(&name)).map(Some),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the state of `user`: the user's own, or the table of decoys that the name falls into.
    fn state_for(&self, user: &str) -> Result<(Option<Username>, StateFile), StoreError> {
        if let Ok(username) = Username::parse(user) {
            match StateFile::open(self.dir()?, &state_name(&username)) {
                Ok(own) => return Ok((Some(username), own)),
                Err(error) if error.is_missing() => self.check_not_enrolled(&username)?,
                Err(error) => return Err(error),
            }
        }
        let table = StateFile::open(self.dir()?, &format!("{DECOYS}/{}", bucket_of(user)));
        Ok((None, table.map_err(|error| error.or_missing(STORE_REMEDY))?))
    }

    pub(super) fn check_not_enrolled(&self, user: &Username) -> Result<(), StoreError> {
        match self.record(user)? {
            Some(record) if !record.credentials().is_empty() => {
                let what = format!(
                    "the login state is gone, so used codes are not known; run `mfa-chain unlock --reset-state {user}`"
                );
                Err(StoreError::invalid(&self.dir()?.path_of(&state_name(user)), what))
            }
            _ => Ok(()),
        }
    }

    /// The record that goes with a state of one's own; an empty one with a decoy.
    fn record_beside_state(&self, own: Option<&Username>) -> Result<UserRecord, StoreError> {
        let Some(user) = own else { return Ok(UserRecord::default()) };
        let what = format!(
            "the secret file is gone though the user was enrolled; restore it, or run `mfa-chain enroll {user} FACTOR`"
        );
        let path = self.path.join(secret_name(user));
        self.record(user)?.ok_or_else(|| StoreError::invalid(&path, what))
    }
}

impl Store for FileStore {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        let (own, file) = self.state_for(user)?;
        let state = state_in(&file.read()?.content, user);
        let record = self.record_beside_state(own.as_ref())?;
        let enrolled = record.credentials().iter().map(|it| (it.factor.clone(), it.moving)).collect();
        Ok(Claimant { user: user.to_owned(), enrolled, attempt: state.attempt, draw_key: state.draw_key })
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        let (own, file) = self.state_for(&claimant.user)?;
        #[cfg(mfa_fault = "lock-after-read")]
        let mut newest = file.read()?;
        let locked = file.lock()?;
        #[cfg(not(mfa_fault = "lock-after-read"))]
        let mut newest = file.read()?;
        // Read again under the lock: a factor may have been revoked while the claimant was at the prompt.
        let record = self.record_beside_state(own.as_ref())?;
        let mut state = state_in(&newest.content, &claimant.user);
        #[cfg(mfa_fault = "slow-if-enrolled")]
        std::thread::sleep(std::time::Duration::from_millis(if own.is_some() { 2 } else { 0 }));
        let outcome = judge(&record, &mut state);
        match &mut newest.content {
            Content::User(own) => *own = state,
            Content::Decoys(table) => table.keep(&claimant.user, &state),
        }
        locked.commit(&newest)?;
        Ok(Committed::assertion(outcome))
    }
}

fn state_in(content: &Content, user: &str) -> LoginState {
    match content {
        Content::User(state) => state.clone(),
        Content::Decoys(table) => table.state_of(user),
    }
}

pub(super) fn secret_name(user: &Username) -> String {
    format!("{SECRETS}/{user}.toml")
}

pub(super) fn state_name(user: &Username) -> String {
    format!("{STATE}/{user}")
}
