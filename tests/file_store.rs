//! The store on disk: what survives, what two logins at once do, what a command changes.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;
mod failed;
mod scratch_store;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Barrier;

use failed::failed;
use mfa_chain::store::{FileStore, LoginStore, StoreError};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::otp::{Algorithm, RecoveryCode, RecoveryHash, RecoverySet};
use mfa_chain::verifier::policy::FactorId;
use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::time::UnixTime;
use scratch_store::{ScratchStore, name, phone, write_private};
use zeroize::Zeroizing;

fn token() -> Credential {
    let factor = FactorId::parse("token").expect("an id");
    let base = engine_fixture::totp(b"abcdefghijklmnopqrst", Algorithm::Sha256, 8, 30);
    Credential { factor, otp_type: OtpType::Hotp, first: 7, ..base }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let scratch = ScratchStore::new();
    let hashes = (0..10).map(|byte| {
        RecoveryHash::of(&RecoveryCode::from_entropy(Zeroizing::new([byte; RecoveryCode::BYTES])), [byte; 16])
    });
    let record =
        || UserRecord::new(vec![phone(), token()], RecoverySet::new(u64::MAX, hashes.clone().collect()));
    for user in ["alice", "EXAMPLE\\alice", "a \"b\" c", "alice@example.org"] {
        scratch
            .store()
            .change_record::<StoreError>(&name(user), |_| Ok(record().expect("a record")))
            .expect(user);
        assert_eq!(
            scratch.store().record(&name(user)).expect(user),
            Some(record().expect("a record")),
            "{user}"
        );
    }
}

#[test]
fn everything_in_the_store_is_for_its_owner_alone() {
    let scratch = ScratchStore::with_alice();
    let mode = |path: &Path| fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777;
    for folder in ["", "secrets", "state", "decoys"] {
        assert_eq!(mode(&scratch.file(folder)), 0o700, "{folder}");
    }
    for file in ["secrets/alice.toml", "state/alice", "decoys/states"] {
        assert_eq!(mode(&scratch.file(file)), 0o600, "{file}");
    }
    assert_eq!(fs::metadata(scratch.file("state/alice")).expect("there").len(), 8192);
}

#[test]
fn a_judgement_is_there_for_whoever_opens_the_store_next() {
    let scratch = ScratchStore::with_alice();
    for count in 0..5 {
        assert_eq!(scratch.attempt("alice"), count);
        scratch.judge_once("alice");
    }
}

#[test]
fn a_judgement_writes_in_place_and_makes_no_file() {
    let scratch = ScratchStore::with_alice();
    let listing = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(scratch.file(folder))
            .expect("a folder")
            .map(|it| it.expect("it").file_name())
            .collect();
        names.sort();
        names
    };
    let before =
        (listing("state"), listing("secrets"), fs::metadata(scratch.file("state/alice")).expect("it").ino());
    scratch.judge_once("alice");
    scratch.judge_once("nobody");
    let after =
        (listing("state"), listing("secrets"), fs::metadata(scratch.file("state/alice")).expect("it").ino());
    assert_eq!(before, after);
}

#[test]
fn a_torn_slot_leaves_the_one_before_and_two_torn_slots_deny() {
    let scratch = ScratchStore::with_alice();
    scratch.judge_once("alice");
    scratch.judge_once("alice");
    let file = fs::OpenOptions::new().write(true).open(scratch.file("state/alice")).expect("the state");
    let whole = fs::read(scratch.file("state/alice")).expect("the state");
    let mut attempts = Vec::new();
    for place in [0_u64, 4096] {
        file.write_all_at(&[0xff; 100], place + 50).expect("torn");
        attempts.push(scratch.attempt("alice"));
        file.write_all_at(&whole, 0).expect("repaired");
    }
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2], "the older or the newer, never a new start");
    for place in [50, 4146] {
        file.write_all_at(&[0xff; 100], place).expect("torn");
    }
    let refusal = scratch.refusal("alice");
    assert!(refusal.contains("state/alice: the login state is damaged"), "{refusal}");
    let advised = format!("`mfa-chain --store {} unlock --reset-state alice`", scratch.path.display());
    assert!(refusal.contains(&advised), "{refusal}");
}

