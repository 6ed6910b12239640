//! A host for commands: a folder with a policy and a store, and users with known secrets.
#![allow(dead_code, clippy::expect_used, clippy::missing_panics_doc)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mfa_chain::store::{FileStore, StoreError, SystemClock};
use mfa_chain::verifier::enrollment::{Credential, OtpType, UserRecord};
use mfa_chain::verifier::otp::{Period, SharedSecret};
use mfa_chain::verifier::policy::FactorId;
use mfa_chain::verifier::ports::{Clock, Store};
use mfa_chain::verifier::state::LoginState;
use mfa_chain::verifier::username::Username;

/// The secret of the TOTP factor.
pub const PHONE: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The secret of the HOTP factor.
pub const TOKEN: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// Two factors, both asked for in order.
pub const POLICY: &str = "version = 1
required_steps = 2
[[factors]]
id = 'phone'
label = 'Phone app'
type = 'totp'
[[factors]]
id = 'token'
label = 'Key-ring token'
type = 'hotp'
[throttle]
fail_delay_seconds = 0
";

/// A folder with a policy and a store. Removed when dropped.
pub struct Host {
    folder: tempfile::TempDir,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Host {
    pub fn with_policy(text: &str) -> Self {
        let host = Self { folder: tempfile::tempdir().expect("folder") };
        std::fs::write(host.policy(), text).expect("policy");
        std::fs::set_permissions(host.policy(), PermissionsExt::from_mode(0o600)).expect("mode");
        host
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn policy(&self) -> PathBuf {
        self.path().join("policy.toml")
    }

    pub fn store_path(&self) -> PathBuf {
        self.path().join("store")
    }

    pub fn store(&self) -> FileStore {
        FileStore::open_or_create(&self.store_path()).expect("store")
    }

    /// Enrolls `user` for these of `phone` and `token`.
    pub fn enroll(&self, user: &str, factors: &[&str]) {
        let made = factors.iter().map(|factor| credential(factor)).collect();
        let record = UserRecord::new(made, None).expect("record");
        self.store().change_record(&name(user), |_| Ok::<_, StoreError>(record)).expect("enrolled");
    }

    /// Changes the login state of `user`, as logins do.
    pub fn change_state(&self, user: &str, change: impl FnOnce(&UserRecord, &mut LoginState)) {
        let store = self.store();
        let claimant = store.find(user).expect("found");
        store.update(&claimant, change).expect("committed");
    }

    pub fn state(&self, user: &str) -> LoginState {
        self.store().login_state(&name(user)).expect("readable").expect("there")
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    /// Runs the command with this policy and store, but for the demonstration, which has its own. Its folder for
    /// temporary files is in the host's.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mfa-chain"));
        if arguments.first() != Some(&"demo") {
            command.arg("--policy").arg(self.policy()).arg("--store").arg(self.store_path());
        }
        let mut child = command
            .args(arguments)
            .env("TMPDIR", self.scratch())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        // The command may end before it reads.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("ended");
        Ended::of(&output)
    }

    /// Where the command puts temporary files.
    pub fn scratch(&self) -> PathBuf {
        let path = self.path().join("tmp");
        let _ = std::fs::create_dir(&path);
        path
    }

    /// What the command left behind in its folder for temporary files.
    pub fn left_behind(&self) -> usize {
        std::fs::read_dir(self.scratch()).expect("folder").count()
    }
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("no signal"),
            out: String::from_utf8(output.stdout.clone()).expect("UTF-8"),
            err: String::from_utf8(output.stderr.clone()).expect("UTF-8"),
        }
    }

    /// The one object on standard output.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).expect("one object")
    }

    /// Asserts a failure: this code, nothing on standard output, one line on standard error that starts so.
    pub fn assert_fails(&self, code: i32, start: &str) {
        let Self { code: ended, out, err } = self;
        assert_eq!((*ended, out.as_str()), (code, ""), "{err}");
        assert!(err.starts_with(start), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }

    /// Asserts an exit code and that each of these is on standard output.
    pub fn assert_tells(&self, code: i32, told: &[&str]) {
        let Self { code: ended, out, err } = self;
        assert_eq!(*ended, code, "{out}{err}");
        for told in told {
            assert!(out.contains(told), "`{told}` is missing:\n{out}{err}");
        }
    }
}

pub fn name(user: &str) -> Username {
    Username::parse(user).expect("name")
}

fn credential(factor: &str) -> Credential {
    let (otp_type, secret) = match factor {
        "phone" => (OtpType::Totp(Period::default()), PHONE),
        _ => (OtpType::Hotp, TOKEN),
    };
    Credential {
        enrolled_at: SystemClock.now(),
        ..Credential::new(
            FactorId::parse(factor).expect("id"),
            otp_type,
            SharedSecret::from_base32(secret).expect("secret"),
        )
    }
}
