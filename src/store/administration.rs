//! The changes that the command makes to a store: create it, change records, end waits. If the command is
//! killed, a change is either complete or absent.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{fsync, syncfs};

use super::decoys::{self, DECOY_STATES, DecoyFile};
use super::error::StoreError;
use super::file_store::{DECOY_RECORD, FileStore, SECRETS, UIDS, check_not_enrolled, secret_name, uid_name};
use super::owner::{DECOYS, Owner, STATE};
use super::secret_file;
use super::slot::encode;
use super::state_file::{Locked, StateFile};
use super::takeover::sweep;
use super::trusted::{Readers, TrustedDir};
use crate::verifier::enrollment::{Credential, UserRecord};
use crate::verifier::otp::BypassCode;
use crate::verifier::ports::{Enrollments, StoreFailure};
use crate::verifier::shell_word::shell_word;
use crate::verifier::state::{DrawKey, LoginState};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

impl FileStore {
    /// Opens the store at `path` and makes what is missing: the folders with mode 0700, and the decoys that
    /// make unknown users look like enrolled ones.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when that can't be done.
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        if let Err(error) = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(path) {
            return Err(StoreError::io(path, "make the folder", error));
        }
        let store = Self::at(path);
        for folder in [SECRETS, STATE, DECOYS, UIDS] {
            store.make_folder(folder)?;
        }
        let _command_lock = store.lock_commands()?;
        store.make_decoys()?;
        Ok(store)
    }

    /// Passes the current record of `user` to `change` and stores the record that `change` returns. Logins of this
    /// user and other commands wait meanwhile. Creates the state file together with the first record.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the files, or the error of `change`; the old record stays then.
    pub fn change_record<E: From<StoreError>>(
        &self,
        user: &Username,
        change: impl FnOnce(UserRecord) -> Result<UserRecord, E>,
    ) -> Result<(), E> {
        let dir = &self.dir()?;
        let _command_lock = self.lock_commands()?;
        let owner = Owner(user.clone());
        sweep(dir, &owner);
        if self.record(user)?.is_none() {
            // The empty record comes first. If the command is killed between the two files, the user is not
            // enrolled, and no state is left without its record.
            self.replace_record(user, &UserRecord::default())?;
        }
        if !dir.has(&owner.file_name())? {
            // A lost state is an error. A new state would make used codes good again.
            check_not_enrolled(dir, user)?;
            let fresh = fresh_state(dir)?;
            self.create_state(&owner, &fresh)?;
        }
        let locked = self.lock_own(dir, user)?;
        let current = self.record(user)?.unwrap_or_default();
        let record = change(current)?;
        if record.credentials().is_empty() {
            drop_bypass(&locked, dir)?;
        }
        self.index(user, &record)?;
        self.replace_record(user, &record).map_err(E::from)
    }

    /// Replaces a record that can't be read with an empty one. The user is not enrolled then. The login state
    /// stays, so used codes stay used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the empty record can't be written.
    pub fn discard_record(&self, user: &Username) -> Result<(), StoreError> {
        let _command_lock = self.lock_commands()?;
        let dir = &self.dir()?;
        let state = self.lock_own(dir, user);
        if let Ok(locked) = &state {
            drop_bypass(locked, dir)?;
        }
        self.replace_record(user, &UserRecord::default())
    }

    /// Writes the name under which an account enrolled to the index, so that a login notices a renamed account. The
    /// caller writes the record afterwards: an entry without a record does no harm, but a record without an entry
    /// would hide a renaming.
    fn index(&self, user: &Username, record: &UserRecord) -> Result<(), StoreError> {
        match record.uid() {
            Some(uid) if !record.credentials().is_empty() && self.holder_of(uid)?.as_ref() != Some(user) => {
                self.replace(UIDS, &uid_name(uid), user.as_str().as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// The same for a record that gets its first authenticator with a batch; synced with the batch.
    pub(super) fn index_uid(&self, user: &Username, uid: Option<u32>) -> Result<(), StoreError> {
        match uid {
            Some(uid) if self.holder_of(uid)?.as_ref() != Some(user) => {
                self.put(&uid_name(uid), user.as_str().as_bytes(), |_| Ok(()))
            }
            _ => Ok(()),
        }
    }

    /// A state for a user who has none; synced with the batch.
    pub(super) fn create_fresh_state(&self, user: &Username) -> Result<(), StoreError> {
        let owner = Owner(user.clone());
        let bytes = state_bytes(&owner, &fresh_state(&self.dir()?)?)?;
        self.put(&owner.file_name(), &bytes, |_| Ok(()))
    }

    /// Deletes the failures of `user`, so that the next attempt is judged at once. Used codes stay used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the state file.
    pub fn clear_failures(&self, user: &Username) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        let _command_lock = self.lock_commands()?;
        let locked = self.lock_own(dir, user)?;
        change_state(&locked, dir, |state| state.failures.forget())
    }

    /// Records that the counter of `credential` of `user` is at least `next`. Two consecutive codes have just
    /// proven this. A reset of the login state had made the counter void.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the state file.
    pub fn set_counter(
        &self,
        user: &Username,
        credential: &Credential,
        next: u64,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        let _command_lock = self.lock_commands()?;
        let locked = self.lock_own(dir, user)?;
        change_state(&locked, dir, |state| state.set_counter(credential, next, now))
    }

    /// Makes a new login state for `user` after the old one was lost or damaged. Safe assumptions replace the lost
    /// data: present codes and all recovery codes count as used, and the counter of a HOTP token is void until two
    /// consecutive codes prove it. The code in `bypass` lets the user in meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the files.
    pub fn reset_state(
        &self,
        user: &Username,
        bypass: Option<BypassCode>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        let _command_lock = self.lock_commands()?;
        let record = self.record(user)?.unwrap_or_default();
        let state = LoginState::reset(&record, random_draw_key(dir.path())?, bypass, now);
        // After a restore of only the secrets the folder is missing.
        self.make_folder(STATE)?;
        self.create_state(&Owner(user.clone()), &state)
    }

    /// The login state of `user`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unreadable, unsafe or damaged.
    pub fn login_state(&self, user: &Username) -> Result<Option<LoginState>, StoreError> {
        let dir = &self.dir()?;
        let owner = Owner(user.clone());
        if !dir.has(&owner.file_name())? {
            return Ok(None);
        }
        Ok(Some(StateFile::open(dir, owner)?.read_newest(dir)?.state))
    }

    /// All users with a record, in the order of names.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder can't be read.
    pub fn users(&self) -> Result<Vec<Username>, StoreError> {
        let dir = &self.dir()?;
        let path = dir.path_of(SECRETS);
        let failed = |error| StoreError::io(&path, "list the folder", error);
        let mut users = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let file = name.to_str().and_then(|name| name.strip_suffix(".toml"));
            users.extend(file.and_then(|file| self.user_of_file(file)));
        }
        users.sort();
        Ok(users)
    }

    /// Problems outside the records. A login state without a record denies its user. Missing or damaged decoys deny
    /// every name without an enrollment.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder of states can't be read.
    pub fn faults_beside_records(&self) -> Result<Vec<StoreError>, StoreError> {
        let dir = &self.dir()?;
        let path = dir.path_of(STATE);
        let failed = |error| StoreError::io(&path, "list the folder", error);
        let mut faults = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && !dir.has(&format!("{SECRETS}/{name}.toml"))? {
                let what = "belongs to a user whose secret file is gone; restore that, or enroll again";
                faults.push(StoreError::invalid(&path.join(&name), what));
            }
        }
        faults.extend(DecoyFile::open(dir).err());
        Ok(faults)
    }

    /// The user whose secret file is called `file`, without its ending.
    pub(super) fn user_of_file(&self, file: &str) -> Option<Username> {
        Username::from_file_name(file).or_else(|| self.user_in(file))
    }

    /// The user of the secret file `file`, whose file name is too short for the whole name. The record has the name.
    fn user_in(&self, file: &str) -> Option<Username> {
        let name = format!("{SECRETS}/{file}.toml");
        let text = self.dir().ok()?.read_file(&name, secret_file::MAX_BYTES, Readers::Owner).ok()?;
        let user = secret_file::user_of(&text)?;
        (user.to_file_name() == file).then_some(user)
    }

    /// Creates missing decoys and replaces damaged ones. No user's codes depend on them.
    fn make_decoys(&self) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        let mut made = false;
        if DecoyFile::open(dir).is_err() {
            let bytes = decoys::fresh(&random_draw_key(dir.path())?);
            self.put(DECOY_STATES, &bytes, |_| Ok(()))?;
            self.remove_tables_of_version_1()?;
            made = true;
        }
        let known = dir.read_file(DECOY_RECORD, secret_file::MAX_BYTES, Readers::Owner);
        let parse = |text: Vec<u8>| secret_file::parse(&text, &Username::nobody(), dir.path(), |_| Ok(false));
        if known.and_then(|text| parse(text.to_vec())).is_err() {
            let text = secret_file::render(&UserRecord::default(), &Username::nobody());
            self.put(DECOY_RECORD, text.as_bytes(), |_| Ok(()))?;
            made = true;
        }
        if made {
            // One sync makes both files durable.
            syncfs(dir).map_err(|error| StoreError::io(&dir.path_of(DECOYS), "sync", error))?;
        }
        Ok(())
    }

    pub(super) fn make_folder(&self, name: &str) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        match mkdirat(dir, name, Mode::S_IRWXU) {
            Ok(()) => fsync(dir).map_err(|error| StoreError::io(dir.path(), "sync", error)),
            Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(StoreError::io(&dir.path_of(name), "make the folder", error)),
        }
    }

    /// Removes the decoys of earlier versions, because every user could compute which names shared a table.
    fn remove_tables_of_version_1(&self) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        for number in 0..64 {
            let name = format!("{DECOYS}/{number:02x}");
            dir.remove(&name)?;
        }
        Ok(())
    }

    /// Waits until no other command changes the store. Logins never take this lock.
    pub(super) fn lock_commands(&self) -> Result<CommandLock, StoreError> {
        let dir = &self.dir()?;
        let failed = |error: std::io::Error| StoreError::io(dir.path(), "lock the store", error);
        let folder = File::from(dir.as_fd().try_clone_to_owned().map_err(failed)?);
        folder.lock().map_err(failed)?;
        Ok(CommandLock(folder))
    }

    fn replace_record(&self, user: &Username, record: &UserRecord) -> Result<(), StoreError> {
        let text = secret_file::render(record, user);
        self.replace(SECRETS, &secret_name(user), text.as_bytes())
    }

    fn create_state(&self, owner: &Owner, state: &LoginState) -> Result<(), StoreError> {
        let bytes = state_bytes(owner, state)?;
        self.replace(STATE, &owner.file_name(), &bytes)
    }

    /// Writes `bytes` to a new file, syncs it, renames it to `name`, and syncs the folder. The file is durable when
    /// this returns.
    pub(super) fn replace(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        self.put(name, bytes, File::sync_all)?;
        dir.sync_folder(folder)
    }

    /// Writes `bytes` to a new file, passes the file to `sync`, and renames it to `name`.
    pub(super) fn put(
        &self,
        name: &str,
        bytes: &[u8],
        sync: impl FnOnce(&File) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        let dir = &self.dir()?;
        // No user's file name begins with a dot. A killed command may have left such a file. Removing it is safe,
        // because under the lock of the commands no other command writes it.
        let beside = name.replacen('/', "/.", 1) + ".new";
        dir.remove(&beside)?;
        let file = dir.create_file(&beside, |mut file| file.write_all(bytes).and_then(|()| sync(file)))?;
        renameat(dir, beside.as_str(), dir, name).map_err(|error| {
            let _ = dir.remove(&beside);
            StoreError::io(&file.path, "write", error)
        })
    }
}

