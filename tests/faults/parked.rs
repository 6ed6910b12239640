//! F8: sessions that wait at the prompt, or were stopped at any point, hold up nobody.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pam_mfa_chain::verifier::odds::{Seat, tries_within};
use pam_mfa_chain::verifier::policy::Policy;

use crate::plan::Context;
use crate::scene::{self, Answers, Codes, UNCHARGED, UNREADABLE, UNRECORDED, UNSAFE_GRANT, UNTOUCHED};
use crate::stage::{Stage, TWO_COUNTERS};
use crate::tally::{Tally, share_out};
use crate::trace;

const REFUSED: &str = "logins refused";
const LATE: &str = "answers later than the bound";
/// Three seconds for the lock, and one for a busy machine.
const BOUND: Duration = Duration::from_secs(4);
const BEYOND: &str = "guesses beyond the budget of a day";
const PARKED: usize = 100;
const LOGINS: usize = 200;

pub fn parked(context: &Context) -> Tally {
    let codes = Codes::new(LOGINS as u64 * 2 + 2);
    let mut tally = Tally::looking_for(&[
        REFUSED,
        LATE,
        BEYOND,
        UNSAFE_GRANT,
        UNRECORDED,
        UNCHARGED,
        UNREADABLE,
        UNTOUCHED,
    ]);
    tally.add(beside_parked(context, &codes));
    tally.add(beside_stopped(context, &codes));
    tally.add(under_attack(context));
    tally
}

/// 100 sessions of alice at her prompt, and alice logs in.
fn beside_parked(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::default();
    let stage = scene::stage(context);
    let count = context.scaled(LOGINS as u64) as usize;
    let alone = logins(&stage, codes, 0, count, &mut tally);
    let wait = ["hang".to_owned()];
    let mut crowd: Vec<Child> = (0..PARKED)
        .map(|_| {
            let mut login = scene::login(&stage, &wait);
            login.stdout(Stdio::piped()).spawn().expect("pamdrive")
        })
        .collect();
    for session in &mut crowd {
        wait_for_prompt(session);
    }
    let beside = logins(&stage, codes, count, count, &mut tally);
    for session in &mut crowd {
        let _ = session.kill();
        let _ = session.wait();
    }
    tally.figure("median login alone", format!("{:.1} ms", alone.as_secs_f64() * 1e3));
    tally.figure(format!("beside {PARKED} at the prompt"), format!("{:.1} ms", beside.as_secs_f64() * 1e3));
    tally
}

/// For a day on the clock of the host, guesses come from 200 addresses; then alice logs in from where she did
/// before.
fn under_attack(context: &Context) -> Tally {
    const GUESSES: u64 = 10_000;
    const A_DAY: u64 = 86_400;
    let mut tally = Tally::default();
    let stage = scene::stage(context);
    let (phone, token) = (scene::phone(), scene::token());
    let wrong = phone.wrong_code();
    let login = |at: u64, time: u64| {
        let codes = [phone.code(at), token.code(at)];
        crate::clock::at(stage.play_written("strict"), time).option("--rhost", "192.0.2.7").codes(&codes)
    };
    let began = crate::clock::NOON;
    assert_eq!(login(0, began).run_here().code(), 0);
    let guesses = context.scaled(GUESSES);
    // In slices, so that the clock moves on between them.
    let slices = guesses.min(200);
    let (mut judged, mut logins) = (0, 1);
    for slice in 0..slices {
        let address = |number: u64| format!("alice\trhost=198.51.100.{}\ttext:{wrong}", number % 200 + 1);
        let jobs: Vec<String> = (0..guesses / slices).map(|number| address(slice + number)).collect();
        // Each failure moves the draw of strangers by one; the failures that stand become fewer by themselves.
        let draw = || stage.state("alice").expect("a state").failures.strangers.draw;
        let before = draw();
        let time = began + 1 + slice * A_DAY / slices;
        let played =
            crate::clock::at(stage.play_written("strict"), time).switch("--brief").jobs(&jobs).run_here();
        tally.count += jobs.len() as u64;
        judged += draw() - before;
        tally.blame_if(played.report()["codes"]["0"] != serde_json::Value::Null, UNSAFE_GRANT, "a guess");
        // Just after a guess was judged, strangers have to wait; and at the end.
        if draw() > before || slice + 1 == slices {
            let code = login(logins, time + 1).run_here().code();
            tally.blame_if(
                code != 0,
                REFUSED,
                &format!("alice after {} guesses of others: {code}", tally.count),
            );
            logins += 1;
        }
    }
    tally.figure("logins of the victim meanwhile", logins);
    tally.blame_if(judged > most_within(A_DAY), BEYOND, &judged.to_string());
    tally.figure(format!("of {guesses} guesses from 200 addresses in a day judged"), judged);
    tally
}

