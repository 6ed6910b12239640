//! A judgement that is held up while it has the lock of its user keeps nobody out, and tells nothing afterwards.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

mod engine_fixture;
mod failed;
mod scratch_store;

use std::fs;
use std::sync::mpsc::channel;

use mfa_chain::store::FileStore;
use mfa_chain::verifier::enrollment::UserRecord;
use mfa_chain::verifier::ports::{Committed, Store};
use mfa_chain::verifier::state::LoginState;
use mfa_chain::verifier::time::UnixTime;
use scratch_store::{ScratchStore, name, phone};

const NOW: UnixTime = UnixTime::from_seconds(engine_fixture::NOW);

/// Accepts the code of step `at` once.
fn accept(at: u64) -> impl FnOnce(&UserRecord, &mut LoginState) -> bool {
    move |record, state| {
        let credential = &record.credentials()[0];
        let fresh = state.next_acceptable(credential) <= at;
        state.mark_used(credential, at, NOW);
        fresh
    }
}

fn login(store: &FileStore, user: &str, at: u64) -> Result<bool, String> {
    let claimant = store.find(user).map_err(|error| error.0)?;
    store.update(&claimant, accept(at)).map(Committed::into_inner).map_err(|error| error.0)
}

/// What a login said that was held up in its judgement, while `meanwhile` ran.
fn held_up<T: Send>(
    scratch: &ScratchStore,
    user: &str,
    meanwhile: impl FnOnce() -> T,
) -> (Result<u32, String>, T) {
    let (has_lock, seen) = channel();
    let (go_on, wait) = channel::<()>();
    std::thread::scope(|scope| {
        let holder = scope.spawn(move || {
            let store = scratch.store();
            let claimant = store.find(user).expect("a claimant");
            let judged = store.update(&claimant, |_, state| {
                has_lock.send(()).expect("waited for");
                wait.recv().expect("let on");
                state.failures.strangers.draw = 99;
                99
            });
            judged.map(Committed::into_inner).map_err(|error| error.0)
        });
        seen.recv().expect("the lock is held");
        let found = meanwhile();
        go_on.send(()).expect("the holder waits");
        (holder.join().expect("the holder"), found)
    })
}

fn states(scratch: &ScratchStore) -> Vec<String> {
    let entries = fs::read_dir(scratch.file("state")).expect("the folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_held_up_judgement_keeps_nobody_out_and_tells_nothing() {
    let scratch = ScratchStore::with_alice();
    let (holder, logins) = held_up(&scratch, "alice", || {
        let store = scratch.store();
        [(1000, true), (1000, false), (1001, true)].map(|(at, fresh)| (login(&store, "alice", at), Ok(fresh)))
    });
    for (login, expected) in logins {
        assert_eq!(login, expected);
    }
    let refusal = holder.expect_err("overtaken");
    assert!(refusal.contains("another one took over"), "{refusal}");
    assert_eq!(scratch.attempt("alice"), 0, "what it wrote is known to nobody");
    let state = scratch.store().login_state(&name("alice")).expect("readable").expect("a state");
    assert_eq!(state.next_acceptable(&phone()), 1002, "what was told stays used");
    assert_eq!(states(&scratch), ["alice"]);
}

#[test]
fn a_judgement_that_is_not_overtaken_is_told_however_long_it_took() {
    let scratch = ScratchStore::with_alice();
    let (holder, ()) = held_up(&scratch, "alice", || ());
    assert_eq!(holder, Ok(99));
    assert_eq!(scratch.attempt("alice"), 99);
}

#[test]
fn commands_go_past_a_held_up_judgement_too() {
    let scratch = ScratchStore::with_alice();
    let (holder, cleared) = held_up(&scratch, "alice", || scratch.store().clear_failures(&name("alice")));
    cleared.expect("unlocked");
    assert!(holder.is_err(), "{holder:?}");
    assert_eq!(states(&scratch), ["alice"]);
}

/// Else the time that the second one takes, and the words, would tell who is enrolled.
#[test]
fn names_that_nobody_enrolled_meet_the_same() {
    let scratch = ScratchStore::with_alice();
    let (holder, logins) = held_up(&scratch, "mallory", || {
        let store = scratch.store();
        let judge = || {
            let claimant = store.find("mallory").expect("a claimant");
            store.update(&claimant, |_, state| state.failures.strangers.draw += 1).map(|_| ())
        };
        [judge(), judge()]
    });
    for login in logins {
        login.expect("judged");
    }
    assert_eq!(times_taken_over(&scratch), 1, "the lock was free for the second login");
    let refusal = holder.expect_err("overtaken");
    assert!(refusal.contains("another one took over"), "{refusal}");
    assert_eq!(scratch.attempt("mallory"), 2);
    assert_eq!(fs::read_dir(scratch.file("decoys")).expect("the folder").count(), 2);
}

/// As docs/file-formats.md has it, of the one name that has a place.
fn times_taken_over(scratch: &ScratchStore) -> u8 {
    let bytes = fs::read(scratch.file("decoys/states")).expect("the decoys");
    let places = bytes[64..].chunks(64).filter(|place| place.iter().any(|byte| *byte != 0));
    let takers: Vec<u8> = places.map(|place| place[44]).collect();
    assert_eq!(takers.len(), 1);
    takers[0]
}

#[test]
fn what_a_taker_left_behind_is_removed_and_nothing_else() {
    let scratch = ScratchStore::with_alice();
    let whole = fs::read(scratch.file("state/alice")).expect("the state");
    // One of a taker that died, and what only looks like one.
    let (left, other) =
        (".alice.displaced-0123456789abcdef", ".alice.displaced-x.displaced-0123456789abcdef");
    for file in [left, other] {
        let path = scratch.file(&format!("state/{file}"));
        fs::write(&path, &whole).expect("written");
        scratch_store::chmod(&path, 0o600);
    }
    let change = scratch.store().change_record::<mfa_chain::store::StoreError>(&name("alice"), Ok);
    change.expect("written");
    assert_eq!(states(&scratch), [other, "alice"]);
}
