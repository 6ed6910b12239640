//! F5: a full disk, a read-only one, and every resource limit that a caller can set.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault_run::{self, Answers, Codes, IGNORE, UNCHARGED, UNREADABLE, UNRECORDED, UNSAFE_GRANT};
use crate::pam_sandbox::{PamSandbox, TWO_COUNTERS};
use crate::plan::Context;
use crate::tally::{Tally, share_out};

const STOPPED: &str = "logins that a full disk stopped";

pub fn limits(context: &Context) -> Tally {
    let codes = Codes::new(1);
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT, UNRECORDED, IGNORE, UNCHARGED, UNREADABLE, STOPPED]);
    tally.add(full_disk(context, &codes));
    tally.add(read_only(context, &codes));
    tally.add(resources(context, &codes));
    tally
}

/// A file system in memory of a few pages, with a stage on it.
struct SmallDisk {
    place: PathBuf,
    sandbox: Option<PamSandbox>,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(context: &Context) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").expect("memory");
        let place = folder.path().join("small");
        std::fs::create_dir(&place).expect("a folder");
        run("mount", &["-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs"], &place);
        let sandbox = PamSandbox::below(&place, TWO_COUNTERS);
        fault_run::furnish(&sandbox, context);
        Self { place, sandbox: Some(sandbox), _folder: folder }
    }

    fn sandbox(&self) -> &PamSandbox {
        self.sandbox.as_ref().expect("a stage")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("mount", &["-o", "remount,rw"], &self.place);
        self.sandbox = None;
        run("umount", &[], &self.place);
    }
}

fn full_disk(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::default();
    let disk = SmallDisk::new(context);
    let fresh = disk.sandbox().take_state("alice");
    fill(&disk.place.join("filler"));
    for answers in Answers::ALL {
        disk.sandbox().put_state("alice", &fresh);
        let (seen, _) = fault_run::run(&mut fault_run::login(disk.sandbox(), &codes.answers(answers, 0)));
        let example = format!("full disk, {answers:?}: {seen:?}");
        fault_run::examine(disk.sandbox(), answers, &seen, 0, &example, &mut tally);
        // Nothing grows at a login, so a full disk is no reason to turn anybody away.
        tally.blame_if(answers == Answers::Right && seen.code != Some(0), STOPPED, &example);
        tally.count += 1;
    }
    tally
}

fn fill(path: &Path) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("a file");
    for size in [65_536, 4_096, 512, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
    assert!(File::create(path.with_extension("more")).and_then(|mut more| more.write_all(b"x")).is_err());
}

fn read_only(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::default();
    let disk = SmallDisk::new(context);
    for answers in Answers::ALL {
        run("mount", &["-o", "remount,ro"], &disk.place);
        let (seen, _) = fault_run::run(&mut fault_run::login(disk.sandbox(), &codes.answers(answers, 0)));
        run("mount", &["-o", "remount,rw"], &disk.place);
        let example = format!("read-only, {answers:?}: {seen:?}");
        fault_run::examine(disk.sandbox(), answers, &seen, 0, &example, &mut tally);
        tally.blame_if(seen.code == Some(0), UNSAFE_GRANT, &example);
        tally.count += 1;
    }
    tally
}

/// Every limit of setrlimit(2), from nothing to more than a login needs.
fn resources(context: &Context, codes: &Codes) -> Tally {
    const RESOURCES: u32 = 16;
    const MOST: [u64; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 4_096, 65_536, 1 << 20, 8 << 20, 64 << 20];
    let mut settings = Vec::new();
    for resource in 0..RESOURCES {
        for most in MOST {
            settings.extend(Answers::ALL.map(|answers| (resource, most, answers)));
        }
    }
    let make = || {
        let sandbox = fault_run::sandbox(context);
        let fresh = sandbox.take_state("alice");
        (sandbox, fresh)
    };
    let mut tally = share_out(&context.sampled(&settings), make, |(sandbox, fresh), setting, tally| {
        let (resource, most, answers) = *setting;
        sandbox.put_state("alice", fresh);
        let mut login = fault_run::login(sandbox, &codes.answers(answers, 0));
        login.arg("--limit").arg(format!("{resource}:{most}"));
        let (seen, output) = fault_run::run(&mut login);
        let example = format!("limit {resource} at {most}, {answers:?}: {seen:?}");
        fault_run::examine(sandbox, answers, &seen, 0, &example, tally);
        if output.status.code() != Some(0) {
            tally.figure("ended", 1);
        }
    });
    let ended = tally.figures.len();
    tally.figures.clear();
    tally.figure("limits", tally.count);
    tally.figure("that ended the process", ended);
    tally
}

fn run(program: &str, arguments: &[&str], place: &Path) {
    let output = Command::new(program).args(arguments).arg(place).output().expect("mount (util-linux)");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