/// What `mfa-chain odds` prints for a guesser elsewhere, under the policy of the stage.
fn most_within(seconds: u64) -> u64 {
    let policy = Policy::parse(TWO_COUNTERS, "policy.toml").expect("a policy");
    tries_within(seconds, policy.throttle(), Seat::Elsewhere)
}

fn logins(stage: &Stage, codes: &Codes, from: usize, count: usize, tally: &mut Tally) -> Duration {
    let mut times = Vec::new();
    for at in from..from + count {
        let began = Instant::now();
        let (seen, _) = scene::run(&mut scene::login(stage, &codes.answers(Answers::Right, at)));
        times.push(began.elapsed());
        tally.blame_if(seen.code != Some(0), REFUSED, &format!("login {at}: {seen:?}"));
        tally.count += 1;
    }
    times.sort();
    times[times.len() / 2]
}

fn wait_for_prompt(session: &mut Child) {
    use std::io::Read;
    let output = session.stdout.as_mut().expect("a pipe");
    let mut byte = [0];
    while output.read_exact(&mut byte).is_ok() && byte[0] != b'\n' {}
}

/// A session is stopped (SIGSTOP) at each of its system calls; another one answers within the bound.
fn beside_stopped(context: &Context, codes: &Codes) -> Tally {
    let stage = scene::stage(context);
    let points = trace::points(&stage, &scene::login(&stage, &codes.answers(Answers::Right, 0)));
    let mut tally = share_out(
        &context.sampled(&points),
        || scene::stage(context),
        |stage, point, tally| {
            let fresh = stage.take_state("alice");
            let login = scene::login(stage, &codes.answers(Answers::Right, 0));
            let log = stage.path().join("stopped");
            fs::write(&log, "").expect("a file");
            let mut tampered = trace::tamper_and_tell(&login, point, "signal=STOP", &log);
            let mut stopped = tampered.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace");
            let sleeper = wait_until_stopped(&mut stopped, &log);
            tally.blame_if(sleeper.is_none(), UNTOUCHED, &point.example("SIGSTOP"));
            let began = Instant::now();
            let (seen, _) = scene::run(&mut scene::login(stage, &codes.answers(Answers::WrongAtStep1, 0)));
            let example = point.example(&format!("SIGSTOP, then {seen:?} after {:?}", began.elapsed()));
            tally.blame_if(began.elapsed() > BOUND || seen.code.is_none(), LATE, &example);
            scene::examine(stage, Answers::WrongAtStep1, &seen, 0, &example, tally);
            end(stopped, sleeper);
            stage.put_state("alice", &fresh);
        },
    );
    tally.figure("sessions stopped at a system call", tally.count);
    tally
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

fn end(mut strace: Child, sleeper: Option<u32>) {
    if let Some(process) = sleeper {
        // It may have ended by itself.
        let _ = Command::new("kill").args(["-KILL", &process.to_string()]).output();
    }
    let _ = strace.kill();
    let ended = strace.wait().expect("the end of strace");
    let _ = ended.signal();
}
