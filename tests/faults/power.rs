//! F4: the power is cut. The disk is an image with ext4 or xfs; a copy of it, taken at some moment of a login, is
//! mounted, which replays its journal, and must hold whatever was seen before that moment.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mfa_chain::store::FileStore;
use mfa_chain::verifier::username::Username;
use tempfile::TempDir;

use crate::fault_run::{self, Answers, Codes, Seen, UNCHARGED, UNREADABLE, UNRECORDED};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::{Dice, Tally, share_out};

const CUTS: u64 = 1_000;
/// The longest wait between the start of a login and a cut: some cuts come after its end.
const LONGEST_WAIT: u64 = 40_000_000;

pub fn cuts(context: &Context) -> Tally {
    let cuts: Vec<u64> = (0..context.scaled(CUTS)).collect();
    let codes = Codes::new(CUTS + 1);
    let mut tally = Tally::looking_for(&[UNRECORDED, UNCHARGED, UNREADABLE]);
    let mut kinds = vec![format!("ext4 {}", cuts.len())];
    tally.add(share_out(
        &cuts,
        || Disk::new(context, EXT4),
        |disk, number, tally| disk.cut(*number, &codes, tally),
    ));
    if let Some(xfs) = Kind::xfs() {
        let cuts: Vec<u64> = (0..context.scaled(CUTS / 5)).collect();
        let make = || Disk::new(context, xfs);
        tally.add(share_out(&cuts, make, |disk, number, tally| disk.cut(*number, &codes, tally)));
        kinds.push(format!("xfs {}", cuts.len()));
    }
    let seen = tally.figures.drain(..).map(|(_, value)| value.parse::<u64>().unwrap_or(0)).sum::<u64>();
    tally.figure("cuts on", kinds.join(" and "));
    tally.figure("outcomes seen before the cut", seen);
    tally
}

/// A kind of file system.
#[derive(Clone, Copy)]
struct Kind {
    make: &'static [&'static str],
    bytes: u64,
    options: &'static str,
}

const EXT4: Kind = Kind { make: &["mkfs.ext4", "-q", "-F"], bytes: 16 << 20, options: "loop" };
/// The copy has the same identity as the original, which stays mounted.
const XFS: Kind = Kind { make: &["mkfs.xfs", "-q", "-f"], bytes: 300 << 20, options: "loop,nouuid" };

impl Kind {
    /// Where the kernel mounts it and somebody can make it.
    fn xfs() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/filesystems").is_ok_and(|list| list.contains("xfs"));
        let made = Command::new("mkfs.xfs").arg("-V").output().is_ok();
        (mounts && made).then_some(XFS)
    }
}

/// An image with a file system, mounted, and a stage on it. Unmounted when dropped.
struct Disk {
    kind: Kind,
    folder: TempDir,
    sandbox: Option<PamSandbox>,
    logins: usize,
}

impl Disk {
    fn new(context: &Context, kind: Kind) -> Self {
        let folder = tempfile::Builder::new().prefix("mfa-disk-").tempdir_in("/dev/shm").expect("memory");
        let mut disk = Self { kind, folder, sandbox: None, logins: 0 };
        let image = disk.path("disk.img");
        std::fs::File::create(&image).and_then(|file| file.set_len(kind.bytes)).expect("an image");
        must(Command::new(kind.make[0]).args(&kind.make[1..]).arg(&image));
        disk.mount(&image, &disk.path("mounted"));
        let sandbox = PamSandbox::below(&disk.path("mounted"), TWO_COUNTERS);
        fault_run::furnish(&sandbox, context);
        must(&mut Command::new("sync"));
        disk.sandbox = Some(sandbox);
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cut(&mut self, number: u64, codes: &Codes, tally: &mut Tally) {
        let sandbox = self.sandbox.as_ref().expect("a stage");
        let mut dice = Dice::new(number);
        let at = self.logins;
        self.logins += 1;
        let answers = if number.is_multiple_of(2) { Answers::Right } else { Answers::WrongAtStep2 };
        let mut login = fault_run::login(sandbox, &codes.answers(answers, at));
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
        // Holes stay holes, or a copy would take too long.
        must(Command::new("cp").arg("--sparse=auto").arg(self.path("disk.img")).arg(self.path("cut.img")));
        child.wait().expect("the end of pamdrive");
        reader.join().expect("the output");
        self.look(&seen, answers, at as u64, tally);
        if seen.prompts > 1 || seen.told_denied {
            tally.figure("seen", 1);
        }
    }

    fn mount(&self, image: &Path, place: &Path) {
        std::fs::create_dir_all(place).expect("a folder");
        must(Command::new("mount").args(["-o", self.kind.options]).arg(image).arg(place));
    }

    /// Mounts the copy and compares.
    fn look(&self, seen: &Seen, answers: Answers, at: u64, tally: &mut Tally) {
        let sandbox = self.sandbox.as_ref().expect("a stage");
        let place = self.path("cut");
        self.mount(&self.path("cut.img"), &place);
        let name = sandbox.path().file_name().expect("a name");
        let alice = Username::parse("alice").expect("a name");
        let example = format!("{answers:?}, login {at}: {seen:?}");
        match FileStore::at(&place.join(name).join("store")).login_state(&alice) {
            Ok(Some(state)) => {
                let burnt = |token: &crate::pam_sandbox::token::Token| {
                    state.mark(token.credential().id()).is_some_and(|mark| mark.next > at)
                };
                tally.blame_if(seen.prompts > 1 && !burnt(&fault_run::phone()), UNRECORDED, &example);
                tally.blame_if(seen.code == Some(0) && !burnt(&fault_run::token()), UNRECORDED, &example);
                let denied = seen.told_denied || seen.code == Some(7);
                tally.blame_if(denied && state.failures.total() == 0, UNCHARGED, &example);
            }
            other => tally.blame(UNREADABLE, format!("{example}: {other:?}")),
        }
        unmount(&place);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.sandbox = None;
        unmount(&self.path("mounted"));
    }
}

/// A process that another worker is about to start may hold our descriptors until it runs its program.
fn unmount(place: &Path) {
    for _ in 0..200 {
        if Command::new("umount").arg(place).output().is_ok_and(|output| output.status.success()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} is busy", place.display());
}

fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
