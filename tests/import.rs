//! The plan of an import, and the batch that enrolls it: all of it or nothing.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;
mod scratch_store;

use std::fs;

use mfa_chain::import::{
    Candidate, Complaint, KnownKeys, MovesBy, Place, Planned, Reading, Token, Wishes, csv,
    google_authenticator, migration, oath, otpauth, plan, yubico,
};
use mfa_chain::store::{BatchEntry, BatchError, Replacing, StoreError};
use mfa_chain::verifier::enrollment::{Credential, OtpType, Serial, Subscriber, UserRecord};
use mfa_chain::verifier::otp::{Algorithm, Digits, Period, SharedSecret};
use mfa_chain::verifier::policy::{Factor, FactorId};
use mfa_chain::verifier::time::UnixTime;
use scratch_store::{ScratchStore, name, phone, write_private};
use zeroize::Zeroizing;

const NOW: u64 = 1_790_000_010;
const STEP: u64 = NOW / 30;

fn token(key: u8, moves_by: MovesBy) -> Token {
    Token {
        place: Place::Line(usize::from(key)),
        user: None,
        serial: Some(format!("S-{key}")),
        moves_by,
        algorithm: Algorithm::Sha1,
        digits: Digits::default(),
        secret: SharedSecret::from_bytes(Zeroizing::new(vec![key; 20])).expect("a secret"),
    }
}

fn by_time(last_used: Option<u64>) -> MovesBy {
    MovesBy::Time { period: Period::default(), last_used }
}

fn candidate(user: &str, uid: u32, factor: &str, token: Token) -> Candidate {
    let factor = match token.moves_by {
        MovesBy::Time { .. } => Factor::totp(factor),
        MovesBy::Counter { .. } => Factor::hotp(factor),
    };
    let subscriber = Subscriber { user: name(user), uid: Some(uid) };
    Candidate { token, subscriber, factor: factor.expect("a factor") }
}

fn plan_of(
    candidates: Vec<Candidate>,
    wishes: Wishes,
    record: &UserRecord,
) -> (Vec<Planned>, Vec<Complaint>) {
    let copy = |_: &_| {
        let credentials = record.credentials().iter().map(|it| Credential {
            first: it.first,
            ..engine_fixture::totp(b"12345678901234567890", Algorithm::Sha1, 6, 30)
        });
        let record = UserRecord::new(credentials.collect(), None).expect("a record");
        Ok::<_, StoreError>(record.bound_to(Some(7)))
    };
    plan(candidates, KnownKeys::default(), wishes, copy).expect("planned")
}

const WISHES: Wishes = Wishes { replace: false, counter: None, now: UnixTime::from_seconds(NOW) };

#[test]
fn codes_that_the_old_system_may_have_taken_are_used() {
    for (moves_by, wished, first, awaits_resync) in [
        (by_time(None), None, STEP + 1, false),
        (by_time(Some(STEP - 9)), None, STEP + 1, false),
        (by_time(Some(STEP + 3)), None, STEP + 4, false),
        (MovesBy::Counter { next: Some(41) }, None, 41, false),
        (MovesBy::Counter { next: Some(41) }, Some(7), 41, false),
        (MovesBy::Counter { next: None }, Some(7), 7, false),
        (MovesBy::Counter { next: None }, None, 0, true),
    ] {
        let wishes = Wishes { counter: wished, ..WISHES };
        let one = candidate("alice", 7, "new", token(1, moves_by));
        let (planned, complaints) = plan_of(vec![one], wishes, &UserRecord::default());
        assert_eq!(complaints, [], "{moves_by:?}");
        let credential = &planned.first().expect("planned").credential;
        assert_eq!((credential.first, credential.awaits_resync), (first, awaits_resync), "{moves_by:?}");
        assert_eq!(credential.serial.as_ref().map(Serial::as_str), Some("S-1"));
    }
}

#[test]
fn what_cannot_be_enrolled_is_refused_with_its_place() {
    let enrolled = UserRecord::new(vec![phone()], None).expect("a record");
    let empty = UserRecord::default();
    let time = || by_time(None);
    let far = by_time(Some(STEP + 60));
    for (candidates, record, wishes, word) in [
        (vec![candidate("a", 7, "phone", token(3, time()))], &enrolled, WISHES, "--replace"),
        (vec![candidate("a", 8, "new", token(3, time()))], &enrolled, WISHES, "another user id"),
        (
            vec![candidate("a", 7, "new", token(1, time())), candidate("a", 7, "new", token(3, time()))],
            &empty,
            WISHES,
            "would get `new` twice; line 1 is the first",
        ),
        (vec![candidate("a", 7, "new", token(3, far))], &empty, WISHES, "60 steps in the future"),
        (
            vec![candidate("a", 7, "new", token(3, MovesBy::Counter { next: Some(u64::MAX) }))],
            &empty,
            WISHES,
            "counter is larger",
        ),
    ] {
        let (_, complaints) = plan_of(candidates, wishes, record);
        let [Complaint { place, what }] = complaints.as_slice() else { panic!("{word}: {complaints:?}") };
        assert!(*place == Place::Line(3) && what.contains(word), "{place}: {what}");
    }
    let allowed = Wishes { replace: true, ..WISHES };
    let (planned, complaints) =
        plan_of(vec![candidate("a", 7, "phone", token(3, time()))], allowed, &enrolled);
    assert_eq!(complaints, []);
    assert!(planned.first().expect("planned").replaces);
}

