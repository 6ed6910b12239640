//! F17c: nobody learns who is enrolled from the times of tries side by side, as of six processes at once.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::fault_run::{STRICT, phone, token};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::Tally;

const TOLD_APART: &str = "kinds of names told apart by time";
const AT_ONCE: [usize; 3] = [1, 6, 24];
/// Tries of each process in a round.
const TRIES: usize = 10;
const ROUNDS: u64 = 30;
const FEWEST: u64 = 6;
/// Two kinds are told apart where one takes twice as long as the other, and four milliseconds longer.
const MOST_RATIO: f64 = 2.0;
const MOST_MILLISECONDS: f64 = 4.0;

pub fn side_by_side(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[TOLD_APART]);
    let sandbox = PamSandbox::with_policy(TWO_COUNTERS);
    sandbox.write_service("strict", &context.module, STRICT);
    let most = AT_ONCE.into_iter().max().unwrap_or_default();
    for number in 0..most {
        sandbox.enroll(&name(true, number), &[phone(), token()], None);
    }
    let rounds = context.scaled(ROUNDS).max(FEWEST);
    for count in AT_ONCE {
        for is_one_name in [true, false] {
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..rounds {
                // In turns: what ran before has its share in a time.
                for kind in [round % 2, (round + 1) % 2] {
                    let names =
                        (0..count).map(|number| name(kind == 0, if is_one_name { 0 } else { number }));
                    times[kind as usize].extend(at_once(&sandbox, names));
                }
            }
            let what = if is_one_name { "tries of one name" } else { "names" };
            tally.add(told_apart(&format!("{count} {what} at once"), times));
        }
    }
    tally
}

fn name(enrolled: bool, number: usize) -> String {
    format!("{}{number:05}", if enrolled { "ann" } else { "bob" })
}

/// Times of wrong codes for these names, a process each, in milliseconds.
fn at_once(sandbox: &PamSandbox, names: impl Iterator<Item = String>) -> Vec<f64> {
    let started: Vec<_> = names
        .map(|name| {
            let jobs = vec![format!("{name}\trhost=203.0.113.7\ttext:000000"); TRIES];
            let play = sandbox.play_written("strict").jobs(&jobs);
            let mut command = play.command();
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().expect("pamdrive");
            child
                .stdin
                .take()
                .expect("a pipe")
                .write_all(jobs.join("\n").as_bytes())
                .expect("read by pamdrive");
            child
        })
        .collect();
    let outputs = started.into_iter().map(|child| child.wait_with_output().expect("the end").stdout);
    let reports = outputs.flat_map(|output| {
        let lines = String::from_utf8(output).expect("UTF-8");
        lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>()
    });
    reports.filter_map(|report| report["calls"][0]["ns"].as_f64().map(|time| time / 1e6)).collect()
}

fn told_apart(what: &str, times: [Vec<f64>; 2]) -> Tally {
    let mut tally = Tally { count: times.iter().map(|times| times.len() as u64).sum(), ..Tally::default() };
    let [enrolled, others] = times.map(|mut times| {
        assert!(!times.is_empty(), "{what}: nothing was timed");
        times.sort_by(f64::total_cmp);
        [50, 90].map(|part| times[(times.len() * part / 100).min(times.len() - 1)])
    });
    let apart = enrolled.iter().zip(&others).any(|(one, other)| {
        let (low, high) = (one.min(*other), one.max(*other));
        high > low * MOST_RATIO && high - low > MOST_MILLISECONDS
    });
    let shown = |[half, most]: [f64; 2]| format!("{half:.1} {most:.1}");
    let figure = format!("{} | {} ms", shown(enrolled), shown(others));
    tally.blame_if(apart, TOLD_APART, &format!("{what}: {figure}"));
    tally.figure(what, figure);
    tally
}
