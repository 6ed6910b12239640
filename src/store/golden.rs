//! The golden files in `tests/golden`. Programs apart from this one wrote them from `docs/file-formats.md`, so what is
//! read and written here agrees with the page on every machine.
//!
//! They never change. A later format gets files of its own, and these stay readable or are refused by version.

use std::path::Path;

use super::decoys::bucket_of;
use super::owner::Owner;
use super::secret_file;
use super::slot::{Content, InvalidSlot, SLOT_BYTES, decode, encode};
use crate::verifier::chain::AnsweredBy;
use crate::verifier::credential::CredentialId;
use crate::verifier::draw::DrawSeed;
use crate::verifier::failures::{DayCount, FailureCounts, Failures, KnownSource, SourceKey};
use crate::verifier::login_state::{DrawKey, LoginState, RecoveryMarks, ReplayMark};
use crate::verifier::past_outcome::{NameKey, OutcomeNumber, PastOutcome};
use crate::verifier::policy::FactorId;
use crate::verifier::record::UserRecord;
use crate::verifier::recovery::{BypassCode, RecoveryCode, RecoveryHash};
use crate::verifier::request::Request;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;
use crate::verifier::verdict::Refusal;

const SECRET: &[u8] = include_bytes!("../../tests/golden/secret-alice.toml");
const SECRET_2: &[u8] = include_bytes!("../../tests/golden/secret-alice-2.toml");
const STATE: &[u8] = include_bytes!("../../tests/golden/state-alice");
const DECOYS: &[u8] = include_bytes!("../../tests/golden/decoys-3b");
const STATE_2: &[u8] = include_bytes!("../../tests/golden/state-alice-2");
const DECOYS_2: &[u8] = include_bytes!("../../tests/golden/decoys-3b-2");

/// What stands where in the newer slot of `state-alice-2`, byte by byte.
const STATE_BYTES: [(&str, usize, &[u8]); 26] = [
    ("magic", 0, b"MFACHAIN"),
    ("version", 8, &[2, 0]),
    ("kind", 10, &[1, 0]),
    ("length", 12, &[0x96, 1, 0, 0]),
    ("sequence", 16, &[9, 7, 6, 5, 4, 3, 2, 1]),
    ("flags", 32, &[0; 4]),
    ("attempt", 36, &[0x19, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]),
    ("draw key, its first bytes", 44, &[0x40, 0x41, 0x42, 0x43]),
    ("failures of strangers", 76, &[3, 0, 0, 0]),
    ("the last one", 80, &[0x81, 0x3b, 0xb1, 0x6a, 0, 0, 0, 0]),
    ("day", 88, &[0xed, 0x50, 0, 0, 0, 0, 0, 0]),
    ("failures of that day", 96, &[3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0]),
    ("number of known sources", 108, &[2, 0]),
    ("key of the first known source", 110, &[0x60, 0x25, 0x3b, 0x98, 0x7a, 0x18, 0x47, 0x8c]),
    ("failures from the second one", 154, &[1, 0, 0, 0]),
    ("recovery set", 182, &[0x53, 0x48, 0x7d, 0x2b, 0x6a, 0x0e, 0x1f, 0x9c]),
    ("used recovery codes", 190, &[2, 0, 0, 0, 0, 0, 0, 0]),
    ("salt of the bypass code", 206, &[0x70, 0x71, 0x72, 0x73]),
    ("number of replay marks", 278, &[2, 0]),
    ("name of the first credential", 280, &[0xe7, 0x84, 0xb4, 0xb9, 0xe3, 0x26, 0x35, 0x42]),
    ("its next counter", 288, &[42, 0, 0, 0, 0, 0, 0, 0]),
    ("its flags", 304, &[1, 0, 0, 0]),
    ("number of outcomes", 336, &[2, 0]),
    ("step, steps and outcome of the first", 378, &[1, 2, 0, 0, 2, 0]),
    ("of the second", 424, &[2, 2, 10, 0, 4, 0]),
    ("zeros to the checksum", 430, &[0; CHECKSUM_AT - 430]),
];
const CHECKSUM_AT: usize = SLOT_BYTES - 4;

#[test]
fn the_golden_state_holds_each_field_at_its_documented_byte() {
    let (_, newer) = STATE_2.split_at(SLOT_BYTES);
    for (field, at, expected) in STATE_BYTES {
        assert_eq!(&newer[at..][..expected.len()], expected, "{field} at byte {at}");
    }
    assert_eq!(decode(newer, &own()), Ok((Content::User(Box::new(state())), 0x0102_0304_0506_0709)));
}

