//! A store in a scratch folder, with one user enrolled.
#![allow(dead_code)] // each test binary uses its part

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mfa_chain::store::{FileStore, StoreError};
use mfa_chain::verifier::enrollment::{Credential, UserRecord};
use mfa_chain::verifier::otp::Algorithm;
use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::username::Username;
use tempfile::TempDir;

use super::engine_fixture;

pub struct ScratchStore {
    _dir: TempDir,
    pub path: PathBuf,
}

impl ScratchStore {
    pub fn new() -> Self {
        Self::below("store")
    }

    /// A store at `path` in the scratch folder.
    pub fn below(path: &str) -> Self {
        // In memory where there is room in it: these tests are about what is written, not about the disk.
        let dir = match std::env::var_os("TMPDIR") {
            Some(_) => TempDir::new(),
            None => TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()),
        };
        let dir = dir.expect("a scratch folder");
        let path = dir.path().join(path);
        FileStore::open_or_create(&path).expect("a new store");
        Self { _dir: dir, path }
    }

    pub fn with_alice() -> Self {
        let scratch = Self::new();
        scratch.enroll("alice", vec![phone()]);
        scratch
    }

    pub fn store(&self) -> FileStore {
        FileStore::at(&self.path)
    }

    pub fn enroll(&self, user: &str, credentials: Vec<Credential>) {
        let record = UserRecord::new(credentials, None).expect("a record");
        self.store().change_record::<StoreError>(&name(user), |_| Ok(record)).expect("enrolled");
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Why a login of `user` would be denied by the store; the empty text if it would not.
    pub fn refusal(&self, user: &str) -> String {
        refusal_at(&self.path, user)
    }

    pub fn attempt(&self, user: &str) -> u64 {
        self.store().find(user).expect("a state").failures.strangers.draw
    }

    pub fn judge_once(&self, user: &str) {
        let store = self.store();
        let claimant = store.find(user).expect("a claimant");
        let judged = store.update(&claimant, |_, state| {
            let draw = &mut state.failures.strangers.draw;
            *draw = draw.wrapping_add(1);
        });
        judged.expect("a judgement");
    }
}

/// The same of the store at `path`.
pub fn refusal_at(path: &Path, user: &str) -> String {
    let store = FileStore::at(path);
    let tried = store.find(user).and_then(|claimant| store.update(&claimant, |_, _| ()).map(|_| ()));
    tried.err().map(|failure| failure.0).unwrap_or_default()
}

pub fn name(user: &str) -> Username {
    Username::parse(user).expect("a name")
}

pub fn phone() -> Credential {
    engine_fixture::totp(b"12345678901234567890", Algorithm::Sha1, 6, 30)
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

pub fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    chmod(path, 0o600);
}
