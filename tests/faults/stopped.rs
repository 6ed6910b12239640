//! F8f: a session that is stopped at any of its system calls keeps nobody out, and tells nothing once it goes on.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::fault_run::{
    self, Answers, Codes, Seen, UNCHARGED, UNREADABLE, UNRECORDED, UNSAFE_GRANT, UNTOUCHED,
};
use crate::pam_sandbox::PamSandbox;
use crate::plan::Context;
use crate::tally::{Tally, share_out};
use crate::trace::{self, Point};

const REFUSED: &str = "right codes refused";
const DOUBLE: &str = "one code accepted twice";
const LATE: &str = "answers later than the bound";
const LEFT: &str = "files left behind";
const LOST: &str = "right codes refused after a fault";
const DISPLACED: &str = ".displaced-";
const HELD_UP: &str = "names held up by another";
/// Two seconds for the lock, and two for a busy machine.
const BOUND: Duration = Duration::from_secs(4);

/// What is typed while another session is stopped, which had the right codes of counter 0.
#[derive(Clone, Copy, Debug)]
struct Second {
    answers: Answers,
    at: usize,
}

const SECONDS: [Second; 3] = [
    Second { answers: Answers::Right, at: 1 },
    Second { answers: Answers::Right, at: 0 },
    Second { answers: Answers::WrongAtStep1, at: 0 },
];

pub fn stopped(context: &Context) -> Tally {
    let codes = Codes::new(2);
    let sandbox = fault_run::sandbox(context);
    let points = trace::points(&sandbox, &fault_run::login(&sandbox, &codes.answers(Answers::Right, 0)));
    let (locked, others) = under_lock(&points);
    let points = [context.sampled_well(&locked, 0.2), context.sampled(&others)].concat();
    let cases: Vec<(&Point, Second)> =
        points.iter().flat_map(|point| SECONDS.map(|second| (point, second))).collect();
    let mut tally = Tally::looking_for(&[
        REFUSED,
        DOUBLE,
        LATE,
        LEFT,
        UNSAFE_GRANT,
        UNRECORDED,
        UNCHARGED,
        UNREADABLE,
        UNTOUCHED,
    ]);
    tally.add(share_out(
        &cases,
        || fault_run::sandbox(context),
        |sandbox, (point, second), tally| {
            let fresh = sandbox.take_state("alice");
            beside(sandbox, &codes, point, *second, tally);
            sandbox.put_state("alice", &fresh);
        },
    ));
    tally.figure("system calls at which a session was stopped", points.len());
    tally.add(others_beside(context, &codes));
    tally.add(taken_over(context, &codes));
    tally
}

/// An error, or a kill, at each system call with which a login takes over what another one holds: nothing is lost by
/// it.
fn taken_over(context: &Context, codes: &Codes) -> Tally {
    let sandbox = fault_run::sandbox(context);
    let login = |sandbox: &PamSandbox| fault_run::login(sandbox, &codes.answers(Answers::Right, 0));
    let points = {
        let _held = hold(&sandbox);
        trace::points(&sandbox, &login(&sandbox))
    };
    let places = |point: &&Point| point.line.contains(DISPLACED);
    let first = points.iter().position(|point| places(&point)).expect("a takeover");
    let last = points.iter().rposition(|point| places(&point)).expect("a takeover");
    // Those that the wait for the lock makes too have another number in each run.
    let steady = |point: &&Point| !["newfstatat", "flock", "clock_nanosleep"].contains(&point.name.as_str());
    let writes = |point: &Point| {
        ["fsync", "renameat2", "unlinkat", "pwrite64", "fdatasync"].contains(&point.name.as_str())
    };
    let steady = points[first..=last].iter().filter(steady).cloned();
    let (writing, others): (Vec<Point>, Vec<Point>) = steady.partition(writes);
    let points = [writing, context.sampled_well(&others, 0.2)].concat();
    let faults = ["error=EIO", "signal=KILL"];
    let cases: Vec<(&Point, &str)> =
        points.iter().flat_map(|point| faults.map(|fault| (point, fault))).collect();
    let mut tally = Tally::looking_for(&[LOST]);
    tally.add(share_out(
        &cases,
        || fault_run::sandbox(context),
        |sandbox, (point, fault), tally| {
            let fresh = sandbox.take_state("alice");
            let held = hold(sandbox);
            let (seen, _) = fault_run::run(&mut trace::tamper(&login(sandbox), point, fault));
            drop(held);
            let example = point.example(&format!("{fault}: {seen:?}"));
            fault_run::examine(sandbox, Answers::Right, &seen, 0, &example, tally);
            let (next, _) = fault_run::run(&mut fault_run::login(sandbox, &codes.answers(Answers::Right, 1)));
            tally.blame_if(next.code != Some(0), LOST, &format!("{example}, then {next:?}"));
            clear(sandbox);
            sandbox.put_state("alice", &fresh);
        },
    ));
    tally.figure("faults of a takeover", cases.len());
    tally
}