#[test]
fn golden_slots_are_written_again_byte_for_byte() {
    for (name, file, owner) in [("state-alice-2", STATE_2, own()), ("decoys-3b-2", DECOYS_2, table_3b())] {
        assert_eq!(file.len(), 2 * SLOT_BYTES, "{name}");
        for slot in file.chunks_exact(SLOT_BYTES) {
            let (content, sequence) = decode(slot, &owner).expect(name);
            assert_eq!(encode(&content, &owner, sequence).expect(name).as_slice(), slot, "{name}");
        }
    }
}

#[test]
fn golden_slots_of_another_owner_are_refused() {
    let bob = Owner::User(Username::parse("bob").expect("a name"));
    for owner in [bob.clone(), table_3b()] {
        assert_eq!(decode(&STATE_2[..SLOT_BYTES], &owner), Err(InvalidSlot::Owner), "{owner:?}");
    }
    for owner in [own(), Owner::Nobody("3c".to_owned())] {
        assert_eq!(decode(&DECOYS_2[..SLOT_BYTES], &owner), Err(InvalidSlot::Owner), "{owner:?}");
    }
    assert_eq!(decode(&DECOYS[..SLOT_BYTES], &own()), Err(InvalidSlot::Owner), "of another kind");
    assert!(decode(&STATE[..SLOT_BYTES], &bob).is_ok(), "version 1 did not say whose it is");
}

#[test]
fn a_state_of_version_1_is_read_and_becomes_one_of_version_2() {
    let slot = &STATE[SLOT_BYTES..];
    let (content, sequence) = decode(slot, &own()).expect("a state");
    assert_eq!((&content, sequence), (&Content::User(Box::new(state_1())), 0x0102_0304_0506_0709));
    let rewritten = encode(&content, &own(), sequence + 1).expect("it fits");
    assert_eq!(rewritten[8..10], [2, 0]);
    assert_eq!(decode(rewritten.as_slice(), &own()), Ok((content, sequence + 1)));
}

#[test]
fn the_golden_decoys_know_their_names() {
    assert_eq!((bucket_of("mallory"), bucket_of("user39")), ("3b".into(), "3b".into()));
    for file in [DECOYS, DECOYS_2] {
        let (content, sequence) = decode(&file[..SLOT_BYTES], &table_3b()).expect("the newer slot");
        let Content::Decoys(table) = content else { panic!("no table of decoys") };
        assert_eq!(sequence, 513);
        for (name, attempt, failures, last_at) in
            [("user39", 258, 7, 1_790_000_002), ("mallory", 0x0a0b, 1, 1_790_000_003)]
        {
            let state = table.state_of(name);
            let strangers = Failures { count: failures, last_at: UnixTime::from_seconds(last_at) };
            assert_eq!((state.attempt, state.failures.strangers), (attempt, strangers), "{name}");
        }
        assert_eq!(table.state_of("user51").attempt, 0, "of the same table, and not in it");
    }
}

#[test]
fn the_golden_record_is_written_again_byte_for_byte() {
    let path = Path::new("tests/golden/secret-alice-2.toml");
    let record = secret_file::parse(SECRET_2, &alice(), path).expect("a record");
    assert_eq!(record.uid(), Some(1_001));
    assert_eq!(secret_file::render(&record, &alice()).as_bytes(), SECRET_2);
}

#[test]
fn a_record_of_version_1_is_read_and_becomes_one_of_version_2() {
    let record = record();
    assert_eq!(record.uid(), None);
    assert_eq!(secret_file::render(&record.bound_to(Some(1_001)), &alice()).as_bytes(), SECRET_2);
    let version_1 = String::from_utf8(SECRET_2.to_vec()).expect("text").replace("version = 2", "version = 1");
    let refused =
        secret_file::parse(version_1.as_bytes(), &alice(), Path::new("x")).expect_err("no such key");
    assert_eq!(refused.to_string(), "x: version 1 has no key `uid`");
}

/// Marks, sources and recovery hashes are found by keyed hashes, which have to agree too: a code that is
/// marked as used on one machine is used on every other.
#[test]
fn the_golden_state_and_the_golden_record_belong_together() {
    let (record, state) = (record(), state_1());
    let next: Vec<u64> = record.credentials().iter().map(|one| state.next_acceptable(one)).collect();
    assert_eq!(next, [59_666_501, 42]);
    for (place, address) in [(0, "192.0.2.7"), (0, "::ffff:192.0.2.7"), (1, "2001:db8:0:1::5")] {
        let request = Request { rhost: Some(address.to_owned()), ..Request::new("sshd", "alice") };
        let source = SourceKey::of(&request, &state.draw_key);
        assert_eq!(source, state.failures.known[place].key, "{address}");
    }
    let set = record.recovery().expect("recovery codes");
    for (place, code) in [(0, "CAIR-EEYU-CULB-OGAZ-DINR-YHI6"), (1, "7777-7777-7777-7777-7777-77YA")] {
        let (code, kept) = (RecoveryCode::parse(code.as_bytes()).expect(code), set.hashes()[place]);
        assert_eq!(RecoveryHash::of(&code, kept.salt), kept);
    }
    assert_eq!([0, 1].map(|place| state.recovery_code_is_used(set, place)), [false, true]);
}