impl Enrollments for FileStore {
    fn enrollment(&self, user: &Username) -> Result<Option<(UserRecord, LoginState)>, StoreFailure> {
        let Some(record) = self.record(user)? else { return Ok(None) };
        match self.login_state(user)? {
            Some(state) => Ok(Some((record, state))),
            None if record.credentials().is_empty() => Ok(Some((record, LoginState::default()))),
            // A lost state is an error. A new state would make used codes good again.
            None => Err(StoreFailure(format!(
                "the login state of `{user}` is gone, so used codes are not known; run `mfa-chain unlock \
                 --reset-state {}`",
                shell_word(user.as_str())
            ))),
        }
    }

    fn change_record<E: From<StoreFailure>>(
        &self,
        user: &Username,
        change: impl FnOnce(UserRecord) -> Result<UserRecord, E>,
    ) -> Result<(), E> {
        Self::change_record(self, user, |record| change(record).map_err(Ended::Change)).map_err(|ended| {
            match ended {
                Ended::Change(error) => error,
                Ended::Files(error) => E::from(error.into()),
            }
        })
    }

    fn set_counter(
        &self,
        user: &Username,
        credential: &Credential,
        next: u64,
        now: UnixTime,
    ) -> Result<(), StoreFailure> {
        Ok(Self::set_counter(self, user, credential, next, now)?)
    }
}

