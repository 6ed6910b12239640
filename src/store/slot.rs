//! One slot of a state file, 4 KiB, fixed little-endian layout (`docs/file-formats.md`).
//!
//! ```text
//!    0  magic "MFACHAIN"
//!    8  u16 version = 2
//!   10  u16 kind: 1 = a user's login state
//!   12  u32 length of the payload
//!   16  u64 sequence: the valid slot with the higher one counts
//!   24  payload, then zeros
//! 4092  u32 CRC-32C of bytes 0 to 4091
//! ```
//!
//! The payload begins with whose it is, so that a copy of another file is never taken for one's own: it would not know
//! which codes are used. Version 1 had no such field. It is read, and the next judgement or command writes version 2.

mod user_state;

use super::layout::{Reader, Writer};
use super::owner::Owner;
use crate::verifier::login_state::LoginState;

/// The size of a slot. Two of them make a state file.
pub const SLOT_BYTES: usize = 4096;
/// The version that is written; it and all before it are read.
pub const VERSION: u16 = 2;
const MAGIC: &[u8; 8] = b"MFACHAIN";
const KIND: u16 = 1;
const PAYLOAD_AT: usize = 24;
const CHECKSUM_AT: usize = SLOT_BYTES - 4;

/// Why bytes are no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSlot {
    /// Its checksum or magic number is wrong: never written whole.
    Damaged,
    /// A later version wrote it.
    Version(u16),
    /// Its checksum is right, but its content is not.
    Content,
    /// It was written for another user or table.
    Owner,
}

/// Encodes `state` of `owner` under `sequence`. `None` if it doesn't fit, which its own limits rule out.
#[must_use]
pub fn encode(state: &LoginState, owner: &Owner, sequence: u64) -> Option<Box<[u8; SLOT_BYTES]>> {
    let mut payload = Writer::default();
    payload.u64(owner.mark(&state.draw_key));
    user_state::encode(&mut payload, state)?;
    let payload = payload.into_bytes();
    let mut writer = Writer::default();
    let length = u32::try_from(payload.len()).ok()?;
    writer.bytes(MAGIC).u16(VERSION).u16(KIND).u32(length).u64(sequence).bytes(&payload);
    let mut bytes = writer.into_bytes();
    if bytes.len() > CHECKSUM_AT {
        return None;
    }
    bytes.resize(CHECKSUM_AT, 0);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.into_boxed_slice().try_into().ok()
}

/// Decodes a slot of `owner`: its content and its sequence number.
///
/// # Errors
///
/// [`InvalidSlot`] for anything that [`encode`] of this version or one before did not make for `owner`.
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
    // Version 1 had tables of decoys of the same form.
    if header.u16() != Some(KIND) {
        return Err(InvalidSlot::Owner);
    }
    let decoded = decode_payload(&mut header, checked, version).ok_or(InvalidSlot::Content)?;
    let is_owners = decoded.mark.is_none_or(|mark| mark == owner.mark(&decoded.state.draw_key));
    if is_owners { Ok((decoded.state, decoded.sequence)) } else { Err(InvalidSlot::Owner) }
}

struct Decoded {
    /// Whose it says that it is; version 1 did not say.
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
