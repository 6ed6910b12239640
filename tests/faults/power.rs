//! F4: the power is cut. The disk is an ext4 image; a copy of it, taken at some moment of a login, is mounted,
//! which replays its journal, and must hold whatever was seen before that moment.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pam_mfa_chain::store::FileStore;
use pam_mfa_chain::verifier::username::Username;
use tempfile::TempDir;

use crate::plan::Context;
use crate::scene::{self, Answers, Codes, Seen, UNCHARGED, UNREADABLE, UNRECORDED};
use crate::stage::{Stage, TWO_COUNTERS};
use crate::tally::{Dice, Tally, share_out};

const CUTS: u64 = 1_000;
/// The longest wait between the start of a login and a cut: some cuts come after its end.
const LONGEST_WAIT: u64 = 40_000_000;

pub fn cuts(context: &Context) -> Tally {
    let cuts: Vec<u64> = (0..context.scaled(CUTS)).collect();
    let codes = Codes::new(CUTS + 1);
    let mut tally = Tally::looking_for(&[UNRECORDED, UNCHARGED, UNREADABLE]);
    tally.add(share_out(
        &cuts,
        || Disk::new(context),
        |disk, number, tally| disk.cut(*number, &codes, tally),
    ));
    let seen = tally.figures.drain(..).map(|(_, value)| value.parse::<u64>().unwrap_or(0)).sum::<u64>();
    tally.figure("outcomes seen before the cut", seen);
    tally
}

/// An image with a file system, mounted, and a stage on it. Unmounted when dropped.
struct Disk {
    folder: TempDir,
    stage: Option<Stage>,
    logins: usize,
}

impl Disk {
    fn new(context: &Context) -> Self {
        let folder = tempfile::Builder::new().prefix("mfa-disk-").tempdir_in("/dev/shm").expect("memory");
        let mut disk = Self { folder, stage: None, logins: 0 };
        let image = disk.path("disk.img");
        std::fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).expect("an image");
        must(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        mount(&image, &disk.path("mounted"));
        let stage = Stage::below(&disk.path("mounted"), TWO_COUNTERS);
        scene::furnish(&stage, context);
        must(&mut Command::new("sync"));
        disk.stage = Some(stage);
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cut(&mut self, number: u64, codes: &Codes, tally: &mut Tally) {
        let stage = self.stage.as_ref().expect("a stage");
        let mut dice = Dice::new(number);
        let at = self.logins;
        self.logins += 1;
        let answers = if number % 2 == 0 { Answers::Right } else { Answers::WrongAtStep2 };
        let mut login = scene::login(stage, &codes.answers(answers, at));
        let mut child = login.stdout(Stdio::piped()).spawn().expect("pamdrive");
        let said = Arc::new(Mutex::new(Vec::new()));
        let mut output = child.stdout.take().expect("a pipe");
        let reader = std::thread::spawn({
            let said = Arc::clone(&said);
            move || {
                let mut buffer = [0; 4_096];
                while let Ok(length @ 1..) = output.read(&mut buffer) {
                    said.lock().expect("the output").extend_from_slice(&buffer[..length]);
                }
            }
        });
        std::thread::sleep(Duration::from_nanos(dice.roll(LONGEST_WAIT)));
        // First what was seen, then the copy: the disk may hold more than was seen, never less.
        let seen = Seen::read(&said.lock().expect("the output"));
        std::fs::copy(self.path("disk.img"), self.path("cut.img")).expect("a copy");
        child.wait().expect("the end of pamdrive");
        reader.join().expect("the output");
        self.look(&seen, answers, at as u64, tally);
        if seen.prompts > 1 || seen.told_denied {
            tally.figure("seen", 1);
        }
    }

    /// Mounts the copy and compares.
    fn look(&self, seen: &Seen, answers: Answers, at: u64, tally: &mut Tally) {
        let stage = self.stage.as_ref().expect("a stage");
        let place = self.path("cut");
        mount(&self.path("cut.img"), &place);
        let name = stage.path().file_name().expect("a name");
        let alice = Username::parse("alice").expect("a name");
        let example = format!("{answers:?}, login {at}: {seen:?}");
        match FileStore::at(&place.join(name).join("store")).login_state(&alice) {
            Ok(Some(state)) => {
                let burnt = |token: &crate::stage::token::Token| {
                    state.mark(token.credential().id()).is_some_and(|mark| mark.next > at)
                };
                tally.blame_if(seen.prompts > 1 && !burnt(&scene::phone()), UNRECORDED, &example);
                tally.blame_if(seen.code == Some(0) && !burnt(&scene::token()), UNRECORDED, &example);
                let denied = seen.told_denied || seen.code == Some(7);
                tally.blame_if(denied && state.failures.count == 0, UNCHARGED, &example);
            }
            other => tally.blame(UNREADABLE, format!("{example}: {other:?}")),
        }
        must(Command::new("umount").arg(&place));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.stage = None;
        let _ = Command::new("umount").arg(self.path("mounted")).status();
    }
}

fn mount(image: &Path, place: &Path) {
    std::fs::create_dir_all(place).expect("a folder");
    must(Command::new("mount").args(["-o", "loop"]).arg(image).arg(place));
}

fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
