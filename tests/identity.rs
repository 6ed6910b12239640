//! Who is judged: the account, whatever spelling was typed and whatever it was called before.
#![cfg(test)]

mod engine_fixture;
mod scratch_store;

use std::fs;

use engine_fixture::EngineFixture;
use mfa_chain::store::StoreError;
use mfa_chain::verifier::enrollment::UserRecord;
use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::verdict::{Exemption, Verdict};
use scratch_store::{ScratchStore, name, phone};

const ONE: &str = "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
const ROLL_OUT: &str =
    "unenrolled = \"exempt\"\nuntil = 2026-12-31\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";

/// alice has the user id 5001 and is known by two more names.
fn directory(policy: &str) -> EngineFixture {
    let fixture = EngineFixture::new(policy);
    fixture.accounts.users.borrow_mut().insert("alice".to_owned());
    fixture.accounts.uids.borrow_mut().insert("alice".to_owned(), 5_001);
    for spelling in ["ALICE", "alice@example.org"] {
        fixture.accounts.spellings.borrow_mut().insert(spelling.to_owned(), "alice".to_owned());
    }
    fixture
}

fn enroll(fixture: &EngineFixture, user: &str, uid: u32) {
    let record = UserRecord::new(vec![fixture.credential("phone")], None).expect("a record");
    fixture.store.enroll(user, record.bound_to(Some(uid)));
}

fn another_account() -> DenyReason {
    DenyReason::Step(Refusal::AnotherAccount)
}

#[test]
fn every_spelling_of_an_account_is_asked_for_the_codes_of_the_account() {
    let fixture = directory(ROLL_OUT);
    enroll(&fixture, "alice", 5_001);
    for (spelling, offset) in [("alice", -1), ("ALICE", 0), ("alice@example.org", 1)] {
        assert!(!fixture.login(spelling, |_| "000000".into()).granted(), "{spelling} without a code");
        assert!(fixture.login(spelling, |factor| fixture.code(factor, offset)).granted(), "{spelling}");
    }
    assert!(
        !fixture.login("ALICE", |factor| fixture.code(factor, 1)).granted(),
        "used under another spelling"
    );
}

#[test]
fn all_spellings_share_one_count() {
    let fixture = directory(ONE);
    enroll(&fixture, "alice", 5_001);
    for spelling in ["alice", "ALICE", "alice@example.org"] {
        assert!(!fixture.login(spelling, |_| "000000".into()).granted());
    }
    assert_eq!(fixture.failures("alice"), 3);
}

#[test]
fn rules_name_accounts_and_hold_for_every_spelling() {
    let fixture = directory(&format!(
        "{ONE}[[rules]]\nusers = [\"alice\"]\nservices = [\"ftp\"]\naction = \"deny\"\n\
         [[rules]]\nusers = [\"alice\"]\nservices = [\"sshd\"]\nchain = \"default\"\n\
         [[rules]]\ngroups = [\"staff\"]\naction = \"deny\"\n[[rules]]\naction = \"exempt\"\n"
    ));
    fixture.accounts.members.borrow_mut().insert("alice:staff".to_owned());
    for spelling in ["alice", "ALICE", "alice@example.org"] {
        let through = |service: &str| fixture.login_through(service, spelling, |_| "000000".into());
        assert_eq!(*through("ftp").reason(), DenyReason::Rule(0), "{spelling}");
        assert_eq!(through("sshd").asked, ["phone"], "{spelling}");
        assert_eq!(*through("imap").reason(), DenyReason::Rule(2), "{spelling}");
    }
    assert!(matches!(fixture.login("bob", |_| panic!("asked")).verdict, Verdict::Exempt(_)));
}

#[test]
fn the_databases_are_asked_once_for_each_login_whoever_it_is() {
    let fixture = directory(ONE);
    enroll(&fixture, "alice", 5_001);
    for user in ["alice", "ALICE", "nobody-of-that-name"] {
        fixture.accounts.asked.borrow_mut().clear();
        assert!(!fixture.login(user, |_| "000000".into()).granted());
        assert_eq!(*fixture.accounts.asked.borrow(), [user]);
    }
}

