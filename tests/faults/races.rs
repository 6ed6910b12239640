//! F3: one code, typed into many sessions that all wait at the prompt, is accepted once.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use mfa_chain::verifier::otp::{RecoveryCode, RecoveryHash, RecoverySet};
use zeroize::Zeroizing;

use crate::pam_sandbox::PamSandbox;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::{Tally, share_out};

const DOUBLE: &str = "double accepts";
const NONE: &str = "rounds without an accept";
const BEYOND: &str = "rounds with more guesses judged than the budget";
const TWICE: &str = "codes of two counters accepted twice";

const KINDS: [&str; 3] = ["totp", "hotp", "recovery"];
const SESSIONS: [usize; 4] = [2, 8, 32, 128];
const ROUNDS: u64 = 1_000;
/// A code of the present is good for five minutes either way.
const ONE_STEP: &str = "version = 1\nrequired_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"TYPE\"\nOPTION\n\
                        [throttle]\nfail_delay_seconds = 0\n";

pub fn races(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[DOUBLE, NONE, BEYOND, TWICE]);
    let races: Vec<(&str, usize)> =
        KINDS.iter().flat_map(|kind| SESSIONS.map(|sessions| (*kind, sessions))).collect();
    tally.add(share_out(
        &races,
        || (),
        |(), (kind, sessions), tally| {
            race(context, kind, *sessions, tally);
        },
    ));
    tally.figure("rounds of", format!("{} with {SESSIONS:?} sessions each", KINDS.join(", ")));
    tally.add(guesses(context));
    tally.add(same_digits(context));
    tally
}

fn one_step(context: &Context, kind: &str) -> PamSandbox {
    let (kind, option) = if kind == "totp" { (kind, "window = 10") } else { ("hotp", "look_ahead = 100") };
    let sandbox = PamSandbox::with_policy(&ONE_STEP.replace("TYPE", kind).replace("OPTION", option));
    sandbox.write_service("strict", &context.module, crate::fault_run::STRICT);
    sandbox
}

/// Rounds with one kind of code and so many sessions; each round begins with a fresh state.
fn race(context: &Context, kind: &str, sessions: usize, tally: &mut Tally) {
    let sandbox = one_step(context, kind);
    let recovery = RecoveryCode::from_entropy(Zeroizing::new([7; RecoveryCode::BYTES]));
    let set = RecoverySet::new(5, vec![RecoveryHash::of(&recovery, [1; 16])]);
    let token = if kind == "totp" { Token::clock("phone") } else { Token::counter("phone") };
    sandbox.enroll("alice", std::slice::from_ref(&token), set);
    let fresh = sandbox.path().join("fresh");
    std::fs::copy(sandbox.state_file("alice"), &fresh).expect("the state");
    let mut left = context.scaled(ROUNDS);
    while left > 0 {
        // Batches, since a code of the present grows old.
        let rounds = left.min(100);
        left -= rounds;
        let code = match kind {
            "totp" => token.code(now()),
            "hotp" => token.code(3),
            _ => recovery.to_groups().to_string(),
        };
        let line = format!("alice\tgate+text:{code}");
        play(&sandbox, sessions, &fresh, &vec![line; rounds as usize], kind, tally);
    }
    tally.count -= 1; // share_out counts the race itself
}

fn play(sandbox: &PamSandbox, sessions: usize, fresh: &Path, jobs: &[String], kind: &str, tally: &mut Tally) {
    let restore = format!("{}:{}", fresh.display(), sandbox.state_file("alice").display());
    let play = sandbox.play_written("strict").option("--restore", restore);
    let played = play.option("--sessions", sessions.to_string()).jobs(jobs).run_here();
    assert_eq!(played.reports.len(), jobs.len(), "{}", played.stderr);
    for report in &played.reports {
        tally.count += 1;
        let codes = &report["round"]["codes"];
        let accepts = codes["0"].as_u64().unwrap_or(0);
        let example = || format!("{kind}, {sessions} sessions: {codes}");
        if accepts > 1 {
            tally.blame(DOUBLE, example());
        } else if accepts == 0 {
            tally.blame(NONE, example());
        }
    }
}

/// 128 wrong codes at once: five are judged, the rest must wait.
fn guesses(context: &Context) -> Tally {
    let mut tally = Tally::default();
    let sandbox = one_step(context, "hotp");
    sandbox.enroll("alice", &[Token::counter("phone")], None);
    let fresh = sandbox.take_state("alice");
    let wrong = format!("alice\tgate+text:{}", Token::counter("phone").codes(0, 400)[300]);
    for _ in 0..context.scaled(100) {
        sandbox.put_state("alice", &fresh);
        let play =
            sandbox.play_written("strict").option("--sessions", "128").jobs(std::slice::from_ref(&wrong));
        let codes = play.run_here().report()["round"]["codes"].clone();
        tally.count += 1;
        tally.blame_if(
            sandbox.failures("alice") != 5 || codes["0"] != serde_json::Value::Null,
            BEYOND,
            &codes.to_string(),
        );
    }
    tally.figure("wrong codes at once judged", "5 of 128");
    tally
}

/// Two counters of one look-ahead can have the same digits: accepting the first one must burn the second.
fn same_digits(context: &Context) -> Tally {
    let mut tally = Tally::default();
    let token = Token::counter("phone");
    let codes = token.codes(0, 60_000);
    for (first, code) in codes.iter().enumerate() {
        let ahead = &codes[first + 1..(first + 100).min(codes.len())];
        if !ahead.contains(code) {
            continue;
        }
        let sandbox = one_step(context, "hotp");
        sandbox.enroll("alice", &[token.clone().starting_at(first as u64)], None);
        let login = || sandbox.play_written("strict").codes(&[code]).run_here().code();
        assert_eq!(login(), 0, "the code of counter {first}");
        tally.count += 1;
        tally.blame_if(login() == 0, TWICE, &format!("counter {first}"));
    }
    assert!(tally.count > 0, "no such pair of codes");
    tally.figure("pairs of counters with the same digits", tally.count);
    tally
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
