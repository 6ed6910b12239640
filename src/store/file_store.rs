//! The store on disk: secret files and login states below one folder that only root can enter.

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::decoys::{DecoyFile, LockedDecoy};
use super::error::{Problem, StoreError};
use super::owner::Owner;
use super::secret_file;
use super::state_file::{Locked, StateFile};
use super::trusted::{Readers, TrustedDir, TrustedFile};
use crate::verifier::login_state::LoginState;
use crate::verifier::ports::{Claimant, Committed, Store, StoreFailure};
use crate::verifier::record::UserRecord;
use crate::verifier::shell_word::shell_word;
use crate::verifier::username::Username;

/// Where the store is unless a module argument or option names another.
pub const DEFAULT_STORE: &str = "/var/lib/mfa-chain";
pub(super) const SECRETS: &str = "secrets";
/// Which name enrolled, by the number of its account.
pub(super) const UIDS: &str = "uids";
/// The secret file of nobody.
pub(super) const DECOY_RECORD: &str = "decoys/record.toml";
const SECRET_REMEDY: &str = "the secret file is gone though the user was enrolled; restore it, or enrol again with \
                             `mfa-chain enroll USER FACTOR`";
/// How often a state file may be replaced while a login waits for its lock.
const LOCK_TRIES: usize = 3;
const STORE_REMEDY: &str = "enrol a first user with `mfa-chain enroll USER FACTOR`, which makes it";

/// Enrolments and login states in files.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    opened: OnceCell<TrustedDir>,
    found: RefCell<Option<Files>>,
}

impl FileStore {
    /// The store at `path`. It is opened when it is first needed, so that logins that a rule exempts need none.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: OnceCell::new(), found: RefCell::default() }
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

    /// Whether its folder is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.is_dir()
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

    /// Whether there is a record of `user`, whole or not.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder can't be looked into.
    pub fn has_record(&self, user: &Username) -> Result<bool, StoreError> {
        self.dir()?.has(&secret_name(user))
    }

    /// Opens the files of `user`: the user's own, or the file of decoys.
    fn files_of(&self, user: &str) -> Result<Files, StoreError> {
        let dir = self.dir()?;
        if let Ok(name) = Username::parse(user) {
            match StateFile::open(dir, Owner(name.clone())) {
                Ok(state) => {
                    let secret = Secret::open(dir, Some(name))?;
                    return Ok(Files { user: user.to_owned(), state: State::Own(state), secret });
                }
                Err(error) if error.is_missing() => self.check_not_enrolled(&name)?,
                Err(error) => return Err(error),
            }
        }
        let decoys = DecoyFile::open(dir).map_err(|error| error.or_missing(STORE_REMEDY))?;
        let (state, secret) = (State::Decoy(decoys), Secret::open(dir, None)?);
        Ok(Files { user: user.to_owned(), state, secret })
    }

    /// Locks the state of `user`, of the files that were opened for the prompt if it is still the same one.
    fn lock(&self, user: &str) -> Result<(LockedState, Secret), StoreError> {
        let mut found = self.found.take().filter(|files| files.user == user);
        for _ in 0..LOCK_TRIES {
            let files = found.take().map_or_else(|| self.files_of(user), Ok)?;
            match files.state {
                State::Decoy(decoys) => return Ok((LockedState::Decoy(decoys.lock(user)?), files.secret)),
                State::Own(state) => {
                    let locked = state.lock()?;
                    if locked.is_current(self.dir()?)? {
                        return Ok((LockedState::Own(locked), files.secret));
                    }
                }
            }
        }
        Err(StoreError::new(&self.path, Problem::Busy))
    }

