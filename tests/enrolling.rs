//! Enrollment through the library: nothing counts before its codes are right, and nothing that was used becomes good
//! again.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

mod engine_fixture;

use engine_fixture::{EngineFixture, NOW, typed};
use mfa_chain::verifier::enrolling::{Confirmation, Enrollment, EnrollmentError};
use mfa_chain::verifier::enrollment::{Authenticator, Misfit};
use mfa_chain::verifier::otp::SharedSecret;
use mfa_chain::verifier::policy::CodeParameters;
use mfa_chain::verifier::ports::{Enrollments, Store};
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::username::Username;

const POLICY: &str = "
[[factors]]
id = \"phone\"
type = \"totp\"
";
const TOKEN: &str = "
[[factors]]
id = \"token\"
type = \"hotp\"
";

/// The code that the authenticator of `enrollment` shows `steps` after the present one.
fn code(enrollment: &Enrollment, steps: u64) -> String {
    let credential = enrollment.credential();
    let at = credential.step_at(world_time()).map_or(steps, |step| step + steps);
    credential.code(at).to_string()
}

fn world_time() -> mfa_chain::verifier::time::UnixTime {
    mfa_chain::verifier::time::UnixTime::from_seconds(NOW)
}

fn confirm(fixture: &EngineFixture, enrollment: Enrollment, codes: &[String]) -> Confirmation {
    let codes: Vec<_> = codes.iter().map(|code| typed(code)).collect();
    fixture.engine().confirm_enrollment(enrollment, &codes).expect("a store")
}

#[test]
fn an_authenticator_counts_from_its_first_right_code_on_and_that_code_is_used() {
    let fixture = EngineFixture::new(POLICY);
    let enrollment = fixture.engine().begin_enrollment("alice", "phone").expect("begun");
    assert_eq!(enrollment.credential().secret.bits(), 160);
    let (proof, next) = (code(&enrollment, 0), code(&enrollment, 1));
    let denied = fixture.login("alice", |_| next.clone());
    assert_eq!(denied.reason(), &DenyReason::Step(Refusal::Unenrolled), "begun is not enrolled");
    assert!(
        matches!(confirm(&fixture, enrollment, std::slice::from_ref(&proof)), Confirmation::Enrolled(id) if id.as_str() == "phone")
    );
    assert_eq!(fixture.login("alice", |_| proof.clone()).reason(), &DenyReason::Step(Refusal::Replay));
    fixture.clock.advance(60);
    assert!(fixture.login("alice", |_| next.clone()).granted());
}

#[test]
fn a_wrong_code_changes_nothing_and_can_be_typed_again() {
    let fixture = EngineFixture::new(POLICY);
    let enrollment = fixture.engine().begin_enrollment("alice", "phone").expect("begun");
    let (right, early) = (code(&enrollment, 0), code(&enrollment, 40));
    let Confirmation::Wrong(enrollment, misfit) = confirm(&fixture, enrollment, &[early]) else {
        panic!("taken")
    };
    assert_eq!(misfit, Some(Misfit::Clock { seconds: 1200, behind: false }));
    assert_eq!(fixture.engine().enrolled("alice").expect("a store"), []);
    assert!(matches!(confirm(&fixture, enrollment, &[right]), Confirmation::Enrolled(_)));
    let enrolled = fixture.engine().enrolled("alice").expect("a store");
    assert_eq!((enrolled[0].factor.as_str(), enrolled[0].kind, enrolled[0].used_at), ("phone", "totp", None));
}

#[test]
fn a_counter_token_needs_two_codes_in_a_row() {
    let fixture = EngineFixture::new(TOKEN);
    let begin = || fixture.engine().begin_enrollment("alice", "token").expect("begun");
    let enrollment = begin();
    assert_eq!(enrollment.codes_wanted(), 2);
    let codes: Vec<String> = (0..4).map(|at| code(&enrollment, at)).collect();
    let Confirmation::Wrong(enrollment, None) = confirm(&fixture, enrollment, &codes[..1]) else {
        panic!("one is enough")
    };
    let apart = [codes[0].clone(), codes[2].clone()];
    let Confirmation::Wrong(enrollment, None) = confirm(&fixture, enrollment, &apart) else {
        panic!("taken")
    };
    assert!(matches!(confirm(&fixture, enrollment, &codes[1..3]), Confirmation::Enrolled(_)));
    assert!(!fixture.login("alice", |_| codes[2].clone()).granted(), "used for the enrollment");
    assert!(fixture.login("alice", |_| codes[3].clone()).granted());
}

#[test]
fn one_key_for_two_factors_is_refused() {
    let fixture = EngineFixture::new(&format!("{POLICY}{}", POLICY.replace("phone", "tablet")));
    let taken = || Authenticator {
        secret: SharedSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("a secret"),
        parameters: CodeParameters::default(),
        counter: 0,
    };
    let enrollment = fixture.engine().begin_enrollment_of("alice", "phone", taken()).expect("begun");
    let right = code(&enrollment, 0);
    assert!(matches!(confirm(&fixture, enrollment, &[right]), Confirmation::Enrolled(_)));
    let refused = fixture.engine().begin_enrollment_of("alice", "tablet", taken()).expect_err("the same key");
    assert!(matches!(refused, EnrollmentError::SecretTwice(factor) if factor.as_str() == "phone"));
    // Begun side by side, both proven: the second finds the first.
    let fixture = EngineFixture::new(&format!("{POLICY}{}", POLICY.replace("phone", "tablet")));
    let begun = ["phone", "tablet"]
        .map(|it| fixture.engine().begin_enrollment_of("alice", it, taken()).expect("begun"));
    let [phone, tablet] = begun;
    let right = code(&phone, 0);
    assert!(matches!(confirm(&fixture, phone, std::slice::from_ref(&right)), Confirmation::Enrolled(_)));
    let refused = fixture.engine().confirm_enrollment(tablet, &[typed(&right)]);
    assert!(matches!(refused, Err(EnrollmentError::Record(_))), "{refused:?}");
}

