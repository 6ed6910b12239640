//! F2: a login is killed, at every system call and at random moments.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::fault_run::{
    self, Answers, Codes, Seen, UNCHARGED, UNREADABLE, UNRECORDED, UNSAFE_GRANT, UNTOUCHED, UNUSABLE,
};
use crate::pam_sandbox::PamSandbox;
use crate::plan::Context;
use crate::tally::{Dice, Tally, share_out};
use crate::trace;

const RANDOM_KILLS: u64 = 10_000;

pub fn kills(context: &Context) -> Tally {
    let codes = Codes::new(2);
    let mut tally =
        Tally::looking_for(&[UNRECORDED, UNCHARGED, UNREADABLE, UNUSABLE, UNSAFE_GRANT, UNTOUCHED]);
    let at_calls = at_every_call(context, &codes);
    tally.figure("at system calls", at_calls.count);
    let at_random = at_random(context, &codes);
    tally.figure("at random", at_random.count);
    tally.add(at_calls);
    tally.add(at_random);
    tally
}

fn at_every_call(context: &Context, codes: &Codes) -> Tally {
    let mut kills = Vec::new();
    let (sandbox, fresh) = place(context);
    for answers in Answers::ALL {
        let points = trace::points(&sandbox, &fault_run::login(&sandbox, &codes.answers(answers, 0)));
        sandbox.put_state("alice", &fresh);
        kills.extend(points.into_iter().map(|point| (answers, point)));
    }
    let kills = context.sampled(&kills);
    share_out(
        &kills,
        || place(context),
        |(sandbox, fresh), (answers, point), tally| {
            sandbox.put_state("alice", fresh);
            let login = fault_run::login(sandbox, &codes.answers(*answers, 0));
            let (seen, output) = fault_run::run(&mut trace::tamper(&login, point, "signal=KILL"));
            let example = point.example("SIGKILL");
            tally.blame_if(!trace::was_killed(output.status), UNTOUCHED, &example);
            check(sandbox, *answers, &seen, codes, &example, tally);
        },
    )
}

fn at_random(context: &Context, codes: &Codes) -> Tally {
    let kills: Vec<u64> = (0..context.scaled(RANDOM_KILLS)).collect();
    let longest = usual_time(context, codes);
    share_out(
        &kills,
        || place(context),
        |(sandbox, fresh), number, tally| {
            let mut dice = Dice::new(*number);
            let answers = Answers::ALL[(number % 3) as usize];
            sandbox.put_state("alice", fresh);
            let mut login = fault_run::login(sandbox, &codes.answers(answers, 0));
            let mut child = login.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("pamdrive");
            let delay = Duration::from_nanos(dice.roll(u64::try_from(longest.as_nanos()).unwrap_or(1)));
            std::thread::sleep(delay);
            // It may be over already.
            let _ = child.kill();
            let output = child.wait_with_output().expect("the end of pamdrive");
            let seen = Seen::read(&output.stdout);
            check(sandbox, answers, &seen, codes, &format!("SIGKILL after {delay:?} ({answers:?})"), tally);
        },
    )
}

fn place(context: &Context) -> (PamSandbox, Vec<u8>) {
    let sandbox = fault_run::sandbox(context);
    let fresh = sandbox.take_state("alice");
    (sandbox, fresh)
}

/// A little longer than a login takes.
fn usual_time(context: &Context, codes: &Codes) -> Duration {
    let (sandbox, fresh) = place(context);
    let times = (0..20).map(|_| {
        sandbox.put_state("alice", &fresh);
        let began = Instant::now();
        fault_run::run(&mut fault_run::login(&sandbox, &codes.answers(Answers::Right, 0)));
        began.elapsed()
    });
    times.min().unwrap_or_default() * 3 / 2
}

/// The state is as good as before: consistent with what was seen, and the next codes let alice in.
fn check(
    sandbox: &PamSandbox,
    answers: Answers,
    seen: &Seen,
    codes: &Codes,
    example: &str,
    tally: &mut Tally,
) {
    fault_run::examine(sandbox, answers, seen, 0, example, tally);
    let (after, output) = fault_run::run(&mut fault_run::login(sandbox, &codes.answers(Answers::Right, 1)));
    tally.blame_if(
        after.code != Some(0),
        UNUSABLE,
        &format!("{example}, then {after:?} {}", String::from_utf8_lossy(&output.stderr)),
    );
}