#[test]
fn the_draw_of_the_golden_state_is_the_same_on_every_machine() {
    let state = state_1();
    let seed = DrawSeed::new(&state.draw_key, "alice", state.attempt, "default");
    assert_eq!(seed.select(8, 8), [3, 2, 7, 4, 6, 1, 0, 5]);
}

fn alice() -> Username {
    Username::parse("alice").expect("a name")
}

fn own() -> Owner {
    Owner::User(alice())
}

fn table_3b() -> Owner {
    Owner::Nobody("3b".to_owned())
}

fn record() -> UserRecord {
    secret_file::parse(SECRET, &alice(), Path::new("tests/golden/secret-alice.toml")).expect("a record")
}

/// What the newer slot of `state-alice` says.
fn state_1() -> LoginState {
    let source = |key, success, count, last| KnownSource {
        key: SourceKey::from_number(key),
        success_at: UnixTime::from_seconds(success),
        failures: Failures { count, last_at: UnixTime::from_seconds(last) },
    };
    let mark = |credential, next, used| ReplayMark {
        credential: CredentialId::from_number(credential),
        next,
        used_at: UnixTime::from_seconds(used),
        by_reset: false,
    };
    LoginState {
        attempt: 0x1112_1314_1516_1719,
        draw_key: DrawKey(*b"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"),
        failures: FailureCounts {
            strangers: Failures { count: 3, last_at: UnixTime::from_seconds(1_790_000_001) },
            known: vec![
                source(0x8c47_187a_983b_2560, 1_789_990_000, 0, 0),
                source(0x0e20_f12e_6e74_bb1b, 1_789_995_000, 1, 1_789_996_000),
            ],
            today: DayCount { day: 20_717, strangers: 3, codes: 4, recovery: 1 },
        },
        last_success: Some(UnixTime::from_seconds(1_789_995_000)),
        marks: vec![
            mark(0x4235_26e3_b9b4_84e7, 42, 1_789_990_000),
            mark(0x5969_cfc3_28aa_2053, 59_666_501, 1_789_995_000),
        ],
        recovery: RecoveryMarks {
            set: 0x9c1f_0e6a_2b7d_4853,
            used: 0b10,
            used_at: Some(UnixTime::from_seconds(1_789_000_000)),
        },
        ..LoginState::default()
    }
}

/// What the newer slot of `state-alice-2` says.
fn state() -> LoginState {
    let mut state = state_1();
    let at = UnixTime::from_seconds;
    state.reset_at = Some(at(1_789_980_000));
    state.marks[0].used_at = at(1_789_980_000);
    state.marks[0].by_reset = true;
    let code = zeroize::Zeroizing::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    let hash = RecoveryHash::of(&RecoveryCode::from_entropy(code), *b"pqrstuvwxyz{|}~\x7f");
    let bypass = BypassCode::new(hash, at(1_789_980_000));
    state.bypass = Some(BypassCode { used_at: Some(at(1_789_995_000)), ..bypass });
    let factor = |id| NameKey::of_factor(&FactorId::parse(id).expect("an id"), &state.draw_key);
    let outcome = |factor, refusal| PastOutcome {
        at: at(1_789_995_000),
        attempt: 0x1112_1314_1516_1718,
        source: SourceKey::from_number(0x0e20_f12e_6e74_bb1b),
        service: NameKey::of_service("sshd", &state.draw_key),
        factor,
        step: 1,
        steps: 2,
        outcome: OutcomeNumber::of(refusal),
        by: AnsweredBy::BypassCode,
        charged: false,
    };
    let since = at(1_789_980_000);
    let refused = PastOutcome {
        at: at(1_789_996_000),
        attempt: state.attempt,
        step: 2,
        by: AnsweredBy::Code,
        charged: true,
        ..outcome(factor("token"), Some(Refusal::Voided { since, until: None }))
    };
    let outcomes = vec![outcome(factor("phone"), None), refused];
    LoginState { outcomes, ..state }
}
