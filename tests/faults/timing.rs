//! F17: nobody learns from the time or the words of a refusal why it came. Under `conceal`, runs of all
//! classes take turns in one process; Welch's t compares each class with the first.

use std::path::PathBuf;

use crate::fault_run::{STRICT, phone, token};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::{Dice, Tally};

const TOLD_APART: &str = "classes told apart by time";
const OTHER_WORDS: &str = "classes told apart by what is shown";
const LONG_WAITS: &str =
    "first_wait_seconds = 86400\nlongest_wait_seconds = 86400\nlong_wait_seconds = 86400\n";
const RUNS: u64 = 5_000;
/// A class passes with |t| below this, or a difference of means below a millisecond.
const MOST_T: f64 = 4.5;
const MOST_NANOSECONDS: f64 = 1e6;

pub fn timing(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[TOLD_APART, OTHER_WORDS]);
    let runs = context.scaled(RUNS).max(200) as usize;
    // Who has to wait waits for longer than all runs take.
    let sandbox =
        PamSandbox::with_policy(&format!("on_wrong_code = \"conceal\"\n{TWO_COUNTERS}{LONG_WAITS}"));
    sandbox.write_service("strict", &context.module, STRICT);
    let classes = classes(&sandbox);
    let (mut jobs, mut order, mut dice) = (Vec::new(), Vec::new(), Dice::new(17));
    for run in 0..runs {
        // In another order each time: what ran before has its share in a time.
        let mut left: Vec<usize> = (0..classes.len()).collect();
        while !left.is_empty() {
            let class = left.swap_remove(dice.roll(left.len() as u64) as usize);
            jobs.push(classes[class].line.replace("NUMBER", &run.to_string()));
            order.push(class);
        }
    }
    let mut play = sandbox.play_written("strict");
    for (fresh, file) in restored(&sandbox) {
        play = play.option("--restore", format!("{}:{}", fresh.display(), file.display()));
    }
    let played = play.jobs(&jobs).run_here();
    assert_eq!(played.reports.len(), jobs.len(), "{}", played.stderr);
    let mut samples = vec![Vec::new(); classes.len()];
    let mut shown = None;
    for (class, report) in order.into_iter().zip(&played.reports) {
        samples[class].push(report["calls"][0]["ns"].as_f64().expect("a time"));
        let words = format!("{} {}", report["code"], report["calls"][0]["shown"]);
        let first = shown.get_or_insert_with(|| words.clone());
        let name = classes[class].name;
        tally.blame_if(words != *first, OTHER_WORDS, &format!("{name}: {words}, not {first}"));
    }
    tally.count = jobs.len() as u64;
    for (class, times) in classes.iter().zip(&samples).skip(1) {
        let (t, difference) = welch(&samples[0], times);
        let figure = format!("t {t:+.1}, {:+.0} us", difference / 1e3);
        let apart = t.abs() >= MOST_T && difference.abs() >= MOST_NANOSECONDS;
        tally.blame_if(apart, TOLD_APART, &format!("{}: {figure}", class.name));
        tally.figure(class.name, format!("({figure})"));
    }
    tally
}

/// A reason for a refusal, and the line that makes it.
struct Class {
    name: &'static str,
    line: String,
}

fn classes(sandbox: &PamSandbox) -> Vec<Class> {
    let (right, second) = (phone().code(0), token().code(0));
    let wrong = phone().wrong_code();
    sandbox.enroll("alice", &[phone(), token()], None);
    sandbox.enroll("bob", &[phone()], None);
    sandbox.enroll("tina", &[phone(), token()], None);
    sandbox.enroll("rita", &[phone(), token()], None);
    for _ in 0..5 {
        sandbox.play_written("strict").user("tina").codes(&[&wrong, &wrong]).run_here();
    }
    let granted = sandbox.play_written("strict").user("rita").codes(&[&right, &second]).run_here();
    assert_eq!((sandbox.failures("tina"), granted.code()), (5, 0));
    let class = |name, user: &str, one: &str, two: &str| Class {
        name,
        line: format!("{user}\ttext:{one}\ttext:{two}"),
    };
    vec![
        class("wrong at step 1", "alice", &wrong, &second),
        class("wrong at step 2", "alice", &right, &wrong),
        class("wrong at both", "alice", &wrong, &wrong),
        class("unknown user", "nobody-NUMBER", &right, &second),
        class("enrolled in too little", "bob", &right, &second),
        class("throttled", "tina", &right, &second),
        class("replayed", "rita", &right, &second),
    ]
}

/// The state of each user as it is now, put back before each run.
fn restored(sandbox: &PamSandbox) -> Vec<(PathBuf, PathBuf)> {
    let mut pairs = Vec::new();
    for user in ["alice", "bob", "tina", "rita"] {
        let fresh = sandbox.path().join(format!("fresh-{user}"));
        std::fs::copy(sandbox.state_file(user), &fresh).expect("the state");
        pairs.push((fresh, sandbox.state_file(user)));
    }
    pairs
}

/// Welch's t and the difference of the means, after the slowest twentieth of both is left out: a busy machine
/// makes those.
fn welch(base: &[f64], other: &[f64]) -> (f64, f64) {
    let (base, other) = (moments(base), moments(other));
    let difference = other.0 - base.0;
    let error = (base.1 / base.2 + other.1 / other.2).sqrt();
    (difference / error, difference)
}

/// Mean, variance and count.
fn moments(times: &[f64]) -> (f64, f64, f64) {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 19 / 20);
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance, count)
}
