//! A client that opens several connections with one code, and what is not that.
#![cfg(test)]

mod engine_fixture;

use engine_fixture::EngineFixture;
use mfa_chain::verifier::attempt::Next;
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;

const ONE: &str = "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
const HOME: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.9";

fn enrolled(policy: &str) -> EngineFixture {
    let fixture = EngineFixture::new(policy);
    fixture.enroll_all("alice");
    fixture
}

fn refused(fixture: &EngineFixture, address: &str, code: &str) -> Refusal {
    match fixture.login_from(address, "alice", |_| code.to_owned()).reason() {
        DenyReason::Step(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn six_connections_with_one_code_cost_one_login_and_no_wait() {
    let fixture = enrolled(ONE);
    let code = fixture.code("phone", 0);
    assert!(fixture.login_from(HOME, "alice", |_| code.clone()).granted());
    for _ in 0..50 {
        assert_eq!(refused(&fixture, HOME, &code), Refusal::ReplayFromSource);
    }
    fixture.clock.advance(600);
    assert_eq!(refused(&fixture, HOME, &code), Refusal::ReplayFromSource, "a client that comes back later");
    assert_eq!(fixture.failures("alice"), 0);
    assert!(fixture.login_from(HOME, "alice", |factor| fixture.code(factor, 0)).granted());
    let trail = fixture.audit.0.borrow();
    let uncharged = trail.iter().filter(|line| line.contains("outcome=replay charged=no failures=0"));
    assert_eq!(uncharged.count(), 51);
}

#[test]
fn any_other_replay_is_charged() {
    let fixture = enrolled(ONE);
    let (older, last) = (fixture.code("phone", -1), fixture.code("phone", 0));
    assert!(fixture.login_from(HOME, "alice", |_| older.clone()).granted());
    assert!(fixture.login_from(HOME, "alice", |_| last.clone()).granted());
    assert_eq!(refused(&fixture, ELSEWHERE, &last), Refusal::Replay);
    assert_eq!(refused(&fixture, HOME, &older), Refusal::Replay);
    assert_eq!(refused(&fixture, HOME, "000000"), Refusal::WrongCode);
    assert_eq!(fixture.failures("alice"), 3);
    assert!(fixture.login_from(ELSEWHERE, "alice", |factor| fixture.code(factor, 1)).granted());
    assert_eq!(
        refused(&fixture, HOME, &fixture.code("phone", 1)),
        Refusal::Replay,
        "accepted elsewhere by now"
    );
}

#[test]
fn a_code_that_an_enrollment_used_or_that_never_opened_is_charged() {
    let fixture = enrolled(&format!("{ONE}[[factors]]\nid = \"token\"\ntype = \"totp\"\n"));
    let code = fixture.code("phone", 0);
    let half = |factor: &str| if factor == "phone" { code.clone() } else { "000000".to_owned() };
    assert!(!fixture.login_from(HOME, "alice", half).granted());
    assert_eq!(refused(&fixture, HOME, &code), Refusal::Replay);
    assert_eq!(fixture.failures("alice"), 2);
}

#[test]
fn a_replay_beside_a_wrong_code_is_charged_under_conceal() {
    let fixture = enrolled(&format!(
        "required_steps = 2\non_wrong_code = \"conceal\"\n{ONE}[[factors]]\nid = \"token\"\ntype = \"totp\"\n"
    ));
    let codes = [fixture.code("phone", 0), fixture.code("token", 0)];
    let right = |factor: &str| codes[usize::from(factor == "token")].clone();
    assert!(fixture.login_from(HOME, "alice", right).granted());
    assert!(!fixture.login_from(HOME, "alice", right).granted());
    assert_eq!(fixture.failures("alice"), 0);
    let half = |factor: &str| if factor == "phone" { codes[0].clone() } else { "000000".to_owned() };
    assert!(!fixture.login_from(HOME, "alice", half).granted());
    assert_eq!(fixture.failures("alice"), 1);
}

#[test]
fn a_replay_moves_no_draw() {
    let fixture = enrolled(
        "mode = \"random\"\nrequired_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n\
         [[factors]]\nid = \"token\"\ntype = \"totp\"\n",
    );
    let draw = || fixture.store.state("alice").expect("a state").failures.known[0].lane.draw;
    let request = Request { rhost: Some(HOME.to_owned()), ..Request::local("sshd", "alice") };
    let drawn = || match fixture.engine().begin(&request) {
        Next::Ask(attempt) => attempt.expected().factor.id.to_string(),
        Next::Over(verdict) => panic!("{verdict:?}"),
    };
    let factor = drawn();
    let code = fixture.code(&factor, 0);
    assert!(fixture.login_from(HOME, "alice", |_| code.clone()).granted());
    // Wrong codes move the draw until it asks for the same factor again.
    while drawn() != factor {
        assert_eq!(refused(&fixture, HOME, "000000"), Refusal::WrongCode);
        fixture.clock.advance(86_400);
    }
    let before = draw();
    assert_eq!(refused(&fixture, HOME, &code), Refusal::ReplayFromSource);
    assert_eq!(draw(), before);
    assert_eq!(refused(&fixture, HOME, "000000"), Refusal::WrongCode);
    assert_eq!(draw(), before + 1);
}
