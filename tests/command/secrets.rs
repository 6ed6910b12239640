//! Where secrets may come from, and where they must not show.

use std::os::unix::fs::PermissionsExt;

use mfa_chain::verifier::time::UnixTime;

use super::scratch::{SECRET, ScratchHost, oathtool};

#[test]
fn a_secret_is_taken_from_standard_input() {
    let scratch = ScratchHost::new();
    let line = "enroll alice phone --no-confirm --secret-file -";
    let uri = format!("otpauth://totp/Old:alice?secret={SECRET}&algorithm=SHA512&digits=8&period=60\n");
    let finished = scratch.run_with_input(line, &uri).expect(0);
    assert!(!finished.mentions(SECRET), "{finished:#?}");
    let factor = &scratch.status("alice")["factors"][0];
    assert_eq!((&factor["algorithm"], &factor["digits"]), (&"SHA512".into(), &8.into()));
    assert_eq!(factor["period"], 60);
}

#[test]
fn a_secret_from_standard_input_can_not_be_confirmed_without_a_terminal() {
    let scratch = ScratchHost::new();
    let finished = scratch.run_detached("enroll alice phone --secret-file -", SECRET);
    finished.refused(4, &["no terminal to ask for a code on", "--no-confirm"]);
}

#[test]
fn a_secret_that_is_given_is_shown_again_only_on_demand() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    for (options, shown) in [("", false), (" --qr none", false), (" --qr ascii", true), (" --json", false)] {
        let line = format!("enroll alice phone --no-confirm --secret-file {path}{options}");
        let finished = scratch.run(&line).expect(0);
        assert_eq!(finished.mentions(SECRET), shown, "{options}: {finished:#?}");
    }
    let line = format!("enroll alice phone --no-confirm --secret-file {path} --qr none --json");
    assert_eq!(scratch.run(&line).expect(0).json().get("secret"), None);
}

#[test]
fn a_fresh_secret_is_shown_in_every_form() {
    let scratch = ScratchHost::new();
    for (form, mark) in [("utf8", "█▀"), ("ascii", "####"), ("none", "otpauth://totp/")] {
        let finished = scratch.run(&format!("enroll alice phone --no-confirm --qr {form}")).expect(0);
        assert!(finished.stdout.contains(mark), "{form}: {finished:#?}");
    }
    for form in ["png", "svg"] {
        let path = scratch.path_text(form);
        scratch.run(&format!("enroll alice phone --no-confirm --qr {form}={path}")).expect(0);
        let mode = std::fs::metadata(&path).expect("image").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{form}");
        let line = format!("enroll bob phone --no-confirm --qr {form}={path}");
        scratch.run(&line).refused(1, &["name a new file"]);
    }
    scratch.run("status bob").expect(1);
}

#[test]
fn content_that_is_no_secret_is_refused_without_a_word_of_it() {
    let scratch = ScratchHost::new();
    let cases = [
        ("", "empty"),
        ("SECRETWORD1", "not base32"),
        ("GEZDGNBVGY3TQ", "64 bits"),
        ("GEZDGNBVGY3TQOJQ\nGEZDGNBVGY3TQOJQ", "more than one line"),
        ("otpauth://hotp/SECRETWORD?secret=GEZDGNBVGY3TQOJQ", "of type hotp"),
        ("otpauth://totp/SECRETWORD?secret=GEZDGNBVGY3TQOJQ&digits=5", "6, 7 or 8"),
        ("otpauth://[SECRETWORD", "type of the otpauth URI is not known"),
        (&"A".repeat(4_097), "larger than 4096"),
    ];
    for (content, word) in cases {
        let path = scratch.write("given", content);
        let line = format!("enroll alice phone --no-confirm --secret-file {path}");
        let finished = scratch.run(&line).refused(1, &[word]);
        for part in ["SECRETWORD", "GEZD", "AAAA"] {
            assert!(!finished.mentions(part), "{content}: {finished:#?}");
        }
    }
    let finished = scratch.run(&format!("enroll alice phone --secret-file {SECRET}"));
    assert!(!finished.refused(1, &["cannot read the secret file"]).mentions(SECRET));
}

