//! F6: the clock of the host is set back and forward (libfaketime).

use std::path::{Path, PathBuf};

use crate::fault_run::STRICT;
use crate::pam_sandbox::PamSandbox;
use crate::pam_sandbox::pam_run::PamRun;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::{Dice, Tally, share_out};

const REPLAYS: &str = "time steps accepted twice or backwards";
const REFUSED: &str = "right and fresh codes refused";
const EASED: &str = "waits that a clock set back made shorter";

/// Noon of a day in 2026.
pub const NOON: u64 = 1_790_000_010;
const POLICY: &str = "version = 1\nrequired_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n\
                      [throttle]\nfail_delay_seconds = 0\n";
const HISTORIES: u64 = 200;
const LOGINS: u64 = 12;

pub fn clock(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[REPLAYS, REFUSED, EASED]);
    let histories: Vec<u64> = (0..context.scaled(HISTORIES)).collect();
    let steps = share_out(&histories, || Host::new(context), |host, seed, tally| history(host, *seed, tally));
    tally.figure("logins at random times", steps.count * LOGINS);
    tally.add(steps);
    tally.add(throttled_and_set_back(context));
    tally
}

/// A host whose clock is set for each login.
struct Host {
    sandbox: PamSandbox,
    fresh: Vec<u8>,
}

impl Host {
    fn new(context: &Context) -> Self {
        let sandbox = PamSandbox::with_policy(POLICY);
        sandbox.enroll("alice", &[Token::clock("phone")], None);
        sandbox.write_service("strict", &context.module, STRICT);
        let fresh = sandbox.take_state("alice");
        Self { sandbox, fresh }
    }

    /// Whether `code` lets alice in while the clock stands at `time`.
    fn login(&self, time: u64, code: &str) -> bool {
        let play = self.sandbox.play_written("strict").switch("--brief").codes(&[code]);
        at(play, time).run_here().report()["codes"]["0"] == 1
    }
}

/// Logins at random times, forwards and backwards, with codes of the moment or of an earlier one.
fn history(host: &mut Host, seed: u64, tally: &mut Tally) {
    let token = Token::clock("phone");
    let mut dice = Dice::new(seed);
    host.sandbox.put_state("alice", &host.fresh);
    let (mut last, mut earlier) = (0, Vec::new());
    for _ in 0..LOGINS {
        let replay = !earlier.is_empty() && dice.roll(3) == 0;
        let time = if replay {
            earlier[dice.roll(earlier.len() as u64) as usize]
        } else {
            NOON - 7_200 + dice.roll(14_400)
        };
        let (step, waits) = (time / 30, host.sandbox.failures("alice") >= 5);
        let accepted = host.login(time, &token.code(time));
        let example = format!("history {seed}: step {step} after {last}");
        tally.blame_if(accepted && step <= last, REPLAYS, &example);
        tally.blame_if(!accepted && step > last && !waits, REFUSED, &example);
        if accepted {
            last = step.max(last);
        }
        earlier.push(time);
    }
}

/// Five failures, then the clock an hour back: the wait of 30 seconds is still to come, and then it ends.
fn throttled_and_set_back(context: &Context) -> Tally {
    let mut tally = Tally::default();
    let host = Host::new(context);
    let token = Token::clock("phone");
    for number in 0..5 {
        assert!(!host.login(NOON, &format!("{number:06}")), "a guess was right");
    }
    for (time, passes) in
        [(NOON + 10, false), (NOON - 3_600, false), (NOON - 3_590, false), (NOON - 3_565, true)]
    {
        let accepted = host.login(time, &token.code(time));
        tally.count += 1;
        let example = format!("failures at {NOON}, a login at {time}: accepted {accepted}");
        tally.blame_if(accepted && !passes, EASED, &example);
        tally.blame_if(!accepted && passes, REFUSED, &example);
    }
    tally
}

/// The same run while the clock of the host stands at `time`.
pub fn at(play: PamRun<'_>, time: u64) -> PamRun<'_> {
    let play = play.environment("LD_PRELOAD", libfaketime().to_str().expect("UTF-8"));
    let play = play.environment("FAKETIME", &time.to_string()).environment("FAKETIME_FMT", "%s");
    play.environment("TZ", "UTC").environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib");
    let candidates = folders.flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    let found =
        candidates.chain([Path::new("/usr/lib/faketime/libfaketime.so.1").to_owned()]).find(|it| it.exists());
    found.expect("libfaketime must be installed (apt-get install faketime)")
}
