//! A state file: two slots written in turn, in place. If a write is cut off, the other slot is still whole. A
//! full disk can't stop a login, because the file never grows.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::error::{Problem, StoreError};
use super::owner::Owner;
use super::slot::{InvalidSlot, SLOT_BYTES, VERSION, claims, decode, encode};
use super::takeover::{displaced_name, take_over};
use super::trusted::{Readers, TrustedDir, TrustedFile};
use super::undisturbed::Undisturbed;
use crate::verifier::state::LoginState;

/// The size of a state file.
pub const STATE_BYTES: usize = SLOT_BYTES * 2;
/// How long a login waits for the lock of its user. One judgement holds the lock for milliseconds, so a holder that
/// still has it after 2 s is frozen.
const LONGEST_LOCK_WAIT: Duration = Duration::from_secs(2);
/// How long a login in a set-user-id program such as su or sudo waits. [`LockWait::begin`] explains the difference.
const LONGEST_LOCK_WAIT_OF_USERS: Duration = Duration::from_secs(3);
/// How often a login reads a state. It reads again if another login settles the state meanwhile.
const FOLLOW_TRIES: usize = 3;
/// How many displaced files a login follows. Each taker that froze before it wrote a state left one.
const MOST_DISPLACED: usize = 1_000;
const FIRST_LOCK_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An open state file.
#[derive(Debug)]
pub struct StateFile {
    opened: TrustedFile,
    owner: Owner,
}

/// The newest whole state.
#[derive(Debug)]
pub struct Newest {
    /// What it holds.
    pub state: LoginState,
    sequence: u64,
    /// The slot that the next write leaves unchanged.
    keep: usize,
    /// The displaced files between this file and the state, to be removed after the next write.
    displaced: Vec<String>,
}

/// What a state file holds.
enum Held {
    State {
        state: Box<LoginState>,
        sequence: u64,
        place: usize,
    },
    /// The state is in the displaced file of this number.
    Unsettled {
        number: u64,
        place: usize,
    },
}

impl StateFile {
    /// Opens the file of `owner` in `dir` for reading and writing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, unsafe, or does not have the size of a state file.
    pub fn open(dir: &TrustedDir, owner: Owner) -> Result<Self, StoreError> {
        let opened = dir.open_file(&owner.file_name(), OFlag::O_RDWR, Readers::Owner)?;
        if opened.bytes() == STATE_BYTES {
            return Ok(Self { opened, owner });
        }
        let remedy = owner.remedy();
        let what = format!("has {} bytes, a login state has {STATE_BYTES}; {remedy}", opened.bytes());
        Err(StoreError::invalid(&opened.path, what))
    }

    /// Its path, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    /// Wraps the open file of `owner`.
    #[must_use]
    pub const fn of(opened: TrustedFile, owner: Owner) -> Self {
        Self { opened, owner }
    }

    /// The owner of the state.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Whether the file still has its name in `dir`. Writes to a replaced file are lost.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file that has the name now is not safe.
    pub fn has_its_name(&self, dir: &TrustedDir) -> Result<bool, StoreError> {
        dir.still_has(&self.opened, Readers::Owner)
    }

    /// The newest whole state. Without the lock one slot may be half written; then the other slot is whole
    /// and counts until the write is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when no slot is valid. A new state is never made here: it would make used codes good
    /// again.
    pub fn read_newest(&self, dir: &TrustedDir) -> Result<Newest, StoreError> {
        for _ in 0..FOLLOW_TRIES {
            match self.follow(dir) {
                // Another login wrote the state here and removed the displaced file, so read again.
                Err(error) if error.is_missing() => {}
                result => return result,
            }
        }
        let is_ours = self.has_its_name(dir)?;
        Err(if is_ours { self.invalid(InvalidSlot::Damaged) } else { self.overtaken() })
    }

    fn overtaken(&self) -> StoreError {
        StoreError::new(self.path(), Problem::Overtaken)
    }

