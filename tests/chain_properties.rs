//! What holds for every policy and every sequence of answers, against a model that knows nothing of the engine
//! but the rules.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;

use engine_fixture::{EngineFixture, typed};
use mfa_chain::verifier::attempt::Next;
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use mfa_chain::verifier::request::Request;
use mfa_chain::verifier::verdict::Verdict;
use proptest::prelude::*;

/// Longer than any wait, so that the throttle stands in no attempt's way here.
const TWO_DAYS: u64 = 2 * 86_400;

#[derive(Clone, Debug)]
struct Setup {
    hotp: Vec<bool>,
    enrolled: Vec<bool>,
    required: usize,
    random: bool,
    conceal: bool,
}

#[derive(Clone, Copy, Debug)]
enum Typed {
    Right,
    Used,
    OfAnotherFactor,
    Wrong,
    Malformed,
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    typed: Typed,
    /// Answers the expected step, or names some factor of the policy.
    names: Option<usize>,
}

fn setups() -> impl Strategy<Value = Setup> {
    (1_usize..=5)
        .prop_flat_map(|count| {
            let flags = || proptest::collection::vec(any::<bool>(), count);
            (
                flags(),
                proptest::collection::vec(proptest::bool::weighted(0.8), count),
                1..=count,
                any::<bool>(),
                any::<bool>(),
            )
        })
        .prop_map(|(hotp, enrolled, required, random, conceal)| Setup {
            hotp,
            enrolled,
            required,
            random,
            conceal,
        })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let typed = prop_oneof![
        8 => Just(Typed::Right),
        1 => Just(Typed::Used),
        1 => Just(Typed::OfAnotherFactor),
        1 => Just(Typed::Wrong),
        1 => Just(Typed::Malformed),
        1 => Just(Typed::Nothing),
    ];
    let names = prop_oneof![9 => Just(None), 1 => (0_usize..5).prop_map(Some)];
    proptest::collection::vec((typed, names).prop_map(|(typed, names)| Move { typed, names }), 1..40)
}

impl Setup {
    fn fixture(&self) -> EngineFixture {
        let mut policy = format!(
            "mode = \"{}\"\nrequired_steps = {}\non_wrong_code = \"{}\"\n",
            if self.random { "random" } else { "fixed" },
            self.required,
            if self.conceal { "conceal" } else { "reset" },
        );
        for (place, hotp) in self.hotp.iter().enumerate() {
            let kind = if *hotp { "hotp" } else { "totp" };
            let factor = format!("[[factors]]\nid = \"f{place}\"\ntype = \"{kind}\"\n");
            policy.push_str(&factor);
        }
        let fixture = EngineFixture::new(&policy);
        let ids: Vec<String> = self.enrolled_ids();
        fixture.enroll("alice", &ids.iter().map(String::as_str).collect::<Vec<_>>(), None);
        fixture
    }

    fn enrolled_ids(&self) -> Vec<String> {
        let places = self.enrolled.iter().enumerate().filter(|(_, enrolled)| **enrolled);
        places.map(|(place, _)| format!("f{place}")).collect()
    }

    fn can_pass(&self) -> bool {
        self.enrolled_ids().len() >= self.required
    }
}

/// The time steps or counters that the rules accept for `factor` now: in the window, and after the last used.
fn acceptable(fixture: &EngineFixture, factor: &str) -> Vec<u64> {
    let credential = fixture.credential(factor);
    let state = fixture.store.state("alice").expect("state");
    let next = state.mark(credential.id()).map_or(0, |mark| mark.next);
    match credential.step_at(mfa_chain::verifier::ports::Clock::now(&fixture.clock)) {
        Some(step) => (step - 1..=step + 1).filter(|step| *step >= next).collect(),
        None => (next..next + 10).collect(),
    }
}

