//! A private place: own mounts, own /dev, a /dev/log that somebody reads.

use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

const INSIDE: &str = "MFA_CHAIN_FAULTS_INSIDE";

/// Starts this program again in a private place, or sets up what is missing there.
pub fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        return furnish();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pam_sandbox/private_dev");
    let here = std::env::current_exe().expect("this program");
    let error = Command::new("unshare").arg("-m").arg(script).arg("").arg(here).env(INSIDE, "1").exec();
    panic!("unshare: {error}");
}

fn furnish() {
    assert!(std::fs::metadata("/dev/log").is_err(), "this is not a private /dev");
    let log = UnixDatagram::bind("/dev/log").expect("the fault plan must be run as root");
    for number in 0..8 {
        let node = format!("/dev/loop{number}");
        let made = Command::new("mknod").args([&node, "b", "7", &number.to_string()]).status();
        assert!(made.is_ok_and(|made| made.success()) || Path::new(&node).exists(), "{node}");
    }
    let _ = Command::new("mknod").args(["/dev/loop-control", "c", "10", "237"]).status();
    // The machine of the end-to-end tests, made in here for a row, copies it.
    let _ = Command::new("mknod").args(["/dev/tty", "c", "5", "0"]).status();
    // Read and forgotten: a log that nobody reads would be another fault.
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while log.recv(&mut buffer).is_ok() {}
    });
}
