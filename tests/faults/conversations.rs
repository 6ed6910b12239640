//! F12: conversations that no honest application has.

use std::process::Command;

use crate::fault_run::{self, Answers, Codes, UNSAFE_GRANT};
use crate::plan::Context;
use crate::tally::Tally;
use crate::trace;

const CRASHES: &str = "crashes";
const GROWTH: &str = "modes after which memory grew";
const CHECKED: &str = "errors found by valgrind";

/// Each must end in a denial.
const MODES: [&str; 16] = [
    "null-array",
    "null-answer",
    "empty",
    "big:65",
    "big:513",
    "big:1048576",
    "hex:00",
    "hex:313200343536",
    "hex:fffec328",
    "hex:1b5d303b78071b5b324a",
    "hex:080a0d7f494e434f5252454354",
    "code:19",
    "code:30",
    "code:-1",
    "code:999",
    "user=bob+text:000000",
];
const TIMES: usize = 1_000;

pub fn conversations(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT, CRASHES, GROWTH, CHECKED]);
    for mode in MODES {
        let sandbox = fault_run::sandbox(context);
        let pristine = sandbox.path().join("fresh");
        std::fs::copy(sandbox.state_file("alice"), &pristine).expect("the state");
        let restore = format!("{}:{}", pristine.display(), sandbox.state_file("alice").display());
        // The first thousand make the process as large as it gets; its memory is looked at after each thousand.
        let jobs = vec![format!("alice\t{mode}"); TIMES + 1_000];
        let play = sandbox.play_written("strict").option("--restore", restore);
        let played = play.switch("--brief").switch("--no-times").jobs(&jobs).run_here();
        tally.count += jobs.len() as u64;
        if played.exit != Some(0) || played.reports.len() != 1 {
            tally.blame(CRASHES, format!("{mode}: {played:?}"));
            continue;
        }
        let report = played.report();
        tally.blame_if(report["codes"]["0"].as_u64().is_some(), UNSAFE_GRANT, mode);
        let pages = played.resident_pages();
        let growth = pages.last().unwrap_or(&0).saturating_sub(*pages.first().unwrap_or(&0));
        if growth > 16 {
            tally.blame(GROWTH, format!("{mode}: {growth} pages"));
            break; // what leaks in one mode leaks in others, and a leak is slow
        }
    }
    if context.scale >= 1.0 {
        under_valgrind(context, &mut tally);
    }
    tally
}

/// Each mode once, and a login that is granted, with every access to memory checked.
fn under_valgrind(context: &Context, tally: &mut Tally) {
    let codes = Codes::new(1);
    let sandbox = fault_run::sandbox(context);
    let mut runs: Vec<Vec<String>> = MODES.iter().map(|mode| vec![(*mode).to_owned()]).collect();
    runs.push(codes.answers(Answers::Right, 0).to_vec());
    for answers in runs {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
        valgrind.arg("--errors-for-leak-kinds=definite");
        trace::under(&mut valgrind, &fault_run::login(&sandbox, &answers));
        let output = valgrind.output().expect("valgrind must be installed (apt-get install valgrind)");
        let text = String::from_utf8_lossy(&output.stderr);
        tally.blame_if(output.status.code() == Some(99), CHECKED, &format!("{answers:?}: {text}"));
        tally.count += 1;
    }
    tally.figure("runs under valgrind", MODES.len() + 1);
}
