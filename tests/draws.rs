//! Random chains: what is drawn, and how long a draw stays.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;

use engine_fixture::EngineFixture;
use mfa_chain::verifier::attempt::Next;
use mfa_chain::verifier::request::Request;

const RANDOM: &str = r#"
mode = "random"
required_steps = 2
[[factors]]
id = "a"
type = "totp"
[[factors]]
id = "b"
type = "totp"
[[factors]]
id = "c"
type = "totp"
[[factors]]
id = "d"
type = "totp"
"#;

fn drawn(fixture: &EngineFixture, user: &str) -> String {
    match fixture.engine().begin(&Request::local("sshd", user)) {
        Next::Ask(attempt) => attempt.expected().factor.id.to_string(),
        Next::Over(verdict) => panic!("{verdict:?}"),
    }
}

#[test]
fn a_draw_stays_until_an_attempt_was_judged_for_enrolled_and_unknown_users_alike() {
    for user in ["alice", "nobody"] {
        let fixture = EngineFixture::new(RANDOM);
        fixture.enroll_all("alice");
        let mut draws = Vec::new();
        for _ in 0..4 {
            let draw = drawn(&fixture, user);
            for _ in 0..20 {
                assert_eq!(drawn(&fixture, user), draw, "hanging up re-rolls nothing");
            }
            draws.push(draw);
            assert!(!fixture.login(user, |_| "000000".into()).granted());
        }
        draws.dedup();
        assert!(draws.len() > 1, "each judged attempt of {user} has a draw of its own: {draws:?}");
    }
}

#[test]
fn a_random_chain_is_granted_in_the_order_drawn_and_in_no_other() {
    let fixture = EngineFixture::new(RANDOM);
    fixture.enroll_all("alice");
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let ending = fixture.login("alice", |factor| fixture.code(factor, 0));
        assert!(ending.granted(), "{ending:?}");
        orders.insert(ending.asked);
        fixture.clock.advance(30);
    }
    assert!(orders.len() > 6, "12 ordered selections, 40 logins: {}", orders.len());
}
