//! Login states of names that nobody enrolled, so that they behave as enrolled ones do.
//!
//! One file holds [`PLACES`] of them, each written in place. A name has its place by a hash under a key that the host
//! made: nobody can tell which names meet, and none is ever pushed out, so no draw starts over. Nobody's codes depend on
//! what stands here: a place that is damaged is taken for a fresh one.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use super::error::StoreError;
use super::layout::{Reader, Writer};
use super::state_file::{HeldSignals, LockWait};
use super::trusted::{Readers, TrustedDir, TrustedFile};
use crate::verifier::failures::{ChainFailures, ChainMark, FailureCounts, Lane};
use crate::verifier::keyed_hash::{keyed_hash, keyed_number};
use crate::verifier::login_state::{DrawKey, LoginState};
use crate::verifier::time::UnixTime;

/// The file below the store.
pub const DECOY_STATES: &str = "decoys/states";
/// How many places a new file has. Two names that meet move each other's draws, so there are many: 4 MiB.
pub const PLACES: usize = 65_535;

/// Both are small numbers in every libc; the fields of `flock` are smaller than the constants.
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

/// What a whole new file holds.
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
    /// [`StoreError`] when it is missing, unsafe, or no file of decoys.
    pub fn open(dir: &TrustedDir) -> Result<Self, StoreError> {
        let opened = dir.open_file(DECOY_STATES, OFlag::O_RDWR, Readers::Owner)?;
        let mut header = [0; HEADER_BYTES];
        let read = opened.file.read_exact_at(&mut header, 0);
        let places = opened.bytes().saturating_sub(HEADER_BYTES).checked_div(PLACE_BYTES).unwrap_or(0);
        let key = read.ok().and_then(|()| key_in(&header)).filter(|_| places > 0);
        let Some(key) = key else {
            let what = "is no file of decoys of this version; run `mfa-chain enroll` for any user, which makes it anew";
            return Err(StoreError::invalid(&opened.path, what));
        };
        Ok(Self { opened, key, places: u64::try_from(places).unwrap_or(1) })
    }

    /// The state that `user` has, as if enrolled.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be read.
    pub fn state_of(&self, user: &str) -> Result<LoginState, StoreError> {
        let mut bytes = [0; PLACE_BYTES];
        let read = self.opened.file.read_exact_at(&mut bytes, self.offset_of(user));
        read.map_err(|error| StoreError::io(&self.opened.path, "read", error))?;
        let draw_key = DrawKey(keyed_hash(&self.key.0, &[b"draw", user.as_bytes()]));
        Ok(LoginState { draw_key, failures: decode(&bytes).unwrap_or_default(), ..LoginState::default() })
    }

    /// Takes the lock of `user`, waiting a bounded time; without it, if its holder is stopped: two judgements of a name
    /// that nobody enrolled may overlap, and neither lets anybody in. It ends with the returned guard.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the system refuses it.
    pub fn lock(self, user: &str) -> Result<LockedDecoy, StoreError> {
        let signals = HeldSignals::hold();
        let start = i64::try_from(self.offset_of(user)).unwrap_or(0);
        let range =
            libc::flock { l_type: WRITE_LOCK, l_whence: FROM_START, l_start: start, l_len: 1, l_pid: 0 };
        let mut wait = LockWait::begin();
        loop {
            match fcntl(self.opened.file.as_fd(), FcntlArg::F_OFD_SETLK(&range)) {
                Err(Errno::EAGAIN | Errno::EACCES) if wait.pause() => {}
                Ok(_) | Err(Errno::EAGAIN | Errno::EACCES) => break,
                Err(error) => return Err(StoreError::io(&self.opened.path, "lock", error)),
            }
        }
        Ok(LockedDecoy { file: self, _signals: signals })
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
    _signals: HeldSignals,
}

impl LockedDecoy {
    /// The state that `user` has now; see [`DecoyFile::state_of`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be read.
    pub fn state_of(&self, user: &str) -> Result<LoginState, StoreError> {
        self.file.state_of(user)
    }

    /// Writes what is kept of `state` in the place of `user` and returns when it is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be written or synced.
    pub fn commit(&self, user: &str, state: &LoginState) -> Result<(), StoreError> {
        let TrustedFile { file, path, .. } = &self.file.opened;
        let written = file.write_all_at(&encode(&state.failures), self.file.offset_of(user));
        written.map_err(|error| StoreError::io(path, "write", error))?;
        file.sync_data().map_err(|error| StoreError::io(path, "sync", error))
    }
}

fn key_in(header: &[u8]) -> Option<DrawKey> {
    let mut reader = Reader::new(checked(header)?);
    let known = reader.array()? == *MAGIC && reader.u16()? == VERSION;
    known.then_some(())?;
    Some(DrawKey(reader.array()?))
}

/// Nobody logs in under such a name, so every source is a stranger's, and one count for all chains is enough.
fn encode(failures: &FailureCounts) -> Vec<u8> {
    let FailureCounts { strangers, fillers, .. } = failures;
    let small = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let mut writer = Writer::default();
    writer.u64(strangers.draw);
    for lane in [strangers, fillers] {
        writer.u64(lane.last_at.seconds()).u32(u32::try_from(lane.day).unwrap_or(u32::MAX));
        writer.u16(small(lane.today)).u16(small(lane.failures()));
    }
    writer.u32(strangers.recovery).bytes(&[0; 16]);
    sealed(writer)
}

fn decode(bytes: &[u8]) -> Option<FailureCounts> {
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
    Some(FailureCounts { strangers, fillers, known: Vec::new() })
}

/// What was written, with its checksum behind it.
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
