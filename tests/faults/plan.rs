//! The rows of the plan.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::pam_sandbox::build;
use crate::table;
use crate::tally::Tally;
use crate::variants::VARIANTS;

/// One row: a name of the security plan, what it does, and the program for it.
pub struct Row {
    pub name: &'static str,
    pub what: &'static str,
    pub run: fn(&Context) -> Tally,
}

/// What a row is run with.
pub struct Context {
    pub module: PathBuf,
    pub scale: f64,
    /// The command in place of the one that is built here.
    pub other_command: Option<PathBuf>,
}

impl Context {
    pub fn command(&self) -> &Path {
        self.other_command.as_deref().unwrap_or_else(|| build::command())
    }

    /// A part of the full count, at least one.
    pub fn scaled(&self, full: u64) -> u64 {
        ((full as f64 * self.scale).ceil() as u64).max(1)
    }

    /// Every so many of a list: all at full scale, fewer below.
    pub fn sampled<T: Clone>(&self, all: &[T]) -> Vec<T> {
        sample(all, self.scale)
    }

    /// The same, but for at least this part of the list.
    pub fn sampled_well<T: Clone>(&self, all: &[T], part: f64) -> Vec<T> {
        sample(all, self.scale.max(part))
    }
}

fn sample<T: Clone>(all: &[T], scale: f64) -> Vec<T> {
    let stride = (1.0 / scale).round().max(1.0) as usize;
    all.iter().step_by(stride).cloned().collect()
}

/// What came of a row.
pub struct Outcome {
    pub name: String,
    pub what: String,
    pub tally: Tally,
    pub seconds: f64,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.tally.wrong.is_empty() && self.tally.count > 0
    }
}

pub const ROWS: &[Row] = &[
    Row { name: "F1", what: "an error at every system call", run: crate::syscalls::errors },
    Row { name: "F2", what: "SIGKILL at every system call and at random", run: crate::kills::kills },
    Row { name: "F2e", what: "SIGKILL at each system call of enroll", run: crate::enrollments::kills },
    Row { name: "F2i", what: "SIGKILL at each system call of import", run: crate::imports::kills },
    Row { name: "F3", what: "one code to many waiting sessions", run: crate::races::races },
    Row { name: "F4", what: "power cuts on a journalling file system", run: crate::power::cuts },
    Row { name: "F5", what: "full disk, read-only, tiny limits", run: crate::limits::limits },
    Row { name: "F6", what: "clock back and forward", run: crate::clock::clock },
    Row { name: "F7", what: "hostile files in place of ours", run: crate::files::files },
    Row { name: "F8", what: "parked sessions beside a login", run: crate::parked::parked },
    Row { name: "F8f", what: "right codes beside stopped sessions", run: crate::stopped::stopped },
    Row { name: "F8s", what: "guesses through sshd", run: crate::through_sshd::attacked },
    Row { name: "F9", what: "secrets and codes left in memory", run: crate::residue::residue },
    Row { name: "F12", what: "hostile conversations", run: crate::conversations::conversations },
    Row { name: "F13", what: "codes in documented stacks", run: crate::stacks::stacks },
    Row { name: "F14", what: "system calls, and a filter of them", run: crate::surface::surface },
    Row { name: "F15", what: "logins in one process", run: crate::soak::soak },
    Row { name: "F15s", what: "logins through sshd", run: crate::through_sshd::soak },
    Row { name: "F16", what: "the standards, and other modules", run: crate::compatibility::compatibility },
    Row { name: "F17", what: "times of refusals", run: crate::timing::timing },
    Row { name: "F17s", what: "sequences of tries by an onlooker", run: crate::onlooker::onlooker },
    Row { name: "F17c", what: "tries side by side", run: crate::side_by_side::side_by_side },
    Row { name: "F18", what: "other spellings of an account", run: crate::spellings::spellings },
    Row { name: "F19", what: "rules that no login can match", run: crate::entries::entries },
    Row { name: "F20", what: "one code once more", run: crate::replays::replays },
];

/// What is to be run.
pub struct Plan {
    wanted: Vec<String>,
    pub context: Context,
}

impl Plan {
    pub fn from_environment() -> Self {
        let text = |key: &str| std::env::var(key).ok().filter(|text| !text.is_empty());
        let wanted = text("FAULTS").unwrap_or_default();
        let wanted = wanted.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let scale = text("FAULTS_SCALE").map_or(1.0, |text| text.parse().expect("FAULTS_SCALE is a number"));
        let module = text("FAULTS_MODULE").map_or_else(build::module, PathBuf::from);
        let module = module.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", module.display()));
        Self { wanted, context: Context { module, scale, other_command: None } }
    }

    pub fn is_whole(&self) -> bool {
        self.wanted.is_empty()
    }

    fn wants(&self, name: &str) -> bool {
        self.is_whole() || self.wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    }

    /// Runs the rows that are wanted, and the wrong variants that they must catch.
    pub fn run(&self) -> Vec<Outcome> {
        let caught = |row: &Row| VARIANTS.iter().any(|variant| variant.row == row.name);
        assert!(ROWS.iter().all(caught), "a row without a wrong variant proves nothing by passing");
        table::print_head();
        let mut outcomes = Vec::new();
        for row in ROWS.iter().filter(|row| self.wants(row.name)) {
            let began = Instant::now();
            let tally = (row.run)(&self.context);
            let outcome = Outcome {
                name: row.name.to_owned(),
                what: row.what.to_owned(),
                tally,
                seconds: began.elapsed().as_secs_f64(),
            };
            table::print(&outcome);
            outcomes.push(outcome);
        }
        for variant in VARIANTS.iter().filter(|variant| self.wants(variant.row)) {
            let outcome = variant.run();
            table::print(&outcome);
            outcomes.push(outcome);
        }
        outcomes
    }
}
