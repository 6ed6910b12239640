//! Questions on a terminal: a pseudo-terminal stands in for one.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use mfa_chain::verifier::time::UnixTime;
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

use super::failed::failed;
use super::scratch::{Finished, SECRET, ScratchHost, now, totp};

#[test]
fn yes_and_nothing_else_confirms() {
    for (typed, code, left) in [("yes\n", 0, 0), ("y\n", 4, 1), ("no\n", 4, 1), ("\n", 4, 1), ("\x04", 4, 1)]
    {
        let scratch = ScratchHost::new();
        scratch.enroll("alice", "phone", SECRET);
        let (mut keyboard, child) = start(&scratch, &["revoke", "alice"]);
        keyboard.write_all(typed.as_bytes()).expect("type");
        let finished = Finished::from(child.wait_with_output().expect("output")).expect(code);
        assert!(finished.stderr.contains("Revoke phone and all recovery codes of alice?"), "{finished:#?}");
        let factors = scratch.status("alice")["factors"].as_array().expect("factors").len();
        assert_eq!(factors, left, "{typed:?}");
    }
}

#[test]
fn a_code_is_asked_for_on_the_terminal_and_not_shown() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    let (mut keyboard, child) =
        start(&scratch, &["enroll", "alice", "phone", "--unknown-user", "--secret-file", &path]);
    let prompt = read_until(&mut keyboard, "Authenticator app code: ");
    let code = totp(SECRET, now(), &["--totp"]);
    wait_until_unseen(&keyboard);
    keyboard.write_all(format!("{code}\n").as_bytes()).expect("type");
    Finished::from(child.wait_with_output().expect("output")).expect(0);
    let shown = prompt + &read_rest(keyboard);
    assert!(!shown.contains(&code), "{shown}");
}

#[test]
fn an_interrupt_cancels_and_leaves_a_terminal_that_shows_typing() {
    let scratch = ScratchHost::new();
    let path = scratch.write("given", SECRET);
    let (mut keyboard, child) =
        start(&scratch, &["enroll", "alice", "phone", "--unknown-user", "--secret-file", &path]);
    read_until(&mut keyboard, "Authenticator app code: ");
    wait_until_unseen(&keyboard);
    keyboard.write_all(b"12\x03").expect("type");
    let finished = Finished::from(child.wait_with_output().expect("output")).expect(4);
    assert!(finished.stderr.contains("interrupted; nothing was changed"), "{finished:#?}");
    assert!(echoes(&keyboard), "the terminal no longer shows typing");
    scratch.run("status alice").expect(1);
}

/// The words are the same; a pipe, a dumb terminal and `NO_COLOR` get nothing but them.
#[test]
fn status_and_check_are_coloured_on_a_terminal_alone() {
    let scratch = ScratchHost::new();
    scratch.enroll("alice", "phone", SECRET);
    scratch.change_state("alice", |_, state| {
        state.failures.strangers = failed(50, UnixTime::from_seconds(now()));
    });
    for (arguments, coloured) in [("status alice", "\x1b[33mwait: "), ("check", "\x1b[32m")] {
        let plain = shown_on_a_terminal(&scratch, arguments, &[("TERM", "dumb")]);
        assert!(!plain.contains('\x1b') && !plain.is_empty(), "{plain}");
        let declined = shown_on_a_terminal(&scratch, arguments, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert!(!declined.contains('\x1b'), "{declined}");
        let shown = shown_on_a_terminal(&scratch, arguments, &[("TERM", "xterm")]);
        assert!(shown.contains(coloured), "{shown}");
        let piped =
            scratch.command(super::scratch::BINARY).args(arguments.split(' ')).env("TERM", "xterm").output();
        assert!(!String::from_utf8_lossy(&piped.expect("output").stdout).contains('\x1b'));
    }
}

/// What the command writes to a terminal.
fn shown_on_a_terminal(scratch: &ScratchHost, arguments: &str, variables: &[(&str, &str)]) -> String {
    let terminal = openpty(None, None).expect("pseudo-terminal");
    let mut command = scratch.command(super::scratch::BINARY);
    command
        .args(arguments.split(' '))
        .env_remove("NO_COLOR")
        .env_remove("TERM")
        .envs(variables.iter().copied());
    let mut child =
        command.stdout(Stdio::from(terminal.slave)).stderr(Stdio::null()).spawn().expect("the command");
    drop(command);
    let shown = read_rest(File::from(terminal.master));
    child.wait().expect("the end");
    shown
}

/// Starts the command with a terminal as standard input and controlling terminal; returns the other end.
fn start(scratch: &ScratchHost, arguments: &[&str]) -> (File, Child) {
    let terminal = openpty(None, None).expect("pseudo-terminal");
    let mut command = scratch.command("setsid");
    // The first argument of setsid: make standard input the controlling terminal.
    let rest: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    command = std::process::Command::new("setsid");
    command.arg("--ctty").args(rest).args(arguments);
    command.stdin(Stdio::from(terminal.slave)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("setsid of util-linux can't be run");
    (File::from(terminal.master), child)
}

fn echoes(keyboard: &File) -> bool {
    tcgetattr(keyboard).expect("terminal").local_flags.contains(LocalFlags::ECHO)
}

/// What is typed between the prompt and the change of the terminal would show.
fn wait_until_unseen(keyboard: &File) {
    while echoes(keyboard) {
        std::thread::yield_now();
    }
}

fn read_until(keyboard: &mut File, end: &str) -> String {
    let mut shown = String::new();
    let mut byte = [0];
    while !shown.ends_with(end) {
        keyboard.read_exact(&mut byte).expect("the command asked nothing");
        shown.push(char::from(byte[0]));
    }
    shown
}

fn read_rest(mut keyboard: File) -> String {
    let mut rest = Vec::new();
    // The last reader of a terminal ends with EIO.
    let _ = keyboard.read_to_end(&mut rest);
    String::from_utf8_lossy(&rest).into_owned()
}
