//! The fault plan: what the built module withstands, counted. `make faults` runs it whole and writes
//! `docs/figures.md`; `make test` runs a tenth.
//!
//! ```text
//! FAULTS=F3,F7       only these rows              FAULTS_SCALE=0.1   a part of the counts
//! FAULTS_MODULE=FILE the module to be tried        FAULTS_FIGURES=FILE where the table is written
//! ```
//!
//! It runs as root in a private mount name space with a /dev of its own; nothing of the system is touched.
#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // statistics
#![allow(clippy::similar_names)] // stage and state
#![allow(clippy::print_stdout, clippy::print_stderr)] // the table is what it is for

#[path = "../pam_sandbox/mod.rs"]
mod pam_sandbox;
#[path = "../tracked/mod.rs"]
mod tracked;

mod clock;
mod compatibility;
mod conversations;
mod documented;
mod enrollments;
mod entries;
mod fault_run;
mod files;
mod imports;
mod kills;
mod limits;
mod onlooker;
mod parked;
mod plan;
mod power;
mod private;
mod races;
mod replays;
mod residue;
mod side_by_side;
mod soak;
mod spellings;
mod stacks;
mod stopped;
mod surface;
mod syscalls;
mod table;
mod tally;
mod through_sshd;
mod timing;
mod trace;
mod variants;

use std::process::ExitCode;

fn main() -> ExitCode {
    private::enter();
    let plan = plan::Plan::from_environment();
    let results = plan.run();
    table::write_figures(&plan, &results);
    let failed = results.iter().filter(|result| !result.passed()).count();
    // The plain closing line that test runners are read for.
    println!("faults: {} passed, {failed} failed", results.len() - failed);
    // A misspelt FAULTS runs nothing, which is no success.
    if failed == 0 && !results.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
