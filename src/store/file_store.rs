//! The store on disk: secret files and login states below one folder that only root can enter.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::batch;
use super::decoys::{DecoyFile, LockedDecoy};
use super::error::{Problem, StoreError};
use super::owner::Owner;
use super::secret_file;
use super::state_file::{Locked, StateFile};
use super::trusted::{Readers, TrustedDir, TrustedFile};
use crate::verifier::enrollment::UserRecord;
use crate::verifier::ports::{Claimant, Committed, Store, StoreFailure};
use crate::verifier::shell_word::shell_word;
use crate::verifier::state::LoginState;
use crate::verifier::username::Username;

/// The store if no module argument or option names another.
pub const DEFAULT_STORE: &str = "/var/lib/mfa-chain";
pub(super) const SECRETS: &str = "secrets";
/// The index: the name that enrolled for each user id.
pub(super) const UIDS: &str = "uids";
/// The empty secret file that is read for names without a record.
pub(super) const DECOY_RECORD: &str = "decoys/record.toml";
const SECRET_REMEDY: &str = "the secret file is gone though the user was enrolled; restore it, or enroll again with \
                             `mfa-chain enroll USER FACTOR`";
/// How often a login opens a state file again after another login replaced it.
const LOCK_TRIES: usize = 3;
const STORE_REMEDY: &str = "enroll a first user with `mfa-chain enroll USER FACTOR`, which makes it";

/// Enrollments and login states in files. It holds only a path and keeps no file open, so a server may keep
/// it for years: after a restore from a backup the next judgement uses the restored folder.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// The store at `path`. It is opened on first use, so exempt logins need no store.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Its folder.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, or others could write to it or replace it.
    pub(super) fn dir(&self) -> Result<TrustedDir, StoreError> {
        TrustedDir::open(&self.path).map_err(|error| error.or_missing(STORE_REMEDY))
    }

    /// Whether its folder is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Whether it holds the folder of records, so that somebody may be enrolled.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unsafe or can't be looked into.
    pub fn is_made(&self) -> Result<bool, StoreError> {
        if self.exists() { self.dir()?.has(SECRETS) } else { Ok(false) }
    }

    /// The record of `user`, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unreadable, unsafe or invalid.
    pub fn record(&self, user: &Username) -> Result<Option<UserRecord>, StoreError> {
        record_in(&self.dir()?, user)
    }

    /// Whether there is a record of `user`, valid or not.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder can't be looked into.
    pub fn has_record(&self, user: &Username) -> Result<bool, StoreError> {
        self.dir()?.has(&secret_name(user))
    }

    /// Locks the state of `user` for a command that changes it.
    pub(super) fn lock_own(&self, dir: &TrustedDir, user: &Username) -> Result<Locked, StoreError> {
        for _ in 0..LOCK_TRIES {
            if let Some(locked) = StateFile::open(dir, Owner(user.clone()))?.lock(dir)? {
                return Ok(locked);
            }
        }
        Err(StoreError::new(&self.path, Problem::Busy))
    }

    /// The user whose record holds `uid`. The index names the user, and the record must confirm it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when either is unreadable, unsafe or invalid.
    pub fn holder_of(&self, uid: u32) -> Result<Option<Username>, StoreError> {
        holder_in(&self.dir()?, uid)
    }
}

impl Store for FileStore {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        Ok(find(&self.dir()?, user)?)
    }

    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure> {
        Ok(enrolled_as(&self.dir()?, uid)?)
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        Ok(update(&self.dir()?, claimant, judge)?)
    }
}

/// The store of one login, which checks the path to its folder once. Before each judgement it checks again
/// that the path still leads to this folder.
#[derive(Debug)]
pub struct LoginStore {
    store: FileStore,
    opened: RefCell<Option<TrustedDir>>,
}

impl LoginStore {
    /// The store at `path`, opened on first use.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { store: FileStore::at(path), opened: RefCell::default() }
    }

    fn in_dir<T>(&self, act: impl FnOnce(&TrustedDir) -> Result<T, StoreError>) -> Result<T, StoreFailure> {
        let dir = self.opened.take().filter(TrustedDir::has_its_path).map_or_else(|| self.store.dir(), Ok)?;
        let result = act(&dir);
        self.opened.replace(Some(dir));
        Ok(result?)
    }
}

impl Store for LoginStore {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        self.in_dir(|dir| find(dir, user))
    }

    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure> {
        self.in_dir(|dir| enrolled_as(dir, uid))
    }

    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure> {
        self.in_dir(|dir| update(dir, claimant, judge))
    }
}

fn enrolled_as(dir: &TrustedDir, uid: u32) -> Result<Option<String>, StoreError> {
    Ok(holder_in(dir, uid)?.map(|holder| holder.as_str().to_owned()))
}

fn find(dir: &TrustedDir, user: &str) -> Result<Claimant, StoreError> {
    let (state, secret) = look_at(dir, user)?;
    let record = secret.record(dir)?;
    let enrolled = record.credentials().iter().map(|it| (it.factor.clone(), it.otp_type)).collect();
    let (uid, user) = (record.uid(), user.to_owned());
    Ok(Claimant { user, uid, enrolled, failures: state.failures, draw_key: state.draw_key })
}