#[test]
fn a_judgement_goes_over_the_older_slot() {
    let scratch = ScratchStore::with_alice();
    for _ in 0..4 {
        let before = fs::read(scratch.file("state/alice")).expect("the state");
        let newest = scratch.attempt("alice");
        scratch.judge_once("alice");
        let after = fs::read(scratch.file("state/alice")).expect("the state");
        let changed = (before[..4096] != after[..4096], before[4096..] != after[4096..]);
        assert!(changed.0 ^ changed.1, "one slot is written, not both");
        let file = fs::OpenOptions::new().write(true).open(scratch.file("state/alice")).expect("the state");
        file.write_all_at(&[0; 4096], if changed.0 { 0 } else { 4096 }).expect("the write is lost");
        assert_eq!(scratch.attempt("alice"), newest);
        file.write_all_at(&after, 0).expect("repaired");
    }
}

#[test]
fn a_state_of_a_later_version_is_not_ignored() {
    let scratch = ScratchStore::with_alice();
    let mut slot = fs::read(scratch.file("state/alice")).expect("the state")[..4096].to_vec();
    slot[8] = 3;
    let checksum = crc32c::crc32c(&slot[..4092]);
    slot[4092..].copy_from_slice(&checksum.to_le_bytes());
    let file = fs::OpenOptions::new().write(true).open(scratch.file("state/alice")).expect("the state");
    file.write_all_at(&slot, 0).expect("written");
    assert!(scratch.refusal("alice").contains("format 3, 2 is known"), "{}", scratch.refusal("alice"));
}

/// One that knows of no used code must not stand in for one that does.
#[test]
fn a_state_copied_from_another_file_is_refused() {
    let scratch = ScratchStore::with_alice();
    scratch.enroll("bob", vec![token()]);
    let alice = scratch.file("state/alice");
    let own = fs::read(&alice).expect("the state");
    let bob = fs::read(scratch.file("state/bob")).expect("a state");
    for foreign in [bob, include_bytes!("golden/decoys-3b").to_vec()] {
        // Over all of it, or over the slot that would be written next.
        for copied in [foreign.clone(), [&own[..4096], &foreign[4096..]].concat()] {
            fs::write(&alice, copied).expect("written");
            let refusal = scratch.refusal("alice");
            assert!(refusal.contains("copied from another file"), "{refusal}");
            assert!(refusal.contains("unlock --reset-state alice"), "{refusal}");
        }
    }
    fs::write(&alice, own).expect("written");
    assert_eq!(scratch.refusal("alice"), "");
}

#[test]
fn a_store_that_is_not_there_says_how_to_make_it() {
    let scratch = ScratchStore::with_alice();
    fs::rename(&scratch.path, scratch.path.with_extension("away")).expect("moved");
    assert!(
        scratch.refusal("alice").contains("not there; enroll a first user"),
        "{}",
        scratch.refusal("alice")
    );
}

#[test]
fn one_half_of_an_enrollment_is_refused_and_not_taken_for_none() {
    let scratch = ScratchStore::with_alice();
    fs::rename(scratch.file("secrets/alice.toml"), scratch.file("away")).expect("moved");
    assert!(scratch.refusal("alice").contains("secret file is gone"), "{}", scratch.refusal("alice"));
    let scratch = ScratchStore::with_alice();
    fs::rename(scratch.file("state/alice"), scratch.file("away")).expect("moved");
    assert!(scratch.refusal("alice").contains("login state is gone"), "{}", scratch.refusal("alice"));
    let changed = scratch.store().change_record::<StoreError>(&name("alice"), Ok);
    assert!(
        changed.expect_err("refused").to_string().contains("login state is gone"),
        "no fresh state takes its place"
    );
}

#[test]
fn a_record_under_another_name_is_refused() {
    let scratch = ScratchStore::with_alice();
    scratch.enroll("bob", vec![token()]);
    fs::copy(scratch.file("secrets/alice.toml"), scratch.file("secrets/bob.toml")).expect("copied");
    assert!(scratch.refusal("bob").contains("record of another user"), "{}", scratch.refusal("bob"));
}

