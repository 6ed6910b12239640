//! Wrong variants of the module, built with a fault in it. A row that does not notice its variant proves
//! nothing by passing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use crate::fault_run::UNTOUCHED;
use crate::pam_sandbox::build;
use crate::plan::{Context, Outcome, ROWS};
use crate::tally::Tally;

/// A fault that `tests/faults/variants/FAULT.patch` puts into a copy of the source, and the row that must notice it.
pub struct Variant {
    pub fault: &'static str,
    pub row: &'static str,
    /// How much of the row is enough.
    scale: f64,
}

const fn variant(fault: &'static str, row: &'static str, scale: f64) -> Variant {
    Variant { fault, row, scale }
}

pub const VARIANTS: &[Variant] = &[
    variant("lock-after-read", "F3", 0.002),
    variant("early-exit", "F3", 0.002),
    variant("no-sync", "F4", 0.03),
    variant("ignore-on-error", "F1", 0.02),
    variant("ignore-on-error", "F5", 0.02),
    variant("ignore-on-error", "F7", 0.02),
    variant("ignore-on-error", "F13", 1.0),
    variant("charge-forgotten", "F2", 0.01),
    variant("charge-forgotten", "F1", 0.02),
    variant(REVOKE_FIRST, "F2e", 0.1),
    variant(ONE_BY_ONE, "F2i", 0.1),
    // Refuses the last code that was accepted, and not those before it.
    variant("last-code-alone", "F6", 0.1),
    variant("last-code-alone", "F16", 1.0),
    // Waits for a lock longer than promised, waits alone, or does not look whether it was overtaken.
    variant("long-wait", "F8f", 0.02),
    variant("no-takeover", "F8f", 0.02),
    variant("no-fence", "F8f", 0.02),
    // One lock for all names that nobody enrolled.
    variant("one-decoy-lock", "F8f", 0.02),
    // Counts all sources as one.
    variant("one-count", "F8", 0.05),
    variant("one-count", "F8s", 0.05),
    // Leaves a socket, memory, an answer and a file behind.
    variant("bad-guest", "F9", 0.05),
    variant("bad-guest", "F12", 0.1),
    variant("bad-guest", "F14", 1.0),
    variant("bad-guest", "F15", 0.01),
    variant("bad-guest", "F15s", 0.001),
    variant("unknown-early", "F17", 0.01),
    variant("slow-if-enrolled", "F17", 0.01),
    // Moves no draw of the enrolled where sshd sends filler, moves those of strangers with the user's own logins, and
    // forgets names that nobody enrolled.
    variant("filler-for-others", "F17s", 0.1),
    variant("shared-draw", "F17s", 0.1),
    variant("forgotten-decoys", "F17s", 0.1),
    variant("slow-if-enrolled", "F17c", 0.2),
    // Judges the name as it was typed.
    variant("as-typed", "F18", 1.0),
    // Passes over entries that can't be names.
    variant("drop-entries", "F19", 1.0),
    // Charges no replay, wherever it comes from.
    variant("replay-uncharged", "F20", 0.1),
    // Follows a link above the policy and the store that any user could have made.
    variant("links-above", "F7", 0.002),
    // Lets an exempt login in, whatever process says that a key was shown.
    variant("exempt-without-key", "F13", 1.0),
];

/// A fault of the command: to replace an authenticator it takes two commands, and a kill can come between.
const REVOKE_FIRST: &str = "revoke-then-enroll";

/// A fault of the command: it enrolls the users of an import one after the other.
const ONE_BY_ONE: &str = "import-one-by-one";

impl Variant {
    pub fn run(&self) -> Outcome {
        let began = Instant::now();
        let folder = tempfile::tempdir().expect("a folder");
        let context = self.context(folder.path());
        let row = ROWS.iter().find(|row| row.name == self.row).expect("a row of the plan");
        let seen = (row.run)(&context);
        let mut tally = Tally { count: 1, ..Tally::default() };
        // A fault of the row that never struck shows nothing about the variant.
        match seen.wrong.iter().find(|(kind, _)| *kind != UNTOUCHED) {
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

    fn context(&self, folder: &Path) -> Context {
        let command = build::command().display();
        // The first four words are the policy and the store.
        let with_files = format!("{command} \"$1\" \"$2\" \"$3\" \"$4\"");
        let script = match self.fault {
            REVOKE_FIRST => {
                format!("#!/bin/sh\n{with_files} revoke alice phone --yes\nexec {command} \"$@\"\n")
            }
            // The seventh word is the list.
            ONE_BY_ONE => format!(
                "#!/bin/sh\nwhile read -r line; do\n  echo \"$line\" | {with_files} import otpauth - --factor phone --replace \
                 --yes || kill -9 $$\ndone < \"$7\"\n"
            ),
            fault => {
                return Context { module: build::variant(fault), scale: self.scale, other_command: None };
            }
        };
        let path = folder.join(self.fault);
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        Context { module: build::module(), scale: self.scale, other_command: Some(path) }
    }
}