fn update<T>(
    dir: &TrustedDir,
    claimant: &Claimant,
    judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
) -> Result<Committed<T>, StoreError> {
    let (locked, secret) = lock(dir, &claimant.user)?;
    // Read under the lock: a factor may have been revoked while the claimant was at the prompt.
    let record = secret.record(dir)?;
    let outcome = match locked {
        LockedState::Own(locked) => {
            let mut newest = locked.read_newest(dir)?;
            let outcome = judge(&record, &mut newest.state);
            locked.commit(dir, &newest)?;
            locked.release()?;
            outcome
        }
        LockedState::Decoy(locked) => {
            let mut state = locked.state()?;
            let outcome = judge(&record, &mut state);
            locked.commit(&state)?;
            locked.release()?;
            outcome
        }
    };
    Ok(Committed::assertion(outcome))
}

/// Opens the state of `user`, or the decoy of a name without an enrollment.
fn open_state(dir: &TrustedDir, user: &str) -> Result<State, StoreError> {
    if let Ok(name) = Username::parse(user) {
        match StateFile::open(dir, Owner(name.clone())) {
            Ok(state) => return Ok(State::Own(name, state)),
            Err(error) if error.is_missing() => check_not_enrolled(dir, &name)?,
            Err(error) => return Err(error),
        }
    }
    DecoyFile::open(dir).map(State::Decoy).map_err(|error| error.or_missing(STORE_REMEDY))
}

/// Locks the state of `user` and opens the record under the lock.
fn lock(dir: &TrustedDir, user: &str) -> Result<(LockedState, Secret), StoreError> {
    for _ in 0..LOCK_TRIES {
        match open_state(dir, user)? {
            State::Decoy(decoys) => {
                let locked = decoys.lock(dir, user)?;
                return Ok((LockedState::Decoy(locked), Secret::open(dir, None)?));
            }
            State::Own(name, state) => {
                if let Some(locked) = state.lock(dir)? {
                    return Ok((LockedState::Own(locked), Secret::open(dir, Some(name))?));
                }
            }
        }
    }
    Err(StoreError::new(dir.path(), Problem::Busy))
}

/// Reads the current state of `user` without the lock, and opens the record.
fn look_at(dir: &TrustedDir, user: &str) -> Result<(LoginState, Secret), StoreError> {
    for _ in 0..LOCK_TRIES {
        let state = open_state(dir, user)?;
        let (held, name) = match state {
            State::Own(name, state) => (state.read_newest(dir).map(|newest| newest.state), Some(name)),
            State::Decoy(decoys) => (decoys.state_of(user), None),
        };
        match held {
            // Another login replaced the file since it was opened, so open it again.
            Err(error) if matches!(error.problem(), Problem::Overtaken) => {}
            held => return Ok((held?, Secret::open(dir, name)?)),
        }
    }
    Err(StoreError::new(dir.path(), Problem::Busy))
}

fn holder_in(dir: &TrustedDir, uid: u32) -> Result<Option<Username>, StoreError> {
    let name = uid_name(uid);
    let text = match dir.read_file(&name, Username::MAX_BYTES, Readers::Owner) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error),
    };
    let holder = std::str::from_utf8(&text).ok().and_then(|text| Username::parse(text).ok());
    let holder =
        holder.ok_or_else(|| StoreError::invalid(&dir.path_of(&name), "does not hold a user name"))?;
    let record = record_in(dir, &holder)?.unwrap_or_default();
    Ok((record.uid() == Some(uid) && !record.credentials().is_empty()).then_some(holder))
}

fn record_in(dir: &TrustedDir, user: &Username) -> Result<Option<UserRecord>, StoreError> {
    let name = secret_name(user);
    match dir.read_file(&name, secret_file::MAX_BYTES, Readers::Owner) {
        Ok(text) => parse_record(dir, &text, user, &dir.path_of(&name)).map(Some),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a record. Entries of a batch count once the batch is in force.
fn parse_record(
    dir: &TrustedDir,
    text: &[u8],
    user: &Username,
    path: &Path,
) -> Result<UserRecord, StoreError> {
    secret_file::parse(text, user, path, |batch| batch::is_in_force(dir, batch))
}

pub(super) fn check_not_enrolled(dir: &TrustedDir, user: &Username) -> Result<(), StoreError> {
    match record_in(dir, user)? {
        Some(record) if !record.credentials().is_empty() => {
            let what = format!(
                "the login state is gone, so used codes are not known; run `mfa-chain unlock --reset-state {}`",
                shell_word(user.as_str())
            );
            Err(StoreError::invalid(&dir.path_of(&Owner(user.clone()).file_name()), what))
        }
        _ => Ok(()),
    }
}

/// The user's own login state, or the file of decoys for names without an enrollment.
#[derive(Debug)]
enum State {
    Own(Username, StateFile),
    Decoy(DecoyFile),
}

#[derive(Debug)]
enum LockedState {
    Own(Locked),
    Decoy(LockedDecoy),
}

/// An open secret file. For a name without an enrollment it is the empty one, so that both cases take the same time.
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
        let file = dir.open_file(&name, OFlag::O_RDONLY, Readers::Owner);
        Ok(Self { user, file: file.map_err(|error| error.or_missing(remedy))? })
    }

    /// Reads the record. For a name without an enrollment the record is empty, and reading it takes the same work.
    fn record(&self, dir: &TrustedDir) -> Result<UserRecord, StoreError> {
        let text = self.file.read_whole(secret_file::MAX_BYTES)?;
        if let Some(user) = &self.user {
            return parse_record(dir, &text, user, &self.file.path);
        }
        parse_record(dir, &text, &Username::nobody(), &self.file.path)?;
        Ok(UserRecord::default())
    }
}

pub(super) fn secret_name(user: &Username) -> String {
    format!("{SECRETS}/{}.toml", user.to_file_name())
}

pub(super) fn uid_name(uid: u32) -> String {
    format!("{UIDS}/{uid}")
}