    /// Reads the state from this file or from the displaced file that this file names.
    fn follow(&self, dir: &TrustedDir) -> Result<Newest, StoreError> {
        let mut displaced = Vec::new();
        let (mut held, mut keep) = (self.held()?, None);
        loop {
            match held {
                Held::State { state, sequence, place } => {
                    return Ok(Newest { state: *state, sequence, keep: keep.unwrap_or(place), displaced });
                }
                Held::Unsettled { number, place } => {
                    keep.get_or_insert(place);
                    let name = displaced_name(&self.owner, number);
                    let opened = dir.open_file(&name, OFlag::O_RDWR, Readers::Owner)?;
                    displaced.push(name);
                    held = Self::of(opened, self.owner.clone()).held()?;
                }
            }
            if displaced.len() > MOST_DISPLACED {
                return Err(self.invalid(InvalidSlot::Damaged));
            }
        }
    }

    /// Whether the state is in this file, and not in a displaced one.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.held(), Ok(Held::State { .. }))
    }

    fn held(&self) -> Result<Held, StoreError> {
        let mut bytes = [0; STATE_BYTES];
        let result = self.opened.file.read_exact_at(&mut bytes, 0);
        result.map_err(|error| StoreError::io(self.path(), "read", error))?;
        let mut unsettled = None;
        let mut fault = InvalidSlot::Damaged;
        // Newest slot first: if it is whole, the content of the other slot does not matter.
        let mut slots: Vec<(usize, &[u8])> = bytes.chunks_exact(SLOT_BYTES).enumerate().collect();
        slots.sort_by_key(|(_, slot)| std::cmp::Reverse(claims(slot).0));
        let mut newest = None;
        for (place, slot) in slots {
            if newest.is_some() && claims(slot).1 {
                continue;
            }
            match decode(slot, &self.owner) {
                Ok((state, sequence)) if newest.is_none() => {
                    newest = Some(Held::State { state: Box::new(state), sequence, place });
                }
                Err(InvalidSlot::Unsettled(number)) => unsettled = Some(Held::Unsettled { number, place }),
                // These two are errors even if the other slot is whole. A later version may have recorded used
                // codes in this slot that the other slot lacks. A slot of another user means a copied file.
                Err(fault @ (InvalidSlot::Version(_) | InvalidSlot::Owner)) => {
                    return Err(self.invalid(fault));
                }
                Err(InvalidSlot::Content) => fault = InvalidSlot::Content,
                Ok(_) | Err(InvalidSlot::Damaged) => {}
            }
        }
        newest.or(unsettled).ok_or_else(|| self.invalid(fault))
    }

    /// Waits a bounded time for the lock and then takes the state over from the holder. Dropping the returned
    /// guard closes the file and ends the lock. `None` if the file lost its name meanwhile; the caller opens it again.
    ///
    /// # Errors
    ///
    /// [`Problem::Busy`] when the lock stays held and the file system can't exchange names, as a takeover must;
    /// any other [`StoreError`] of the files.
    pub fn lock(self, dir: &TrustedDir) -> Result<Option<Locked>, StoreError> {
        let undisturbed = Undisturbed::begin();
        let mut wait = LockWait::begin(&undisturbed);
        loop {
            match self.opened.file.try_lock() {
                Ok(()) => break,
                Err(std::fs::TryLockError::WouldBlock) if wait.pause() => {
                    if !self.has_its_name(dir)? {
                        return Ok(None);
                    }
                }
                Err(std::fs::TryLockError::WouldBlock) => return take_over(dir, &self, undisturbed),
                Err(std::fs::TryLockError::Error(error)) => {
                    return Err(StoreError::io(self.path(), "lock", error));
                }
            }
        }
        Ok(self.has_its_name(dir)?.then(|| self.locked(undisturbed)))
    }

    /// The guard for a file whose lock is already taken.
    #[must_use]
    pub const fn locked(self, undisturbed: Undisturbed) -> Locked {
        Locked { file: self, undisturbed }
    }

    fn invalid(&self, fault: InvalidSlot) -> StoreError {
        let what = match fault {
            InvalidSlot::Version(version) => {
                format!(
                    "written by a later version (format {version}, {VERSION} is known); upgrade mfa-chain"
                )
            }
            InvalidSlot::Owner => {
                let remedy = self.owner.remedy();
                format!("was copied from another file, so used codes are not known; {remedy}")
            }
            InvalidSlot::Damaged | InvalidSlot::Content | InvalidSlot::Unsettled(_) => {
                let remedy = self.owner.remedy();
                format!("the login state is damaged, so used codes are not known; {remedy}")
            }
        };
        StoreError::invalid(self.path(), what)
    }
}

