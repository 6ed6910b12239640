//! Tests with the golden files in `tests/golden`. Other programs wrote these files from `docs/file-formats.md`. The
//! tests therefore show that this code reads and writes what the page says, on every machine.
//!
//! The golden files never change. A later format gets its own files; the code then still reads these or refuses their
//! version.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::decoys::{DECOY_STATES, DecoyFile};
use super::owner::Owner;
use super::secret_file;
use super::slot::{InvalidSlot, SLOT_BYTES, decode, encode};
use super::trusted::TrustedDir;
use crate::verifier::attempt_id::AttemptId;
use crate::verifier::chain::DrawSeed;
use crate::verifier::enrollment::{CredentialId, UserRecord};
use crate::verifier::otp::{AnsweredBy, BypassCode, RecoveryCode, RecoveryHash, keyed_number};
use crate::verifier::policy::FactorId;
use crate::verifier::reason::Refusal;
use crate::verifier::request::Request;
use crate::verifier::state::{
    ChainFailures, ChainMark, DrawKey, FailureCounts, KnownSource, Lane, LoginState, NameKey, OutcomeNumber,
    PastOutcome, RecoveryMarks, ReplayMark, SourceKey,
};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

const SECRET: &[u8] = include_bytes!("../../tests/golden/secret-alice.toml");
const SECRET_2: &[u8] = include_bytes!("../../tests/golden/secret-alice-2.toml");
const STATE: &[u8] = include_bytes!("../../tests/golden/state-alice");
const TABLE: &[u8] = include_bytes!("../../tests/golden/decoys-3b");
const STATE_2: &[u8] = include_bytes!("../../tests/golden/state-alice-2");
const DECOYS: &[u8] = include_bytes!("../../tests/golden/decoys");

/// The fields of the newer slot of `state-alice-2`, byte by byte.
const STATE_BYTES: [(&str, usize, &[u8]); 29] = [
    ("magic", 0, b"MFACHAIN"),
    ("version", 8, &[2, 0]),
    ("kind", 10, &[1, 0]),
    ("length", 12, &[0xfe, 1, 0, 0]),
    ("sequence", 16, &[9, 7, 6, 5, 4, 3, 2, 1]),
    ("flags", 32, &[0; 4]),
    ("draw key, its first bytes", 36, &[0x40, 0x41, 0x42, 0x43]),
    ("draw of strangers", 68, &[0x19, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]),
    ("their last failure", 76, &[0x81, 0x3b, 0xb1, 0x6a, 0, 0, 0, 0]),
    ("day, today, forgiven, recovery", 84, &[0xed, 0x50, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]),
    ("number of chains", 96, &[2, 0]),
    ("bits and failures of the first", 106, &[36, 0, 3, 0]),
    ("failures of fillers", 160, &[36, 0, 2, 0]),
    ("number of known sources", 164, &[2, 0]),
    ("key of the first known source", 166, &[0x60, 0x25, 0x3b, 0x98, 0x7a, 0x18, 0x47, 0x8c]),
    ("its draw", 182, &[5, 0, 0, 0, 0, 0, 0, 0]),
    ("today, forgiven, recovery of the second", 248, &[4, 0, 3, 0, 2, 0, 0, 0]),
    ("recovery set", 286, &[0x53, 0x48, 0x7d, 0x2b, 0x6a, 0x0e, 0x1f, 0x9c]),
    ("used recovery codes", 294, &[2, 0, 0, 0, 0, 0, 0, 0]),
    ("salt of the bypass code", 310, &[0x70, 0x71, 0x72, 0x73]),
    ("number of replay marks", 382, &[2, 0]),
    ("name of the first credential", 384, &[0xe7, 0x84, 0xb4, 0xb9, 0xe3, 0x26, 0x35, 0x42]),
    ("its next counter", 392, &[42, 0, 0, 0, 0, 0, 0, 0]),
    ("its flags", 408, &[1, 0, 0, 0]),
    ("number of outcomes", 440, &[2, 0]),
    ("step, steps and outcome of the first", 482, &[1, 2, 0, 0]),
    ("its flags", 486, &[2, 0]),
    ("step, steps, outcome and flags of the second", 528, &[2, 2, 10, 0, 4, 0]),
    ("zeros to the checksum", 534, &[0; CHECKSUM_AT - 534]),
];
const CHECKSUM_AT: usize = SLOT_BYTES - 4;

#[test]
fn the_golden_state_holds_each_field_at_its_documented_byte() {
    let (_, newer) = STATE_2.split_at(SLOT_BYTES);
    for (field, at, expected) in STATE_BYTES {
        assert_eq!(&newer[at..][..expected.len()], expected, "{field} at byte {at}");
    }
    assert_eq!(decode(newer, &own()), Ok((state(), 0x0102_0304_0506_0709)));
}

