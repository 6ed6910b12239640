//! F8: sessions that wait at the prompt hold up nobody.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mfa_chain::verifier::policy::Policy;
use mfa_chain::verifier::state::odds::{Seat, tries_within};

use crate::fault_run::{self, Answers, Codes, UNSAFE_GRANT};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::Tally;

const REFUSED: &str = "logins refused";
const BEYOND: &str = "guesses beyond the budget of a day";
const PARKED: usize = 100;
const LOGINS: usize = 200;

pub fn parked(context: &Context) -> Tally {
    let codes = Codes::new(LOGINS as u64 * 2 + 2);
    let mut tally = Tally::looking_for(&[REFUSED, BEYOND, UNSAFE_GRANT]);
    tally.add(beside_parked(context, &codes));
    tally.add(under_attack(context));
    tally
}

/// 100 sessions of alice at her prompt, and alice logs in.
fn beside_parked(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::default();
    let sandbox = fault_run::sandbox(context);
    let count = context.scaled(LOGINS as u64) as usize;
    let alone = logins(&sandbox, codes, 0, count, &mut tally);
    let wait = ["hang".to_owned()];
    let mut crowd: Vec<Child> = (0..PARKED)
        .map(|_| {
            let mut login = fault_run::login(&sandbox, &wait);
            login.stdout(Stdio::piped()).spawn().expect("pamdrive")
        })
        .collect();
    for session in &mut crowd {
        wait_for_prompt(session);
    }
    let beside = logins(&sandbox, codes, count, count, &mut tally);
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
    let sandbox = fault_run::sandbox(context);
    let (phone, token) = (fault_run::phone(), fault_run::token());
    let wrong = phone.wrong_code();
    let login = |at: u64, time: u64| {
        let codes = [phone.code(at), token.code(at)];
        crate::clock::at(sandbox.play_written("strict"), time).option("--rhost", "192.0.2.7").codes(&codes)
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
        let draw = || sandbox.state("alice").expect("a state").failures.strangers.draw;
        let before = draw();
        let time = began + 1 + slice * A_DAY / slices;
        let played =
            crate::clock::at(sandbox.play_written("strict"), time).switch("--brief").jobs(&jobs).run_here();
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

fn logins(sandbox: &PamSandbox, codes: &Codes, from: usize, count: usize, tally: &mut Tally) -> Duration {
    let mut times = Vec::new();
    for at in from..from + count {
        let began = Instant::now();
        let (seen, _) = fault_run::run(&mut fault_run::login(sandbox, &codes.answers(Answers::Right, at)));
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