/// A wait for a lock: short pauses, for a bounded time.
#[derive(Debug)]
pub struct LockWait {
    deadline: Option<Instant>,
    pause: Duration,
}

impl LockWait {
    /// Begins to wait now.
    #[must_use]
    pub fn begin(undisturbed: &Undisturbed) -> Self {
        // A user can freeze a set-user-id program that runs for him. With the longer wait such a program takes a
        // state over later than a service of root.
        let longest =
            if undisturbed.is_for_a_user() { LONGEST_LOCK_WAIT_OF_USERS } else { LONGEST_LOCK_WAIT };
        Self { deadline: Instant::now().checked_add(longest), pause: FIRST_LOCK_PAUSE }
    }

    /// Sleeps for a short time; `false` when the wait is over.
    pub fn pause(&mut self) -> bool {
        if self.deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return false;
        }
        std::thread::sleep(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LONGEST_LOCK_PAUSE);
        true
    }
}

/// A state file under its lock. Dropping it closes the file, which ends the lock, and only then lets signals
/// through again.
#[derive(Debug)]
pub struct Locked {
    file: StateFile,
    undisturbed: Undisturbed,
}

impl Locked {
    /// The newest whole state; see [`StateFile::read_newest`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when no slot is valid.
    pub fn read_newest(&self, dir: &TrustedDir) -> Result<Newest, StoreError> {
        self.file.read_newest(dir)
    }

    /// Writes `newest` over the older slot. Returns when the write is durable and no other login took the
    /// state over before that.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be written or synced: the newest slot is untouched.
    /// [`Problem::Overtaken`] when the file lost its name: the next login may not see this write, so the
    /// outcome must not be reported.
    pub fn commit(&self, dir: &TrustedDir, newest: &Newest) -> Result<(), StoreError> {
        self.write(newest)?;
        if !self.file.has_its_name(dir)? {
            return Err(self.file.overtaken());
        }
        for name in &newest.displaced {
            // Removed only after the write, because until then this file may be the only one with the state. If
            // the removal fails, the next taker removes the file.
            let _ = dir.remove(name);
        }
        Ok(())
    }

    /// Releases the lock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the real user can't be restored: the outcome must not be reported then, because the
    /// program would continue as another user.
    pub fn release(self) -> Result<(), StoreError> {
        let Self { file, undisturbed } = self;
        let path = file.path().to_owned();
        drop(file);
        undisturbed
            .end()
            .map_err(|error| StoreError::io(&path, "put the real user back after judging by", error))
    }

    fn write(&self, newest: &Newest) -> Result<(), StoreError> {
        let path = self.file.path();
        let too_large = || StoreError::invalid(path, "the login state outgrew its slot");
        let sequence = newest.sequence.checked_add(1).ok_or_else(too_large)?;
        let slot = encode(&newest.state, &self.file.owner, sequence).ok_or_else(too_large)?;
        let offset = if newest.keep == 0 { SLOT_BYTES } else { 0 };
        let file = &self.file.opened.file;
        file.write_all_at(slot.as_slice(), u64::try_from(offset).unwrap_or(u64::MAX))
            .map_err(|error| StoreError::io(path, "write", error))?;
        file.sync_data().map_err(|error| StoreError::io(path, "sync", error))
    }
}
