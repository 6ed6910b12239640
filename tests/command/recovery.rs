//! `recovery`: codes shown once.

use super::scratch::{SECRET, ScratchHost};

#[test]
fn codes_are_numbered_and_kept_as_hashes() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let text = scratch.run("recovery alice").expect(0).stdout;
    let codes: Vec<&str> = text.lines().take(10).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(codes.len(), 10);
    assert!(text.starts_with(" 1  ") && text.contains("\n10  "), "{text}");
    let file = scratch.secret_file("alice");
    for code in codes {
        let groups: Vec<&str> = code.split('-').collect();
        assert!(groups.len() == 6 && groups.iter().all(|group| group.len() == 4), "{code}");
        assert!(!file.contains(code) && !file.contains(&code.replace('-', "")));
    }
    assert_eq!(file.matches("salt = ").count(), 10);
}

#[test]
fn a_new_set_voids_the_old_one() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let first = scratch.run("recovery alice --count 64 --json").expect(0).json();
    assert_eq!((&first["user"], first["codes"].as_array().map(Vec::len)), (&"alice".into(), Some(64)));
    let old = scratch.secret_file("alice");
    let text = scratch.run("recovery alice --count 1").expect(0).stdout;
    assert!(text.contains("The codes made before are void"), "{text}");
    let new = scratch.secret_file("alice");
    assert_eq!(new.matches("salt = ").count(), 1);
    for line in new.lines().filter(|line| line.contains("salt = ")) {
        assert!(!old.contains(line), "{line}");
    }
    let status = scratch.status("alice");
    assert_eq!((&status["recovery_codes_left"], &status["recovery_codes_total"]), (&1.into(), &1.into()));
}

#[test]
fn who_has_no_authenticator_gets_no_codes() {
    let scratch = ScratchHost::new();
    scratch.run("recovery alice").refused(3, &["store: not there"]);
    scratch.enroll("alice", "phone", SECRET);
    scratch.run("recovery bob").refused(1, &["`bob` has enrolled nothing"]);
    scratch.run("revoke alice --yes").expect(0);
    scratch.run("recovery alice").refused(1, &["`alice` has enrolled nothing"]);
}