#[test]
fn a_spoilt_secret_file_is_named_by_line_and_never_quoted() {
    let scratch = ScratchStore::with_alice();
    let text = fs::read_to_string(scratch.file("secrets/alice.toml")).expect("the record");
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    assert!(text.contains(secret));
    for (from, to, expected) in [
        ("digits = 6", "digits = 60", "digits is not 6, 7 or 8"),
        ("SHA1", "MD5", "known: SHA1, SHA256, SHA512"),
        ("period = 30", "period = 3", "period is not 15 to 120"),
        ("[[factors]]", "[[factors]]\nnew = 1", "6:1: unknown key; known: id, type"),
        ("version = 2", "version = 3", "version 3 is not known; 1 to 2 are"),
        ("GEZDG", "GEZD1", "base32"),
        ("secret = ", "secret = {x = ", ":"),
        ("\"totp\"", "\"totp", ":"),
        // A secret that slipped to where a key, a number or a table should be.
        ("secret = ", "GEZDGNBVGY3TQOJQ = ", "11:1: "),
        ("digits = 6", "digits = \"GEZDGNBVGY3TQOJQ\"", "9:10: "),
        ("[[factors]]", "[[GEZDGNBVGY3TQOJQ]]", "5:3: "),
        ("version = 2", "version = \"GEZDGNBVGY3TQOJQ\"", "2:11: "),
        ("digits = 6\n", "", "digits"),
    ] {
        write_private(&scratch.file("secrets/alice.toml"), &text.replacen(from, to, 1));
        let refusal = scratch.refusal("alice");
        assert!(refusal.contains("secrets/alice.toml") && refusal.contains(expected), "{to}: {refusal}");
        assert!(!refusal.contains("GEZD"), "{refusal}");
    }
    for length in (0..text.len()).step_by(7) {
        write_private(&scratch.file("secrets/alice.toml"), &text[..length]);
        let refusal = scratch.refusal("alice");
        assert!(!refusal.contains("GEZD"), "{refusal}");
    }
}

#[test]
fn an_error_while_a_record_is_changed_leaves_the_old_one() {
    let scratch = ScratchStore::with_alice();
    let failed =
        scratch.store().change_record(&name("alice"), |_| Err(StoreError::invalid(Path::new("x"), "no")));
    assert!(failed.is_err());
    assert_eq!(
        scratch.store().record(&name("alice")).expect("a record").expect("alice").credentials(),
        [phone()]
    );
}

#[test]
fn what_a_killed_command_left_beside_a_record_is_cleared_away() {
    let scratch = ScratchStore::with_alice();
    let leftover = scratch.file("secrets/.alice.toml.new");
    write_private(&leftover, "half a record");
    scratch.enroll("alice", vec![token()]);
    assert!(!leftover.exists());
    assert_eq!(scratch.store().users().expect("users"), [name("alice")]);
}

#[test]
fn a_factor_revoked_while_the_claimant_types_is_judged_as_revoked() {
    let scratch = ScratchStore::with_alice();
    let store = scratch.store();
    let claimant = store.find("alice").expect("alice");
    scratch.enroll("alice", vec![]);
    let seen = store.update(&claimant, |record, _| record.credentials().len()).expect("judged");
    assert_eq!(seen.into_inner(), 0);
}

#[test]
fn a_state_that_was_replaced_while_the_claimant_types_is_the_one_that_counts() {
    let scratch = ScratchStore::with_alice();
    let store = scratch.store();
    let claimant = store.find("alice").expect("alice");
    scratch
        .store()
        .reset_state(&name("alice"), None, UnixTime::from_seconds(engine_fixture::NOW))
        .expect("reset");
    store.update(&claimant, |_, state| state.failures.strangers.draw = 77).expect("judged");
    assert_eq!(scratch.attempt("alice"), 77, "the judgement went to a file without a name");
}

