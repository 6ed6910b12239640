//! A scratch policy and store, and the command run on them.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use mfa_chain::store::FileStore;
use mfa_chain::verifier::enrollment::UserRecord;
use mfa_chain::verifier::ports::Store;
use mfa_chain::verifier::state::LoginState;
use mfa_chain::verifier::username::Username;
use serde_json::Value;
use tempfile::TempDir;

/// 160 bits.
pub const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// Other 160 bits.
pub const OTHER_SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// Both are gone when it is dropped.
pub struct ScratchHost {
    folder: TempDir,
}

impl ScratchHost {
    pub fn new() -> Self {
        let scratch = Self { folder: tempfile::tempdir().expect("scratch folder") };
        scratch.write("policy.toml", POLICY);
        scratch
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn path_text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("write");
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).expect("chmod");
        self.path_text(name)
    }

    pub fn secret_file(&self, user: &str) -> String {
        std::fs::read_to_string(self.path(&format!("store/secrets/{user}.toml"))).expect("secret file")
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if program != BINARY {
            command.args(["-w", BINARY]);
        }
        command.args(["--policy", &self.path_text("policy.toml"), "--store", &self.path_text("store")]);
        command
    }

    pub fn run(&self, line: &str) -> Finished {
        self.run_with_input(line, "")
    }

    pub fn run_with_input(&self, line: &str, input: &str) -> Finished {
        feed(self.command(BINARY).args(words(line)), input)
    }

    /// Without a controlling terminal, wherever the tests run.
    pub fn run_detached(&self, line: &str, input: &str) -> Finished {
        feed(self.command("setsid").args(words(line)), input)
    }

    /// How a command is advised: it goes by the same policy and store.
    pub fn advised(&self, line: &str) -> String {
        let (policy, store) = (self.path_text("policy.toml"), self.path_text("store"));
        format!("`mfa-chain --policy {policy} --store {store} {line}`")
    }

    pub fn enroll(&self, user: &str, factor: &str, secret: &str) {
        let path = self.write("secret", secret);
        self.run(&format!("enroll {user} {factor} --no-confirm --secret-file {path}")).expect(0);
    }

    pub fn status(&self, user: &str) -> Value {
        self.run(&format!("status {user} --json")).expect(0).json()
    }

    pub fn store(&self) -> FileStore {
        FileStore::at(&self.path("store"))
    }

    /// Changes the state of `user` as a login would.
    pub fn record(&self, user: &str) -> UserRecord {
        let user = Username::parse(user).expect("a name");
        self.store().record(&user).expect("a store").expect("enrolled")
    }

    pub fn change_state(&self, user: &str, change: impl FnOnce(&UserRecord, &mut LoginState)) {
        let store = self.store();
        let claimant = store.find(user).expect("claimant");
        store.update(&claimant, change).expect("update").into_inner();
    }
}

/// A command that goes by no store, or by no file at all.
pub fn run_bare(line: &str) -> Finished {
    feed(Command::new(BINARY).args(words(line)), "")
}

pub fn feed(command: &mut Command, input: &str) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command, or setsid of util-linux, can't be run");
    // A command that refuses before it reads closes the pipe.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
    Finished::from(child.wait_with_output().expect("output"))
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Fails unless the exit code is `code`.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Fails unless it was refused with `code` and one line that holds every word of `words`.
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        let finished = self.expect(code);
        let last = finished.stderr.lines().last().unwrap_or_default();
        let warning = |line: &str| line.contains("this system lists no user");
        assert_eq!(finished.stderr.lines().filter(|line| !warning(line)).count(), 1, "{finished:#?}");
        assert!(last.starts_with("mfa-chain: "), "{finished:#?}");
        for word in words {
            assert!(last.contains(word), "no `{word}`: {finished:#?}");
        }
        finished
    }

    /// The one object that was printed, without its version.
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:#?}");
        let mut facts: Value = serde_json::from_str(&self.stdout).expect("JSON");
        let version = facts.as_object_mut().and_then(|keys| keys.remove("schema_version"));
        assert_eq!(version, Some(1.into()), "{self:#?}");
        facts
    }

    pub fn mentions(&self, word: &str) -> bool {
        self.stdout.contains(word) || self.stderr.contains(word)
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs()
}

/// The code of `secret` at `time`.
pub fn totp(secret: &str, time: u64, options: &[&str]) -> String {
    let time = format!("@{time}");
    oathtool(&[options, &["--now", &time, "--base32", secret]].concat())
}

/// The code of `secret` for `counter`.
pub fn hotp(secret: &str, counter: u64) -> String {
    oathtool(&["--hotp", "--counter", &counter.to_string(), "--base32", secret])
}

/// What oathtool answers.
pub fn oathtool(arguments: &[&str]) -> String {
    let output = Command::new("oathtool").args(arguments).output();
    let output = output.expect("oathtool is missing; install the package oathtool (oath-toolkit)");
    assert!(output.status.success(), "oathtool: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

pub const BINARY: &str = env!("CARGO_BIN_EXE_mfa-chain");

const POLICY: &str = r#"
version = 1
mode = "random"
required_steps = 2

[[factors]]
id = "phone"
label = "Authenticator app"
type = "totp"

[[factors]]
id = "tablet"
label = "Tablet"
type = "totp"
algorithm = "SHA256"
digits = 8
period = 60

[[factors]]
id = "token"
label = "Key ring token"
type = "hotp"
look_ahead = 5
"#;

/// The words of a line. The users of these tests are made up, so each enrollment says so.
fn words(line: &str) -> Vec<&str> {
    let mut words: Vec<&str> = line.split(' ').collect();
    if words.first() == Some(&"enroll") {
        words.push("--unknown-user");
    }
    words
}
