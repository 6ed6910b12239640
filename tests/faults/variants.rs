//! Wrong variants of the module, built with a fault in it. A row that does not notice its variant proves
//! nothing by passing.

use std::time::Instant;

use crate::plan::{Context, Outcome, ROWS};
use crate::stage::build;
use crate::tally::Tally;

/// A fault that is built in by `cfg(mfa_fault = "...")`, and the row that must notice it.
pub struct Variant {
    pub fault: &'static str,
    pub row: &'static str,
    /// How much of the row is enough.
    scale: f64,
}

pub const VARIANTS: &[Variant] = &[
    Variant { fault: "lock-after-read", row: "F3", scale: 0.002 },
    Variant { fault: "early-exit", row: "F3", scale: 0.002 },
    Variant { fault: "no-sync", row: "F4", scale: 0.03 },
    Variant { fault: "ignore-on-error", row: "F1", scale: 0.02 },
    Variant { fault: "ignore-on-error", row: "F5", scale: 0.02 },
    Variant { fault: "ignore-on-error", row: "F7", scale: 0.02 },
    Variant { fault: "charge-forgotten", row: "F2", scale: 0.01 },
    Variant { fault: "charge-forgotten", row: "F1", scale: 0.02 },
];

impl Variant {
    pub fn run(&self) -> Outcome {
        let began = Instant::now();
        let context = Context { module: build::variant(self.fault), scale: self.scale };
        let row = ROWS.iter().find(|row| row.name == self.row).expect("a row of the plan");
        let seen = (row.run)(&context);
        let mut tally = Tally { count: 1, ..Tally::default() };
        match seen.wrong.first() {
            Some((kind, _)) => tally.figure("caught by", format!("{kind} ({} times)", seen.wrong.len())),
            None => tally.blame("not caught", seen.to_words()),
        }
        Outcome {
            name: self.row.to_owned(),
            what: format!("must notice the fault {}", self.fault),
            tally,
            seconds: began.elapsed().as_secs_f64(),
        }
    }
}