/// A process that kept the old folder open would judge some logins there and others in the new one: a code would pass
/// in both.
#[test]
fn a_folder_that_takes_the_place_of_the_store_is_the_one_that_counts() {
    fn judged_where_the_path_leads(store: &impl Store, scratch: &ScratchStore) {
        let claimant = store.find("alice").expect("a claimant");
        let (old, copy) = (scratch.path.with_extension("old"), scratch.path.with_extension("backup"));
        let copied = std::process::Command::new("cp").arg("-a").arg(&scratch.path).arg(&copy).status();
        assert!(copied.expect("cp").success());
        fs::rename(&scratch.path, &old).expect("moved away");
        fs::rename(&copy, &scratch.path).expect("put in its place");
        let state = |path: &Path| FileStore::at(path).login_state(&name("alice")).expect("a state");
        let before = state(&old);
        store
            .update(&claimant, |_, state| state.last_success = Some(UnixTime::from_seconds(7)))
            .expect("judged");
        assert_eq!(state(&old), before, "the folder that was moved away");
        assert_eq!(state(&scratch.path).expect("a state").last_success, Some(UnixTime::from_seconds(7)));
    }
    let scratch = ScratchStore::with_alice();
    judged_where_the_path_leads(&FileStore::at(&scratch.path), &scratch);
    let scratch = ScratchStore::with_alice();
    judged_where_the_path_leads(&LoginStore::at(&scratch.path), &scratch);
}

#[test]
fn a_secret_file_that_was_moved_away_while_the_claimant_types_is_gone() {
    let scratch = ScratchStore::with_alice();
    let store = scratch.store();
    let claimant = store.find("alice").expect("alice");
    let secret = scratch.file("secrets/alice.toml");
    fs::rename(&secret, scratch.file("secrets/.aside")).expect("moved");
    let refused = store.update(&claimant, |_, _| ()).expect_err("nothing to judge by");
    assert!(refused.0.contains("secret file is gone"), "{}", refused.0);
    fs::rename(scratch.file("secrets/.aside"), &secret).expect("moved back");
    store.update(&claimant, |_, _| ()).expect("judged");
}

#[test]
fn one_code_in_many_logins_at_once_is_accepted_once() {
    let scratch = ScratchStore::with_alice();
    let step = phone().step_at(UnixTime::from_seconds(engine_fixture::NOW)).expect("a step");
    let barrier = Barrier::new(16);
    let accepted: usize = std::thread::scope(|scope| {
        let login = || {
            let store = scratch.store();
            let claimant = store.find("alice").expect("alice");
            barrier.wait();
            let judged = store.update(&claimant, |record, state| {
                let credential = &record.credentials()[0];
                let fresh = state.next_acceptable(credential) <= step;
                state.mark_used(credential, step, UnixTime::from_seconds(engine_fixture::NOW));
                fresh
            });
            usize::from(judged.expect("judged").into_inner())
        };
        let logins: Vec<_> = (0..16).map(|_| scope.spawn(login)).collect();
        logins.into_iter().map(|login| login.join().expect("a login")).sum()
    });
    assert_eq!(accepted, 1);
}

#[test]
fn clearing_failures_keeps_used_codes_used() {
    let scratch = ScratchStore::with_alice();
    let now = UnixTime::from_seconds(engine_fixture::NOW);
    let store = scratch.store();
    let claimant = store.find("alice").expect("alice");
    let judged = store.update(&claimant, |record, state| {
        state.mark_used(&record.credentials()[0], 1000, now);
        state.failures.strangers = failed(1, now);
    });
    judged.expect("judged");
    store.clear_failures(&name("alice")).expect("cleared");
    let state = store.login_state(&name("alice")).expect("readable").expect("a state");
    assert_eq!((state.failures.total(), state.next_acceptable(&phone())), (0, 1001));
}