#[test]
fn golden_slots_are_written_again_byte_for_byte() {
    assert_eq!(STATE_2.len(), 2 * SLOT_BYTES);
    for slot in STATE_2.chunks_exact(SLOT_BYTES) {
        let (state, sequence) = decode(slot, &own()).expect("a state");
        assert_eq!(encode(&state, &own(), sequence).expect("it fits").as_slice(), slot);
    }
}

#[test]
fn golden_slots_of_another_owner_are_refused() {
    let bob = Owner(Username::parse("bob").expect("a name"));
    assert_eq!(decode(&STATE_2[..SLOT_BYTES], &bob), Err(InvalidSlot::Owner));
    assert_eq!(decode(&TABLE[..SLOT_BYTES], &own()), Err(InvalidSlot::Owner), "of another kind");
    assert!(decode(&STATE[..SLOT_BYTES], &bob).is_ok(), "version 1 did not say whose it is");
}

#[test]
fn a_state_of_version_1_is_read_and_becomes_one_of_version_2() {
    let slot = &STATE[SLOT_BYTES..];
    let (state, sequence) = decode(slot, &own()).expect("a state");
    assert_eq!((&state, sequence), (&state_1(), 0x0102_0304_0506_0709));
    let rewritten = encode(&state, &own(), sequence + 1).expect("it fits");
    assert_eq!(rewritten[8..10], [2, 0]);
    assert_eq!(decode(rewritten.as_slice(), &own()), Ok((state, sequence + 1)));
}

#[test]
fn the_golden_decoys_know_their_names() {
    let folder = tempfile::TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("decoys")).expect("a folder");
    for path in ["", "decoys"] {
        fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(0o700)).expect("chmod");
    }
    let path = folder.path().join(DECOY_STATES);
    fs::write(&path, DECOYS).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    let dir = TrustedDir::open(folder.path()).expect("a folder");
    let decoys = || DecoyFile::open(&dir).expect("decoys");
    let state = decoys().state_of("mallory").expect("a state");
    let (strangers, fillers) = (state.failures.strangers.clone(), state.failures.fillers.clone());
    assert_eq!(
        (strangers.draw, strangers.failures(), strangers.today, strangers.recovery),
        (0x0a0b, 9, 7, 5)
    );
    assert_eq!((strangers.day, strangers.last_at), (20_717, UnixTime::from_seconds(1_790_000_003)));
    assert_eq!((fillers.failures(), fillers.today, fillers.day), (2, 1, 20_717));
    assert_eq!(decoys().state_of("somebody").expect("a state").failures, FailureCounts::default());
    decoys().lock(&dir, "mallory").expect("a lock").commit(&state).expect("written");
    assert_eq!(fs::read(&path).expect("the file"), DECOYS, "written again byte for byte");
}

#[test]
fn the_golden_record_is_written_again_byte_for_byte() {
    let path = Path::new("tests/golden/secret-alice-2.toml");
    let record = secret_file::parse(SECRET_2, &alice(), path, |_| Ok(false)).expect("a record");
    assert_eq!(record.uid(), Some(1_001));
    assert_eq!(secret_file::render(&record, &alice()).as_bytes(), SECRET_2);
}

#[test]
fn a_record_of_version_1_is_read_and_becomes_one_of_version_2() {
    let record = record();
    assert_eq!(record.uid(), None);
    assert_eq!(secret_file::render(&record.bound_to(Some(1_001)), &alice()).as_bytes(), SECRET_2);
    let version_1 = String::from_utf8(SECRET_2.to_vec()).expect("text").replace("version = 2", "version = 1");
    let refused = secret_file::parse(version_1.as_bytes(), &alice(), Path::new("x"), |_| Ok(false))
        .expect_err("no such key");
    assert_eq!(refused.to_string(), "x: version 1 has no key `uid`");
}

