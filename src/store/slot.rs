//! One slot of a state file, 4 KiB, fixed little-endian layout (`docs/file-formats.md`).
//!
//! ```text
//!    0  magic "MFACHAIN"
//!    8  u16 version = 1
//!   10  u16 kind: 1 = a user's login state, 2 = a table of decoys
//!   12  u32 length of the payload
//!   16  u64 sequence: the valid slot with the higher one counts
//!   24  payload, then zeros
//! 4092  u32 CRC-32C of bytes 0 to 4091
//! ```

use super::decoys::DecoyTable;
use super::layout::{Reader, Writer};
use crate::verifier::credential::CredentialId;
use crate::verifier::failures::{DayCount, FailureCounts, Failures, KnownSource, SourceKey};
use crate::verifier::login_state::{DrawKey, LoginState, RecoveryMarks, ReplayMark};
use crate::verifier::time::UnixTime;

/// The size of a slot. Two of them make a state file.
pub const SLOT_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"MFACHAIN";
const VERSION: u16 = 1;
const PAYLOAD_AT: usize = 24;
const CHECKSUM_AT: usize = SLOT_BYTES - 4;

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The login state of one user.
    User(LoginState),
    /// The states of names that nobody enrolled.
    Decoys(DecoyTable),
}

/// Why bytes are no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSlot {
    /// Its checksum or magic number is wrong: never written whole.
    Damaged,
    /// A later version wrote it.
    Version(u16),
    /// Its checksum is right, but its content is not.
    Content,
}

/// Encodes `content` under `sequence`. `None` if it doesn't fit, which its own limits rule out.
#[must_use]
pub fn encode(content: &Content, sequence: u64) -> Option<Box<[u8; SLOT_BYTES]>> {
    let (kind, payload) = match content {
        Content::User(state) => (1_u16, encode_user(state)?),
        Content::Decoys(table) => (2_u16, table.encode()?),
    };
    let mut writer = Writer::default();
    writer.bytes(MAGIC).u16(VERSION).u16(kind).u32(u32::try_from(payload.len()).ok()?).u64(sequence);
    writer.bytes(&payload);
    let mut bytes = writer.into_bytes();
    if bytes.len() > CHECKSUM_AT {
        return None;
    }
    bytes.resize(CHECKSUM_AT, 0);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.into_boxed_slice().try_into().ok()
}

/// Decodes a slot: its content and its sequence number.
///
/// # Errors
///
/// [`InvalidSlot`] for anything that [`encode`] did not make.
pub fn decode(slot: &[u8]) -> Result<(Content, u64), InvalidSlot> {
    let (checked, checksum) = slot.split_at_checked(CHECKSUM_AT).ok_or(InvalidSlot::Damaged)?;
    if checked.get(..MAGIC.len()) != Some(MAGIC) || checksum != crc32c::crc32c(checked).to_le_bytes() {
        return Err(InvalidSlot::Damaged);
    }
    let mut header = Reader::new(checked.get(MAGIC.len()..).unwrap_or_default());
    let version = header.u16().ok_or(InvalidSlot::Content)?;
    if version != VERSION {
        return Err(InvalidSlot::Version(version));
    }
    decode_payload(&mut header, checked).ok_or(InvalidSlot::Content)
}

fn decode_payload(header: &mut Reader<'_>, checked: &[u8]) -> Option<(Content, u64)> {
    let kind = header.u16()?;
    let length = usize::try_from(header.u32()?).ok()?;
    let sequence = header.u64()?;
    let mut payload = Reader::new(checked.get(PAYLOAD_AT..)?.get(..length)?);
    let content = match kind {
        1 => Content::User(decode_user(&mut payload)?),
        2 => Content::Decoys(DecoyTable::decode(&mut payload)?),
        _ => return None,
    };
    payload.is_empty().then_some((content, sequence))
}

