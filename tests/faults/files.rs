//! F7: something hostile in the place of every file that is opened.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault_run::{self, Answers, Codes, IGNORE, STRICT, UNSAFE_GRANT};
use crate::pam_sandbox::PamSandbox;
use crate::plan::Context;
use crate::tally::{Tally, share_out};

const SLOW: &str = "slower than a second";
const TOUCHED: &str = "files outside touched";
const FEWER: &str = "logins with fewer codes";
const ENDED: &str = "processes ended";
const ASKED: &str = "not an error of the service";
const BARRED: &str = "logins kept out by a safe link";

/// What is put there; it gets the file's path and a copy of the good one beside.
type Hostile = (&'static str, fn(&Path, &Path));

const HOSTILE: [Hostile; 18] = [
    ("a link to a good copy", |path, good| symlink(good, path).expect("a link")),
    ("a link to /etc/shadow", |path, _| symlink("/etc/shadow", path).expect("a link")),
    ("a dangling link", |path, _| symlink("nowhere", path).expect("a link")),
    ("a link to itself", |path, _| symlink(path, path).expect("a link")),
    ("a hard link to a good copy", |path, good| fs::hard_link(good, path).expect("a link")),
    ("a FIFO", |path, _| run(Command::new("mkfifo").arg(path))),
    ("a socket", |path, _| drop(UnixListener::bind(path).expect("a socket"))),
    ("/dev/zero", |path, _| run(Command::new("mknod").arg(path).args(["c", "1", "5"]))),
    ("a terminal", |path, _| run(Command::new("mknod").arg(path).args(["c", "5", "0"]))),
    ("a folder", |path, _| fs::create_dir(path).expect("a folder")),
    ("an empty file", |path, _| write(path, &[])),
    ("16 MiB", |path, _| write(path, &vec![b'#'; 16 << 20])),
    ("NUL bytes", |path, _| write(path, &[0; 8_192])),
    ("mode 0666", |path, good| {
        write(path, &fs::read(good).expect("the good one"));
        fs::set_permissions(path, Permissions::from_mode(0o666)).expect("a mode");
    }),
    ("another owner", |path, good| {
        write(path, &fs::read(good).expect("the good one"));
        chown(path, Some(4_321), None).expect("an owner");
    }),
    ("another owner of the folder", |path, good| {
        write(path, &fs::read(good).expect("the good one"));
        chown(path.parent().expect("a folder"), Some(4_321), None).expect("an owner");
    }),
    ("a folder that is a link", |path, good| {
        write(path, &fs::read(good).expect("the good one"));
        let folder = path.parent().expect("a folder");
        let aside = folder.with_extension("aside");
        if !folder.is_symlink() {
            fs::rename(folder, &aside).expect("a folder aside");
            symlink(&aside, folder).expect("a link");
        }
    }),
    ("a folder open to all", |path, good| {
        write(path, &fs::read(good).expect("the good one"));
        let folder = path.parent().expect("a folder");
        fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("a mode");
    }),
];

/// The files that a login of alice opens, and that of a name nobody enrolled.
const TARGETS: [&str; 4] = ["policy", "secrets", "state", "decoys"];

pub fn files(context: &Context) -> Tally {
    let codes = Codes::new(1);
    let mut tally = Tally::looking_for(&[UNSAFE_GRANT, FEWER, IGNORE, SLOW, TOUCHED, ASKED, BARRED, ENDED]);
    let before = checksum(Path::new("/etc"));
    let mut cases = Vec::new();
    for target in TARGETS {
        cases.extend(HOSTILE.iter().map(|hostile| (target, *hostile)));
    }
    tally.add(share_out(
        &cases,
        || (),
        |(), (target, hostile), tally| {
            one(context, target, *hostile, &codes, tally);
        },
    ));
    tally.add(below_links(context, &codes));
    tally.add(exchanged(context, &codes));
    tally.add(cut_and_flipped(context, &codes));
    tally.blame_if(checksum(Path::new("/etc")) != before, TOUCHED, "/etc");
    tally
}

fn one(context: &Context, target: &str, (name, put): Hostile, codes: &Codes, tally: &mut Tally) {
    let sandbox = fault_run::sandbox(context);
    // One of its own for each, since some stay linked to it.
    let good = |number: usize| sandbox.path().join(format!("good-{number}"));
    for (number, path) in paths(&sandbox, target).iter().enumerate() {
        fs::rename(path, good(number)).expect("the good one");
        put(path, &good(number));
    }
    let look = || (fs::read(good(0)).expect("the good one"), mode_of(&good(0)));
    let before = look();
    let user = if target == "decoys" { "nobody-here" } else { "alice" };
    let play = sandbox.play_written("strict").switch("--tell").switch("--brief").user(user);
    let mut login = play.answers(&codes.answers(Answers::Right, 0)).command();
    let (seen, _) = fault_run::run(&mut login);
    let example = format!("{target}: {name}: {seen:?}");
    tally.blame_if(seen.nanoseconds > 1_000_000_000, SLOW, &example);
    tally.blame_if(seen.code == Some(0), UNSAFE_GRANT, &example);
    tally.blame_if(seen.code == Some(28), IGNORE, &example);
    tally.blame_if(seen.code != Some(3), ASKED, &example);
    tally.blame_if(look() != before, TOUCHED, &example);
    // Where the folder is the stage's own, it was moved there.
    let _ = fs::remove_dir_all(sandbox.path().with_extension("aside"));
}

fn paths(sandbox: &PamSandbox, target: &str) -> Vec<PathBuf> {
    match target {
        "policy" => vec![sandbox.policy()],
        "secrets" => vec![sandbox.secret_file("alice")],
        "state" => vec![sandbox.state_file("alice")],
        _ => {
            let decoys = fs::read_dir(sandbox.store().join("decoys")).expect("the decoys");
            decoys.map(|entry| entry.expect("an entry").path()).collect()
        }
    }
}

/// What is done to the folder of a link above the policy or the store, and to the link, and whether they are safe
/// still.
type Above = (&'static str, fn(&Path, &Path), bool);

const ABOVE: [Above; 6] = [
    ("of root in a folder of root", |_, _| (), true),
    ("of root in a sticky folder", |folder, _| open_to_all(folder, 0o1777), true),
    ("in a folder of another", |folder, _| chown(folder, Some(4_321), None).expect("an owner"), false),
    ("in a folder open to all", |folder, _| open_to_all(folder, 0o777), false),
    ("of another", |_, link| lchown(link, Some(4_321), None).expect("an owner"), false),
    (
        "of another in a sticky folder",
        |folder, link| {
            open_to_all(folder, 0o1777);
            lchown(link, Some(4_321), None).expect("an owner");
        },
        false,
    ),
];

/// A link somewhere above the policy or the store: its owner chooses which one it is.
fn below_links(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::default();
    for (case, change, is_safe) in ABOVE {
        for target in ["policy", "store"] {
            let sandbox = fault_run::sandbox(context);
            let (folder, link) = (sandbox.path().join("folder"), sandbox.path().join("folder/link"));
            fs::create_dir(&folder).expect("a folder");
            symlink(sandbox.path().parent().expect("a folder above"), &link).expect("a link");
            change(&folder, &link);
            let below = link.join(sandbox.path().file_name().expect("a name"));
            let place = |it: &str| if it == target { below.as_path() } else { sandbox.path() };
            let (policy, store) = (place("policy").join("policy.toml"), place("store").join("store"));
            sandbox.write_service_at("strict", &context.module, STRICT, (&policy, &store));
            let (seen, _) =
                fault_run::run(&mut fault_run::login(&sandbox, &codes.answers(Answers::Right, 0)));
            let example = format!("{target} below a link {case}: {seen:?}");
            tally.blame_if(is_safe && seen.code != Some(0), BARRED, &example);
            tally.blame_if(!is_safe && seen.code == Some(0), UNSAFE_GRANT, &example);
            tally.blame_if(!is_safe && seen.code != Some(3), ASKED, &example);
            tally.count += 1;
        }
    }
    tally.figure("logins below a link", tally.count);
    tally
}

fn open_to_all(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(mode)).expect("a mode");
}

/// The state and a link to a copy change places all the time: no login follows the link.
fn exchanged(context: &Context, codes: &Codes) -> Tally {
    let mut tally = Tally::default();
    let sandbox = fault_run::sandbox(context);
    let (state, copy) = (sandbox.state_file("alice"), sandbox.path().join("copy"));
    fs::copy(&state, &copy).expect("a copy");
    let fresh = sandbox.take_state("alice");
    let (link, aside) = (sandbox.store().join("state/link"), sandbox.store().join("state/aside"));
    symlink(&copy, &link).expect("a link");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = fs::rename(&state, &aside).and_then(|()| fs::rename(&link, &state));
                let _ = fs::rename(&state, &link).and_then(|()| fs::rename(&aside, &state));
            }
        });
        for _ in 0..context.scaled(500) {
            let (seen, _) =
                fault_run::run(&mut fault_run::login(&sandbox, &codes.answers(Answers::Right, 0)));
            let example = format!("exchanged: {seen:?}");
            tally.blame_if(seen.nanoseconds > 1_000_000_000, SLOW, &example);
            tally.blame_if(seen.code == Some(28), IGNORE, &example);
            tally.count += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
    tally.blame_if(fs::read(&copy).expect("the copy") != fresh, TOUCHED, "the copy behind the link");
    tally.figure("logins while a link takes turns with the state", tally.count);
    tally
}

