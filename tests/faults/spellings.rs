//! F18: one account under several spellings, as directories know it, against policies that name it by one.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::fault_run::{self, Answers, Codes, UNSAFE_GRANT};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::Tally;

const REFUSED: &str = "right codes refused";
const UNCOUNTED: &str = "failures counted under another name";

/// alice, and what else the directory takes for her.
const SPELLINGS: [&str; 4] = ["ALICE", "Alice", "alice@example.org", "EXAMPLE\\alice"];
const NSSWITCH: &str = "/etc/nsswitch.conf";
const NAMED: &str = "users = [\"alice\"]\n";

pub fn spellings(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT, REFUSED, UNCOUNTED]);
    let directory = Directory::mount();
    let exempt = "[[rules]]\naction = \"exempt\"\n";
    let policies = [
        format!("unenrolled = \"exempt\"\nuntil = 2999-12-31\n{TWO_COUNTERS}"),
        format!("{TWO_COUNTERS}[[rules]]\n{NAMED}chain = \"default\"\n{exempt}"),
        format!("{TWO_COUNTERS}[[rules]]\n{NAMED}action = \"deny\"\n{exempt}"),
    ];
    for spelling in SPELLINGS {
        for policy in &policies {
            let sandbox = fault_run::sandbox(context);
            sandbox.write_policy(policy);
            // A line that says yes, so that an exemption shows.
            sandbox.write_service(
                "stack",
                &context.module,
                "auth required MODULE\nauth required pam_permit.so\n",
            );
            let login = |answers: &[String]| directory.login(&sandbox, spelling, answers);
            let without = login(&["text:000000".to_owned()]);
            tally.blame_if(without == 0, UNSAFE_GRANT, &format!("{spelling} without a code: {policy}"));
            tally.count += 1;
            if policy.contains("deny") {
                continue;
            }
            tally.blame_if(sandbox.failures("alice") != 1, UNCOUNTED, spelling);
            let right = login(&Codes::new(1).answers(Answers::Right, 0));
            tally.blame_if(right != 0, REFUSED, &format!("{spelling}: {right}"));
            tally.count += 1;
        }
    }
    tally.figure("spellings", SPELLINGS.len());
    tally
}

/// A directory service in this private place: an NSS module, and an nsswitch.conf that asks it.
struct Directory(TempDir);

impl Directory {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pam_sandbox/nss_spellings.c");
        run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(library(&folder)).arg(source));
        let table: Vec<String> =
            SPELLINGS.iter().map(|spelling| format!("{spelling} alice 5001\n")).collect();
        let table = table.concat() + "alice alice 5001\n";
        let asked = folder.path().join("nsswitch.conf");
        std::fs::write(folder.path().join("spellings"), table).expect("the accounts");
        std::fs::write(&asked, "passwd: files spellings\ngroup: files\n").expect("written");
        run(Command::new("mount").arg("--bind").arg(asked).arg(NSSWITCH));
        Self(folder)
    }

    fn login(&self, sandbox: &PamSandbox, user: &str, answers: &[String]) -> i64 {
        let folder = self.0.path().to_str().expect("UTF-8");
        let play = sandbox.play_written("stack").environment("LD_LIBRARY_PATH", folder);
        let play = play.environment("NSS_SPELLINGS", &format!("{folder}/spellings"));
        play.user(user).answers(answers).run_here().code()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        run(Command::new("umount").arg(NSSWITCH));
    }
}

fn library(folder: &TempDir) -> PathBuf {
    folder.path().join("libnss_spellings.so.2")
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
