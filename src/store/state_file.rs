//! A state file: two slots written in turn, in place. Whatever happens while one is written, the other one is
//! whole; a full disk can't stop a login, since nothing grows.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::error::{Problem, StoreError};
use super::owner::Owner;
use super::slot::{InvalidSlot, SLOT_BYTES, VERSION, decode, encode};
use super::trusted::{Readers, TrustedDir, TrustedFile};
use crate::verifier::login_state::LoginState;

/// The size of a state file.
pub const STATE_BYTES: usize = SLOT_BYTES * 2;
/// How long a login waits for another judgement on the same user. Each takes milliseconds.
const LONGEST_LOCK_WAIT: Duration = Duration::from_secs(3);
const FIRST_LOCK_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An open state file.
#[derive(Debug)]
pub struct StateFile {
    opened: TrustedFile,
    owner: Owner,
}

/// The newest whole slot of a state file.
#[derive(Debug)]
pub struct Newest {
    /// What it holds.
    pub state: LoginState,
    sequence: u64,
    place: usize,
}

impl StateFile {
    /// Opens the file of `owner` in `dir` for reading and writing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, unsafe, or has not the size of a state file.
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

    /// The newest whole slot. Without the lock a slot that is being written may be torn; the other one is
    /// whole, and it is the one that counts until the write is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when no slot is valid. It never starts afresh: that would make used codes good again.
    pub fn read(&self) -> Result<Newest, StoreError> {
        let mut bytes = [0; STATE_BYTES];
        let read = self.opened.file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| StoreError::io(self.path(), "read", error))?;
        let (mut newest, mut fault): (Option<Newest>, _) = (None, InvalidSlot::Damaged);
        for (place, slot) in bytes.chunks_exact(SLOT_BYTES).enumerate() {
            match decode(slot, &self.owner) {
                Ok((state, sequence)) => {
                    if newest.as_ref().is_none_or(|other| other.sequence < sequence) {
                        newest = Some(Newest { state, sequence, place });
                    }
                }
                // A slot of a later version is a state that this program can't know, so it must not win over
                // it by ignoring it. A copy of another file was not written here by accident.
                Err(found @ (InvalidSlot::Version(_) | InvalidSlot::Owner)) => {
                    return Err(self.invalid(found));
                }
                Err(InvalidSlot::Content) => fault = InvalidSlot::Content,
                Err(InvalidSlot::Damaged) => {}
            }
        }
        newest.ok_or_else(|| self.invalid(fault))
    }

    /// Takes the lock, waiting a bounded time. It ends with the returned guard, which closes the file.
    ///
    /// # Errors
    ///
    /// [`Problem::Busy`] after three seconds.
    pub fn lock(self) -> Result<Locked, StoreError> {
        let signals = HeldSignals::hold();
        let mut wait = LockWait::begin();
        loop {
            match self.opened.file.try_lock() {
                Ok(()) => return Ok(Locked { file: self, _signals: signals }),
                Err(std::fs::TryLockError::WouldBlock) if wait.pause() => {}
                Err(std::fs::TryLockError::WouldBlock) => {
                    return Err(StoreError::new(self.path(), Problem::Busy));
                }
                Err(std::fs::TryLockError::Error(error)) => {
                    return Err(StoreError::io(self.path(), "lock", error));
                }
            }
        }
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
            InvalidSlot::Damaged | InvalidSlot::Content => {
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
    pub fn begin() -> Self {
        Self { deadline: Instant::now().checked_add(LONGEST_LOCK_WAIT), pause: FIRST_LOCK_PAUSE }
    }

    /// Sleeps a little; `false` when the time is over.
    pub fn pause(&mut self) -> bool {
        #[cfg(mfa_fault = "long-wait")]
        let deadline = self.deadline.and_then(|deadline| deadline.checked_add(LONGEST_LOCK_WAIT * 4));
        #[cfg(not(mfa_fault = "long-wait"))]
        let deadline = self.deadline;
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return false;
        }
        std::thread::sleep(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LONGEST_LOCK_PAUSE);
        true
    }
}

/// A state file under its lock. Dropping it closes the file, which unlocks, and then lets signals through.
#[derive(Debug)]
pub struct Locked {
    file: StateFile,
    _signals: HeldSignals,
}

impl Locked {
    /// Whether the file still has its name in `dir`: what is written to one that was replaced is lost.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when what has the name now is not safe.
    pub fn is_current(&self, dir: &TrustedDir) -> Result<bool, StoreError> {
        dir.still_has(&self.file.opened, Readers::Owner)
    }

    /// The newest whole slot; see [`StateFile::read`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when no slot is valid.
    pub fn read(&self) -> Result<Newest, StoreError> {
        self.file.read()
    }

    /// Writes the changed content of `newest` over the older slot and returns when it is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be written or synced; the newest slot is untouched.
    pub fn commit(&self, newest: &Newest) -> Result<(), StoreError> {
        let path = self.file.path();
        let too_large = || StoreError::invalid(path, "the login state outgrew its slot");
        let sequence = newest.sequence.checked_add(1).ok_or_else(too_large)?;
        let slot = encode(&newest.state, &self.file.owner, sequence).ok_or_else(too_large)?;
        let offset = if newest.place == 0 { SLOT_BYTES } else { 0 };
        let file = &self.file.opened.file;
        let written = file.write_all_at(slot.as_slice(), u64::try_from(offset).unwrap_or(u64::MAX));
        written.map_err(|error| StoreError::io(path, "write", error))?;
        #[cfg(mfa_fault = "bad-guest")]
        let _ = std::fs::write(path.with_extension(sequence.to_string()), "");
        #[cfg(mfa_fault = "no-sync")]
        return Ok(());
        #[cfg(not(mfa_fault = "no-sync"))]
        file.sync_data().map_err(|error| StoreError::io(path, "sync", error))
    }
}

/// Holds back signals, so that ^Z or ^C at a terminal can't park or split a judgement. The mask of the host
/// is put back when it drops.
#[derive(Debug)]
pub struct HeldSignals(Option<SigSet>);

impl HeldSignals {
    /// Holds them back from now on.
    #[must_use]
    pub fn hold() -> Self {
        let mut before = SigSet::empty();
        let held = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
        Self(held.ok().map(|()| before))
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(before), None);
        }
    }
}
