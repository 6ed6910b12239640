//! The way to the store and to the policy: refused where others could exchange a part of it, at each level.
#![cfg(test)]

mod engine_fixture;
mod scratch_store;

use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::{Path, PathBuf};

use mfa_chain::store::load_policy;
use scratch_store::{ScratchStore, chmod, phone, refusal_at, write_private};
use tempfile::TempDir;

const NOBODY: Option<u32> = Some(65534);
const ROOT: Option<u32> = Some(0);
const POLICY: &str = "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";
const LEVELS: [&str; 5] = ["", "a", "a/b", "a/b/c", "a/b/c/store"];

/// A store five levels deep, and an empty folder of root elsewhere.
struct Deep {
    scratch: ScratchStore,
    top: PathBuf,
    elsewhere: TempDir,
}

impl Deep {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "only root can give a folder away: run the tests as root");
        let scratch = ScratchStore::below("a/b/c/store");
        scratch.enroll("alice", vec![phone()]);
        let top = scratch.path.ancestors().nth(4).expect("the scratch folder").to_owned();
        let elsewhere = TempDir::new_in(top.parent().expect("a folder above")).expect("a folder");
        Self { scratch, top, elsewhere }
    }

    fn level(&self, level: &str) -> PathBuf {
        // `join` of nothing would end in a slash.
        self.top.components().chain(Path::new(level).components()).collect()
    }

    /// Spellings that lead to the store: without a link, step by step, and through a link of root.
    fn ways(&self) -> [PathBuf; 3] {
        let link = self.elsewhere.path().join("link");
        if !link.is_symlink() {
            symlink(&self.top, &link).expect("a link");
        }
        let again = Path::new("..").join(self.top.file_name().expect("a name")).join("a/b/c/store");
        [self.scratch.path.clone(), self.top.join(again), link.join("a/b/c/store")]
    }

    /// Puts a link in the place of a folder, which goes elsewhere: no real folder above the store is that of the link.
    fn put_link(&self, level: &str) -> PathBuf {
        let (link, real) = (self.level(level), self.elsewhere.path().join("real"));
        fs::rename(&link, &real).expect("moved");
        symlink(&real, &link).expect("a link");
        link
    }
}

/// Changes a folder, and what a refusal says then.
type Change = (&'static str, fn(&Path), &'static str);

const CHANGES: [Change; 4] = [
    ("open to all", |folder| chmod(folder, 0o777), "others may write to it (mode 0777)"),
    ("open to a group", |folder| chmod(folder, 0o720), "others may write to it (mode 0720)"),
    ("open to others", |folder| chmod(folder, 0o702), "others may write to it (mode 0702)"),
    (
        "of another owner",
        |folder| chown(folder, NOBODY, None).expect("given away"),
        "it belongs to uid 65534",
    ),
];

#[test]
fn a_folder_that_others_can_write_to_is_refused_at_every_level() {
    let deep = Deep::new();
    for folder in LEVELS.map(|level| deep.level(level)) {
        for (case, change, told) in CHANGES {
            change(&folder);
            let expected = format!("{}: not safe to use: {told}", folder.display());
            for way in deep.ways() {
                let refusal = refusal_at(&way, "alice");
                assert!(refusal.starts_with(&expected), "{case}, {}, {expected}: {refusal}", way.display());
            }
            chown(&folder, ROOT, None).expect("taken back");
            chmod(&folder, 0o700);
        }
        for way in deep.ways() {
            assert_eq!(refusal_at(&way, "alice"), "", "{}", way.display());
        }
    }
    for level in LEVELS {
        chmod(&deep.level(level), 0o1777);
        for way in deep.ways() {
            let is_above = level != "a/b/c/store";
            // In a sticky folder nobody can exchange what belongs to another, but everybody can add files.
            assert_eq!(refusal_at(&way, "alice").is_empty(), is_above, "{level}, {}", way.display());
        }
        chmod(&deep.level(level), 0o700);
    }
}

/// Changes a folder and the link in it, and what a refusal says then of FOLDER and LINK; nothing if there is none.
type LinkCase = (&'static str, fn(&Path, &Path), &'static str);

