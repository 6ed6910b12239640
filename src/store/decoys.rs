//! Login states of names without an enrollment, so that these names behave as enrolled ones do.
//!
//! One file holds [`PLACES`] of these states, and a write changes one of them in place. A hash under a key of the
//! host chooses the place of a name, so nobody can find out which names share a place. The file never drops a state,
//! so no draw starts over. No user's codes depend on this file: a damaged place counts as a new one.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use super::error::{Problem, StoreError};
use super::layout::{Reader, Writer};
use super::state_file::LockWait;
use super::takeover::take_over_nothing;
use super::trusted::{Readers, TrustedDir, TrustedFile};
use super::undisturbed::Undisturbed;
use crate::verifier::otp::{keyed_hash, keyed_number};
use crate::verifier::state::{ChainFailures, ChainMark, DrawKey, FailureCounts, Lane, LoginState};
use crate::verifier::time::UnixTime;

/// The file below the store.
pub const DECOY_STATES: &str = "decoys/states";
/// How many places a new file has. Two names in one place change each other's draws, and many places make this rare.
/// The file takes 4 MiB.
pub const PLACES: usize = 65_535;

/// The fields of `flock` have a smaller type than these constants. Both values are small in every libc.
#[allow(clippy::cast_possible_truncation)]
const WRITE_LOCK: libc::c_short = libc::F_WRLCK as libc::c_short;
#[allow(clippy::cast_possible_truncation)]
const FROM_START: libc::c_short = libc::SEEK_SET as libc::c_short;
const MAGIC: &[u8; 8] = b"MFADECOY";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;
const PLACE_BYTES: usize = 64;
const CHECKED_BYTES: usize = 60;

/// The file of decoys, open.
#[derive(Debug)]
pub struct DecoyFile {
    opened: TrustedFile,
    key: DrawKey,
    places: u64,
}

/// The content of a new file.
#[must_use]
pub fn fresh(key: &DrawKey) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(MAGIC).u16(VERSION).bytes(&key.0).bytes(&[0; 18]);
    let mut bytes = sealed(writer);
    bytes.resize(HEADER_BYTES.saturating_add(PLACE_BYTES.saturating_mul(PLACES)), 0);
    bytes
}

impl DecoyFile {
    /// Opens the file in `dir` for reading and writing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, unsafe, or not a file of decoys.
    pub fn open(dir: &TrustedDir) -> Result<Self, StoreError> {
        let opened = dir.open_file(DECOY_STATES, OFlag::O_RDWR, Readers::Owner)?;
        let mut header = [0; HEADER_BYTES];
        let result = opened.file.read_exact_at(&mut header, 0);
        let places = opened.bytes().saturating_sub(HEADER_BYTES).checked_div(PLACE_BYTES).unwrap_or(0);
        let key = result.ok().and_then(|()| key_in(&header)).filter(|_| places > 0);
        let Some(key) = key else {
            let what = "is not a file of decoys of this version; run `mfa-chain enroll` for any user, which replaces it";
            return Err(StoreError::invalid(&opened.path, what));
        };
        Ok(Self { opened, key, places: u64::try_from(places).unwrap_or(1) })
    }

    /// The state of `user`, in the form of an enrolled user's state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be read.
    pub fn state_of(&self, user: &str) -> Result<LoginState, StoreError> {
        let draw_key = DrawKey(keyed_hash(&self.key.0, &[b"draw", user.as_bytes()]));
        let failures = self.place(self.offset_of(user))?.failures;
        Ok(LoginState { draw_key, failures, ..LoginState::default() })
    }

    fn place(&self, offset: u64) -> Result<Place, StoreError> {
        let mut bytes = [0; PLACE_BYTES];
        let result = self.opened.file.read_exact_at(&mut bytes, offset);
        result.map_err(|error| StoreError::io(&self.opened.path, "read", error))?;
        Ok(decode(&bytes).unwrap_or_default())
    }

    fn write(&self, offset: u64, place: &Place) -> Result<(), StoreError> {
        let TrustedFile { file, path, .. } = &self.opened;
        file.write_all_at(&encode(place), offset).map_err(|error| StoreError::io(path, "write", error))?;
        file.sync_data().map_err(|error| StoreError::io(path, "sync", error))
    }

    /// Waits a bounded time for the lock of `user` and then fences off the holder, as for an enrolled user.
    /// Dropping the returned guard ends the lock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the system refuses the lock.
    pub fn lock(self, dir: &TrustedDir, user: &str) -> Result<LockedDecoy, StoreError> {
        let (offset, user) = (self.offset_of(user), user.to_owned());
        let undisturbed = Undisturbed::begin();
        let mut taker = self.place(offset)?.taker;
        let mut wait = LockWait::begin(&undisturbed);
        loop {
            if self.has_lock(offset, taker)? {
                break;
            }
            let is_over = !wait.pause();
            let place = self.place(offset)?;
            if place.taker != taker {
                (taker, wait) = (place.taker, LockWait::begin(&undisturbed));
            } else if is_over {
                take_over_nothing(dir)?;
                taker = taker.wrapping_add(1);
                self.write(offset, &Place { taker, ..place })?;
                wait = LockWait::begin(&undisturbed);
            }
        }
        Ok(LockedDecoy { file: self, user, offset, taker, undisturbed })
    }