fn encode_user(state: &LoginState) -> Option<Vec<u8>> {
    if state.marks.len() > LoginState::MAX_MARKS {
        return None;
    }
    let mut writer = Writer::default();
    writer.u64(state.attempt).bytes(&state.draw_key.0);
    encode_failures(&mut writer, &state.failures)?;
    writer.time(state.last_success);
    writer.u64(state.recovery.set).u64(state.recovery.used).time(state.recovery.used_at);
    writer.u16(u16::try_from(state.marks.len()).ok()?);
    for mark in &state.marks {
        writer.u64(mark.credential.to_number()).u64(mark.next).u64(mark.used_at.seconds());
    }
    Some(writer.into_bytes())
}

fn encode_failures(writer: &mut Writer, failures: &FailureCounts) -> Option<()> {
    if failures.known.len() > FailureCounts::MAX_KNOWN {
        return None;
    }
    let FailureCounts { strangers, known, today } = failures;
    writer.u32(strangers.count).u64(strangers.last_at.seconds());
    writer.u64(today.day).u32(today.strangers).u32(today.codes).u32(today.recovery);
    writer.u16(u16::try_from(known.len()).ok()?);
    for source in known {
        writer.u64(source.key.to_number()).u64(source.success_at.seconds());
        writer.u32(source.failures.count).u64(source.failures.last_at.seconds());
    }
    Some(())
}

fn decode_failures(reader: &mut Reader<'_>) -> Option<FailureCounts> {
    let strangers = Failures { count: reader.u32()?, last_at: UnixTime::from_seconds(reader.u64()?) };
    let today = DayCount {
        day: reader.u64()?,
        strangers: reader.u32()?,
        codes: reader.u32()?,
        recovery: reader.u32()?,
    };
    let count = usize::from(reader.u16()?);
    if count > FailureCounts::MAX_KNOWN {
        return None;
    }
    let mut known = Vec::with_capacity(count);
    for _ in 0..count {
        known.push(KnownSource {
            key: SourceKey::from_number(reader.u64()?),
            success_at: UnixTime::from_seconds(reader.u64()?),
            failures: Failures { count: reader.u32()?, last_at: UnixTime::from_seconds(reader.u64()?) },
        });
    }
    Some(FailureCounts { strangers, known, today })
}