const LINKS: [LinkCase; 6] = [
    ("of root in a folder of root", |_, _| (), ""),
    ("of root in a sticky folder", |folder, _| chmod(folder, 0o1777), ""),
    (
        "in a folder of another",
        |folder, _| chown(folder, NOBODY, None).expect("given away"),
        "FOLDER: not safe to use: it belongs to uid 65534, not to root; look at its content, then run `chown root FOLDER`, \
         or name the folder itself in place of the link LINK",
    ),
    (
        "in a folder open to all",
        |folder, _| chmod(folder, 0o777),
        "FOLDER: not safe to use: others may write to it (mode 0777); look at its content, then run `chmod go-w FOLDER`, \
         or name the folder itself in place of the link LINK",
    ),
    (
        "of another owner",
        |_, link| lchown(link, NOBODY, None).expect("given away"),
        "LINK: not safe to use: it is a symbolic link of uid 65534, not of root, which others can replace; name the folder \
         itself in its place",
    ),
    (
        "of another owner in a sticky folder",
        |folder, link| {
            chmod(folder, 0o1777);
            lchown(link, NOBODY, None).expect("given away");
        },
        "LINK: not safe to use: it is a symbolic link of uid 65534, not of root, which others can replace; name the folder \
         itself in its place",
    ),
];

#[test]
fn a_link_counts_at_every_level_if_its_folder_and_its_owner_are_trusted() {
    for level in ["a", "a/b", "a/b/c"] {
        for (case, change, told) in LINKS {
            let deep = Deep::new();
            let link = deep.put_link(level);
            let folder = link.parent().expect("a folder");
            change(folder, &link);
            let (folder, shown) = (folder.display().to_string(), link.display().to_string());
            let told = told.replace("FOLDER", &folder).replace("LINK", &shown);
            for way in deep.ways() {
                assert_eq!(refusal_at(&way, "alice"), told, "{level}, {case}, {}", way.display());
            }
        }
    }
}

#[test]
fn links_of_root_lead_on_as_they_say() {
    let deep = Deep::new();
    let top = &deep.top;
    let link = |target: &str, name: &str| symlink(target, top.join(name)).expect("a link");
    link("a/b", "relative");
    link("a/b/../../a/./b", "winding");
    link("relative", "first");
    link("a/b/c/", "slash");
    link("../../../../../../../../../..", "a/high");
    link("nowhere", "dangling");
    link("second", "loop");
    link("loop", "second");
    write_private(&top.join("file"), "");
    let high = format!("a/high{}/a/b/c/store", top.display());
    let cases = [
        ("relative/c/store", ""),
        ("winding/c/store", ""),
        ("first/c/store", ""),
        ("slash/store", ""),
        ("first/../b/c/store", ""),
        (high.as_str(), ""),
        ("dangling/store", "not there; enroll"),
        ("a/nowhere/store", "not there; enroll"),
        ("loop/store", "Too many levels of symbolic links"),
        ("file/store", "Not a directory"),
        ("slash", "name the folder itself: "),
    ];
    for (path, told) in cases {
        let refusal = refusal_at(&top.join(path), "alice");
        let as_told = if told.is_empty() { refusal.is_empty() } else { refusal.contains(told) };
        assert!(as_told, "{path}: {refusal}");
    }
}

#[test]
fn what_lies_below_a_link_in_somebodys_folder_is_refused_wherever_it_leads() {
    let (deep, older) = (Deep::new(), Deep::new());
    // Not a folder that the store lies in: nothing but the link is mallory's.
    let home = TempDir::new_in(deep.top.parent().expect("a folder above")).expect("a home folder");
    let link = home.path().join("link");
    for target in [&deep, &older] {
        write_private(&target.level("a/b").join("policy.toml"), POLICY);
    }
    for target in [&deep, &older] {
        let _ = fs::remove_file(&link);
        symlink(target.level("a"), &link).expect("a link");
        let store = || refusal_at(&link.join("b/c/store"), "alice");
        let policy = || load_policy(&link.join("b/policy.toml"));
        assert_eq!(store(), "", "the home is root's still");
        assert!(policy().is_ok());
        chown(home.path(), NOBODY, None).expect("given away");
        let expected = format!("{}: not safe to use: it belongs to uid 65534", home.path().display());
        assert!(store().starts_with(&expected), "{}", store());
        let refused = policy().expect_err("refused").to_string();
        assert!(refused.starts_with(&expected), "{refused}");
        chown(home.path(), ROOT, None).expect("taken back");
    }
}

#[test]
fn links_of_the_kernel_are_refused() {
    let deep = Deep::new();
    let opened = fs::File::open(&deep.top).expect("the folder");
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&opened);
    let (process, store) = (std::process::id(), deep.scratch.path.display().to_string());
    symlink(format!("/proc/{process}/root"), deep.top.join("link")).expect("a link");
    let cases = [
        format!("/proc/self/root{store}"),
        format!("/proc/{process}/root{store}"),
        format!("/proc/{process}/fd/{descriptor}/a/b/c/store"),
        format!("/proc/{process}/cwd/store"),
        format!("{}/link{store}", deep.top.display()),
    ];
    for path in cases {
        let refusal = refusal_at(Path::new(&path), "alice");
        assert!(refusal.contains("it is a symbolic link of the kernel"), "{path}: {refusal}");
    }
}
