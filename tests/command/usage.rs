//! The command line itself: help, completions, what is refused.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, chown, symlink};
use std::process::Command;

use super::scratch::{BINARY, SECRET, ScratchHost, feed, run_bare};

#[test]
fn enroll_has_two_spellings() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    scratch.run(&format!("enroll root phone --no-confirm --secret-file {path}")).expect(0);
    assert!(scratch.secret_file("root").contains("id = \"phone\""));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let scratch = ScratchHost::new();
    for line in [
        "",
        "enrolle alice phone",
        "enroll alice",
        "enroll alice phone JBSWY3DPEHPK3PXP",
        "enroll alice phone --secret=JBSWY3DPEHPK3PXP",
        "enroll alice phone --qr gif",
        "recovery alice --count 0",
        "recovery alice --count 65",
        "completions csh",
    ] {
        let finished = scratch.run(line).expect(2);
        assert_eq!(finished.stdout, "", "{line}");
        assert_ne!(finished.stderr, "", "{line}");
    }
}

#[test]
fn help_names_every_command_and_exit_code() {
    let help = ScratchHost::new().run("--help").expect(0).stdout;
    for word in [
        "init",
        "enroll",
        "status",
        "revoke",
        "unlock",
        "recovery",
        "check",
        "explain",
        "try",
        "demo",
        "completions",
        "  0  ",
        "  1  ",
        "  2  ",
        "  3  ",
        "  4  ",
    ] {
        assert!(help.contains(word), "no `{word}`: {help}");
    }
}

#[test]
fn completions_are_made_for_each_shell() {
    for (shell, mark) in [
        ("bash", "-F _clap_complete_mfa_chain mfa-chain"),
        ("zsh", "#compdef mfa-chain"),
        ("fish", "--command mfa-chain"),
    ] {
        let script = run_bare(&format!("completions {shell}")).expect(0).stdout;
        assert!(script.contains(mark), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    // Gone before the command begins, so that it always meets the closed pipe.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = std::process::Command::new(BINARY)
        .args(["completions", "bash"])
        .stdout(writer)
        .output()
        .expect("run");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), b"".as_slice()));
}

#[test]
fn a_full_disk_under_the_output_is_told() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output = scratch.command(BINARY).arg("status").stdout(full).output().expect("run");
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(line.starts_with("mfa-chain: cannot write to standard output"), "{line}");
}