/// The policy and the secrets cut short at every byte, and every file with one bit flipped: nobody gets in
/// with fewer codes, and a login ends in a code of its own.
fn cut_and_flipped(context: &Context, codes: &Codes) -> Tally {
    let sandbox = fault_run::sandbox(context);
    let cases = spoilt(&sandbox);
    let make = || {
        let sandbox = fault_run::sandbox(context);
        let fresh = ["policy", "secrets", "state"].map(|target| {
            let path = paths(&sandbox, target).remove(0);
            let bytes = fs::read(&path).expect("a file");
            (path, bytes)
        });
        (sandbox, fresh)
    };
    let mut tally =
        share_out(&context.sampled(&cases), make, |(sandbox, fresh), (target, bytes, name), tally| {
            for (path, good) in fresh.iter() {
                fs::write(path, good).expect("a file");
            }
            fs::write(&paths(sandbox, target)[0], bytes).expect("a file");
            let (seen, output) =
                fault_run::run(&mut fault_run::login(sandbox, &codes.answers(Answers::Right, 0)));
            let example = format!("{target}, {name}: {seen:?}");
            tally.blame_if(seen.code == Some(0) && seen.prompts < 2, FEWER, &example);
            tally.blame_if(seen.code == Some(28), IGNORE, &example);
            tally.blame_if(output.status.code() != Some(0), ENDED, &example);
        });
    tally.figure("files cut short or with a bit flipped", tally.count);
    tally
}

