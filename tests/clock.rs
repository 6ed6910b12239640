//! A clock that is wrong, or set: it makes no code good a second time, and none from before the enrollment.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;

use engine_fixture::{EngineFixture, NOW};
use mfa_chain::verifier::enrollment::{Credential, UserRecord};
use mfa_chain::verifier::reason::{DenyReason, Refusal};
use proptest::prelude::*;

const ONE: &str = "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
const STEP: u64 = 30;

/// alice enrolled her phone at `NOW`, with the code of that time.
fn enrolled_now() -> EngineFixture {
    let fixture = EngineFixture::new(ONE);
    let phone = Credential { first: NOW / STEP + 1, ..fixture.credential("phone") };
    fixture.store.enroll("alice", UserRecord::new(vec![phone], None).expect("a record"));
    fixture
}

#[test]
fn a_clock_before_the_enrollment_accepts_no_code_and_says_so() {
    // The epoch is where hosts without a battery start.
    for time in [0, 1, 1_000_000_000, NOW - 86_400, NOW - 2 * STEP, NOW - STEP] {
        let fixture = enrolled_now();
        fixture.clock.0.set(time);
        let right = fixture.credential("phone").code(time / STEP).to_string();
        assert_eq!(
            *fixture.login("alice", |_| right.clone()).reason(),
            DenyReason::Step(Refusal::Replay),
            "{time}"
        );
        let wrong = fixture.login("alice", |_| "000000".into());
        let behind = if time < NOW - STEP { Refusal::ClockBehind } else { Refusal::WrongCode };
        assert_eq!(*wrong.reason(), DenyReason::Step(behind), "{time}");
        fixture.clock.0.set(NOW + STEP);
        assert!(fixture.login("alice", |factor| fixture.code(factor, 0)).granted(), "{time}");
    }
}

proptest! {
    #[test]
    fn no_history_of_the_clock_accepts_a_time_step_twice_or_backwards(
        logins in proptest::collection::vec((0_u64..20_000, 0_u64..20_000, any::<bool>()), 1..30)
    ) {
        let fixture = enrolled_now();
        let mut last = NOW / STEP;
        for (at, of, fresh) in logins {
            // A code of this moment, or one that belongs to another.
            let step = (NOW - 10_000 + if fresh { at } else { of }) / STEP;
            fixture.clock.0.set(NOW - 10_000 + at);
            let code = fixture.credential("phone").code(step).to_string();
            if fixture.login("alice", |_| code.clone()).granted() {
                // The same digits can belong to another step of the window, so what was recorded counts.
                let state = fixture.store.state("alice").expect("a state");
                let accepted = state.mark(fixture.credential("phone").id()).expect("a mark").next - 1;
                prop_assert!(accepted > last, "{accepted} after {last}");
                prop_assert_eq!(&*fixture.credential("phone").code(accepted), &code);
                last = accepted;
            }
        }
    }
}