fn decode_user(reader: &mut Reader<'_>) -> Option<LoginState> {
    let attempt = reader.u64()?;
    let draw_key = DrawKey(reader.array()?);
    let failures = decode_failures(reader)?;
    let last_success = reader.time()?;
    let recovery = RecoveryMarks { set: reader.u64()?, used: reader.u64()?, used_at: reader.time()? };
    let count = usize::from(reader.u16()?);
    if count > LoginState::MAX_MARKS {
        return None;
    }
    let mut marks = Vec::with_capacity(count);
    for _ in 0..count {
        marks.push(ReplayMark {
            credential: CredentialId::from_number(reader.u64()?),
            next: reader.u64()?,
            used_at: UnixTime::from_seconds(reader.u64()?),
        });
    }
    Some(LoginState { attempt, draw_key, failures, last_success, marks, recovery })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failures() -> impl Strategy<Value = FailureCounts> {
        let one = || {
            any::<(u32, u64)>()
                .prop_map(|(count, at)| Failures { count, last_at: UnixTime::from_seconds(at) })
        };
        let known = (any::<u64>(), one(), any::<u64>()).prop_map(|(key, failures, at)| KnownSource {
            key: SourceKey::from_number(key),
            failures,
            success_at: UnixTime::from_seconds(at),
        });
        let known = proptest::collection::vec(known, 0..=FailureCounts::MAX_KNOWN);
        let today = any::<(u64, u32, u32, u32)>().prop_map(|(day, strangers, codes, recovery)| DayCount {
            day,
            strangers,
            codes,
            recovery,
        });
        (one(), known, today).prop_map(|(strangers, known, today)| FailureCounts { strangers, known, today })
    }

    fn state() -> impl Strategy<Value = LoginState> {
        let time = || (1_u64..=u64::MAX).prop_map(UnixTime::from_seconds);
        let mark = (any::<u64>(), any::<u64>(), time()).prop_map(|(credential, next, used_at)| ReplayMark {
            credential: CredentialId::from_number(credential),
            next,
            used_at,
        });
        (
            any::<(u64, [u8; 32])>(),
            failures(),
            proptest::option::of(time()),
            proptest::collection::vec(mark, 0..=LoginState::MAX_MARKS),
            (any::<u64>(), any::<u64>(), proptest::option::of(time())),
        )
            .prop_map(|((attempt, key), failures, last_success, marks, (set, used, used_at))| {
                LoginState {
                    attempt,
                    draw_key: DrawKey(key),
                    failures,
                    last_success,
                    marks,
                    recovery: RecoveryMarks { set, used, used_at },
                }
            })
    }

    proptest! {
        #[test]
        fn a_state_reads_back_as_it_was_written(state in state(), sequence in any::<u64>()) {
            let content = Content::User(state);
            let slot = encode(&content, sequence).expect("it fits");
            prop_assert_eq!(decode(slot.as_slice()), Ok((content, sequence)));
        }

        #[test]
        fn no_changed_byte_goes_unnoticed(state in state(), place in 0..SLOT_BYTES, flip in 1_u8..) {
            let mut slot = encode(&Content::User(state), 1).expect("it fits");
            slot[place] ^= flip;
            prop_assert!(decode(slot.as_slice()).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), SLOT_BYTES), header in any::<bool>()) {
            if header {
                bytes[..8].copy_from_slice(MAGIC);
                bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
                let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
                bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
            }
            let _ = decode(&bytes);
        }
    }

    /// A slot of version 1, field by field.
    const FIELDS: [(&str, &str); 13] = [
        ("magic", "4d4641434841494e"),
        ("version", "0100"),
        ("kind", "0100"),
        ("length", "a0000000"),
        ("sequence", "0900000000000000"),
        ("attempt", "0807060504030201"),
        ("draw key", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("failures of strangers, the last one", "030000001111000000000000"),
        ("today: day, strangers, codes, recovery", "aaaa000000000000040000000500000006000000"),
        (
            "one known source: key, success, failures, the last one",
            "010077770000000000008888000000000000020000009999000000000000",
        ),
        ("last success", "2222000000000000"),
        ("recovery: set, used, used at", "666600000000000005000000000000000000000000000000"),
        ("one mark: credential, next, used at", "0100333300000000000044440000000000005555000000000000"),
    ];

    /// The bytes of version 1. A change of this test is a change of the format.
    #[test]
    fn the_format_of_version_1_is_little_endian_and_fixed() {
        let state = LoginState {
            attempt: 0x0102_0304_0506_0708,
            draw_key: DrawKey([0xaa; 32]),
            failures: FailureCounts {
                strangers: Failures { count: 3, last_at: UnixTime::from_seconds(0x1111) },
                known: vec![KnownSource {
                    key: SourceKey::from_number(0x7777),
                    success_at: UnixTime::from_seconds(0x8888),
                    failures: Failures { count: 2, last_at: UnixTime::from_seconds(0x9999) },
                }],
                today: DayCount { day: 0xaaaa, strangers: 4, codes: 5, recovery: 6 },
            },
            last_success: Some(UnixTime::from_seconds(0x2222)),
            marks: vec![ReplayMark {
                credential: CredentialId::from_number(0x3333),
                next: 0x4444,
                used_at: UnixTime::from_seconds(0x5555),
            }],
            recovery: RecoveryMarks { set: 0x6666, used: 0b101, used_at: None },
        };
        let slot = encode(&Content::User(state), 9).expect("it fits");
        let mut place = 0;
        for (field, expected) in FIELDS {
            let end = place + expected.len() / 2;
            assert_eq!(
                data_encoding::HEXLOWER.encode(&slot[place..end]),
                expected,
                "{field} at byte {place}"
            );
            place = end;
        }
        assert!(slot[place..CHECKSUM_AT].iter().all(|byte| *byte == 0));
        assert_eq!(data_encoding::HEXLOWER.encode(&slot[CHECKSUM_AT..]), "02462d8e");
    }
}
