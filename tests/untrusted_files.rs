//! Files that somebody else could have written, exchanged or read: refused at once, whatever is in them.
#![cfg(test)]

mod engine_fixture;
mod scratch_store;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use mfa_chain::store::load_policy;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use scratch_store::{ScratchStore, chmod, write_private};
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
            let scratch = ScratchStore::with_alice();
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
        let scratch = ScratchStore::with_alice();
        nix::unistd::chown(&scratch.file(file), nobody, None).expect("given away");
        assert!(
            scratch.refusal("alice").contains("belongs to uid 65534"),
            "{file}: {}",
            scratch.refusal("alice")
        );
    }
}

#[test]
fn a_folder_inside_the_store_is_checked_like_the_store() {
    for folder in ["secrets", "state"] {
        let scratch = ScratchStore::with_alice();
        chmod(&scratch.file(folder), 0o777);
        assert!(
            scratch.refusal("alice").contains("others may write"),
            "{folder}: {}",
            scratch.refusal("alice")
        );
        let scratch = ScratchStore::with_alice();
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

#[test]
fn a_policy_behind_a_symbolic_link_is_refused_with_its_target_and_the_cure() {
    let dir = TempDir::new().expect("a folder");
    let root = dir.path().canonicalize().expect("the folder itself");
    let (real, link) = (root.join("real"), root.join("link"));
    fs::create_dir(&real).expect("a folder");
    chmod(&real, 0o700);
    let path = real.join("policy.toml");
    write_private(&path, "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n");
    assert!(load_policy(&path).is_ok());
    let refusal = |path: &Path| load_policy(path).expect_err("refused").to_string();
    symlink("policy.toml", real.join("other.toml")).expect("a link");
    let (from, to) = (path.display(), real.join("other.toml"));
    let told = format!(
        "it is a symbolic link to {from}; look at its content, then run `cp --remove-destination {from} {}`",
        to.display()
    );
    assert!(refusal(&to).ends_with(&told), "{}", refusal(&to));
    let cured = std::process::Command::new("cp").arg("--remove-destination").args([&path, &to]).status();
    assert!(cured.expect("cp").success() && load_policy(&to).is_ok());
    symlink("nowhere", real.join("none.toml")).expect("a link");
    let dangling = refusal(&real.join("none.toml"));
    assert!(dangling.contains("/nowhere; delete the link and write the file itself here"), "{dangling}");
    symlink("real", &link).expect("a link");
    let folder = refusal(&link.join("policy.toml"));
    let cure = format!("name the folder itself: {}", real.display());
    assert!(folder.contains("it is a symbolic link to") && folder.ends_with(&cure), "{folder}");
}

#[test]
fn a_policy_in_another_encoding_is_refused_with_the_command_that_converts_it() {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("policy.toml");
    let text =
        "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\nlabel = \"Phone\" # \u{e9}\n";
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let latin_1: Vec<u8> = text.chars().map(|letter| letter as u8).collect();
    let cases: [(Vec<u8>, &str); 3] = [
        (utf_16(u16::to_le_bytes), "1:1: is text in UTF-16; write it as UTF-8: `iconv -f UTF-16 -t UTF-8"),
        (utf_16(u16::to_be_bytes), "1:1: is text in UTF-16; write it as UTF-8: `iconv -f UTF-16 -t UTF-8"),
        (latin_1, "5:19: is not UTF-8; if it is Latin-1, convert it: `iconv -f LATIN1 -t UTF-8"),
    ];
    for (bytes, told) in cases {
        write_private(&path, "");
        fs::write(&path, bytes).expect("written");
        let refused = load_policy(&path).expect_err("refused").to_string();
        assert!(refused.contains(told), "{refused}");
    }
    write_private(&path, text);
    assert!(load_policy(&path).is_ok());
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