/// The lock of alice, as a frozen judgement holds it.
fn hold(sandbox: &PamSandbox) -> File {
    let file = File::open(sandbox.state_file("alice")).expect("the state");
    file.lock().expect("the lock");
    file
}

/// Removes what a fault left beside the states.
fn clear(sandbox: &PamSandbox) {
    let folder = sandbox.state_file("alice").parent().expect("a folder").to_owned();
    for entry in fs::read_dir(folder).expect("the states").flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            fs::remove_file(entry.path()).expect("removed");
        }
    }
}

/// A judgement that is stopped under the lock of one name holds up no other one, enrolled or not.
fn others_beside(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::looking_for(&[HELD_UP]);
    let sandbox = fault_run::sandbox(context);
    sandbox.enroll("bob", &[fault_run::phone(), fault_run::token()], None);
    for (stopped, other) in
        [("alice", "bob"), ("nobody-1", "nobody-2"), ("nobody-1", "bob"), ("alice", "nobody-2")]
    {
        let login = |user: &str| {
            let play = sandbox.play_written("strict").switch("--tell").switch("--brief").user(user);
            play.answers(&codes.answers(Answers::WrongAtStep1, 0)).command()
        };
        let point = Point { name: "fdatasync".to_owned(), ordinal: 1, line: String::new() };
        let first = Stopped::at(&sandbox, &login(stopped), &point);
        tally.blame_if(first.process.is_none(), UNTOUCHED, &point.example("SIGSTOP"));
        let began = Instant::now();
        let (seen, _) = fault_run::run(&mut login(other));
        let example = format!("{other} beside {stopped}: {seen:?} after {:?}", began.elapsed());
        tally.blame_if(began.elapsed() > Duration::from_secs(1) || seen.code != Some(7), HELD_UP, &example);
        first.go_on();
        tally.count += 1;
    }
    tally
}

/// The calls between a lock and the sync that ends a judgement, where the session stands in the way, and the others.
fn under_lock(points: &[Point]) -> (Vec<Point>, Vec<Point>) {
    let mut is_locked = false;
    points.iter().cloned().partition(|point| {
        let was_locked = is_locked;
        is_locked = (was_locked || point.name == "flock") && point.name != "fdatasync";
        was_locked
    })
}

/// One session is stopped at `point`, a second one logs in, and the first one goes on.
fn beside(sandbox: &PamSandbox, codes: &Codes, point: &Point, second: Second, tally: &mut Tally) {
    let first = Stopped::at(sandbox, &fault_run::login(sandbox, &codes.answers(Answers::Right, 0)), point);
    tally.blame_if(first.process.is_none(), UNTOUCHED, &point.example("SIGSTOP"));
    let began = Instant::now();
    let answers = codes.answers(second.answers, second.at);
    let (seen, _) = fault_run::run(&mut fault_run::login(sandbox, &answers));
    let time = began.elapsed();
    let first = first.go_on();
    let example = point.example(&format!("SIGSTOP, then {second:?}: {seen:?} after {time:?}, {first:?}"));
    tally.blame_if(time > BOUND || seen.code.is_none(), LATE, &example);
    let is_later = second.at > 0;
    tally.blame_if(is_later && seen.code != Some(0), REFUSED, &example);
    tally.blame_if(!is_later && seen.code == Some(0) && first.code == Some(0), DOUBLE, &example);
    // Whatever the first one did when it went on, what the second one was told stands.
    fault_run::examine(sandbox, second.answers, &seen, second.at as u64, &example, tally);
    fault_run::examine(sandbox, Answers::Right, &first, 0, &example, tally);
    let states = fs::read_dir(sandbox.state_file("alice").parent().expect("a folder")).expect("the states");
    let names: Vec<_> = states.flatten().map(|entry| entry.file_name()).collect();
    tally.blame_if(names.iter().any(|name| name.to_string_lossy().starts_with('.')), LEFT, &example);
}

/// A session under strace, which stopped it.
struct Stopped {
    strace: Child,
    process: Option<u32>,
}

impl Stopped {
    fn at(sandbox: &PamSandbox, login: &Command, point: &Point) -> Self {
        let log = sandbox.path().join("stopped");
        fs::write(&log, "").expect("a file");
        let mut tampered = trace::tamper_and_tell(login, point, "signal=STOP", &log);
        let mut strace = tampered.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("strace");
        let process = wait_until_stopped(&mut strace, &log);
        Self { strace, process }
    }

    /// What it saw in the end.
    fn go_on(self) -> Seen {
        if let Some(process) = self.process {
            let process = nix::unistd::Pid::from_raw(i32::try_from(process).expect("a process"));
            nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGCONT).expect("it is stopped");
        }
        Seen::read(&self.strace.wait_with_output().expect("the end of strace").stdout)
    }
}

/// The process under strace, once strace says that it is stopped. `None` if it ends, or nothing stops it.
fn wait_until_stopped(strace: &mut Child, log: &Path) -> Option<u32> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline && matches!(strace.try_wait(), Ok(None)) {
        if fs::read_to_string(log).is_ok_and(|said| said.contains("stopped by SIGSTOP")) {
            return child_of(strace.id());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

fn child_of(process: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}
