//! What a user meets after `unlock --reset-state`: codes that are void, and the one bypass code.
#![cfg(test)]

mod world;

use pam_mfa_chain::verifier::attempt::{Begin, Submission};
use pam_mfa_chain::verifier::login_state::{DrawKey, LoginState};
use pam_mfa_chain::verifier::ports::Store;
use pam_mfa_chain::verifier::recovery::{BypassCode, RecoveryCode, RecoveryHash, RecoverySet};
use pam_mfa_chain::verifier::request::Request;
use pam_mfa_chain::verifier::time::UnixTime;
use pam_mfa_chain::verifier::verdict::{DenyReason, Refusal};
use world::{NOW, World, typed};
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
fn reset(policy: &str) -> World {
    let world = World::new(policy);
    let ids: Vec<String> = world.policy.factors().iter().map(|factor| factor.id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let set = RecoverySet::new(1, vec![RecoveryHash::of(&code(1), [1; 16])]);
    world.enrol("alice", &ids, set);
    change(&world, |record, state| {
        let now = UnixTime::from_seconds(NOW);
        let bypass = BypassCode::new(RecoveryHash::of(&code(9), [9; 16]), now);
        *state = LoginState::reset(record, DrawKey([3; 32]), Some(bypass), now);
    });
    world
}

fn change(world: &World, change: impl FnOnce(&pam_mfa_chain::verifier::record::UserRecord, &mut LoginState)) {
    let claimant = world.store.find("alice").expect("alice");
    let _ = world.store.update(&claimant, |record, state| change(record, state)).expect("changed");
}

fn refused(world: &World, answer: &str) -> Refusal {
    match world.login("alice", |_| answer.to_owned()).reason() {
        DenyReason::Step(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn codes_of_the_time_are_void_for_a_while_and_the_log_says_until_when() {
    let world = reset(ONE);
    let (since, step) = (UnixTime::from_seconds(NOW), NOW / 30);
    let until = UnixTime::from_seconds((step + 11) * 30);
    let voided = Refusal::Voided { since, until: Some(until) };
    assert_eq!(refused(&world, &world.code("phone", 0)), voided, "a right code");
    assert_eq!(refused(&world, "000000"), voided, "a wrong one: no code could be right");
    let trail = world.audit.0.borrow().join("\n");
    assert!(
        trail.contains("reason=voided") && trail.contains(&format!("reset at {since}, until {until}")),
        "{trail}"
    );
    world.clock.0.set(until.seconds() - 1);
    assert_eq!(refused(&world, &world.code("phone", 0)), voided);
    world.clock.0.set(until.seconds());
    assert_eq!(refused(&world, "000000"), Refusal::WrongCode);
    assert!(world.login("alice", |factor| world.code(factor, 0)).granted());
}

#[test]
fn a_counter_is_void_until_two_codes_in_a_row_show_where_it_stands() {
    let world = reset("[[factors]]\nid = \"token\"\ntype = \"hotp\"\n");
    world.clock.advance(30 * DAY);
    let voided = Refusal::Voided { since: UnixTime::from_seconds(NOW), until: None };
    assert_eq!(refused(&world, &world.code("token", 0)), voided);
    change(&world, |record, state| {
        state.set_counter(&record.credentials()[0], 7, UnixTime::from_seconds(NOW));
    });
    assert_eq!(refused(&world, &world.code("token", 6)), Refusal::Replay);
    assert!(world.login("alice", |factor| world.code(factor, 7)).granted());
}

#[test]
fn recovery_codes_are_void() {
    let world = reset(ONE);
    let voided = Refusal::Voided { since: UnixTime::from_seconds(NOW), until: None };
    assert_eq!(refused(&world, &text(&code(1))), voided);
    assert_eq!(refused(&world, &text(&code(2))), Refusal::WrongRecoveryCode);
}

#[test]
fn the_bypass_code_answers_every_step_of_one_login() {
    for word in ["reset", "conceal"] {
        let world = reset(&format!("required_steps = 2\non_wrong_code = \"{word}\"\n{TWO}"));
        let ending = world.login("alice", |_| text(&code(9)));
        assert!(ending.granted(), "{word}");
        assert_eq!(ending.asked, ["phone", "token"]);
        let trail = world.audit.0.borrow().join("\n");
        assert_eq!(trail.matches("outcome=accepted by=bypass-code").count(), 2, "{trail}");
        assert_eq!(refused(&world, &text(&code(9))), Refusal::Replay, "once: {word}");
    }
}

#[test]
fn of_two_logins_side_by_side_one_gets_in() {
    let world = reset(&format!("required_steps = 2\n{TWO}"));
    let engine = world.engine();
    let begin = || match engine.begin(&Request::new("sshd", "alice")) {
        Begin::Attempt(attempt) => attempt,
        Begin::Over(verdict) => panic!("{verdict:?}"),
    };
    let (first, second) = (begin(), begin());
    let Ok(Submission::NextStep(first)) = first.submit("phone", typed(&text(&code(9)))) else {
        panic!("refused")
    };
    let Ok(Submission::Reset(reason)) = second.submit("phone", typed(&text(&code(9)))) else {
        panic!("taken twice")
    };
    assert_eq!(reason, DenyReason::Step(Refusal::Replay));
    let Ok(Submission::Complete(_)) = first.submit("token", typed(&text(&code(9)))) else {
        panic!("refused")
    };
}

#[test]
fn a_code_and_the_bypass_code_may_pass_a_chain_together() {
    let world = reset(&format!("required_steps = 2\n{TWO}"));
    change(&world, |record, state| {
        state.set_counter(&record.credentials()[1], 0, UnixTime::from_seconds(NOW));
    });
    world.clock.advance(600);
    let mut answers = [world.code("phone", 0), text(&code(9))].into_iter();
    assert!(
        world.login("alice", |_| answers.next().expect("two steps")).granted(),
        "its first step may be a code"
    );
    assert_eq!(refused(&world, &text(&code(9))), Refusal::Replay);
}

#[test]
fn the_bypass_code_ends_after_a_day_and_no_clock_makes_it_last_longer() {
    let world = reset(ONE);
    world.clock.0.set(NOW + DAY);
    assert_eq!(refused(&world, &text(&code(9))), Refusal::Expired);
    world.clock.0.set(NOW - 1);
    assert_eq!(refused(&world, &text(&code(9))), Refusal::Expired);
    world.clock.0.set(NOW + DAY - 1);
    assert!(world.login("alice", |_| text(&code(9))).granted());
}

#[test]
fn guesses_at_it_are_charged_as_those_at_recovery_codes() {
    let world = reset(ONE);
    for _ in 0..50 {
        assert_eq!(refused(&world, &text(&code(8))), Refusal::WrongRecoveryCode);
    }
    let failures = world.store.state("alice").expect("a state").failures;
    assert_eq!((failures.total(), failures.strangers.recovery), (0, 50));
    assert!(world.login("alice", |_| text(&code(9))).granted(), "no wait stands before it");
}

#[test]
fn the_bypass_code_is_no_factor_of_its_own() {
    let world = reset(ONE);
    let bob = world.login("bob", |_| text(&code(9)));
    assert_eq!(*bob.reason(), DenyReason::Step(Refusal::Unenrolled));
    world.enrol("alice", &[], None);
    assert_eq!(refused(&world, &text(&code(9))), Refusal::Unenrolled);
}

/// Nothing was accepted that could be repeated: a code that a reset made void is charged wherever it comes from.
#[test]
fn a_void_code_is_never_a_replay_from_its_source() {
    let world = reset(ONE);
    assert!(world.login("alice", |_| text(&code(9))).granted(), "which makes the source known");
    let last = world.code("phone", 10);
    assert!(matches!(refused(&world, &last), Refusal::Voided { .. }));
    assert_eq!(world.failures("alice"), 1);
}
