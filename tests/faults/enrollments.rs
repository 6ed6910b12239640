//! F2, for the command: an enrollment that replaces an authenticator is killed at every system call. The old one
//! works afterwards, or the new one, and never neither.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::fault_run::{self, UNTOUCHED};
use crate::pam_sandbox::PamSandbox;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::{Tally, share_out};
use crate::trace;

const NEITHER: &str = "enrollments after which neither works";
const BOTH: &str = "enrollments after which both work";
const LEFTOVERS: &str = "leftovers that the next enrollment does not clear";

pub fn kills(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[NEITHER, BOTH, LEFTOVERS, UNTOUCHED]);
    let place = Place::new(context);
    let points = trace::all_points(&place.sandbox, &place.enroll());
    let points = context.sampled(&points);
    tally.add(share_out(
        &points,
        || Place::new(context),
        |place, point, tally| {
            place.put_back();
            let output = trace::tamper(&place.enroll(), point, "signal=KILL").output().expect("strace");
            let example = point.example(&format!("SIGKILL ({:?})", output.status));
            tally.blame_if(!trace::was_killed(output.status), UNTOUCHED, &example);
            let (old, new) = (place.lets_in(&place.old), place.lets_in(&place.new));
            tally.blame_if(!old && !new, NEITHER, &example);
            tally.blame_if(old && new, BOTH, &example);
            let again = place.enroll().output().expect("mfa-chain");
            let said = String::from_utf8_lossy(&again.stderr).into_owned();
            tally.blame_if(!again.status.success(), LEFTOVERS, &format!("{example}: {said}"));
            let files = fs::read_dir(place.sandbox.store().join("secrets")).expect("secrets").count();
            tally.blame_if(files != 1, LEFTOVERS, &format!("{example}: {files} files"));
        },
    ));
    tally
}

/// A stage where alice's phone is about to be replaced.
struct Place {
    sandbox: PamSandbox,
    old: Token,
    new: Token,
    files: Vec<(PathBuf, Vec<u8>)>,
    program: PathBuf,
}

impl Place {
    fn new(context: &Context) -> Self {
        let sandbox = fault_run::sandbox(context);
        let new = fault_run::phone().with_key(b"the key of a new one");
        let secret = sandbox.path().join("secret");
        fs::write(&secret, data_encoding::BASE32_NOPAD.encode(&new.key)).expect("a secret");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("a mode");
        let paths = [sandbox.secret_file("alice"), sandbox.state_file("alice")];
        let files = paths.map(|path| (path.clone(), fs::read(path).expect("a file"))).to_vec();
        Self { sandbox, old: fault_run::phone(), new, files, program: context.command().to_owned() }
    }

    fn put_back(&self) {
        for (path, bytes) in &self.files {
            fs::write(path, bytes).expect("a file");
        }
    }

    fn enroll(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--policy").arg(self.sandbox.policy()).arg("--store").arg(self.sandbox.store());
        command.args([
            "enroll",
            "alice",
            "phone",
            "--unknown-user",
            "--no-confirm",
            "--qr",
            "none",
            "--secret-file",
        ]);
        command.arg(self.sandbox.path().join("secret"));
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(self.sandbox.path());
        command
    }

    /// Whether a code of this phone is right, whatever was used before.
    fn lets_in(&self, phone: &Token) -> bool {
        let state = &self.files[1];
        fs::write(&state.0, &state.1).expect("the state");
        let codes = [phone.code(2), fault_run::token().code(0)];
        self.sandbox.play_written("strict").codes(&codes).run_here().code() == 0
    }
}
