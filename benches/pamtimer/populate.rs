//! Fills a store with users, as files in its layout.

use std::fs::File;
use std::path::Path;

use mfa_chain::store::{FileStore, StoreError};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::otp::{Period, SharedSecret};
use mfa_chain::verifier::policy::FactorId;
use mfa_chain::verifier::username::Username;

use crate::stacks::Draws;

/// How many of the users log in while they are timed.
const DRAWN: usize = 10_000;

/// Makes the store `path` with users `PREFIX0`, `PREFIX1` and so on, each with the factors `f1`, `f2` and so on
/// under `secrets`. Users beyond the first thousand who are never drawn have files of the right size without
/// content: what grows with the users is the folders.
pub fn fill(path: &str, prefix: &str, users: u64, secrets: &[&str]) {
    let path = Path::new(path);
    let store = FileStore::open_or_create(path).expect("a store");
    let drawn: std::collections::BTreeSet<u64> =
        Draws::default().take(DRAWN).map(|draw| draw % users).collect();
    let is_whole = |number: &u64| *number < 1000 || drawn.contains(number);
    let files = |number: u64| {
        let user = format!("{prefix}{number}");
        [path.join("secrets").join(format!("{user}.toml")), path.join("state").join(user)]
    };
    for number in (0..users).filter(is_whole) {
        // By the command's own way, for a state holds whose it is; first, while the folders are small.
        let name = Username::parse(&format!("{prefix}{number}")).expect("a name");
        store.change_record(&name, |_| Ok::<_, StoreError>(record(secrets))).expect("a record");
    }
    let sizes = files(0).map(|file| file.metadata().expect("a file").len());
    for number in (0..users).filter(|number| !is_whole(number)) {
        files(number).iter().zip(sizes).for_each(|(file, size)| put(file, size));
    }
}

fn record(secrets: &[&str]) -> UserRecord {
    let credentials = (1..).zip(secrets).map(|(number, secret)| {
        Credential::new(
            FactorId::parse(&format!("f{number}")).expect("an id"),
            OtpType::Totp(Period::default()),
            SharedSecret::from_base32(secret).expect("a secret"),
        )
    });
    UserRecord::new(credentials.collect(), None).expect("a record")
}

fn put(path: &Path, size: u64) {
    use std::os::unix::fs::OpenOptionsExt;
    let file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path).expect("a file");
    file.set_len(size).expect("room");
}
