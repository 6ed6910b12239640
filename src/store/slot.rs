//! One slot of a state file, 4 KiB, fixed little-endian layout (`docs/file-formats.md`).
//!
//! ```text
//!    0  magic "MFACHAIN"
//!    8  u16 version = 2
//!   10  u16 kind: 1 = a user's login state, 2 = the number of the file that has the state
//!   12  u32 length of the payload
//!   16  u64 sequence: the valid slot with the higher one counts
//!   24  payload, then zeros
//! 4092  u32 CRC-32C of bytes 0 to 4091
//! ```
//!
//! The payload begins with a mark of the owner, so that a login refuses a file copied from another user, which lacks
//! this user's used codes. Version 1 had no such field. Version 1 is still read, and the next judgement or command
//! writes version 2.
//!
//! A file whose only slot is of the second kind replaced a file whose lock was held for too long
//! (`takeover.rs`).

mod user_state;

use super::layout::{Reader, Writer};
use super::owner::Owner;
use crate::verifier::state::{DrawKey, LoginState};

/// The size of a slot. Two of them make a state file.
pub const SLOT_BYTES: usize = 4096;
/// The version that is written. This version and all earlier ones are read.
pub const VERSION: u16 = 2;
const MAGIC: &[u8; 8] = b"MFACHAIN";
const STATE_KIND: u16 = 1;
const UNSETTLED_KIND: u16 = 2;
const PAYLOAD_AT: usize = 24;
const CHECKSUM_AT: usize = SLOT_BYTES - 4;

/// Why bytes are not a valid slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSlot {
    /// Its checksum or magic number is wrong, so the write was cut off.
    Damaged,
    /// A later version wrote it.
    Version(u16),
    /// Its checksum is right, but its content is not.
    Content,
    /// It was written for another user, or it is a table of decoys of version 1.
    Owner,
    /// It is valid and says that the state is in the displaced file of this number.
    Unsettled(u64),
}

/// Encodes `state` of `owner` under `sequence`. `None` if it exceeds the limits of a state or of a slot.
#[must_use]
pub fn encode(state: &LoginState, owner: &Owner, sequence: u64) -> Option<Box<[u8; SLOT_BYTES]>> {
    let mut payload = Writer::default();
    payload.u64(owner.mark(&state.draw_key));
    user_state::encode(&mut payload, state)?;
    sealed(STATE_KIND, sequence, &payload.into_bytes())
}

/// Encodes that the state of `owner`, whose key is `key`, is in the displaced file of `number`. Never `None`.
#[must_use]
pub fn encode_unsettled(owner: &Owner, key: &DrawKey, number: u64) -> Option<Box<[u8; SLOT_BYTES]>> {
    let mut payload = Writer::default();
    payload.u64(owner.mark(key)).bytes(&key.0).u64(number);
    sealed(UNSETTLED_KIND, 0, &payload.into_bytes())
}

fn sealed(kind: u16, sequence: u64, payload: &[u8]) -> Option<Box<[u8; SLOT_BYTES]>> {
    let mut writer = Writer::default();
    let length = u32::try_from(payload.len()).ok()?;
    writer.bytes(MAGIC).u16(VERSION).u16(kind).u32(length).u64(sequence).bytes(payload);
    let mut bytes = writer.into_bytes();
    if bytes.len() > CHECKSUM_AT {
        return None;
    }
    bytes.resize(CHECKSUM_AT, 0);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.into_boxed_slice().try_into().ok()
}

/// Reads the sequence number of an unchecked slot, and whether this program knows its version.
#[must_use]
pub fn claims(slot: &[u8]) -> (u64, bool) {
    let mut header = Reader::new(slot.get(MAGIC.len()..).unwrap_or_default());
    let mut fields = || Some((header.u16()?, header.u16()?, header.u32()?, header.u64()?));
    let Some((version, _, _, sequence)) = fields() else { return (0, true) };
    (sequence, !slot.starts_with(MAGIC) || (1..=VERSION).contains(&version))
}

/// Decodes a slot of `owner`: its content and its sequence number.
///
/// # Errors
///
/// [`InvalidSlot`] for bytes that no [`encode`] of this or an earlier version made for `owner`.
pub fn decode(slot: &[u8], owner: &Owner) -> Result<(LoginState, u64), InvalidSlot> {
    let (checked, checksum) = slot.split_at_checked(CHECKSUM_AT).ok_or(InvalidSlot::Damaged)?;
    if checked.get(..MAGIC.len()) != Some(MAGIC) || checksum != crc32c::crc32c(checked).to_le_bytes() {
        return Err(InvalidSlot::Damaged);
    }
    let mut header = Reader::new(checked.get(MAGIC.len()..).unwrap_or_default());
    let version = header.u16().ok_or(InvalidSlot::Content)?;
    if !(1..=VERSION).contains(&version) {
        return Err(InvalidSlot::Version(version));
    }
    match (header.u16(), version) {
        (Some(STATE_KIND), _) => {}
        (Some(UNSETTLED_KIND), VERSION) => return Err(unsettled(&mut header, owner)),
        // In version 1 tables of decoys had the same layout and another kind.
        _ => return Err(InvalidSlot::Owner),
    }
    let decoded = decode_payload(&mut header, checked, version).ok_or(InvalidSlot::Content)?;
    let is_owners = decoded.mark.is_none_or(|mark| mark == owner.mark(&decoded.state.draw_key));
    if is_owners { Ok((decoded.state, decoded.sequence)) } else { Err(InvalidSlot::Owner) }
}

fn unsettled(header: &mut Reader<'_>, owner: &Owner) -> InvalidSlot {
    let mut fields = || {
        let (_length, _sequence) = (header.u32()?, header.u64()?);
        Some((header.u64()?, DrawKey(header.array()?), header.u64()?))
    };
    match fields() {
        Some((mark, key, number)) if mark == owner.mark(&key) => InvalidSlot::Unsettled(number),
        Some(_) => InvalidSlot::Owner,
        None => InvalidSlot::Content,
    }
}

struct Decoded {
    /// The owner's mark; version 1 had none.
    mark: Option<u64>,
    state: LoginState,
    sequence: u64,
}

fn decode_payload(header: &mut Reader<'_>, checked: &[u8], version: u16) -> Option<Decoded> {
    let length = usize::try_from(header.u32()?).ok()?;
    let sequence = header.u64()?;
    let mut payload = Reader::new(checked.get(PAYLOAD_AT..)?.get(..length)?);
    let (mark, state) = if version == 1 {
        (None, user_state::decode_1(&mut payload)?)
    } else {
        (Some(payload.u64()?), user_state::decode(&mut payload)?)
    };
    payload.is_empty().then_some(Decoded { mark, state, sequence })
}

#[cfg(test)]
mod tests;
