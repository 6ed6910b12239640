//! F2, for the command: an enrolment that replaces an authenticator is killed at every system call. The old one
//! works afterwards, or the new one, and never neither.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::plan::Context;
use crate::scene::{self, UNTOUCHED};
use crate::stage::Stage;
use crate::stage::token::Token;
use crate::tally::{Tally, share_out};
use crate::trace;

const NEITHER: &str = "enrolments after which neither works";
const BOTH: &str = "enrolments after which both work";
const LEFTOVERS: &str = "leftovers that the next enrolment does not clear";

pub fn kills(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[NEITHER, BOTH, LEFTOVERS, UNTOUCHED]);
    let place = Place::new(context);
    let points = trace::all_points(&place.stage, &place.enroll());
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
            let files = fs::read_dir(place.stage.store().join("secrets")).expect("secrets").count();
            tally.blame_if(files != 1, LEFTOVERS, &format!("{example}: {files} files"));
        },
    ));
    tally
}

/// A stage where alice's phone is about to be replaced.
struct Place {
    stage: Stage,
    old: Token,
    new: Token,
    files: Vec<(PathBuf, Vec<u8>)>,
    program: PathBuf,
}

impl Place {
    fn new(context: &Context) -> Self {
        let stage = scene::stage(context);
        let new = scene::phone().with_key(b"the key of a new one");
        let secret = stage.path().join("secret");
        fs::write(&secret, data_encoding::BASE32_NOPAD.encode(&new.key)).expect("a secret");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("a mode");
        let paths = [stage.secret_file("alice"), stage.state_file("alice")];
        let files = paths.map(|path| (path.clone(), fs::read(path).expect("a file"))).to_vec();
        Self { stage, old: scene::phone(), new, files, program: context.command().to_owned() }
    }

    fn put_back(&self) {
        for (path, bytes) in &self.files {
            fs::write(path, bytes).expect("a file");
        }
    }

    fn enroll(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--policy").arg(self.stage.policy()).arg("--store").arg(self.stage.store());
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
        command.arg(self.stage.path().join("secret"));
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(self.stage.path());
        command
    }

    /// Whether a code of this phone is right, whatever was used before.
    fn lets_in(&self, phone: &Token) -> bool {
        let state = &self.files[1];
        fs::write(&state.0, &state.1).expect("the state");
        let codes = [phone.code(2), scene::token().code(0)];
        self.stage.play_written("strict").codes(&codes).run_here().code() == 0
    }
}
