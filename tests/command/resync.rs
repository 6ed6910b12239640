//! `resync`: where the counter of an enrolled token stands.

use mfa_chain::verifier::time::UnixTime;

use super::scratch::{OTHER_SECRET, SECRET, ScratchHost, hotp, now};

fn codes(at: u64) -> String {
    format!("{}\n{}\n", hotp(SECRET, at), hotp(SECRET, at.saturating_add(1)))
}

fn next(scratch: &ScratchHost) -> u64 {
    let mut next = 0;
    scratch.change_state("alice", |record, state| next = state.next_acceptable(&record.credentials()[0]));
    next
}

#[test]
fn a_token_pressed_too_often_is_found_by_two_codes_in_a_row() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "token", SECRET);
    let before = scratch.secret_file("alice");
    let finished = scratch.run_with_input("resync alice token", &codes(9_000)).expect(0);
    assert!(finished.stdout.contains("`token` of alice stands at counter 9002"), "{finished:?}");
    assert_eq!(next(&scratch), 9_002);
    assert_eq!(scratch.secret_file("alice"), before, "the secret that is enrolled stays");
    let facts = scratch.run_with_input("resync alice token --json", &codes(9_010)).expect(0).json();
    assert_eq!(facts, serde_json::json!({"user": "alice", "factor": "token", "next_counter": 9_012}));
}

#[test]
fn the_search_goes_forward_alone_and_10_000_counters_far() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "token", SECRET);
    scratch.change_state("alice", |record, state| {
        state.mark_used(&record.credentials()[0], 500, UnixTime::from_seconds(now()));
    });
    for at in [400, 500, 10_501] {
        scratch.run_with_input("resync alice token", &codes(at)).expect(4);
        assert_eq!(next(&scratch), 501, "{at}");
    }
    scratch.run_with_input("resync alice token --counter 400", &codes(400)).expect(4);
    scratch.run_with_input("resync alice token --counter 10501", &codes(10_501)).expect(0);
    assert_eq!(next(&scratch), 10_503);
}

#[test]
fn a_token_that_a_reset_made_void_counts_again() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "token", SECRET);
    scratch.run("unlock alice --reset-state").expect(0);
    assert_eq!(next(&scratch), u64::MAX);
    scratch.run_with_input("resync alice token", "123456\n654321\n").expect(4);
    assert_eq!(next(&scratch), u64::MAX, "not proven");
    scratch.run_with_input("resync alice token", &codes(30)).expect(0);
    assert_eq!(next(&scratch), 32);
}

#[test]
fn what_is_no_counter_token_of_the_user_is_refused() {
    let scratch = ScratchHost::new();
    scratch.run("resync alice token").refused(3, &["store: not there"]);
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("resync alice phone").refused(1, &["`phone` goes by the time"]);
    scratch.run("resync alice token").refused(1, &["alice has not enrolled `token`; enrolled: phone"]);
    scratch.run("resync bob token").refused(1, &["`bob` has enrolled nothing"]);
    scratch.enroll("alice", "token", OTHER_SECRET);
    scratch.run_with_input("resync alice token", &codes(0)).expect(4);
    scratch.run_detached("resync alice token", "").refused(4, &["the input ended"]);
}