/// Why a change failed.
enum Ended<E> {
    Files(StoreError),
    Change(E),
}

impl<E> From<StoreError> for Ended<E> {
    fn from(error: StoreError) -> Self {
        Self::Files(error)
    }
}

/// The content of both slots, so that the file has all its disk blocks before the first login writes to it.
fn state_bytes(owner: &Owner, state: &LoginState) -> Result<Vec<u8>, StoreError> {
    let slot = |sequence| {
        let outgrew =
            || StoreError::invalid(Path::new(&owner.file_name()), "the login state outgrew its slot");
        encode(state, owner, sequence).ok_or_else(outgrew)
    };
    Ok([slot(1)?.as_slice(), slot(2)?.as_slice()].concat())
}

/// Changes the state of a user under its lock. The change is durable when this returns.
fn change_state(
    locked: &Locked,
    dir: &TrustedDir,
    change: impl FnOnce(&mut LoginState),
) -> Result<(), StoreError> {
    let mut newest = locked.read_newest(dir)?;
    change(&mut newest.state);
    locked.commit(dir, &newest)
}

/// Deletes the bypass code of a user without authenticators. Leaves a state that can't be read: no login succeeds
/// with it, and it must not prevent the revocation.
fn drop_bypass(locked: &Locked, dir: &TrustedDir) -> Result<(), StoreError> {
    match locked.read_newest(dir) {
        Ok(newest) if newest.state.bypass.is_some() => change_state(locked, dir, |state| state.bypass = None),
        _ => Ok(()),
    }
}

/// Held while one command changes the store.
pub(super) struct CommandLock(#[allow(dead_code)] File);

fn fresh_state(dir: &TrustedDir) -> Result<LoginState, StoreError> {
    Ok(LoginState { draw_key: random_draw_key(dir.path())?, ..LoginState::default() })
}

fn random_draw_key(path: &Path) -> Result<DrawKey, StoreError> {
    DrawKey::random().map_err(|error| StoreError::invalid(path, error.to_string()))
}
