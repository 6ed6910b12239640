//! A secret file: what is read is written and read again the same, and no complaint quotes a secret.

use std::fs;

use mfa_chain::store::StoreError;
use mfa_chain::verifier::enrollment::UserRecord;
use mfa_chain::verifier::otp::RecoverySet;

use super::oracle::secret_quoted;
use super::scratch_store::{ScratchStore, name};

thread_local! {
    static SCRATCH: ScratchStore = ScratchStore::with_alice();
}

/// The bytes stand in `secrets/alice.toml`.
pub fn check(bytes: &[u8]) {
    SCRATCH.with(|scratch| check_in(scratch, bytes));
}

fn check_in(scratch: &ScratchStore, bytes: &[u8]) {
    let (alice, path) = (name("alice"), scratch.file("secrets/alice.toml"));
    fs::write(&path, bytes).expect("written");
    let record = match scratch.store().record(&alice) {
        Ok(record) => record.expect("the file is there"),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("secrets/alice.toml"), "{said}");
            assert_eq!(secret_quoted(bytes, &said), None, "{said}");
            return;
        }
    };
    assert_sound(&record);
    scratch.store().change_record::<StoreError>(&alice, Ok).expect("written again");
    let text = fs::read(&path).expect("the file");
    assert!(text.len() <= 64 * 1024, "{} bytes", text.len());
    assert_eq!(scratch.store().record(&alice).expect("our own file"), Some(record));
    scratch.store().change_record::<StoreError>(&alice, Ok).expect("written again");
    assert_eq!(fs::read(&path).expect("the file"), text, "one record has one text");
}

fn assert_sound(record: &UserRecord) {
    let credentials = record.credentials();
    assert!(credentials.len() <= UserRecord::MAX_CREDENTIALS);
    for (place, credential) in credentials.iter().enumerate() {
        let bits = credential.secret.bits();
        assert!((80..=1024).contains(&bits), "a secret of {bits} bits was taken");
        for other in &credentials[place + 1..] {
            assert_ne!(credential.factor, other.factor);
            assert!(credential.secret != other.secret, "two factors have one key");
        }
    }
    assert!(record.recovery().is_none_or(|set| (1..=RecoverySet::MAX_CODES).contains(&set.hashes().len())));
}

/// A file as we write it, to change and cut.
pub const WHOLE: &str = include_str!("../../fuzz/corpus/secret_file/whole");