/// A file that was spoilt: which one, its bytes, and how.
type Spoilt = (&'static str, Vec<u8>, String);

fn spoilt(sandbox: &PamSandbox) -> Vec<Spoilt> {
    let mut cases = Vec::new();
    for target in ["policy", "secrets"] {
        let bytes = fs::read(&paths(sandbox, target)[0]).expect("a file");
        cases.extend(
            (0..bytes.len()).map(|length| (target, bytes[..length].to_vec(), format!("cut at {length}"))),
        );
    }
    for target in ["policy", "secrets", "state"] {
        let bytes = fs::read(&paths(sandbox, target)[0]).expect("a file");
        for place in (0..bytes.len()).step_by(bytes.len() / 400 + 1) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            cases.push((target, flipped, format!("a bit flipped in byte {place}")));
        }
    }
    cases
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a mode");
}

fn run(command: &mut Command) {
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
}

fn mode_of(path: &Path) -> (u32, u32, i64) {
    let status = fs::metadata(path).expect("a file");
    (status.mode(), status.uid(), status.mtime())
}

/// Names, sizes, owners and times of everything below a folder.
fn checksum(folder: &Path) -> Vec<(PathBuf, u64, u32, u32, i64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(status) = fs::symlink_metadata(&path) else { continue };
        if status.is_dir() {
            found.extend(checksum(&path));
        }
        found.push((path, status.size(), status.mode(), status.uid(), status.mtime()));
    }
    found.sort();
    found
}