#[test]
fn a_short_secret_and_an_open_file_are_warned_of() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", "GEZDGNBVGY3TQOJQ");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("chmod");
    let finished = scratch.run(&format!("enroll root phone --no-confirm --secret-file {path}")).expect(0);
    assert!(finished.stderr.contains("80 bits only"), "{finished:#?}");
    assert!(finished.stderr.contains("others can read the secret file"), "{finished:#?}");
}

#[test]
fn no_command_shows_a_secret_after_its_enrollment() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let codes = scratch.run("recovery alice --json").expect(0).json();
    let code = codes["codes"][0].as_str().expect("code");
    for line in [
        "status",
        "status alice",
        "status --json",
        "status alice --json",
        "unlock alice",
        "revoke alice --yes",
    ] {
        let finished = scratch.run(line).expect(0);
        assert!(!finished.mentions(SECRET) && !finished.mentions(code), "{line}: {finished:#?}");
    }
}

#[test]
fn what_is_stored_is_readable_by_its_owner_alone() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    for (name, mode) in [
        ("store", 0o700),
        ("store/secrets", 0o700),
        ("store/secrets/alice.toml", 0o600),
        ("store/state/alice", 0o600),
    ] {
        let found = std::fs::metadata(scratch.path(name)).expect(name).permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
}

#[test]
fn what_is_taken_in_any_form_makes_the_codes_of_oathtool() {
    let long = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
    let uri = |more: &str| format!("otpauth://totp/a?secret={long}{more}");
    let pairs = "31:32:33:34:35:36:37:38:39:30:31:32:33:34:35:36:37:38:39:3a";
    let (hex, sha1) = (pairs.replace(':', ""), ["--totp"]);
    // What the file holds, how oathtool reads the secret, and what it is told of the codes.
    let cases: Vec<(String, Vec<&str>, &[&str])> = vec![
        (format!("\u{feff}{SECRET}\r\n"), vec!["--base32", SECRET], &sha1),
        (SECRET.to_lowercase(), vec!["--base32", SECRET], &sha1),
        (SECRET.replace("GEZD", "GEZD\u{a0}"), vec!["--base32", SECRET], &sha1),
        (format!("{SECRET}\u{200b}\n"), vec!["--base32", SECRET], &sha1),
        (format!("\"{SECRET}\"\n"), vec!["--base32", SECRET], &sha1),
        (format!("hex:{hex}"), vec![&hex], &sha1),
        (format!("0x{hex}"), vec![&hex], &sha1),
        (pairs.to_owned(), vec![&hex], &sha1),
        (pairs.replace(':', " "), vec![&hex], &sha1),
        (uri("&algorithm=SHA-256"), vec!["--base32", long], &["--totp=SHA256"]),
        (uri("&algorithm=HmacSHA512"), vec!["--base32", long], &["--totp=SHA512"]),
        (uri("&amp;digits=8&amp;period=60"), vec!["--base32", long], &["--totp", "--digits=8", "-s", "60"]),
        (uri("").replace("/a?", "/Team #1: anna?"), vec!["--base32", long], &sha1),
    ];
    for (text, secret, options) in cases {
        let scratch = ScratchHost::new();
        let path = scratch.write("given", &text);
        let finished = scratch.run(&format!("enroll alice phone --no-confirm --secret-file {path}"));
        finished.expect(0);
        let record = scratch.record("alice");
        let credential = record.credentials().first().expect("a credential");
        for time in [1_790_000_010, 2_000_000_000] {
            let step = credential.step_at(UnixTime::from_seconds(time)).expect("a time step");
            let expected = oathtool(&[options, &["--now", &format!("@{time}")], secret.as_slice()].concat());
            assert_eq!(*credential.code(step), expected, "{text:?} at {time}");
        }
    }
}
