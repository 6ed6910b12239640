//! What the command does to a store: make it, change records, lift waits. Each change is whole or not there,
//! whatever kills the command.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, syncfs, unlinkat};

use super::decoys::{self, DECOY_STATES, DecoyFile};
use super::error::StoreError;
use super::file_store::{DECOY_RECORD, FileStore, SECRETS, UIDS, secret_name, uid_name};
use super::owner::{DECOYS, Owner, STATE};
use super::secret_file;
use super::slot::encode;
use super::state_file::{Locked, StateFile};
use super::trusted::Readers;
use crate::verifier::credential::Credential;
use crate::verifier::login_state::{DrawKey, LoginState};
use crate::verifier::record::UserRecord;
use crate::verifier::recovery::BypassCode;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

impl FileStore {
    /// Opens the store at `path`, making it and what it lacks: folders with mode 0700, and the
    /// decoys that make unknown users look like enrolled ones.
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
        let _alone = store.lock_commands()?;
        store.make_decoys()?;
        Ok(store)
    }

    /// Changes the record of `user` from what it is now to what `change` makes of it. Logins of this user wait
    /// meanwhile, and other commands too. The state file is made with the first record.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the files, or the error of `change`; the old record stands then.
    pub fn change_record<E: From<StoreError>>(
        &self,
        user: &Username,
        change: impl FnOnce(UserRecord) -> Result<UserRecord, E>,
    ) -> Result<(), E> {
        let dir = self.dir()?;
        let _alone = self.lock_commands()?;
        let owner = Owner(user.clone());
        if self.record(user)?.is_none() {
            // An empty record first: a kill between the two files then leaves a user who is not enrolled,
            // never one whose secrets seem lost.
            self.replace_record(user, &UserRecord::default())?;
        }
        if !dir.has(&owner.file_name())? {
            // A state that was lost knew which codes are used; a fresh one in its place would not.
            self.check_not_enrolled(user)?;
            let fresh = LoginState { draw_key: random_draw_key(dir.path())?, ..LoginState::default() };
            self.create_state(&owner, &fresh)?;
        }
        let locked = StateFile::open(dir, owner)?.lock()?;
        let current = self.record(user)?.unwrap_or_default();
        let changed = change(current)?;
        if changed.credentials().is_empty() {
            drop_bypass(&locked)?;
        }
        self.index(user, &changed)?;
        self.replace_record(user, &changed).map_err(E::from)
    }

    /// Puts an empty record in place of one that can't be read: the user is not enrolled then. The login state
    /// stands, so used codes stay used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be written.
    pub fn discard_record(&self, user: &Username) -> Result<(), StoreError> {
        let _alone = self.lock_commands()?;
        let state = StateFile::open(self.dir()?, Owner(user.clone())).and_then(StateFile::lock);
        if let Ok(locked) = &state {
            drop_bypass(locked)?;
        }
        self.replace_record(user, &UserRecord::default())
    }

    /// Keeps the name under which an account enrolled, so that a renamed one is noticed. Before the record: an
    /// entry without a record is nobody's, a record without an entry would be missed.
    fn index(&self, user: &Username, record: &UserRecord) -> Result<(), StoreError> {
        match record.uid() {
            Some(uid) if !record.credentials().is_empty() && self.holder_of(uid)?.as_ref() != Some(user) => {
                self.replace(UIDS, &uid_name(uid), user.as_str().as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// Forgets the failures of `user`, so that the next attempt is judged at once. Codes that were used stay
    /// used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the state file.
    pub fn clear_failures(&self, user: &Username) -> Result<(), StoreError> {
        let _alone = self.lock_commands()?;
        let locked = StateFile::open(self.dir()?, Owner(user.clone()))?.lock()?;
        change_state(&locked, |state| state.failures.forget())
    }

    /// Says that the counter of the token of `user` that `credential` is stands at `next` or further, which two codes
    /// in a row have just shown. A reset of the login state made it void before that.
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
        let _alone = self.lock_commands()?;
        let locked = StateFile::open(self.dir()?, Owner(user.clone()))?.lock()?;
        change_state(&locked, |state| state.set_counter(credential, next, now))
    }

    /// Makes a new login state for `user` where the old one is lost or damaged. What the old one knew is
    /// replaced by the safe assumption: codes of the present are used, so are all recovery codes, and no
    /// counter of a HOTP token is good until two codes in a row show where it stands. `bypass` is the way in meanwhile.
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
        let dir = self.dir()?;
        let _alone = self.lock_commands()?;
        let record = self.record(user)?.unwrap_or_default();
        let state = LoginState::reset(&record, random_draw_key(dir.path())?, bypass, now);
        // A backup of the secrets alone has none.
        self.make_folder(STATE)?;
        self.create_state(&Owner(user.clone()), &state)
    }

    /// The login state of `user`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unreadable, unsafe or damaged.
    pub fn login_state(&self, user: &Username) -> Result<Option<LoginState>, StoreError> {
        let dir = self.dir()?;
        let owner = Owner(user.clone());
        if !dir.has(&owner.file_name())? {
            return Ok(None);
        }
        Ok(Some(StateFile::open(dir, owner)?.read()?.state))
    }

    /// Everybody who has a record, in the order of names.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder can't be read.
    pub fn users(&self) -> Result<Vec<Username>, StoreError> {
        let dir = self.dir()?;
        let path = dir.path_of(SECRETS);
        let failed = |error| StoreError::io(&path, "list the folder", error);
        let mut users = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let file = name.to_str().and_then(|name| name.strip_suffix(".toml"));
            users.extend(file.and_then(|file| Username::from_file_name(file).or_else(|| self.user_in(file))));
        }
        users.sort();
        Ok(users)
    }

    /// What is wrong beside the records: login states of users whose record is gone, who are denied, and
    /// decoys that are missing or damaged, which names that nobody enrolled would meet.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder of states can't be read.
    pub fn faults_beside_records(&self) -> Result<Vec<StoreError>, StoreError> {
        let dir = self.dir()?;
        let path = dir.path_of(STATE);
        let failed = |error| StoreError::io(&path, "list the folder", error);
        let mut faults = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && !dir.has(&format!("{SECRETS}/{name}.toml"))? {
                let what = "belongs to a user whose secret file is gone; restore that, or enrol again";
                faults.push(StoreError::invalid(&path.join(&name), what));
            }
        }
        faults.extend(DecoyFile::open(dir).err());
        Ok(faults)
    }

    /// The user whose name was too long for the file name that begins with `file`.
    fn user_in(&self, file: &str) -> Option<Username> {
        let name = format!("{SECRETS}/{file}.toml");
        let text = self.dir().ok()?.read(&name, secret_file::MAX_BYTES, Readers::Owner).ok()?;
        let user = secret_file::user_of(&text)?;
        (user.to_file_name() == file).then_some(user)
    }

    /// Makes the decoys that are missing or damaged; nobody's codes depend on them.
    fn make_decoys(&self) -> Result<(), StoreError> {
        let dir = self.dir()?;
        let mut made = false;
        if DecoyFile::open(dir).is_err() {
            let bytes = decoys::fresh(&random_draw_key(dir.path())?);
            self.put(DECOY_STATES, &bytes, |_| Ok(()))?;
            self.remove_tables_of_version_1()?;
            made = true;
        }
        let known = dir.read(DECOY_RECORD, secret_file::MAX_BYTES, Readers::Owner);
        if known.and_then(|text| secret_file::parse(&text, &Username::nobody(), dir.path())).is_err() {
            let text = secret_file::render(&UserRecord::default(), &Username::nobody());
            self.put(DECOY_RECORD, text.as_bytes(), |_| Ok(()))?;
            made = true;
        }
        if made {
            // One sync for all of them.
            syncfs(dir).map_err(|error| StoreError::io(&dir.path_of(DECOYS), "sync", error))?;
        }
        Ok(())
    }

    fn make_folder(&self, name: &str) -> Result<(), StoreError> {
        let dir = self.dir()?;
        match mkdirat(dir, name, Mode::S_IRWXU) {
            Ok(()) => fsync(dir).map_err(|error| StoreError::io(dir.path(), "sync", error)),
            Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(StoreError::io(&dir.path_of(name), "make the folder", error)),
        }
    }

    /// Decoys were tables once, whose names anybody could reckon.
    fn remove_tables_of_version_1(&self) -> Result<(), StoreError> {
        let dir = self.dir()?;
        for number in 0..64 {
            let name = format!("{DECOYS}/{number:02x}");
            match unlinkat(dir, name.as_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(StoreError::io(&dir.path_of(&name), "remove", error)),
            }
        }
        Ok(())
    }

    /// One command at a time. Logins never take this lock.
    fn lock_commands(&self) -> Result<CommandLock, StoreError> {
        let dir = self.dir()?;
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

    /// Puts a file with `bytes` at `name`, durable when this returns: written beside it, synced, renamed over
    /// it, the folder synced.
    fn replace(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let dir = self.dir()?;
        self.put(name, bytes, File::sync_all)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let synced = openat(dir, folder, flags, Mode::empty()).and_then(fsync);
        synced.map_err(|error| StoreError::io(&dir.path_of(folder), "sync the folder", error))
    }

    /// Puts a whole file at `name`: written beside it, given to `sync`, renamed over it.
    fn put(
        &self,
        name: &str,
        bytes: &[u8],
        sync: impl FnOnce(&File) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        let dir = self.dir()?;
        // No user name begins with a dot. A file that a killed command left behind is removed first; under
        // the lock of the commands nobody else writes it.
        let beside = name.replacen('/', "/.", 1) + ".new";
        match unlinkat(dir, beside.as_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(StoreError::io(&dir.path_of(&beside), "remove a leftover", error)),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let descriptor = openat(dir, beside.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|error| StoreError::io(&dir.path_of(&beside), "make", error))?;
        let mut file = File::from(descriptor);
        let written = file.write_all(bytes).and_then(|()| sync(&file));
        let renamed = written.and_then(|()| Ok(renameat(dir, beside.as_str(), dir, name)?));
        renamed.map_err(|error| {
            let _ = unlinkat(dir, beside.as_str(), UnlinkatFlags::NoRemoveDir);
            StoreError::io(&dir.path_of(name), "write", error)
        })
    }
}

/// Both slots, so that every block is there before the first login needs it.
fn state_bytes(owner: &Owner, state: &LoginState) -> Result<Vec<u8>, StoreError> {
    let slot = |sequence| {
        let outgrew =
            || StoreError::invalid(Path::new(&owner.file_name()), "the login state outgrew its slot");
        encode(state, owner, sequence).ok_or_else(outgrew)
    };
    Ok([slot(1)?.as_slice(), slot(2)?.as_slice()].concat())
}

/// Changes the state of a user under its lock; durable when this returns.
fn change_state(locked: &Locked, change: impl FnOnce(&mut LoginState)) -> Result<(), StoreError> {
    let mut newest = locked.read()?;
    change(&mut newest.state);
    locked.commit(&newest)
}

/// Whoever enrols nothing any more has no way in that was handed out before. A state that can't be read lets nobody in,
/// and keeps nobody from revoking.
fn drop_bypass(locked: &Locked) -> Result<(), StoreError> {
    match locked.read() {
        Ok(newest) if newest.state.bypass.is_some() => change_state(locked, |state| state.bypass = None),
        _ => Ok(()),
    }
}

/// Held while one command changes the store.
struct CommandLock(#[allow(dead_code)] File);

fn random_draw_key(path: &Path) -> Result<DrawKey, StoreError> {
    let mut key = DrawKey::default();
    getrandom::fill(&mut key.0).map_err(|_| StoreError::invalid(path, "the kernel gave no random bytes"))?;
    Ok(key)
}
