//! Fills a store with users, as files in its layout.

use std::fs::{self, File};
use std::path::Path;

use pam_mfa_chain::store::{FileStore, StoreError};
use pam_mfa_chain::verifier::credential::{Credential, MovingFactor};
use pam_mfa_chain::verifier::otp::{Algorithm, Digits, Period};
use pam_mfa_chain::verifier::policy::FactorId;
use pam_mfa_chain::verifier::record::UserRecord;
use pam_mfa_chain::verifier::secret::SharedSecret;
use pam_mfa_chain::verifier::time::UnixTime;
use pam_mfa_chain::verifier::username::Username;

use crate::stacks::Draws;

/// How many of the users log in while they are timed.
const DRAWN: usize = 10_000;

/// Makes the store `path` with users `PREFIX0`, `PREFIX1` and so on, each with the factors `f1`, `f2` and so on
/// under `secrets`. Users beyond the first thousand who are never drawn have files of the right size without
/// content: what grows with the users is the folders.
pub fn fill(path: &str, prefix: &str, users: u64, secrets: &[&str]) {
    let path = Path::new(path);
    let store = FileStore::open_or_create(path).expect("a store");
    let first = format!("{prefix}0");
    let name = Username::parse(&first).expect("a name");
    store.change_record(&name, |_| Ok::<_, StoreError>(record(secrets))).expect("a record");
    let text = fs::read_to_string(path.join("secrets").join(format!("{first}.toml"))).expect("the record");
    let state = fs::read(path.join("state").join(&first)).expect("the state");
    let drawn: std::collections::BTreeSet<u64> =
        Draws::default().take(DRAWN).map(|draw| draw % users).collect();
    for number in 1..users {
        let user = format!("{prefix}{number}");
        let text = text.replace(&format!("\"{first}\""), &format!("\"{user}\""));
        let whole = number < 1000 || drawn.contains(&number);
        put(&path.join("secrets").join(format!("{user}.toml")), text.as_bytes(), whole);
        put(&path.join("state").join(&user), &state, whole);
    }
}

fn record(secrets: &[&str]) -> UserRecord {
    let credentials = (1..).zip(secrets).map(|(number, secret)| Credential {
        factor: FactorId::parse(&format!("f{number}")).expect("an id"),
        moving: MovingFactor::Totp(Period::default()),
        algorithm: Algorithm::default(),
        digits: Digits::default(),
        secret: SharedSecret::from_base32(secret).expect("a secret"),
        first: 0,
        enrolled_at: UnixTime::default(),
    });
    UserRecord::new(credentials.collect(), None).expect("a record")
}

fn put(path: &Path, bytes: &[u8], whole: bool) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path).expect("a file");
    if whole {
        file.write_all(bytes).expect("room");
    } else {
        file.set_len(bytes.len() as u64).expect("room");
    }
}