#[test]
fn the_authenticator_before_counts_until_the_new_one_is_proven() {
    let fixture = EngineFixture::new(POLICY);
    fixture.enroll_all("alice");
    let enrollment = fixture.engine().begin_enrollment("alice", "phone").expect("begun");
    assert!(enrollment.replaces_another());
    let old = fixture.code("phone", 0);
    assert!(fixture.login("alice", |_| old.clone()).granted());
    let right = code(&enrollment, 0);
    assert!(matches!(confirm(&fixture, enrollment, &[right]), Confirmation::Enrolled(_)));
    fixture.clock.advance(30);
    let old = fixture.code("phone", 0);
    assert!(!fixture.login("alice", |_| old.clone()).granted());
}

#[test]
fn enrolling_a_key_again_makes_no_used_code_good() {
    let fixture = EngineFixture::new(POLICY);
    let first = fixture.engine().begin_enrollment("alice", "phone").expect("begun");
    let secret = first.secret();
    let right = code(&first, 0);
    assert!(matches!(confirm(&fixture, first, &[right]), Confirmation::Enrolled(_)));
    fixture.clock.advance(30);
    let again = || Authenticator {
        secret: SharedSecret::from_base32(&secret).expect("a secret"),
        parameters: CodeParameters::default(),
        counter: 0,
    };
    let second = fixture.engine().begin_enrollment_of("alice", "phone", again()).expect("begun");
    let used = code(&second, 1);
    assert!(fixture.login("alice", |_| used.clone()).granted());
    fixture.engine().enroll_unproven(second).expect("enrolled");
    assert_eq!(
        fixture.login("alice", |_| used.clone()).reason(),
        &DenyReason::Step(Refusal::ReplayFromSource)
    );
    fixture.engine().revoke("alice", Some("phone")).expect("revoked");
    let third = fixture.engine().begin_enrollment_of("alice", "phone", again()).expect("begun");
    fixture.engine().enroll_unproven(third).expect("enrolled");
    assert!(!fixture.login("alice", |_| used.clone()).granted());
}

#[test]
fn the_account_that_enrolled_stays_the_one_through_every_change() {
    let fixture = EngineFixture::new(&format!("required_steps = 1\n{POLICY}{TOKEN}"));
    fixture.accounts.users.borrow_mut().insert("alice".to_owned());
    fixture.accounts.uids.borrow_mut().insert("alice".to_owned(), 1_001);
    fixture.accounts.spellings.borrow_mut().insert("ALICE".to_owned(), "alice".to_owned());
    for factor in ["phone", "token"] {
        let enrollment = fixture.engine().begin_enrollment("ALICE", factor).expect("begun");
        assert_eq!(enrollment.user(), "alice");
        fixture.engine().enroll_unproven(enrollment).expect("enrolled");
    }
    fixture.engine().make_recovery_codes("alice", 3).expect("codes");
    fixture.engine().revoke("alice", Some("token")).expect("revoked");
    let uid = |user| fixture.store.find(user).expect("a claimant").uid;
    assert_eq!(uid("alice"), Some(1_001));
    fixture.accounts.uids.borrow_mut().insert("alice".to_owned(), 1_002);
    let begun = fixture.engine().begin_enrollment("alice", "token").map(|_| ());
    let other = EnrollmentError::AnotherAccount { enrolled: Some(1_001), today: Some(1_002) };
    assert_eq!(begun, Err(other.clone()));
    assert_eq!(fixture.engine().make_recovery_codes("alice", 3).map(|_| ()), Err(other));
}

#[test]
fn what_is_not_there_is_an_error_with_its_name() {
    let fixture = EngineFixture::new(POLICY);
    let engine = fixture.engine();
    let unknown = engine.begin_enrollment("alice", "tablet").expect_err("no such factor");
    assert_eq!(unknown.to_string(), "the policy has no factor `tablet`; known: phone");
    assert!(matches!(engine.begin_enrollment("", "phone"), Err(EnrollmentError::Name(_))));
    assert_eq!(engine.revoke("alice", Some("phone")), Err(EnrollmentError::NotEnrolled));
    assert_eq!(engine.make_recovery_codes("alice", 10).map(|_| ()), Err(EnrollmentError::NotEnrolled));
    fixture.enroll_all("alice");
    for count in [0, 65] {
        assert_eq!(engine.make_recovery_codes("alice", count).map(|_| ()), Err(EnrollmentError::Count));
    }
    let recovery = engine.make_recovery_codes("alice", 64).expect("codes");
    assert!(fixture.login("alice", |_| recovery[63].to_groups().to_string()).granted());
    let record = fixture
        .store
        .enrollment(&Username::parse("alice").expect("a name"))
        .expect("a store")
        .expect("a record");
    assert_eq!(record.0.recovery().expect("a set").hashes().len(), 64);
    fixture.accounts.broken.set(true);
    assert!(matches!(fixture.engine().begin_enrollment("alice", "phone"), Err(EnrollmentError::Accounts(_))));
}

#[test]
fn an_enrollment_shows_nothing_of_its_secret_but_where_it_is_asked_for() {
    let fixture = EngineFixture::new(POLICY);
    let enrollment = fixture.engine().begin_enrollment("alice", "phone").expect("begun");
    assert!(!format!("{enrollment:?}").contains(enrollment.secret().as_str()));
    let uri = enrollment.uri("Example");
    assert!(
        uri.starts_with("otpauth://totp/Example:alice?secret=") && uri.contains(enrollment.secret().as_str())
    );
}