fn answer(fixture: &EngineFixture, setup: &Setup, factor: &str, typed: Typed) -> String {
    let credential = fixture.credential(factor);
    match typed {
        Typed::Right => {
            acceptable(fixture, factor).last().map_or_else(String::new, |at| credential.code(*at).to_string())
        }
        Typed::Used => {
            let used =
                fixture.store.state("alice").expect("state").mark(credential.id()).map(|mark| mark.next - 1);
            credential.code(used.unwrap_or(1)).to_string()
        }
        Typed::OfAnotherFactor => {
            let other = (0..setup.hotp.len()).map(|place| format!("f{place}")).find(|other| other != factor);
            other.map_or_else(String::new, |other| fixture.code(&other, 0))
        }
        Typed::Wrong => "123456".to_owned(),
        Typed::Malformed => "12345".to_owned(),
        Typed::Nothing => String::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_grant_follows_only_from_every_drawn_step_in_order(setup in setups(), moves in moves()) {
        let fixture = setup.fixture();
        let engine = fixture.engine();
        let mut moves = moves.into_iter();
        'attempts: loop {
            fixture.clock.advance(TWO_DAYS);
            let begun = engine.begin(&Request::local("sshd", "alice"));
            let Next::Ask(mut attempt) = begun else { panic!("a chain is asked of everybody") };
            // Whatever went before, an attempt starts at step 1.
            prop_assert_eq!(attempt.expected().number, 1);
            prop_assert_eq!(attempt.step_count(), setup.required);
            let mut right: Vec<String> = Vec::new();
            let mut spoilt = !setup.can_pass();
            loop {
                let Some(next) = moves.next() else { break 'attempts };
                let expected = attempt.expected().factor.id.to_string();
                prop_assert!(!right.contains(&expected), "no factor twice");
                let named = next.names.filter(|place| *place < setup.hotp.len()).map(|place| format!("f{place}"));
                let named = named.unwrap_or_else(|| expected.clone());
                let text = answer(&fixture, &setup, &expected, next.typed);
                let credential = fixture.credential(&expected);
                let is_right = setup.enrolled_ids().contains(&expected)
                    && acceptable(&fixture, &expected).iter().any(|at| *credential.code(*at) == text);
                spoilt |= !is_right || named != expected;
                match engine.submit(attempt, &named, typed(&text)) {
                    Err(breach) => {
                        prop_assert_ne!(&named, &expected);
                        prop_assert_eq!(breach.expected.as_str(), expected.as_str());
                        continue 'attempts;
                    }
                    Ok(Next::Ask(next)) => {
                        prop_assert_eq!(&named, &expected);
                        prop_assert!(setup.conceal || !spoilt, "under reset a wrong answer ends the attempt");
                        right.push(expected);
                        attempt = next;
                    }
                    Ok(Next::Over(Verdict::Grant(proof))) => {
                        right.push(expected);
                        prop_assert!(!spoilt);
                        prop_assert_eq!(right.len(), setup.required);
                        prop_assert_eq!(proof.factors().map(ToString::to_string).collect::<Vec<_>>(), right);
                        prop_assert_eq!(fixture.failures("alice"), 0);
                        continue 'attempts;
                    }
                    Ok(Next::Over(Verdict::Exempt(by))) => panic!("nothing exempts: {by:?}"),
                    Ok(Next::Over(Verdict::Deny(reason))) => {
                        prop_assert!(spoilt, "right answers in order are granted, not {:?}", reason);
                        let repeated = reason == DenyReason::Step(Refusal::ReplayFromSource);
                        prop_assert!(repeated || fixture.failures("alice") > 0, "a judged failure is charged");
                        let throttled = matches!(reason, DenyReason::Step(Refusal::Throttled { .. }));
                        prop_assert!(!throttled, "two days are longer than any wait");
                        continue 'attempts;
                    }
                }
            }
        }
    }

    #[test]
    fn a_chain_asks_for_factors_that_the_user_has(setup in setups(), attempts in 1_usize..6) {
        let fixture = setup.fixture();
        for _ in 0..attempts {
            fixture.clock.advance(TWO_DAYS);
            let ending = fixture.login("alice", |factor| answer(&fixture, &setup, factor, Typed::Right));
            prop_assert_eq!(ending.granted(), setup.can_pass());
            if setup.can_pass() {
                let enrolled = setup.enrolled_ids();
                prop_assert!(ending.asked.iter().all(|factor| enrolled.contains(factor)));
                if !setup.random {
                    prop_assert_eq!(&ending.asked[..], &enrolled[..setup.required]);
                }
            }
        }
    }

    #[test]
    fn no_bytes_are_a_right_answer_but_the_right_code(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let fixture = EngineFixture::new("[[factors]]\nid = \"f0\"\ntype = \"totp\"\n");
        fixture.enroll_all("alice");
        let engine = fixture.engine();
        let Next::Ask(attempt) = engine.begin(&Request::local("sshd", "alice")) else { panic!("a chain") };
        let digits: String = bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| char::from(*byte)).collect();
        let codes: Vec<String> = (-1..=1).map(|offset| fixture.code("f0", offset)).collect();
        let granted = matches!(
            engine.submit(attempt, "f0", mfa_chain::verifier::otp::Response::from_bytes(&bytes)),
            Ok(Next::Over(Verdict::Grant(_)))
        );
        prop_assert_eq!(granted, codes.contains(&digits) && bytes.len() <= 64);
    }
}