/// Keyed hashes identify marks, sources and recovery codes. They must be the same on all machines, so that a code that
/// one machine marks as used is used on every other.
#[test]
fn the_golden_state_and_the_golden_record_belong_together() {
    let (record, state) = (record(), state_1());
    let next: Vec<u64> = record.credentials().iter().map(|one| state.next_acceptable(one)).collect();
    assert_eq!(next, [59_666_501, 42]);
    for (place, address) in [(0, "192.0.2.7"), (0, "::ffff:192.0.2.7"), (1, "2001:db8:0:1::5")] {
        let request = Request { rhost: Some(address.to_owned()), ..Request::local("sshd", "alice") };
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
    let state = state();
    let select = |draw| DrawSeed::new(&state.draw_key, "alice", draw, "default").select(8, 8);
    assert_eq!(select((0, state.failures.strangers.draw)), [1, 0, 6, 3, 4, 5, 7, 2]);
    let home = state.failures.known[1].clone();
    assert_eq!(select((home.key.to_number(), home.lane.draw)), [7, 1, 3, 4, 0, 5, 2, 6]);
}

fn alice() -> Username {
    Username::parse("alice").expect("a name")
}

fn own() -> Owner {
    Owner(alice())
}

fn record() -> UserRecord {
    secret_file::parse(SECRET, &alice(), Path::new("tests/golden/secret-alice.toml"), |_| Ok(false))
        .expect("a record")
}

/// The content of the newer slot of `state-alice`.
fn state_1() -> LoginState {
    let mark = |credential, next, used| ReplayMark {
        credential: CredentialId::from_number(credential),
        next,
        used_at: at(used),
        by_reset: false,
    };
    LoginState {
        draw_key: DrawKey(*b"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"),
        failures: failures_1(),
        last_success: Some(at(1_789_995_000)),
        marks: vec![
            mark(0x4235_26e3_b9b4_84e7, 42, 1_789_990_000),
            mark(0x5969_cfc3_28aa_2053, 59_666_501, 1_789_995_000),
        ],
        recovery: RecoveryMarks { set: 0x9c1f_0e6a_2b7d_4853, used: 0b10, used_at: Some(at(1_789_000_000)) },
        ..LoginState::default()
    }
}

fn failures_1() -> FailureCounts {
    let lane = |count, last, hardness| Lane {
        chains: if count == 0 { Vec::new() } else { vec![failures(0, hardness, count)] },
        last_at: at(last),
        day: 20_717,
        ..Lane::default()
    };
    let source =
        |key, success, lane| KnownSource { key: SourceKey::from_number(key), success_at: at(success), lane };
    let strangers = lane(3, 1_790_000_001, u8::MAX);
    FailureCounts {
        strangers: Lane { draw: 0x1112_1314_1516_1719, today: 3, recovery: 1, ..strangers },
        fillers: Lane::default(),
        known: vec![
            source(0x8c47_187a_983b_2560, 1_789_990_000, lane(0, 0, 0)),
            source(0x0e20_f12e_6e74_bb1b, 1_789_995_000, lane(1, 1_789_996_000, 0)),
        ],
    }
}

/// The content of the newer slot of `state-alice-2`.
fn state() -> LoginState {
    let mut state = state_1();
    let chain = |name: &str| keyed_number(&state.draw_key.0, &[b"chain ", name.as_bytes()]);
    let (default, admins) = (chain("default"), chain("admins"));
    let FailureCounts { strangers, fillers, known } = &mut state.failures;
    strangers.chains = vec![failures(default, 36, 3), failures(admins, 54, 1)];
    let (chains, last_at) = (vec![failures(default, 36, 2)], at(1_790_000_002));
    *fillers = Lane { chains, last_at, day: 20_717, today: 2, ..Lane::default() };
    known[0].lane.draw = 5;
    let second = &mut known[1].lane;
    (second.draw, second.today, second.forgiven, second.recovery) = (7, 4, 3, 2);
    second.chains = vec![failures(default, 36, 1)];
    state.reset_at = Some(at(1_789_980_000));
    state.marks[0].used_at = at(1_789_980_000);
    state.marks[0].by_reset = true;
    let code = zeroize::Zeroizing::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    let hash = RecoveryHash::of(&RecoveryCode::from_entropy(code), *b"pqrstuvwxyz{|}~\x7f");
    let bypass = BypassCode::new(hash, at(1_789_980_000));
    state.bypass = Some(BypassCode { used_at: Some(at(1_789_995_000)), ..bypass });
    state.outcomes = outcomes(&state.draw_key);
    state
}

fn outcomes(key: &DrawKey) -> Vec<PastOutcome> {
    let factor = |id| NameKey::of_factor(&FactorId::parse(id).expect("an id"), key);
    let accepted = PastOutcome {
        at: at(1_789_995_000),
        attempt: AttemptId::from_number(0x1112_1314_1516_1718),
        source: SourceKey::from_number(0x0e20_f12e_6e74_bb1b),
        service: NameKey::of_service("sshd", key),
        factor: factor("phone"),
        step: 1,
        steps: 2,
        outcome: OutcomeNumber::of(None),
        by: AnsweredBy::BypassCode,
        charged: false,
    };
    let voided = Refusal::Voided { since: at(1_789_980_000), until: None };
    let refused = PastOutcome {
        at: at(1_789_996_000),
        attempt: AttemptId::from_number(0x1112_1314_1516_1719),
        factor: factor("token"),
        step: 2,
        outcome: OutcomeNumber::of(Some(voided)),
        by: AnsweredBy::Code,
        charged: true,
        ..accepted
    };
    vec![accepted, refused]
}

const fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn failures(key: u64, hardness: u8, count: u32) -> ChainFailures {
    ChainFailures { chain: ChainMark { key, hardness }, count }
}