#[test]
fn a_secret_is_of_one_user_and_one_factor() {
    let twin = |line| Token { place: Place::Line(line), ..token(1, by_time(None)) };
    // HMAC fills keys up with zeros, so these two make the same codes.
    let filled = || {
        let secret = SharedSecret::from_bytes(Zeroizing::new([vec![1; 20], vec![0; 4]].concat()));
        Token { place: Place::Line(2), secret: secret.expect("a secret"), ..token(1, by_time(None)) }
    };
    for (second, holder) in [
        (candidate("bob", 7, "new", twin(2)), "that alice has for `new`"),
        (candidate("alice", 7, "other", twin(2)), "that alice has for `new`"),
        (candidate("bob", 7, "new", filled()), "that alice has for `new`"),
    ] {
        let first = candidate("alice", 7, "new", twin(1));
        let (_, complaints) = plan_of(vec![first, second], WISHES, &UserRecord::default());
        let [Complaint { place, what }] = complaints.as_slice() else { panic!("{complaints:?}") };
        assert!(*place == Place::Line(2) && what.contains(holder), "{what}");
    }
    let mut keys = KnownKeys::default();
    keys.add(&name("carol"), &UserRecord::new(vec![phone()], None).expect("a record"));
    let secret = SharedSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()));
    let known = Token { secret: secret.expect("a secret"), ..token(1, by_time(None)) };
    let nobody = |_: &_| Ok::<_, StoreError>(UserRecord::default());
    let planned = plan(vec![candidate("bob", 7, "new", known)], keys, WISHES, nobody);
    let (_, complaints) = planned.expect("planned");
    assert!(
        complaints.first().is_some_and(|it| it.what.contains("that carol has for `phone`")),
        "{complaints:?}"
    );
}

fn entry(user: &str, factor: &str, key: u8) -> BatchEntry {
    let secret = SharedSecret::from_bytes(Zeroizing::new(vec![key; 20])).expect("a secret");
    let credential = Credential::new(FactorId::parse(factor).expect("id"), OtpType::Hotp, secret);
    BatchEntry { subscriber: Subscriber { user: name(user), uid: Some(7) }, credentials: vec![credential] }
}

fn factors(scratch: &ScratchStore, user: &str) -> Vec<String> {
    let record = scratch.store().record(&name(user)).expect("a record").unwrap_or_default();
    record
        .credentials()
        .iter()
        .map(|it| format!("{}:{}", it.factor, it.secret.to_base32().get(..4).expect("4")))
        .collect()
}

#[test]
fn a_batch_is_enrolled_whole_and_leaves_no_trace_of_itself() {
    let scratch = ScratchStore::with_alice();
    let entries = [entry("alice", "token", 1), entry("bob", "token", 2)];
    scratch.store().enroll_batch(&entries, Replacing::Refused).expect("enrolled");
    assert_eq!(factors(&scratch, "alice"), ["phone:GEZD", "token:AEAQ"]);
    assert_eq!(factors(&scratch, "bob"), ["token:AIBA"]);
    assert_eq!((scratch.refusal("alice"), scratch.refusal("bob")), (String::new(), String::new()));
    for user in ["alice", "bob"] {
        let text = fs::read_to_string(scratch.file(&format!("secrets/{user}.toml"))).expect("a file");
        assert!(!text.contains("batch"), "{text}");
    }
    assert_eq!(fs::read_dir(scratch.file("batches")).expect("a folder").count(), 0);
}

#[test]
fn a_batch_with_one_refused_entry_changes_nobody() {
    let scratch = ScratchStore::with_alice();
    let before = fs::read(scratch.file("secrets/alice.toml")).expect("a file");
    let entries = [entry("bob", "token", 2), entry("alice", "phone", 1)];
    let refused = scratch.store().enroll_batch(&entries, Replacing::Refused);
    assert!(
        matches!(&refused, Err(BatchError::Enrolled(user, _)) if user.as_str() == "alice"),
        "{refused:?}"
    );
    assert_eq!(fs::read(scratch.file("secrets/alice.toml")).expect("a file"), before);
    assert_eq!(factors(&scratch, "bob"), [""; 0]);
    scratch.store().enroll_batch(&entries, Replacing::Allowed).expect("enrolled");
    assert_eq!(factors(&scratch, "alice"), ["phone:AEAQ"]);
}