#[test]
fn the_log_names_the_account_and_what_was_typed() {
    let fixture = directory(ONE);
    enroll(&fixture, "alice", 5_001);
    let _ = fixture.login("ALICE", |_| "000000".into());
    let _ = fixture.login("alice", |_| "000000".into());
    let trail = fixture.audit.0.borrow();
    let (typed, plain): (Vec<&String>, Vec<&String>) = trail.iter().partition(|line| line.contains(" as="));
    assert!(!typed.is_empty() && typed.iter().all(|line| line.contains(" user=alice as=ALICE service=sshd")));
    assert_eq!(typed.len(), plain.len());
    assert!(plain.iter().all(|line| line.contains(" user=alice service=sshd")), "{plain:?}");
}

#[test]
fn a_name_that_the_system_does_not_list_is_judged_as_typed() {
    let fixture = directory(ONE);
    enroll(&fixture, "mallory", 5_002);
    assert!(fixture.login("mallory", |factor| fixture.code(factor, 0)).granted());
    assert!(!fixture.login("MALLORY", |factor| fixture.code(factor, 1)).granted());
}

#[test]
fn an_account_made_again_under_its_name_is_asked_and_refused() {
    for policy in [ONE, ROLL_OUT] {
        let fixture = directory(policy);
        enroll(&fixture, "alice", 4_000);
        let ending = fixture.login("alice", |factor| fixture.code(factor, 0));
        assert_eq!(ending.asked, ["phone"]);
        assert_eq!(*ending.reason(), another_account());
        enroll(&fixture, "alice", 5_001);
        assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
    }
}

#[test]
fn a_renamed_account_is_not_exempt_as_one_that_never_enrolled() {
    let fixture = directory(ROLL_OUT);
    assert_eq!(fixture.login("alice", |_| panic!("asked")).verdict, Verdict::Exempt(Exemption::RollOut));
    enroll(&fixture, "anna", 5_001);
    let ending = fixture.login("ALICE", |factor| fixture.code(factor, 0));
    assert_eq!(*ending.reason(), another_account());
}

#[test]
fn the_index_on_disk_finds_who_enrolled_under_another_name() {
    let scratch = ScratchStore::new();
    let store = scratch.store();
    assert_eq!(store.enrolled_as(5_001), Ok(None));
    let record = || UserRecord::new(vec![phone()], None).expect("a record").bound_to(Some(5_001));
    store.change_record::<StoreError>(&name("anna"), |_| Ok(record())).expect("enrolled");
    assert_eq!(store.enrolled_as(5_001), Ok(Some("anna".to_owned())));
    assert_eq!(store.find("anna").expect("a claimant").uid, Some(5_001));
    store.change_record::<StoreError>(&name("anna"), |_| Ok(UserRecord::default())).expect("revoked");
    assert_eq!(store.enrolled_as(5_001), Ok(None));
    // Several accounts may have one number; whichever enrolled keeps the others from being exempt.
    for user in ["anna", "alice"] {
        store.change_record::<StoreError>(&name(user), |_| Ok(record())).expect("enrolled");
    }
    assert_eq!(store.enrolled_as(5_001), Ok(Some("alice".to_owned())));
    fs::write(scratch.file("uids/5001"), [0xff]).expect("damaged");
    let refusal = store.enrolled_as(5_001).expect_err("an error denies").0;
    assert!(refusal.ends_with("uids/5001: does not hold a user name"), "{refusal}");
}

#[test]
fn names_of_directories_are_enrolled_found_and_listed() {
    let scratch = ScratchStore::new();
    let long = "ü".repeat(300);
    let mut names = ["ANNA", "Zoë", "../x", ".hidden", "50%", " a ", "a\nb", "EXAMPLE\\zoë", &long].map(name);
    for user in &names {
        scratch.enroll(user.as_str(), vec![phone()]);
        assert_eq!(scratch.store().record(user).expect("a record").expect("there").credentials().len(), 1);
        assert_eq!(scratch.store().find(user.as_str()).expect("a claimant").enrolled.len(), 1, "{user}");
        scratch.judge_once(user.as_str());
    }
    names.sort();
    assert_eq!(scratch.store().users().expect("a list"), names);
    assert!(!scratch.path.parent().expect("above").join("x.toml").exists());
}
