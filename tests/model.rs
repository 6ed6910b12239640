//! Random histories of a user against a reference of few lines (`tests/model/reference.rs`): the engine on the store on
//! disk must come to the same after every move, whatever crashes, races and clocks do in between.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

#[path = "model/batch.rs"]
mod batch;
mod engine_fixture;
#[path = "model/histories.rs"]
mod histories;
#[path = "model/model_run.rs"]
mod model_run;
#[path = "properties/oracle.rs"]
#[allow(dead_code)] // the other half is for other doors
mod oracle;
#[path = "model/reference.rs"]
mod reference;
mod scratch_store;

use histories::history;
use model_run::ModelRun;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use reference::Reference;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_user_judged_step_by_step_fares_as_the_reference_says(moves in history()) {
        ModelRun::new(false).live_through(&moves, |_| ());
    }

    #[test]
    fn a_user_judged_all_together_fares_as_the_reference_says(moves in history()) {
        ModelRun::new(true).live_through(&moves, |_| ());
    }
}

type Forget = fn(&mut Reference);

/// A comparison that a wrong reference passes would prove nothing.
#[test]
fn a_reference_that_forgets_is_found_out() {
    let forgetful: [(&str, Forget); 4] = [
        ("used codes", |it| it.next.clear()),
        ("failures of strangers", |it| it.strangers = batch::Lane::default()),
        ("failures of the day", |it| it.strangers.today = 0),
        ("known sources", |it| it.known.clear()),
    ];
    for (what, forget) in forgetful {
        let config = ProptestConfig {
            cases: 256,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..ProptestConfig::default()
        };
        // The same histories each time: what they find once they find always.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let lived = TestRunner::new_with_rng(config, rng).run(&history(), |moves| {
            ModelRun::new(false).live_through(&moves, forget);
            Ok(())
        });
        assert!(matches!(lived, Err(TestError::Fail(..))), "nobody noticed that it forgets {what}");
    }
}

#[test]
fn the_reference_is_short_enough_to_be_read_at_once() {
    assert!(include_str!("model/reference.rs").lines().count() <= 100);
}