    /// The user whose record holds `uid`, as the index says and the record confirms.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when either is unreadable, unsafe or invalid.
    pub fn holder_of(&self, uid: u32) -> Result<Option<Username>, StoreError> {
        let dir = self.dir()?;
        let name = uid_name(uid);
        let text = match dir.read(&name, Username::MAX_BYTES, Readers::Owner) {
            Ok(text) => text,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let holder = std::str::from_utf8(&text).ok().and_then(|text| Username::parse(text).ok());
        let holder =
            holder.ok_or_else(|| StoreError::invalid(&dir.path_of(&name), "does not hold a user name"))?;
        let record = self.record(&holder)?.unwrap_or_default();
        Ok((record.uid() == Some(uid) && !record.credentials().is_empty()).then_some(holder))
    }

    pub(super) fn check_not_enrolled(&self, user: &Username) -> Result<(), StoreError> {
        match self.record(user)? {
            Some(record) if !record.credentials().is_empty() => {
                let what = format!(
                    "the login state is gone, so used codes are not known; run `mfa-chain unlock --reset-state {}`",
                    shell_word(user.as_str())
                );
                Err(StoreError::invalid(&self.dir()?.path_of(&Owner(user.clone()).file_name()), what))
            }
            _ => Ok(()),
        }
    }
}

impl Store for FileStore {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        let files = self.files_of(user)?;
        let state = match &files.state {
            State::Own(state) => state.read()?.state,
            State::Decoy(decoys) => decoys.state_of(user)?,
        };
        let record = files.secret.record()?;
        let enrolled = record.credentials().iter().map(|it| (it.factor.clone(), it.moving)).collect();
        self.found.replace(Some(files));
        let (uid, user) = (record.uid(), user.to_owned());
        Ok(Claimant { user, uid, enrolled, failures: state.failures, draw_key: state.draw_key })
    }

    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure> {
        Ok(self.holder_of(uid)?.map(|holder| holder.as_str().to_owned()))
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        #[cfg(mfa_fault = "lock-after-read")]
        let early = match self.files_of(&claimant.user)?.state {
            State::Own(state) => Some(state.read()?),
            State::Decoy(_) => None,
        };
        let (locked, secret) = self.lock(&claimant.user)?;
        // Read again under the lock: a factor may have been revoked while the claimant was at the prompt.
        let record = secret.refreshed(self.dir()?)?.record()?;
        let outcome = match locked {
            LockedState::Own(locked) => {
                #[cfg(mfa_fault = "slow-if-enrolled")]
                std::thread::sleep(std::time::Duration::from_millis(2));
                #[cfg(mfa_fault = "lock-after-read")]
                let mut newest = early.map_or_else(|| locked.read(), Ok)?;
                #[cfg(not(mfa_fault = "lock-after-read"))]
                let mut newest = locked.read()?;
                let outcome = judge(&record, &mut newest.state);
                locked.commit(&newest)?;
                outcome
            }
            LockedState::Decoy(locked) => {
                let mut state = locked.state_of(&claimant.user)?;
                let outcome = judge(&record, &mut state);
                locked.commit(&claimant.user, &state)?;
                outcome
            }
        };
        Ok(Committed::assertion(outcome))
    }
}

/// The files of one claimant, open from the first look to the judgement. What they hold is not kept meanwhile.
#[derive(Debug)]
struct Files {
    user: String,
    state: State,
    secret: Secret,
}

/// The user's own login state, or the file that holds one for each name that nobody enrolled.
#[derive(Debug)]
enum State {
    Own(StateFile),
    Decoy(DecoyFile),
}

#[derive(Debug)]
enum LockedState {
    Own(Locked),
    Decoy(LockedDecoy),
}

/// An open secret file: of a user, or the one that is read for names that nobody enrolled, which then take as long.
#[derive(Debug)]
struct Secret {
    user: Option<Username>,
    file: TrustedFile,
}

impl Secret {
    fn open(dir: &TrustedDir, user: Option<Username>) -> Result<Self, StoreError> {
        let (name, remedy) = match &user {
            Some(user) => (secret_name(user), SECRET_REMEDY),
            None => (DECOY_RECORD.to_owned(), STORE_REMEDY),
        };
        let opened = dir.open_file(&name, OFlag::O_RDONLY, Readers::Owner);
        Ok(Self { user, file: opened.map_err(|error| error.or_missing(remedy))? })
    }

    /// The file that has the name now: this one, unless a command replaced it.
    fn refreshed(self, dir: &TrustedDir) -> Result<Self, StoreError> {
        if dir.still_has(&self.file, Readers::Owner)? { Ok(self) } else { Self::open(dir, self.user) }
    }

    /// What is enrolled. For nobody it is nothing, after the same work.
    fn record(&self) -> Result<UserRecord, StoreError> {
        let text = self.file.read(secret_file::MAX_BYTES)?;
        if let Some(user) = &self.user {
            return secret_file::parse(&text, user, &self.file.path);
        }
        secret_file::parse(&text, &Username::nobody(), &self.file.path)?;
        Ok(UserRecord::default())
    }
}

pub(super) fn secret_name(user: &Username) -> String {
    format!("{SECRETS}/{}.toml", user.to_file_name())
}

pub(super) fn uid_name(uid: u32) -> String {
    format!("{UIDS}/{uid}")
}
