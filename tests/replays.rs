//! A client that opens several connections with one code, and what is not that.
#![cfg(test)]

mod world;

use pam_mfa_chain::verifier::attempt::Begin;
use pam_mfa_chain::verifier::request::Request;
use pam_mfa_chain::verifier::verdict::{DenyReason, Refusal};
use world::World;

const ONE: &str = "[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
const HOME: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.9";

fn enrolled(policy: &str) -> World {
    let world = World::new(policy);
    world.enrol_all("alice");
    world
}

fn refused(world: &World, address: &str, code: &str) -> Refusal {
    match world.login_from(address, "alice", |_| code.to_owned()).reason() {
        DenyReason::Step(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn six_connections_with_one_code_cost_one_login_and_no_wait() {
    let world = enrolled(ONE);
    let code = world.code("phone", 0);
    assert!(world.login_from(HOME, "alice", |_| code.clone()).granted());
    for _ in 0..50 {
        assert_eq!(refused(&world, HOME, &code), Refusal::ReplayFromSource);
    }
    world.clock.advance(600);
    assert_eq!(refused(&world, HOME, &code), Refusal::ReplayFromSource, "a client that comes back later");
    assert_eq!(world.failures("alice"), 0);
    assert!(world.login_from(HOME, "alice", |factor| world.code(factor, 0)).granted());
    let trail = world.audit.0.borrow();
    let uncharged = trail.iter().filter(|line| line.contains("outcome=replay charged=no failures=0"));
    assert_eq!(uncharged.count(), 51);
}

#[test]
fn any_other_replay_is_charged() {
    let world = enrolled(ONE);
    let (older, last) = (world.code("phone", -1), world.code("phone", 0));
    assert!(world.login_from(HOME, "alice", |_| older.clone()).granted());
    assert!(world.login_from(HOME, "alice", |_| last.clone()).granted());
    assert_eq!(refused(&world, ELSEWHERE, &last), Refusal::Replay);
    assert_eq!(refused(&world, HOME, &older), Refusal::Replay);
    assert_eq!(refused(&world, HOME, "000000"), Refusal::WrongCode);
    assert_eq!(world.failures("alice"), 3);
    assert!(world.login_from(ELSEWHERE, "alice", |factor| world.code(factor, 1)).granted());
    assert_eq!(refused(&world, HOME, &world.code("phone", 1)), Refusal::Replay, "accepted elsewhere by now");
}

#[test]
fn a_code_that_an_enrolment_used_or_that_never_opened_is_charged() {
    let world = enrolled(&format!("{ONE}[[factors]]\nid = \"token\"\ntype = \"totp\"\n"));
    let code = world.code("phone", 0);
    let half = |factor: &str| if factor == "phone" { code.clone() } else { "000000".to_owned() };
    assert!(!world.login_from(HOME, "alice", half).granted());
    assert_eq!(refused(&world, HOME, &code), Refusal::Replay);
    assert_eq!(world.failures("alice"), 2);
}

#[test]
fn a_replay_beside_a_wrong_code_is_charged_under_conceal() {
    let world = enrolled(&format!(
        "required_steps = 2\non_wrong_code = \"conceal\"\n{ONE}[[factors]]\nid = \"token\"\ntype = \"totp\"\n"
    ));
    let codes = [world.code("phone", 0), world.code("token", 0)];
    let right = |factor: &str| codes[usize::from(factor == "token")].clone();
    assert!(world.login_from(HOME, "alice", right).granted());
    assert!(!world.login_from(HOME, "alice", right).granted());
    assert_eq!(world.failures("alice"), 0);
    let half = |factor: &str| if factor == "phone" { codes[0].clone() } else { "000000".to_owned() };
    assert!(!world.login_from(HOME, "alice", half).granted());
    assert_eq!(world.failures("alice"), 1);
}

#[test]
fn a_replay_moves_no_draw() {
    let world = enrolled(
        "mode = \"random\"\nrequired_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n\
         [[factors]]\nid = \"token\"\ntype = \"totp\"\n",
    );
    let draw = || world.store.state("alice").expect("a state").failures.known[0].lane.draw;
    let request = Request { rhost: Some(HOME.to_owned()), ..Request::new("sshd", "alice") };
    let drawn = || match world.engine().begin(&request) {
        Begin::Attempt(attempt) => attempt.expected().factor.id.to_string(),
        Begin::Over(verdict) => panic!("{verdict:?}"),
    };
    let factor = drawn();
    let code = world.code(&factor, 0);
    assert!(world.login_from(HOME, "alice", |_| code.clone()).granted());
    // Wrong codes move the draw until it asks for the same factor again.
    while drawn() != factor {
        assert_eq!(refused(&world, HOME, "000000"), Refusal::WrongCode);
        world.clock.advance(86_400);
    }
    let before = draw();
    assert_eq!(refused(&world, HOME, &code), Refusal::ReplayFromSource);
    assert_eq!(draw(), before);
    assert_eq!(refused(&world, HOME, "000000"), Refusal::WrongCode);
    assert_eq!(draw(), before + 1);
}
