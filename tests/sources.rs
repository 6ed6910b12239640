//! Limits that are no weapon: who guesses waits, and nobody else does.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;

use engine_fixture::{Ending, EngineFixture, NOW};
use mfa_chain::verifier::otp::{RecoveryCode, RecoveryHash, RecoverySet};
use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::LoginState;
use zeroize::Zeroizing;

const HOME: &str = "198.51.100.7";
const ELSEWHERE: &str = "203.0.113.9";

fn fixture() -> EngineFixture {
    let fixture = EngineFixture::new(
        "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n[[factors]]\nid = \"token\"\ntype = \"totp\"\n",
    );
    let hashes = (0..4).map(|byte| RecoveryHash::of(&recovery_code(byte), [byte; 16])).collect();
    fixture.enroll("alice", &["phone", "token"], RecoverySet::new(1, hashes));
    fixture
}

fn recovery_code(byte: u8) -> RecoveryCode {
    RecoveryCode::from_entropy(Zeroizing::new([byte; RecoveryCode::BYTES]))
}

fn wrong(fixture: &EngineFixture, address: &str) -> Ending {
    fixture.login_from(address, "alice", |_| "000000".into())
}

fn right(fixture: &EngineFixture, address: &str) -> Ending {
    fixture.login_from(address, "alice", |factor| fixture.code(factor, 0))
}

fn waits(ending: &Ending) -> bool {
    matches!(ending.reason(), DenyReason::Step(Refusal::Throttled { .. }))
}

#[test]
fn ten_thousand_tries_from_two_hundred_addresses_do_not_delay_the_user_at_home() {
    let fixture = fixture();
    assert!(right(&fixture, HOME).granted());
    for number in 0..10_000 {
        wrong(&fixture, &format!("127.0.{}.{}", number % 2, number % 100));
        fixture.clock.advance(20);
    }
    assert!(right(&fixture, HOME).granted(), "at the first try");
}

#[test]
fn strangers_share_one_count_whatever_address_they_use() {
    let fixture = fixture();
    for number in 0..5 {
        assert!(!waits(&wrong(&fixture, &format!("203.0.113.{number}"))));
    }
    assert!(waits(&wrong(&fixture, "203.0.113.99")));
    assert!(waits(&right(&fixture, ELSEWHERE)), "the user too, from a place not known yet");
}

#[test]
fn services_share_the_counts_of_a_place() {
    let fixture = fixture();
    let from_home =
        |service: &str| Request { rhost: Some(HOME.to_owned()), ..Request::local(service, "alice") };
    assert!(right(&fixture, HOME).granted(), "known from now on");
    for service in ["sshd", "vsftpd", "dovecot", "sshd", "cockpit"] {
        assert!(!waits(&fixture.attempt(&from_home(service), |_| "000000".into())), "{service}");
    }
    assert!(waits(&right(&fixture, HOME)));
}

/// A guesser at one service of this host that names no source does not shut another.
#[test]
fn each_service_without_a_source_is_a_place_of_its_own() {
    let fixture = fixture();
    assert!(fixture.login_through("login", "alice", |factor| fixture.code(factor, 0)).granted());
    fixture.clock.advance(30);
    for _ in 0..20 {
        fixture.login_through("radiusd", "alice", |_| "000000".into());
    }
    assert!(waits(&fixture.login_through("radiusd", "alice", |factor| fixture.code(factor, 0))));
    assert!(fixture.login_through("login", "alice", |factor| fixture.code(factor, 0)).granted());
}

#[test]
fn a_user_who_has_to_wait_gets_in_with_recovery_codes() {
    let fixture = fixture();
    for _ in 0..40 {
        wrong(&fixture, ELSEWHERE);
    }
    assert!(waits(&right(&fixture, ELSEWHERE)));
    let mut codes = (0..).map(|byte| recovery_code(byte).to_groups().to_string());
    let ending = fixture.login_from(ELSEWHERE, "alice", |_| codes.next().expect("a code"));
    assert!(ending.granted(), "{ending:?}");
    assert!(right(&fixture, ELSEWHERE).granted(), "and is known there from now on");
}

#[test]
fn wrong_recovery_codes_bring_no_wait_for_codes() {
    let fixture = fixture();
    for _ in 0..100 {
        let ending = fixture.login_from(ELSEWHERE, "alice", |_| recovery_code(9).to_groups().to_string());
        assert_eq!(*ending.reason(), DenyReason::Step(Refusal::WrongRecoveryCode));
    }
    assert!(right(&fixture, ELSEWHERE).granted());
}

