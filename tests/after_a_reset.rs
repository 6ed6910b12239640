//! What a user meets after `unlock --reset-state`: codes that are void, and the one bypass code.
#![cfg(test)]

mod engine_fixture;

use engine_fixture::{EngineFixture, NOW, typed};
use mfa_chain::verifier::attempt::Next;
use mfa_chain::verifier::otp::{BypassCode, RecoveryCode, RecoveryHash, RecoverySet};
use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::state::{DrawKey, LoginState};
use mfa_chain::verifier::time::UnixTime;
use mfa_chain::verifier::verdict::Verdict;
use zeroize::Zeroizing;

const TWO: &str =
    "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n[[factors]]\nid = \"token\"\ntype = \"hotp\"\n";
const ONE: &str = "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
const DAY: u64 = 86_400;

fn code(byte: u8) -> RecoveryCode {
    RecoveryCode::from_entropy(Zeroizing::new([byte; RecoveryCode::BYTES]))
}

/// As it is typed.
fn text(code: &RecoveryCode) -> String {
    code.to_groups().to_string()
}

/// Alice with every factor and one recovery code; her state was reset just now, and the bypass code is `code(9)`.
fn reset(policy: &str) -> EngineFixture {
    let fixture = EngineFixture::new(policy);
    let ids: Vec<String> = fixture.policy.factors().iter().map(|factor| factor.id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let set = RecoverySet::new(1, vec![RecoveryHash::of(&code(1), [1; 16])]);
    fixture.enroll("alice", &ids, set);
    change(&fixture, |record, state| {
        let now = UnixTime::from_seconds(NOW);
        let bypass = BypassCode::new(RecoveryHash::of(&code(9), [9; 16]), now);
        *state = LoginState::reset(record, DrawKey([3; 32]), Some(bypass), now);
    });
    fixture
}

fn change(
    fixture: &EngineFixture,
    change: impl FnOnce(&mfa_chain::verifier::enrollment::UserRecord, &mut LoginState),
) {
    let claimant = fixture.store.find("alice").expect("alice");
    let _ = fixture.store.update(&claimant, |record, state| change(record, state)).expect("changed");
}

fn refused(fixture: &EngineFixture, answer: &str) -> Refusal {
    match fixture.login("alice", |_| answer.to_owned()).reason() {
        DenyReason::Step(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn codes_of_the_time_are_void_for_a_while_and_the_log_says_until_when() {
    let fixture = reset(ONE);
    let (since, step) = (UnixTime::from_seconds(NOW), NOW / 30);
    let until = UnixTime::from_seconds((step + 11) * 30);
    let voided = Refusal::Voided { since, until: Some(until) };
    assert_eq!(refused(&fixture, &fixture.code("phone", 0)), voided, "a right code");
    assert_eq!(refused(&fixture, "000000"), voided, "a wrong one: no code could be right");
    let trail = fixture.audit.0.borrow().join("\n");
    assert!(
        trail.contains("reason=voided") && trail.contains(&format!("reset at {since}, until {until}")),
        "{trail}"
    );
    fixture.clock.0.set(until.seconds() - 1);
    assert_eq!(refused(&fixture, &fixture.code("phone", 0)), voided);
    fixture.clock.0.set(until.seconds());
    assert_eq!(refused(&fixture, "000000"), Refusal::WrongCode);
    assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted());
}

#[test]
fn a_counter_is_void_until_two_codes_in_a_row_show_where_it_stands() {
    let fixture = reset("[[factors]]\nid = \"token\"\ntype = \"hotp\"\n");
    fixture.clock.advance(30 * DAY);
    let voided = Refusal::Voided { since: UnixTime::from_seconds(NOW), until: None };
    assert_eq!(refused(&fixture, &fixture.code("token", 0)), voided);
    change(&fixture, |record, state| {
        state.set_counter(&record.credentials()[0], 7, UnixTime::from_seconds(NOW));
    });
    assert_eq!(refused(&fixture, &fixture.code("token", 6)), Refusal::Replay);
    assert!(fixture.login("alice", |factor| fixture.code(factor, 7)).granted());
}

#[test]
fn recovery_codes_are_void() {
    let fixture = reset(ONE);
    let voided = Refusal::Voided { since: UnixTime::from_seconds(NOW), until: None };
    assert_eq!(refused(&fixture, &text(&code(1))), voided);
    assert_eq!(refused(&fixture, &text(&code(2))), Refusal::WrongRecoveryCode);
}

#[test]
fn the_bypass_code_answers_every_step_of_one_login() {
    for word in ["reset", "conceal"] {
        let fixture = reset(&format!("required_steps = 2\non_wrong_code = \"{word}\"\n{TWO}"));
        let ending = fixture.login("alice", |_| text(&code(9)));
        assert!(ending.granted(), "{word}");
        assert_eq!(ending.asked, ["phone", "token"]);
        let trail = fixture.audit.0.borrow().join("\n");
        assert_eq!(trail.matches("outcome=accepted by=bypass-code").count(), 2, "{trail}");
        assert_eq!(refused(&fixture, &text(&code(9))), Refusal::Replay, "once: {word}");
    }
}

#[test]
fn of_two_logins_side_by_side_one_gets_in() {
    let fixture = reset(&format!("required_steps = 2\n{TWO}"));
    let engine = fixture.engine();
    let begin = || match engine.begin(&Request::local("sshd", "alice")) {
        Next::Ask(attempt) => attempt,
        Next::Over(verdict) => panic!("{verdict:?}"),
    };
    let (first, second) = (begin(), begin());
    let Ok(Next::Ask(first)) = engine.submit(first, "phone", typed(&text(&code(9)))) else {
        panic!("refused")
    };
    let Ok(Next::Over(Verdict::Deny(reason))) = engine.submit(second, "phone", typed(&text(&code(9)))) else {
        panic!("taken twice")
    };
    assert_eq!(reason, DenyReason::Step(Refusal::Replay));
    let Ok(Next::Over(Verdict::Grant(_))) = engine.submit(first, "token", typed(&text(&code(9)))) else {
        panic!("refused")
    };
}

#[test]
fn a_code_and_the_bypass_code_may_pass_a_chain_together() {
    let fixture = reset(&format!("required_steps = 2\n{TWO}"));
    change(&fixture, |record, state| {
        state.set_counter(&record.credentials()[1], 0, UnixTime::from_seconds(NOW));
    });
    fixture.clock.advance(600);
    let mut answers = [fixture.code("phone", 0), text(&code(9))].into_iter();
    assert!(
        fixture.login("alice", |_| answers.next().expect("two steps")).granted(),
        "its first step may be a code"
    );
    assert_eq!(refused(&fixture, &text(&code(9))), Refusal::Replay);
}

#[test]
fn the_bypass_code_ends_after_a_day_and_no_clock_makes_it_last_longer() {
    let fixture = reset(ONE);
    fixture.clock.0.set(NOW + DAY);
    assert_eq!(refused(&fixture, &text(&code(9))), Refusal::Expired);
    fixture.clock.0.set(NOW - 1);
    assert_eq!(refused(&fixture, &text(&code(9))), Refusal::Expired);
    fixture.clock.0.set(NOW + DAY - 1);
    assert!(fixture.login("alice", |_| text(&code(9))).granted());
}

#[test]
fn guesses_at_it_are_charged_as_those_at_recovery_codes() {
    let fixture = reset(ONE);
    for _ in 0..50 {
        assert_eq!(refused(&fixture, &text(&code(8))), Refusal::WrongRecoveryCode);
    }
    let failures = fixture.store.state("alice").expect("a state").failures;
    assert_eq!((failures.total(), failures.strangers.recovery), (0, 50));
    assert!(fixture.login("alice", |_| text(&code(9))).granted(), "no wait stands before it");
}

#[test]
fn the_bypass_code_is_no_factor_of_its_own() {
    let fixture = reset(ONE);
    let bob = fixture.login("bob", |_| text(&code(9)));
    assert_eq!(*bob.reason(), DenyReason::Step(Refusal::Unenrolled));
    fixture.enroll("alice", &[], None);
    assert_eq!(refused(&fixture, &text(&code(9))), Refusal::Unenrolled);
}

/// Nothing was accepted that could be repeated: a code that a reset made void is charged wherever it comes from.
#[test]
fn a_void_code_is_never_a_replay_from_its_source() {
    let fixture = reset(ONE);
    assert!(fixture.login("alice", |_| text(&code(9))).granted(), "which makes the source known");
    let last = fixture.code("phone", 10);
    assert!(matches!(refused(&fixture, &last), Refusal::Voided { .. }));
    assert_eq!(fixture.failures("alice"), 1);
}
