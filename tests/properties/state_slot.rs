//! A login state: bytes count only under their checksum, the other slot stands in, and what is read is written and
//! read again the same.

use std::fs;

use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::state::{FailureCounts, LoginState};

use super::oracle::{crc32c, hmac_sha256};
use super::scratch_store::{ScratchStore, name};

const SLOT: usize = 4096;

thread_local! {
    static SCRATCH: (ScratchStore, Vec<u8>) = {
        let scratch = ScratchStore::with_alice();
        scratch.judge_once("alice");
        let whole = fs::read(scratch.file("state/alice")).expect("the state");
        (scratch, whole)
    };
}

/// The first byte says where the slot stands (bit 0), whether its checksum is made right (bit 1), whether its magic
/// number and version are (bit 2), whether that is version 2 (bit 3), and whether it says whose it is (bit 4); then
/// come the bytes of the slot, zeros behind them.
pub fn check(bytes: &[u8]) {
    let Some((setting, bytes)) = bytes.split_first() else { return };
    let slot = slot(*setting, bytes);
    SCRATCH.with(|(scratch, whole)| {
        alone_it_counts_under_its_checksum(scratch, *setting, &slot);
        beside_a_whole_one_it_takes_nothing_away(scratch, *setting, &slot, whole);
    });
}

/// The slot that `check` makes of its input.
pub fn slot(setting: u8, bytes: &[u8]) -> Vec<u8> {
    let mut slot = bytes.to_vec();
    slot.resize(SLOT, 0);
    if setting & 4 != 0 {
        slot[..10].copy_from_slice(if setting & 8 != 0 { b"MFACHAIN\x02\0" } else { b"MFACHAIN\x01\0" });
    }
    if setting & 16 != 0 {
        let owner = hmac_sha256(&slot[36..68], b"state of user alice");
        slot[24..32].copy_from_slice(&owner[..8]);
    }
    if setting & 2 != 0 {
        let checksum = crc32c(&slot[..SLOT - 4]);
        slot[SLOT - 4..].copy_from_slice(&checksum.to_le_bytes());
    }
    slot
}

fn alone_it_counts_under_its_checksum(scratch: &ScratchStore, setting: u8, slot: &[u8]) {
    put(scratch, setting, slot, &[0; SLOT]);
    let Ok(state) = scratch.store().login_state(&name("alice")) else { return };
    let state = state.expect("the file is there");
    assert_eq!(slot[SLOT - 4..], crc32c(&slot[..SLOT - 4]).to_le_bytes(), "accepted without its checksum");
    assert_eq!((&slot[..8], &slot[9..12]), (&b"MFACHAIN"[..], &[0, 1, 0][..]), "magic number, version, kind");
    match slot[8] {
        1 => (),
        2 => assert_eq!(slot[24..32], hmac_sha256(&slot[36..68], b"state of user alice")[..8], "whose it is"),
        other => panic!("version {other}"),
    }
    assert!(
        state.marks.len() <= LoginState::MAX_MARKS && state.failures.known.len() <= FailureCounts::MAX_KNOWN
    );
    assert_written_and_read_again(scratch, &state);
}

fn assert_written_and_read_again(scratch: &ScratchStore, state: &LoginState) {
    let before = fs::read(scratch.file("state/alice")).expect("the state");
    let store = scratch.store();
    let claimant = store.find("alice").expect("alice");
    assert_eq!((&claimant.failures, claimant.draw_key), (&state.failures, state.draw_key));
    let again = store.update(&claimant, |_, again| again.clone());
    let after = fs::read(scratch.file("state/alice")).expect("the state");
    assert_eq!(after.len(), 2 * SLOT);
    match again {
        Ok(again) => {
            assert_eq!(again.into_inner(), *state);
            assert_eq!(store.login_state(&name("alice")).expect("our own slot").as_ref(), Some(state));
        }
        Err(error) => assert_eq!(before, after, "{error}, and something was written"),
    }
}

fn beside_a_whole_one_it_takes_nothing_away(scratch: &ScratchStore, setting: u8, slot: &[u8], whole: &[u8]) {
    let newest = newest(whole);
    put(scratch, setting, slot, newest);
    let read = scratch.store().login_state(&name("alice"));
    let damaged = slot[..8] != *b"MFACHAIN" || slot[SLOT - 4..] != crc32c(&slot[..SLOT - 4]).to_le_bytes();
    if damaged {
        let attempt = read.expect("the other slot").expect("the file is there").failures.strangers.draw;
        assert_eq!(attempt, 1, "a torn slot hides the whole one");
    } else if !matches!(slot[8..10], [1 | 2, 0]) {
        let error = read.expect_err("a later version's state is not ignored");
        assert!(error.to_string().contains("upgrade mfa-chain"), "{error}");
    }
}

/// The slot of the scratch store's file with attempt number 1.
fn newest(whole: &[u8]) -> &[u8] {
    let (first, second) = whole.split_at(SLOT);
    if first[16..24] > second[16..24] { first } else { second }
}

fn put(scratch: &ScratchStore, setting: u8, slot: &[u8], other: &[u8]) {
    let bytes = if setting & 1 == 0 { [slot, other].concat() } else { [other, slot].concat() };
    fs::write(scratch.file("state/alice"), bytes).expect("written");
}
