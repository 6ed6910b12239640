//! Files that somebody else could have written, exchanged or read: refused at once, whatever is in them.
#![cfg(test)]

mod scratch_store;
mod world;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pam_mfa_chain::store::load_policy;
use scratch_store::{Scratch, chmod, write_private};
use tempfile::TempDir;

type Case = (&'static str, fn(&Path), &'static str);

/// What stands in the place of a file of the store, how it gets there, and what the refusal says.
const CASES: [Case; 9] = [
    ("symlink", put_symlink, "symbolic link"),
    ("dangling symlink", put_dangling_symlink, "symbolic link"),
    ("hard link", put_hard_link, "2 names"),
    ("folder", put_folder, "/"),
    ("FIFO", put_fifo, "no regular file"),
    ("socket", put_socket, "cannot open"),
    ("writable by others", |path| chmod(path, 0o622), "others may write"),
    ("readable by others", |path| chmod(path, 0o644), "others may read"),
    ("too large", put_large_file, "/"),
];

#[test]
fn files_that_another_could_have_made_are_refused() {
    for file in ["secrets/alice.toml", "state/alice"] {
        for (case, spoil, expected) in CASES {
            let scratch = Scratch::with_alice();
            spoil(&scratch.file(file));
            let refusal = scratch.refusal("alice");
            assert!(refusal.contains(file) && refusal.contains(expected), "{case} at {file}: {refusal}");
        }
    }
}

#[test]
fn files_of_another_owner_are_refused() {
    assert!(nix::unistd::geteuid().is_root(), "only root can give a file away: run the tests as root");
    let nobody = Some(nix::unistd::Uid::from_raw(65534));
    for file in ["secrets/alice.toml", "state/alice", ""] {
        let scratch = Scratch::with_alice();
        nix::unistd::chown(&scratch.file(file), nobody, None).expect("given away");
        assert!(
            scratch.refusal("alice").contains("belongs to uid 65534"),
            "{file}: {}",
            scratch.refusal("alice")
        );
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_refused_at_every_level() {
    let scratch = Scratch::with_alice();
    chmod(&scratch.path, 0o777);
    assert!(scratch.refusal("alice").contains("others may write"));
    chmod(&scratch.path, 0o700);
    let above = scratch.path.parent().expect("a folder above");
    chmod(above, 0o777);
    assert!(scratch.refusal("alice").contains("others may write"));
    chmod(above, 0o1777);
    assert_eq!(scratch.refusal("alice"), "", "in a sticky folder nobody can exchange it");
}

#[test]
fn a_folder_inside_the_store_is_checked_like_the_store() {
    for folder in ["secrets", "state"] {
        let scratch = Scratch::with_alice();
        chmod(&scratch.file(folder), 0o777);
        assert!(
            scratch.refusal("alice").contains("others may write"),
            "{folder}: {}",
            scratch.refusal("alice")
        );
        let scratch = Scratch::with_alice();
        put_symlink(&scratch.file(folder));
        assert!(
            scratch.refusal("alice").contains("it is no folder"),
            "{folder}: {}",
            scratch.refusal("alice")
        );
    }
}

#[test]
fn a_policy_that_others_can_write_or_exchange_is_refused() {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("policy.toml");
    write_private(&path, "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    assert!(load_policy(&path).is_ok());
    chmod(&path, 0o644);
    assert!(load_policy(&path).is_ok(), "everybody may read it");
    let refusal = |path: &Path| load_policy(path).expect_err("refused").to_string();
    for mode in [0o664, 0o646, 0o666] {
        chmod(&path, mode);
        assert!(refusal(&path).contains("others may write"), "{mode:o}");
    }
    chmod(&path, 0o644);
    symlink(&path, dir.path().join("link.toml")).expect("a link");
    assert!(refusal(&dir.path().join("link.toml")).contains("symbolic link"));
    assert!(refusal(&dir.path().join("none.toml")).contains("not there; write a policy"));
    chmod(dir.path(), 0o777);
    assert!(refusal(&path).contains("others may write"));
    chmod(dir.path(), 0o700);
    write_private(&path, "mode = \"rnd\"\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    assert!(refusal(&path).contains("policy.toml:1:8: "), "{}", refusal(&path));
}

fn put_symlink(path: &Path) {
    fs::rename(path, path.with_extension("real")).expect("moved");
    symlink(path.with_extension("real"), path).expect("a link");
}

fn put_dangling_symlink(path: &Path) {
    fs::remove_file(path).expect("gone");
    symlink("/nowhere/at/all", path).expect("a link");
}

fn put_hard_link(path: &Path) {
    fs::hard_link(path, path.with_extension("second")).expect("a link");
}

fn put_folder(path: &Path) {
    fs::remove_file(path).expect("gone");
    fs::create_dir(path).expect("a folder");
}

fn put_fifo(path: &Path) {
    fs::remove_file(path).expect("gone");
    mkfifo(path, Mode::S_IRWXU).expect("a FIFO");
}

fn put_socket(path: &Path) {
    fs::remove_file(path).expect("gone");
    drop(UnixListener::bind(path).expect("a socket"));
}

fn put_large_file(path: &Path) {
    fs::write(path, vec![b'#'; 16 << 20]).expect("written");
}
