//! F2i: an import of several users is killed at every system call. Either all of them have their authenticators
//! afterwards, or none, and the next import is not in the way of what the killed one left.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use mfa_chain::store::FileStore;
use mfa_chain::verifier::username::Username;

use crate::fault_run::{self, UNTOUCHED};
use crate::pam_sandbox::PamSandbox;
use crate::plan::Context;
use crate::tally::{Tally, share_out};
use crate::trace;

const IN_PART: &str = "imports in part";
const LEFTOVERS: &str = "leftovers that the next import does not clear";
/// Accounts that every system has: an import is for accounts only.
const USERS: [&str; 4] = ["root", "daemon", "bin", "nobody"];

pub fn kills(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[IN_PART, LEFTOVERS, UNTOUCHED]);
    let place = Place::new(context);
    let points = trace::all_points(&place.sandbox, &place.import());
    let points = context.sampled(&points);
    tally.add(share_out(
        &points,
        || Place::new(context),
        |place, point, tally| {
            place.put_back();
            let output = trace::tamper(&place.import(), point, "signal=KILL").output().expect("strace");
            let example = point.example(&format!("SIGKILL ({:?})", output.status));
            tally.blame_if(!trace::was_killed(output.status), UNTOUCHED, &example);
            let enrolled = place.enrolled();
            let is_whole = enrolled == 0 || enrolled == USERS.len();
            tally.blame_if(!is_whole, IN_PART, &format!("{example}: {enrolled} users"));
            let again = place.import().output().expect("mfa-chain");
            let said = String::from_utf8_lossy(&again.stderr).into_owned();
            tally.blame_if(!again.status.success(), LEFTOVERS, &format!("{example}: {said}"));
            let enrolled = place.enrolled();
            tally.blame_if(enrolled != USERS.len(), LEFTOVERS, &format!("{example}: {enrolled} users"));
            tally.blame_if(place.has_traces(), LEFTOVERS, &example);
        },
    ));
    tally
}

/// A store in which alice alone has enrolled, and a list of four others.
struct Place {
    sandbox: PamSandbox,
    list: PathBuf,
    program: PathBuf,
}

impl Place {
    fn new(context: &Context) -> Self {
        let sandbox = fault_run::sandbox(context);
        let list = sandbox.path().join("list");
        let line = |(key, user): (u8, &&str)| {
            let secret = data_encoding::BASE32_NOPAD.encode(&[key; 20]);
            format!("otpauth://hotp/{user}?secret={secret}&counter=0\n")
        };
        fs::write(&list, (1..).zip(&USERS).map(line).collect::<String>()).expect("a list");
        Self { sandbox, list, program: context.command().to_owned() }
    }

    /// Removes what earlier imports made.
    fn put_back(&self) {
        for user in USERS {
            for path in [self.sandbox.secret_file(user), self.sandbox.state_file(user)] {
                let _ = fs::remove_file(path);
            }
        }
        let _ = fs::remove_dir_all(self.sandbox.store().join("batches"));
    }

    fn import(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--policy").arg(self.sandbox.policy()).arg("--store").arg(self.sandbox.store());
        command.args(["import", "otpauth"]).arg(&self.list);
        command.args(["--factor", "phone", "--replace", "--yes"]);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(self.sandbox.path());
        command
    }

    /// How many of the users have an authenticator that counts.
    fn enrolled(&self) -> usize {
        let store = FileStore::at(&self.sandbox.store());
        let has = |user: &&&str| {
            let record = store.record(&Username::parse(user).expect("a name")).expect("a record");
            record.is_some_and(|record| !record.credentials().is_empty())
        };
        USERS.iter().filter(has).count()
    }

    /// Whether a batch is not settled.
    fn has_traces(&self) -> bool {
        let batches = fs::read_dir(self.sandbox.store().join("batches")).expect("a folder").count();
        let text = |user| fs::read_to_string(self.sandbox.secret_file(user)).expect("a file");
        batches > 0 || USERS.iter().any(|user| text(user).contains("batch"))
    }
}