#[test]
fn a_login_at_home_gives_a_guesser_elsewhere_no_fresh_start() {
    let fixture = fixture();
    assert!(right(&fixture, HOME).granted());
    for _ in 0..5 {
        wrong(&fixture, ELSEWHERE);
    }
    fixture.clock.advance(30);
    assert!(right(&fixture, HOME).granted());
    assert!(!waits(&wrong(&fixture, ELSEWHERE)), "the sixth try, after its wait");
    assert!(waits(&wrong(&fixture, ELSEWHERE)), "and not five more");
}

#[test]
fn failures_at_home_make_home_wait() {
    let fixture = fixture();
    assert!(right(&fixture, HOME).granted());
    for _ in 0..5 {
        assert!(!waits(&wrong(&fixture, HOME)));
    }
    assert!(waits(&wrong(&fixture, HOME)));
    assert!(!waits(&wrong(&fixture, ELSEWHERE)));
}

#[test]
fn a_subscriber_of_ipv6_is_one_source_and_mapped_addresses_are_ipv4() {
    let fixture = fixture();
    assert!(right(&fixture, "2001:db8:1:2::1").granted());
    for _ in 0..5 {
        wrong(&fixture, "2001:db8:1:2:ffff::9");
    }
    assert!(waits(&wrong(&fixture, "2001:db8:1:2::7")));
    assert!(!waits(&wrong(&fixture, "2001:db8:1:3::1")));
    fixture.clock.advance(86_400);
    assert!(right(&fixture, "::ffff:198.51.100.7").granted());
    for _ in 0..5 {
        wrong(&fixture, HOME);
    }
    assert!(waits(&wrong(&fixture, HOME)));
}

#[test]
fn a_named_host_and_whoever_runs_sudo_are_sources_of_their_own() {
    let at = |rhost: Option<&str>, ruser: Option<&str>| Request {
        rhost: rhost.map(str::to_owned),
        ruser: ruser.map(str::to_owned),
        ..Request::local("sudo", "alice")
    };
    for (home, elsewhere) in [
        (at(Some("desk.example"), None), at(Some("other.example"), None)),
        (at(None, Some("alice")), at(None, Some("eve"))),
        (at(None, None), at(None, Some("eve"))),
    ] {
        let fixture = fixture();
        let right = |request: &Request| fixture.attempt(request, |factor| fixture.code(factor, 0));
        assert!(right(&home).granted());
        fixture.clock.advance(30);
        for _ in 0..6 {
            fixture.attempt(&elsewhere, |_| "000000".into());
        }
        fixture.clock.advance(29);
        assert!(waits(&right(&elsewhere)), "{elsewhere:?}");
        assert!(right(&home).granted(), "{home:?}");
    }
}

#[test]
fn a_source_is_known_for_thirty_days() {
    for (days, known) in [(29, true), (30, false)] {
        let fixture = fixture();
        assert!(right(&fixture, HOME).granted());
        fixture.clock.advance(days * 86_400);
        for _ in 0..5 {
            wrong(&fixture, ELSEWHERE);
        }
        assert_eq!(right(&fixture, HOME).granted(), known, "after {days} days");
    }
}

#[test]
fn twelve_sources_are_kept_and_the_one_unused_for_longest_goes_first() {
    let fixture = fixture();
    for number in 0..13 {
        assert!(right(&fixture, &format!("198.51.100.{number}")).granted());
        fixture.clock.advance(30);
    }
    for _ in 0..5 {
        wrong(&fixture, ELSEWHERE);
    }
    assert!(waits(&right(&fixture, "198.51.100.0")));
    assert!(right(&fixture, "198.51.100.1").granted());
}

/// Otherwise the user's logins elsewhere would let a guesser at that place start over.
#[test]
fn a_place_with_failures_stays_known_before_one_without() {
    let fixture = fixture();
    assert!(right(&fixture, HOME).granted());
    for _ in 0..5 {
        wrong(&fixture, HOME);
    }
    for number in 0..30 {
        fixture.clock.advance(30);
        assert!(right(&fixture, &format!("198.51.100.{}", number + 10)).granted());
    }
    assert!(!waits(&wrong(&fixture, HOME)), "the sixth, after its wait");
    assert!(waits(&wrong(&fixture, HOME)), "and not five more");
}

#[test]
fn nobodys_success_forgives_a_stranger() {
    let fixture = fixture();
    for _ in 0..5 {
        wrong(&fixture, ELSEWHERE);
    }
    fixture.clock.advance(30);
    assert!(right(&fixture, HOME).granted(), "from a place that was not known");
    fixture.clock.advance(30);
    assert!(right(&fixture, HOME).granted());
    assert!(!waits(&wrong(&fixture, ELSEWHERE)), "the sixth");
    assert!(waits(&wrong(&fixture, ELSEWHERE)));
    assert_eq!(fixture.failures("alice"), 6);
}

