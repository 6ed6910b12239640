//! The system calls of one login, found by strace, and a way to tamper with each.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::pam_sandbox::PamSandbox;

/// One system call of a login: its name, its place among all calls of that name, and how strace wrote it.
#[derive(Clone, Debug)]
pub struct Point {
    pub name: String,
    pub ordinal: usize,
    pub line: String,
}

impl Point {
    pub fn example(&self, with: &str) -> String {
        format!("{with} at {}#{}: {}", self.name, self.ordinal, self.line)
    }
}

/// Every call from the first `pam_authenticate` to its return.
pub fn points(sandbox: &PamSandbox, login: &Command) -> Vec<Point> {
    points_from(sandbox, login, false)
}

/// Every call of a program, but for the one that starts it.
pub fn all_points(sandbox: &PamSandbox, program: &Command) -> Vec<Point> {
    points_from(sandbox, program, true).into_iter().filter(|point| point.name != "execve").collect()
}

fn points_from(sandbox: &PamSandbox, login: &Command, at_once: bool) -> Vec<Point> {
    let path = sandbox.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-s", "64", "-o"]).arg(&path);
    under(&mut strace, login);
    let output = strace.output().expect("strace must be installed (apt-get install strace)");
    let text = std::fs::read(&path).expect("a trace");
    let text = String::from_utf8_lossy(&text);
    let (mut counts, mut points, mut inside) = (BTreeMap::<&str, usize>::new(), Vec::new(), at_once);
    for line in text.lines() {
        // With -f each line begins with the process.
        let call = line.trim_start_matches(|letter: char| letter.is_ascii_digit()).trim_start();
        let Some((name, rest)) = call.split_once('(') else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let ordinal = counts.entry(name).or_default();
        *ordinal += 1;
        inside = (inside || rest.contains("pamdrive:begin")) && !rest.contains("pamdrive:end");
        if inside && !rest.contains("pamdrive:") {
            let line = call.chars().take(100).collect();
            points.push(Point { name: name.to_owned(), ordinal: *ordinal, line });
        }
    }
    assert!(!points.is_empty(), "nothing traced: {}", String::from_utf8_lossy(&output.stderr));
    points
}

/// The same login with one call tampered with, as `inject=` of strace says.
pub fn tamper(login: &Command, point: &Point, how: &str) -> Command {
    tamper_and_tell(login, point, how, Path::new("/dev/null"))
}

/// As [`tamper`]; what strace says of that kind of call goes to `log`.
pub fn tamper_and_tell(login: &Command, point: &Point, how: &str, log: &Path) -> Command {
    let mut strace = Command::new("strace");
    let Point { name, ordinal, .. } = point;
    strace.args(["-f", "-o"]).arg(log);
    if !how.starts_with("signal=") {
        // Leaves the other calls untraced. With it strace 6.1 injects errors, but no signals, and does not say so.
        strace.arg("--seccomp-bpf");
    }
    strace.arg("-e").arg(format!("trace={name}"));
    strace.arg("-e").arg(format!("inject={name}:{how}:when={ordinal}"));
    under(&mut strace, login);
    strace
}

/// Whether the program under strace was killed: strace ends as it did.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// Puts a command behind another one, with its environment and folder.
pub fn under(outer: &mut Command, inner: &Command) {
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.env_clear().envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
}