    /// Tries to get the lock. Each taker locks another byte of the place, so a fenced-off holder blocks no later login.
    fn has_lock(&self, offset: u64, taker: u32) -> Result<bool, StoreError> {
        let byte = offset.saturating_add(u64::from(taker) % 64);
        let l_start = i64::try_from(byte).unwrap_or(0);
        let range = libc::flock { l_type: WRITE_LOCK, l_whence: FROM_START, l_start, l_len: 1, l_pid: 0 };
        match fcntl(self.opened.file.as_fd(), FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(StoreError::io(&self.opened.path, "lock", error)),
        }
    }

    fn offset_of(&self, user: &str) -> u64 {
        let place =
            keyed_number(&self.key.0, &[b"place", user.as_bytes()]).checked_rem(self.places).unwrap_or(0);
        place.saturating_mul(64).saturating_add(64)
    }
}

/// The file of decoys with the lock of one name.
#[derive(Debug)]
pub struct LockedDecoy {
    file: DecoyFile,
    user: String,
    offset: u64,
    taker: u32,
    undisturbed: Undisturbed,
}

impl LockedDecoy {
    /// The state that the name has now; see [`DecoyFile::state_of`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be read.
    pub fn state(&self) -> Result<LoginState, StoreError> {
        self.file.state_of(&self.user)
    }

    /// Writes the kept part of `state` to its place and returns when the write is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be written or synced. [`Problem::Overtaken`] when another login took over.
    pub fn commit(&self, state: &LoginState) -> Result<(), StoreError> {
        self.check_not_overtaken()?;
        self.file.write(self.offset, &Place { failures: state.failures.clone(), taker: self.taker })?;
        self.check_not_overtaken()
    }

    /// Releases the lock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the real user can't be restored: the outcome must not be reported then.
    pub fn release(self) -> Result<(), StoreError> {
        let path = self.file.opened.path.clone();
        drop(self.file);
        self.undisturbed
            .end()
            .map_err(|error| StoreError::io(&path, "put the real user back after judging by", error))
    }

    fn check_not_overtaken(&self) -> Result<(), StoreError> {
        if self.file.place(self.offset)?.taker == self.taker {
            return Ok(());
        }
        Err(StoreError::new(&self.file.opened.path, Problem::Overtaken))
    }
}

/// The state that is kept for a name without an enrollment.
#[derive(Debug, Default)]
struct Place {
    failures: FailureCounts,
    /// How often the lock was taken over.
    taker: u32,
}

fn key_in(header: &[u8]) -> Option<DrawKey> {
    let mut reader = Reader::new(checked(header)?);
    let known = reader.array()? == *MAGIC && reader.u16()? == VERSION;
    known.then_some(())?;
    Some(DrawKey(reader.array()?))
}

/// No login succeeds under such a name. So no source ever becomes known, and one count for all chains is enough.
fn encode(place: &Place) -> Vec<u8> {
    let FailureCounts { strangers, fillers, .. } = &place.failures;
    let small = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let mut writer = Writer::default();
    writer.u64(strangers.draw);
    for lane in [strangers, fillers] {
        writer.u64(lane.last_at.seconds()).u32(u32::try_from(lane.day).unwrap_or(u32::MAX));
        writer.u16(small(lane.today)).u16(small(lane.failures()));
    }
    writer.u32(strangers.recovery).u32(place.taker).bytes(&[0; 12]);
    sealed(writer)
}

fn decode(bytes: &[u8]) -> Option<Place> {
    let mut reader = Reader::new(checked(bytes)?);
    let draw = reader.u64()?;
    let mut lane = || {
        let (last_at, day) = (UnixTime::from_seconds(reader.u64()?), u64::from(reader.u32()?));
        let (today, count) = (u32::from(reader.u16()?), u32::from(reader.u16()?));
        let chain = ChainMark { key: 0, hardness: u8::MAX };
        let chains = if count == 0 { Vec::new() } else { vec![ChainFailures { chain, count }] };
        Some(Lane { chains, last_at, day, today, ..Lane::default() })
    };
    let (strangers, fillers) = (lane()?, lane()?);
    let strangers = Lane { draw, recovery: reader.u32()?, ..strangers };
    let failures = FailureCounts { strangers, fillers, known: Vec::new() };
    Some(Place { failures, taker: reader.u32()? })
}

/// The fields, followed by their checksum.
fn sealed(writer: Writer) -> Vec<u8> {
    let mut bytes = writer.into_bytes();
    bytes.resize(CHECKED_BYTES, 0);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (checked, checksum) = bytes.split_at_checked(CHECKED_BYTES)?;
    (checksum == crc32c::crc32c(checked).to_le_bytes()).then_some(checked)
}