#[test]
fn each_day_gives_a_failure_back() {
    let fixture = fixture();
    for _ in 0..5 {
        wrong(&fixture, ELSEWHERE);
    }
    fixture.clock.advance(3 * 86_400);
    for _ in 0..3 {
        assert!(!waits(&wrong(&fixture, ELSEWHERE)));
    }
    assert!(waits(&wrong(&fixture, ELSEWHERE)));
}

#[test]
fn a_chain_begun_with_a_recovery_code_goes_on_with_codes_in_a_wait() {
    for word in ["reset", "conceal"] {
        let fixture = EngineFixture::new(&format!(
            "on_wrong_code = \"{word}\"\nrequired_steps = 2\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n\
             [[factors]]\nid = \"token\"\ntype = \"totp\"\n"
        ));
        let hashes = (0..2).map(|byte| RecoveryHash::of(&recovery_code(byte), [byte; 16])).collect();
        fixture.enroll("alice", &["phone", "token"], RecoverySet::new(1, hashes));
        for _ in 0..40 {
            wrong(&fixture, ELSEWHERE);
        }
        assert!(waits(&right(&fixture, ELSEWHERE)), "{word}");
        let answer = |wrong: bool| {
            let fixture = &fixture;
            move |factor: &str| match (factor, wrong) {
                ("phone", _) => recovery_code(0).to_groups().to_string(),
                (_, true) => "000000".to_owned(),
                (_, false) => fixture.code("token", 0),
            }
        };
        assert!(fixture.login_from(ELSEWHERE, "alice", answer(false)).granted(), "{word}");
        let again = fixture.login_from(ELSEWHERE, "alice", answer(false));
        assert_eq!(*again.reason(), DenyReason::Step(Refusal::Replay), "{word}: each once");
    }
}

/// In vain it would be lost: the user may need it in another minute.
#[test]
fn a_recovery_code_is_not_used_up_where_its_step_cannot_pass() {
    let fixture = fixture();
    let set = RecoverySet::new(1, vec![RecoveryHash::of(&recovery_code(0), [0; 16])]);
    fixture.enroll("alice", &["phone"], set);
    let code = recovery_code(0).to_groups().to_string();
    let ending = fixture.login_from(HOME, "alice", |_| code.clone());
    assert_eq!(*ending.reason(), DenyReason::Step(Refusal::Unenrolled));
    assert_eq!(fixture.store.state("alice").expect("a state").recovery.used, 0);
}

#[test]
fn no_number_of_wrong_recovery_codes_shuts_out_a_right_one() {
    let fixture = fixture();
    let claimant = fixture.store.find("alice").expect("alice");
    let many = |state: &mut LoginState| state.failures.strangers.recovery = u32::MAX - 1;
    let _ = fixture.store.update(&claimant, |_, state| many(state)).expect("written");
    for _ in 0..3 {
        fixture.login_from(ELSEWHERE, "alice", |_| recovery_code(9).to_groups().to_string());
    }
    let mut codes = (0..).map(|byte| recovery_code(byte).to_groups().to_string());
    assert!(fixture.login_from(ELSEWHERE, "alice", |_| codes.next().expect("a code")).granted());
}

#[test]
fn a_day_has_a_cap_whatever_succeeds_in_between() {
    let fixture = fixture();
    // The first second of a day, so that it holds the whole story.
    fixture.clock.0.set(NOW - NOW % 86_400 + 86_400);
    assert!(right(&fixture, HOME).granted());
    let mut judged = 0;
    for number in 0..100 {
        for _ in 0..4 {
            judged += usize::from(!waits(&wrong(&fixture, ELSEWHERE)));
        }
        // The user tries from ever new places too.
        fixture.clock.advance(30);
        let _ = right(&fixture, &format!("198.51.100.{number}"));
    }
    fixture.clock.advance(30);
    assert_eq!(judged, 12, "half of failures_a_day");
    assert!(waits(&right(&fixture, "192.0.2.1")), "no stranger passes any more");
    assert!(right(&fixture, HOME).granted(), "known places have a count of their own");
    fixture.clock.advance(86_400);
    assert!(!waits(&wrong(&fixture, ELSEWHERE)), "the next day is another one");
}

#[test]
fn a_clock_that_stood_far_ahead_leaves_no_lock_behind() {
    let fixture = fixture();
    fixture.clock.advance(10 * 365 * 86_400);
    for _ in 0..40 {
        wrong(&fixture, ELSEWHERE);
    }
    fixture.clock.0.set(NOW);
    let ending = wrong(&fixture, ELSEWHERE);
    let DenyReason::Step(Refusal::Throttled { wait_seconds }) = ending.reason() else { panic!("{ending:?}") };
    assert_eq!(*wait_seconds, 30, "the wait of five failures, from now on");
    fixture.clock.advance(30);
    assert!(right(&fixture, ELSEWHERE).granted(), "and it ends");
}
