//! F8s and F15s: the attack from many addresses and the soak once more, through a real sshd. The rows themselves are
//! `through_sshd.py`, run in the private machine of the end-to-end tests.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fault_run::UNSAFE_GRANT;
use crate::plan::Context;
use crate::tally::Tally;

const REFUSED: &str = "logins refused";
const BEYOND: &str = "guesses beyond the budget of a day";
const TOLD_APART: &str = "users told apart by what is shown";
const RIGHT_REFUSED: &str = "right codes refused";
const LEFT: &str = "things left behind";
const ADDRESSES: u64 = 200;
const LOGINS: u64 = 10_000;
/// A login with its key exchange costs a processor some 80 ms, so a part of the plan takes a smaller part of these.
const LOGINS_OF_A_PART: u64 = 3_000;

pub fn attacked(context: &Context) -> Tally {
    let kinds = [REFUSED, UNSAFE_GRANT, BEYOND, TOLD_APART];
    play(context, "F8s", context.scaled(ADDRESSES).max(10), &kinds)
}

pub fn soak(context: &Context) -> Tally {
    let full = if context.scale >= 1.0 { LOGINS } else { LOGINS_OF_A_PART };
    play(context, "F15s", context.scaled(full).max(20), &[RIGHT_REFUSED, LEFT])
}

fn play(context: &Context, row: &str, count: u64, kinds: &[&'static str]) -> Tally {
    // The machine takes the module and the command from one folder.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(&context.module, folder.path().join("pam_mfa_chain.so")).expect("the module");
    std::fs::copy(context.command(), folder.path().join("mfa-chain")).expect("the command");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut machine = Command::new(repository.join("tests/e2e/run"));
    machine.args(["--program", "tests/faults/through_sshd.py", row, &count.to_string()]);
    let output = machine.env("BUILD", folder.path()).output().expect("tests/e2e/run");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{row}: {text}{said}");
    let report = text.lines().last().unwrap_or_default();
    read(&serde_json::from_str(report).unwrap_or_else(|error| panic!("{row}: {error}: {report}")), kinds)
}

/// The tally that the program printed.
fn read(report: &Value, kinds: &[&'static str]) -> Tally {
    let mut tally = Tally::looking_for(kinds);
    tally.count = report["count"].as_u64().expect("a count");
    let pairs = |key: &str| report[key].as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    for pair in pairs("figures") {
        tally.figure(word(&pair[0]), word(&pair[1]));
    }
    for pair in pairs("wrong") {
        let kind = kinds.iter().find(|kind| pair[0] == **kind).expect("a kind that is looked for");
        tally.blame(kind, word(&pair[1]));
    }
    tally
}
