//! A stage for the real module: it is built once, put into a scratch stack with a policy and a store of its
//! own, and played by `pamdrive` in a /dev of its own.
#![allow(dead_code)] // each test binary uses its part

pub mod build;
pub mod pam_run;
pub mod token;

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mfa_chain::store::{FileStore, StoreError};
use mfa_chain::verifier::enrollment::UserRecord;
use mfa_chain::verifier::otp::RecoverySet;
use mfa_chain::verifier::state::LoginState;
use mfa_chain::verifier::username::Username;
use tempfile::TempDir;
use token::Token;

/// Two counters in a fixed order. Their codes depend on no clock.
pub const TWO_COUNTERS: &str = r#"version = 1
required_steps = 2
[[factors]]
id = "phone"
label = "Authenticator app"
type = "hotp"
[[factors]]
id = "token"
label = "Hardware token"
type = "hotp"
[throttle]
fail_delay_seconds = 0
failures_a_day = 10000
"#;

pub const FIRST_PROMPT: &str = "Authenticator app code (step 1 of 2): ";
pub const SECOND_PROMPT: &str = "Hardware token code (step 2 of 2): ";

/// A folder with a policy, a store and the services of a test.
pub struct PamSandbox {
    folder: TempDir,
}

impl PamSandbox {
    /// A stage in memory; alice is enrolled in both counters.
    pub fn new() -> Self {
        let sandbox = Self::with_policy(TWO_COUNTERS);
        sandbox.enroll("alice", &[Token::counter("phone"), Token::counter("token")], None);
        sandbox
    }

    /// A stage with nobody enrolled.
    pub fn with_policy(policy: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Self::below(&folder, policy)
    }

    /// A stage on another file system.
    pub fn below(folder: &Path, policy: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mfa-stage-").tempdir_in(folder).expect("a folder");
        let sandbox = Self { folder };
        fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        fs::create_dir(sandbox.services()).expect("services");
        // libpam looks for it, and would write to the log, waiting for it, where it is missing.
        fs::write(sandbox.services().join("other"), "auth required pam_deny.so\n").expect("a service");
        sandbox.write_policy(policy);
        FileStore::open_or_create(&sandbox.store()).expect("store");
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn policy(&self) -> PathBuf {
        self.path().join("policy.toml")
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    pub fn services(&self) -> PathBuf {
        self.path().join("services")
    }

    pub fn state_file(&self, user: &str) -> PathBuf {
        self.store().join("state").join(user)
    }

    pub fn secret_file(&self, user: &str) -> PathBuf {
        self.store().join("secrets").join(format!("{user}.toml"))
    }

    pub fn write_policy(&self, text: &str) {
        fs::write(self.policy(), text).expect("policy");
        fs::set_permissions(self.policy(), fs::Permissions::from_mode(0o644)).expect("mode");
    }

    /// Enrolls `user` through the library, as the command does.
    pub fn enroll(&self, user: &str, tokens: &[Token], recovery: Option<RecoverySet>) {
        let user = Username::parse(user).expect("a user name");
        let credentials = tokens.iter().map(Token::credential).collect();
        let record = UserRecord::new(credentials, recovery).expect("a record");
        let store = FileStore::open_or_create(&self.store()).expect("store");
        store.change_record::<StoreError>(&user, |_| Ok(record)).expect("enrolled");
    }

    /// The login state on disk, read through the library, which refuses a damaged one.
    pub fn state(&self, user: &str) -> Result<LoginState, StoreError> {
        let user = Username::parse(user).expect("a user name");
        FileStore::at(&self.store()).login_state(&user).map(|state| state.expect("enrolled"))
    }

    pub fn failures(&self, user: &str) -> u32 {
        self.state(user).expect("a state").failures.total()
    }

    /// The state file of `user` as it is, to be put back by [`Self::put_state`].
    pub fn take_state(&self, user: &str) -> Vec<u8> {
        fs::read(self.state_file(user)).expect("a state file")
    }

    pub fn put_state(&self, user: &str, bytes: &[u8]) {
        let file = fs::OpenOptions::new().write(true).open(self.state_file(user)).expect("a state file");
        file.write_all_at(bytes, 0).expect("a state file");
    }

    /// Writes a service whose stack is `lines`, with `MODULE` for the module and its arguments.
    pub fn write_service(&self, name: &str, module: &Path, lines: &str) {
        self.write_service_at(name, module, lines, (&self.policy(), &self.store()));
    }

    /// The same with another path of the policy and of the store.
    pub fn write_service_at(&self, name: &str, module: &Path, lines: &str, (policy, store): (&Path, &Path)) {
        let call = format!("{} policy={} store={}", module.display(), policy.display(), store.display());
        fs::write(self.services().join(name), lines.replace("MODULE", &call)).expect("a service");
    }
}