/// The files as a killed command leaves them before and after the step that puts the batch in force.
#[test]
fn entries_of_a_batch_count_from_the_moment_that_the_batch_is_in_force() {
    let scratch = ScratchStore::with_alice();
    scratch.store().enroll_batch(&[entry("bob", "token", 2)], Replacing::Refused).expect("enrolled");
    let file = scratch.file("secrets/alice.toml");
    let old = fs::read_to_string(&file).expect("a file");
    let new = "\n[[factors]]\nid = \"phone\"\ntype = \"hotp\"\nalgorithm = \"SHA1\"\ndigits = 6\n\
               secret = \"AEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIB\"\nfirst = 0\nenrolled_at = 0\nbatch = \"0123456789abcdef\"\n";
    write_private(&file, &format!("{old}{new}"));
    assert_eq!(factors(&scratch, "alice"), ["phone:GEZD"]);
    let mark = scratch.file("batches/0123456789abcdef");
    write_private(&mark, "alice");
    assert_eq!(factors(&scratch, "alice"), ["phone:AEAQ"]);
    // The next batch writes it into the record and forgets it.
    scratch.store().enroll_batch(&[entry("carol", "token", 3)], Replacing::Refused).expect("enrolled");
    assert!(!mark.exists());
    assert_eq!(factors(&scratch, "alice"), ["phone:AEAQ"]);
    assert!(!fs::read_to_string(&file).expect("a file").contains("batch"));
    // A word that is no name of a batch must not lead to another file.
    write_private(&file, &format!("{old}{}", new.replace("0123456789abcdef", "../decoys/states")));
    assert!(scratch.refusal("alice").contains("a batch has a name"), "{}", scratch.refusal("alice"));
}

type Reader = fn(&str) -> Reading;

/// A file of each format with the secret of RFC 4226, and how the secret is written there.
fn samples() -> Vec<(&'static str, Reader, String, &'static str)> {
    const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const HEX: &str = "3132333435363738393031323334353637383930";
    const BASE64: &str = "ChwKFDEyMzQ1Njc4OTAxMjM0NTY3ODkwEgRCb2JpIAEoATAC";
    let oath: Reader =
        |text| oath::parse(text, &oath::OldSystem { window: 5, now: UnixTime::from_seconds(NOW) });
    let csv: Reader = |text| csv::parse(text, None);
    vec![
        (
            "google-authenticator",
            google_authenticator::parse,
            format!("{BASE32}\n\" TOTP_AUTH\n12345678\n"),
            BASE32,
        ),
        ("oath", oath, format!("HOTP/T30 alice - {HEX} 0 123456 2009-12-07T17:14:45L\n"), HEX),
        ("csv", csv, format!("upn,serial number,secret key,time interval\nal,S-1,{BASE32},30\n"), BASE32),
        ("csv without header", csv, format!("S-1,{HEX},totp,6,30,sha1\n"), HEX),
        ("otpauth", otpauth::parse, format!("otpauth://totp/A:alice?secret={BASE32}&digits=6\n"), BASE32),
        ("yubico", yubico::parse, format!("OATH-HOTP,04.12.13 18:55,1,,,{HEX},,,0,0,0,6,0,0,0,0,0,0\n"), HEX),
        (
            "yubico, flexible",
            yubico::parse,
            format!("1382015,,0,{HEX},000000000000,2013-12-12T11:08:12,\n"),
            HEX,
        ),
        (
            "otpauth-migration",
            migration::parse,
            format!("otpauth-migration://offline?data={BASE64}\n"),
            BASE64,
        ),
    ]
}

#[test]
fn no_cut_or_mistyped_file_is_quoted() {
    for (format, parse, text, secret) in samples() {
        assert!(!parse(&text).tokens.is_empty(), "{format}: {:?}", parse(&text));
        let mut complained = false;
        for (at, letter) in text.char_indices() {
            let (before, after) = (&text[..at], &text[at + letter.len_utf8()..]);
            let spoilt = [
                before.to_owned(),
                format!("{before}{after}"),
                format!("{before}\"{after}"),
                format!("{before}\n{after}"),
                format!("{before},{letter}{after}"),
                format!("{before}9{after}"),
            ];
            for spoilt in spoilt {
                let reading = parse(&spoilt);
                complained |= !reading.complaints.is_empty();
                let told = format!("{reading:?}");
                let parts =
                    secret.as_bytes().windows(8).map(|part| std::str::from_utf8(part).expect("ASCII"));
                let quoted = parts.filter(|part| told.contains(part)).count();
                assert!(quoted == 0, "{format}: {spoilt}: {told}");
            }
        }
        assert!(complained, "{format}");
    }
}