/// As printed, an advised command works, also where a path or a name holds blanks.
#[test]
fn an_advised_command_is_quoted_for_the_shell() {
    let scratch = ScratchHost::new();
    let folder = scratch.path("a folder");
    std::fs::create_dir(&folder).expect("a folder");
    let policy = folder.join("policy.toml");
    std::fs::copy(scratch.path("policy.toml"), &policy).expect("a policy");
    let line = |words: &str| {
        format!(
            "'{BINARY}' --policy '{}' --store '{}' {words}",
            policy.display(),
            folder.join("store").display()
        )
    };
    let run = |line: &str| {
        let output = std::process::Command::new("sh").args(["-c", line]).output().expect("sh");
        (
            output.status.success(),
            String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let secret = scratch.write("secret", super::scratch::SECRET);
    let enrolled = run(&line(&format!(
        "enroll 'o'\\''neil smith' phone --unknown-user --no-confirm --secret-file '{secret}'"
    )));
    assert!(enrolled.0, "{}", enrolled.1);
    let advised =
        enrolled.1.split("`mfa-chain ").nth(1).and_then(|rest| rest.split('`').next()).expect("a command");
    assert!(advised.contains("a folder") && advised.contains("recovery "), "{advised}");
    let (worked, told) = run(&format!("'{BINARY}' {advised}"));
    assert!(worked && told.contains("Each code stands in once"), "{told}");
}

#[test]
fn a_store_is_made_once_and_left_alone_then() {
    let scratch = ScratchHost::new();
    let told = scratch.run("init").expect(0).stdout;
    assert!(told.contains("users with a record: 0"), "{told}");
    scratch.enroll("alice", "phone", SECRET);
    let decoys = std::fs::read(scratch.path("store/decoys/states")).expect("the decoys");
    let facts = scratch.run("init --json").expect(0).json();
    assert_eq!(facts["users"], 1);
    assert_eq!(std::fs::read(scratch.path("store/decoys/states")).expect("the decoys"), decoys);
    std::fs::remove_file(scratch.path("store/decoys/states")).expect("removed");
    scratch.run("init").expect(0);
    assert!(scratch.path("store/decoys/states").exists(), "what it lacks is made");
    std::fs::set_permissions(scratch.path("store"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("chmod");
    scratch.run("init").refused(3, &["others may write"]);
}

/// An option that would change nothing is a mistake, and is refused.
#[test]
fn global_options_that_a_command_ignores_are_refused() {
    let run = |line: &str| {
        let output = std::process::Command::new(BINARY).args(line.split(' ')).output().expect("the command");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    for (line, option) in [
        ("--store /x completions bash", "--store"),
        ("completions bash --policy /x", "--policy"),
        ("completions bash --json", "--json"),
        ("demo --json", "--json"),
        ("demo --store /x", "--store"),
        ("odds --store /x", "--store"),
        ("--store /x odds", "--store"),
    ] {
        let (code, told) = run(line);
        assert_eq!(code, Some(2), "{line}: {told}");
        assert!(told.contains(option) && told.contains("nothing"), "{line}: {told}");
    }
    assert_eq!(run("completions bash").0, Some(0));
    let scratch = ScratchHost::new();
    assert_eq!(run(&format!("odds --json --policy {}", scratch.path_text("policy.toml"))).0, Some(0));
}

/// An escape sequence of a name could clear the screen, and a line end write a verdict of its own.
#[test]
fn names_of_others_reach_no_terminal_as_they_are() {
    let scratch = ScratchHost::new();
    let hostile = "eve\u{1b}[2J\nverdict  granted";
    scratch.enroll("alice", "phone", SECRET);
    let lines: [&[&str]; 5] = [
        &["explain", hostile, "--service", "sshd"],
        &["explain", "alice", "--service", hostile],
        &["explain", "alice", "--service", "sshd", "--rhost", hostile, "--tty", hostile, "--group", hostile],
        &["try", hostile, "--service", "sshd", "--answers", "/dev/null"],
        &[
            "try",
            "alice",
            "--service",
            "sshd",
            "--rhost",
            hostile,
            "--tty",
            hostile,
            "--answers",
            "/dev/null",
        ],
    ];
    for line in lines {
        let finished = feed(scratch.command(BINARY).args(line), "");
        for text in [&finished.stdout, &finished.stderr] {
            assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{finished:?}");
            assert!(!text.lines().any(|line| line == "verdict  granted"), "{finished:?}");
        }
    }
    let unknown = ["enroll", "--unknown-user", hostile, "phone", "--no-confirm", "--qr", "none"];
    feed(scratch.command(BINARY).args(unknown), "").expect(0);
    for line in ["status", "check"] {
        let finished = scratch.run(line);
        assert!(finished.stdout.contains("eve\\u{1b}[2J\\nverdict"), "{finished:?}");
        assert!(!finished.stdout.contains('\u{1b}'), "{finished:?}");
    }
}

#[test]
fn every_folder_above_a_relative_path_is_checked_too() {
    assert!(nix::unistd::geteuid().is_root(), "only root can give a folder away: run the tests as root");
    let scratch = ScratchHost::new();
    scratch.enroll("root", "phone", SECRET);
    let top = scratch.path("store").canonicalize().expect("the store").parent().expect("above").to_owned();
    let (here, deep) = (top.join("here"), top.join("here/deep"));
    fs::DirBuilder::new().mode(0o755).recursive(true).create(&deep).expect("folders");
    fs::rename(top.join("store"), deep.join("store")).expect("moved");
    symlink("deep", here.join("link")).expect("a link");
    let run = |store: &str| {
        let mut command = Command::new(BINARY);
        command.current_dir(&here).args(["--policy", "../policy.toml", "--store", store, "status", "root"]);
        feed(&mut command, "")
    };
    for store in ["deep/store", "./deep/../deep/store", "link/store"] {
        run(store).expect(0);
        for folder in [&top, &here, &deep] {
            chown(folder, Some(65534), None).expect("given away");
            let told = format!("{}: not safe to use: it belongs to uid 65534", folder.display());
            run(store).refused(3, &[&told]);
            chown(folder, Some(0), None).expect("taken back");
        }
    }
}