#[test]
fn a_reset_state_accepts_nothing_that_the_lost_one_may_have_seen() {
    let scratch = ScratchStore::new();
    let code = RecoveryCode::from_entropy(Zeroizing::new([1; RecoveryCode::BYTES]));
    let set = RecoverySet::new(5, vec![RecoveryHash::of(&code, [1; 16])]).expect("a set");
    let record = UserRecord::new(vec![phone(), token()], Some(set.clone())).expect("a record");
    let store = scratch.store();
    store.change_record::<StoreError>(&name("alice"), |_| Ok(record)).expect("enrolled");
    fs::write(scratch.file("state/alice"), b"damaged").expect("damaged");
    assert!(scratch.refusal("alice").contains("has 7 bytes"));
    let now = UnixTime::from_seconds(engine_fixture::NOW);
    store.reset_state(&name("alice"), None, now).expect("reset");
    assert_eq!(scratch.refusal("alice"), "");
    let state = store.login_state(&name("alice")).expect("readable").expect("a state");
    let present = phone().step_at(now).expect("a step");
    assert!(state.next_acceptable(&phone()) > present + 1, "codes of the present may be used");
    assert_eq!(state.next_acceptable(&token()), u64::MAX);
    assert_eq!(state.recovery_codes_left(&set), 0);
}

#[test]
fn enrolling_a_key_again_keeps_its_used_codes_used() {
    let scratch = ScratchStore::with_alice();
    let store = scratch.store();
    let claimant = store.find("alice").expect("alice");
    let burnt = store.update(&claimant, |record, state| {
        state.mark_used(&record.credentials()[0], 1000, UnixTime::default());
    });
    burnt.expect("burnt");
    scratch.enroll("alice", vec![]);
    scratch.enroll("alice", vec![phone()]);
    let state = store.login_state(&name("alice")).expect("readable").expect("a state");
    assert_eq!(state.next_acceptable(&phone()), 1001);
}

#[test]
fn unknown_names_have_states_of_their_own_that_last() {
    let scratch = ScratchStore::with_alice();
    for user in ["nobody", "../alice", "root", ""] {
        assert_eq!(scratch.attempt(user), 0, "{user:?}");
        scratch.judge_once(user);
        assert_eq!(scratch.attempt(user), 1, "{user:?}");
    }
    assert_eq!(scratch.attempt("somebody"), 0);
    assert_eq!(scratch.attempt("alice"), 0);
    let keys: Vec<_> =
        ["nobody", "somebody"].map(|user| scratch.store().find(user).expect("a decoy").draw_key).into();
    assert_ne!(keys[0], keys[1]);
}

/// Nor does any of them start over: its draws would, and tell that nobody enrolled it.
#[test]
fn thousands_of_unknown_names_grow_no_file_and_push_none_out() {
    let scratch = ScratchStore::new();
    let store = scratch.store();
    let sizes = || -> Vec<u64> {
        let decoys = fs::read_dir(scratch.file("decoys")).expect("decoys");
        decoys.map(|it| it.expect("it").metadata().expect("it").len()).collect()
    };
    let before = sizes();
    for number in 0..3_000 {
        let claimant = store.find(&format!("user{number}")).expect("a decoy");
        store.update(&claimant, |_, state| state.failures.strangers.draw += 1).expect("judged");
    }
    assert_eq!(sizes(), before);
    // Two names may share a place, and move each other's draws then.
    assert!((0..3_000).all(|number| scratch.attempt(&format!("user{number}")) >= 1));
}

#[test]
fn names_that_nobody_enrolled_need_the_decoys_and_an_enrollment_mends_them() {
    let scratch = ScratchStore::with_alice();
    let is_record = |path: &Path| path.ends_with("record.toml");
    let decoys: Vec<_> =
        fs::read_dir(scratch.file("decoys")).expect("decoys").map(|it| it.expect("it").path()).collect();
    for spoil_record in [true, false] {
        let spoilt = decoys.iter().filter(|path| is_record(path) == spoil_record);
        spoilt.for_each(|path| write_private(path, "spoilt"));
        let refusal = scratch.refusal("nobody-here");
        assert!(refusal.contains("store/decoys/"), "{refusal}");
        assert_eq!(scratch.refusal("alice"), "", "users do without");
        FileStore::open_or_create(&scratch.path).expect("as `mfa-chain enroll` does");
        assert_eq!(scratch.refusal("nobody-here"), "");
    }
}
