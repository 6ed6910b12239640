//! One run of `pamdrive`, and what came of it.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::{PamSandbox, build};

pub const GRANTED: i64 = 0;
pub const SERVICE_ERR: i64 = 3;
pub const PERM_DENIED: i64 = 6;
pub const AUTH_ERR: i64 = 7;
pub const CONV_ERR: i64 = 19;
pub const ABORT: i64 = 26;

/// A run to be.
pub struct PamRun<'a> {
    sandbox: &'a PamSandbox,
    words: Vec<String>,
    input: String,
    environment: Vec<(String, String)>,
    has_log: bool,
}

impl PamSandbox {
    /// The module alone in its stack.
    pub fn play(&self) -> PamRun<'_> {
        self.play_module(&build::module())
    }

    /// As [`Self::play`], with another build of the module.
    pub fn play_module(&self, module: &Path) -> PamRun<'_> {
        let (policy, store) = (self.policy(), self.store());
        let play = self.play_service("pamdrive");
        play.option("--module", module).option("--policy", &policy).option("--store", &store)
    }

    /// A service written by [`Self::write_service`].
    pub fn play_written(&self, service: &str) -> PamRun<'_> {
        self.play_service(service).option("--services", self.services())
    }

    fn play_service(&self, service: &str) -> PamRun<'_> {
        let play = PamRun {
            sandbox: self,
            words: Vec::new(),
            input: String::new(),
            environment: Vec::new(),
            has_log: true,
        };
        play.option("--service", service)
    }
}

impl PamRun<'_> {
    pub fn switch(mut self, switch: &str) -> Self {
        self.words.push(switch.to_owned());
        self
    }

    pub fn option(self, key: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_str().expect("UTF-8").to_owned();
        self.switch(key).switch(&value)
    }

    pub fn user(self, name: &str) -> Self {
        self.option("--user", name)
    }

    /// Answers for the prompts, in the words of `pamdrive`.
    pub fn answers<S: AsRef<str>>(mut self, specs: &[S]) -> Self {
        for spec in specs {
            self = self.option("--answer", spec.as_ref());
        }
        self
    }

    /// Codes for the prompts.
    pub fn codes<S: AsRef<str>>(self, codes: &[S]) -> Self {
        let specs: Vec<String> = codes.iter().map(|code| format!("text:{}", code.as_ref())).collect();
        self.answers(&specs)
    }

    /// A line of standard input per transaction.
    pub fn jobs(mut self, lines: &[String]) -> Self {
        self.input = lines.join("\n");
        self.switch("--jobs")
    }

    pub fn environment(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    pub fn without_log(mut self) -> Self {
        self.has_log = false;
        self
    }

    /// The words of the command, for a program that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(build::pamdrive());
        command.args(&self.words);
        self.surround(&mut command);
        command
    }

    /// Runs where the caller runs, for callers that made a place of their own.
    pub fn run_here(self) -> Played {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Played::new(self.feed(&mut command), Vec::new())
    }

    fn surround(&self, command: &mut Command) {
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TMPDIR", self.sandbox.path());
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command.current_dir(self.sandbox.path());
    }

    pub fn run(self) -> Played {
        let path = self.sandbox.path().join("log");
        let _ = std::fs::remove_file(&path);
        let log = UnixDatagram::bind(&path).expect("a socket");
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Read while it runs: the queue of a datagram socket is short.
            let lines = scope.spawn(|| collect(&log, &ended));
            let over = Over(&ended);
            let output = self.run_with_log(if self.has_log { path.to_str().expect("UTF-8") } else { "" });
            drop(over);
            Played::new(output, lines.join().expect("the log"))
        })
    }

    /// Runs in a /dev of its own in which /dev/log leads to `socket`.
    pub fn run_with_log(&self, socket: &str) -> Output {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pam_sandbox/private_dev");
        let mut command = Command::new("unshare");
        // Others than root become it in a name space of users.
        command.arg(if is_root() { "-m" } else { "-rm" });
        command.arg(script).arg(socket).arg(build::pamdrive()).args(&self.words);
        self.surround(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.feed(&mut command)
    }

    fn feed(&self, command: &mut Command) -> Output {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut input = child.stdin.take().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // A run that ends early leaves the rest unread.
                let _ = input.write_all(self.input.as_bytes());
            });
            child.wait_with_output().expect("the end of pamdrive")
        })
    }
}

/// Tells the reader of the log that the run is over, also when it ended in a panic: the reader would wait for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Played {
    pub reports: Vec<Value>,
    pub log: Vec<String>,
    pub stderr: String,
    pub exit: Option<i32>,
}

impl Played {
    fn new(output: Output, log: Vec<String>) -> Self {
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let reports = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
        let reports = reports.collect();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { reports, log, stderr, exit: output.status.code() }
    }

    /// The one report of a run of one transaction.
    pub fn report(&self) -> &Value {
        assert_eq!(self.reports.len(), 1, "{self:#?}");
        &self.reports[0]
    }

    /// The code of the last `pam_authenticate`.
    pub fn code(&self) -> i64 {
        self.report()["code"].as_i64().expect("a code")
    }

    /// What the claimant was shown in a call: the styles and texts.
    pub fn shown(&self, call: usize) -> Vec<(i64, String)> {
        let shown = self.report()["calls"][call]["shown"].as_array().expect("what was shown");
        let one = |it: &Value| {
            (it["style"].as_i64().expect("a style"), it["text"].as_str().expect("a text").to_owned())
        };
        shown.iter().map(one).collect()
    }

    /// The texts of the prompts in a call.
    pub fn prompts(&self, call: usize) -> Vec<String> {
        self.shown(call).into_iter().filter(|(style, _)| *style <= 2).map(|(_, text)| text).collect()
    }

    /// The memory of the driver, looked at now and then in a run of many transactions.
    pub fn resident_pages(&self) -> Vec<u64> {
        let pages = self.report()["resident_pages"].as_array().expect("the pages");
        pages.iter().map(|count| count.as_u64().expect("a number")).collect()
    }

    /// Whether a line of the log has all these words.
    pub fn logged(&self, words: &[&str]) -> bool {
        self.log.iter().any(|line| words.iter().all(|word| line.contains(word)))
    }
}

fn collect(log: &UnixDatagram, ended: &AtomicBool) -> Vec<String> {
    log.set_read_timeout(Some(Duration::from_millis(5))).expect("a socket");
    let mut lines = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        // Asked before the read: what was sent before the end is read after it.
        let over = ended.load(Ordering::Acquire);
        match log.recv(&mut buffer) {
            Ok(length) => lines.push(String::from_utf8(buffer[..length].to_vec()).expect("ASCII")),
            Err(_) if over => return lines,
            Err(_) => {}
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
