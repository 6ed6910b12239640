//! The folder in which a demonstration runs: a policy, a store with one user, and PAM services.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use crate::rehearsal::{ServiceFolder, scratch_folder};
use crate::store::{FileStore, StoreError, load_policy};
use crate::verifier::enrollment::{Credential, UserRecord};
use crate::verifier::policy::Policy;
use crate::verifier::state::LoginState;
use crate::verifier::username::Username;

/// A scratch folder. It is removed when dropped, however the demonstration ends.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the folder with the policy `text` in it.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it can't be made.
    pub fn create(text: &str) -> Result<Self, Failure> {
        let scratch = Self { path: scratch_folder("mfa-chain-demo")? };
        let path = scratch.policy_path();
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| StoreError::io(&path, "write", error))?;
        Ok(scratch)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The policy, read as the module reads it.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it is not valid.
    pub fn policy(&self) -> Result<Policy, Failure> {
        Ok(load_policy(&self.policy_path())?)
    }

    /// The PAM service `name`, whose stack is `module` with this policy and store.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it can't be written.
    pub fn service(&self, name: &str, module: &Path) -> Result<ServiceFolder, Failure> {
        Ok(ServiceFolder::create(name, module, &self.policy_path(), &self.store_path())?)
    }

    /// Enrolls `credentials` for the user of the demonstration.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the store can't be made.
    pub fn enroll(&self, credentials: Vec<Credential>) -> Result<(), Failure> {
        let store = FileStore::open_or_create(&self.store_path())?;
        store.change_record(&user()?, |_| {
            UserRecord::new(credentials, None).map_err(|error| Failure::refused(error.to_string()))
        })
    }

    /// What the user has enrolled, and the state that the logins so far left.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the store can't be read.
    pub fn enrollment(&self) -> Result<(UserRecord, LoginState), Failure> {
        let store = FileStore::at(&self.store_path());
        let user = user()?;
        let record = store.record(&user)?.unwrap_or_default();
        Ok((record, store.login_state(&user)?.unwrap_or_default()))
    }

    fn policy_path(&self) -> PathBuf {
        self.path.join("policy.toml")
    }

    fn store_path(&self) -> PathBuf {
        self.path.join("store")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Who logs in.
pub const USER: &str = "demo";

fn user() -> Result<Username, Failure> {
    Username::parse(USER).map_err(|error| Failure::refused(error.to_string()))
}
