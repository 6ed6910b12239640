//! The timer that undoes a change: one of systemd where that runs, else a process of its own.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{ChangeError, ChangesFolder};

/// Starts the timer that rolls back the change `id` after `seconds`, unless it is confirmed. It does nothing for a
/// change that was never written down.
///
/// # Errors
///
/// [`ChangeError::Refused`] when none can be started: the change must not be made then.
pub fn start(folder: &ChangesFolder, id: &str, seconds: u64) -> Result<(), ChangeError> {
    let program = std::env::current_exe()
        .map_err(|error| ChangeError::Refused(format!("cannot find this program itself: {error}")))?;
    let store = folder.store();
    if Path::new("/run/systemd/system").is_dir() {
        let started = Command::new("systemd-run")
            .args(["--quiet", "--collect", "--timer-property=AccuracySec=1s"])
            .arg(format!("--unit={}", unit(id)))
            .arg(format!("--on-active={seconds}"))
            .arg(&program)
            .arg("--store")
            .arg(store)
            .args(["rollback", "--change", id])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        if started.is_ok_and(|status| status.success()) {
            return Ok(());
        }
    }
    start_process(&program, store, id, seconds)
}

/// Stops a timer that is no longer needed. One that stays finds nothing to do.
pub fn stop(id: &str) {
    if Path::new("/run/systemd/system").is_dir() {
        let timer = format!("{}.timer", unit(id));
        let _ = Command::new("systemctl")
            .args(["--quiet", "stop", &timer])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// A process that outlives the terminal and the login that started it.
fn start_process(program: &Path, store: &Path, id: &str, seconds: u64) -> Result<(), ChangeError> {
    let refused = |error: &dyn std::fmt::Display| {
        ChangeError::Refused(format!("cannot start the timer that undoes the change: {error}"))
    };
    let mut child = Command::new(program)
        .arg("--store")
        .arg(store)
        .args(["rollback", "--change", id, "--after"])
        .arg(format!("{seconds}s"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| refused(&error))?;
    // It tells when it has left the session of this terminal: a hangup no longer ends it then.
    let mut told = [0; READY.len()];
    let mut output = child.stdout.take().ok_or_else(|| refused(&"it has no output"))?;
    output.read_exact(&mut told).map_err(|error| refused(&error))?;
    if told == *READY.as_bytes() { Ok(()) } else { Err(refused(&"it did not start")) }
}

/// What the process says once it needs nobody.
pub const READY: &str = "waiting";

/// Waits in the process of its own, until the time is over or `is_settled` says that there is nothing left to do.
/// Whether the time came.
pub fn wait(seconds: u64, mut is_settled: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    let whole = Duration::from_secs(seconds);
    while let Some(left) = whole.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        if is_settled() {
            return false;
        }
        thread::sleep(left.min(LOOK_EVERY));
    }
    true
}

const LOOK_EVERY: Duration = Duration::from_secs(1);

fn unit(id: &str) -> String {
    format!("mfa-chain-rollback-{id}")
}
