//! F16: the same logins at set times against this module and the other ones, as the standards say. Ours alone decides
//! the verdict; of the others it is told whether they answer as the standards do where they say so themselves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::Deserialize;

use crate::clock;
use crate::fault_run::STRICT;
use crate::pam_sandbox::PamSandbox;
use crate::pam_sandbox::token::Token;
use crate::plan::Context;
use crate::tally::Tally;

const DIFFERS: &str = "logins of ours that end otherwise";
const OURS: &str = "mfa-chain";
const KEY: &[u8] = b"12345678901234567890";

/// What `compatibility.toml` holds.
#[derive(Deserialize)]
struct Scenarios {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    of: Vec<String>,
    kind: String,
    #[serde(default = "six")]
    digits: u64,
    look: u64,
    #[serde(default)]
    first: u64,
    /// Time, code, and whether it is accepted.
    logins: Vec<(u64, String, bool)>,
}

const fn six() -> u64 {
    6
}

pub fn compatibility(context: &Context) -> Tally {
    let mut tally = Tally::looking_for(&[DIFFERS]);
    let Scenarios { scenarios } = toml::from_str(include_str!("compatibility.toml")).expect("the scenarios");
    let mut modules = BTreeMap::<&str, (usize, usize)>::new();
    for scenario in &scenarios {
        for module in &scenario.of {
            let differ = play(context, scenario, module);
            let logins = scenario.logins.len();
            let sums = modules.entry(module).or_default();
            *sums = (sums.0 + logins, sums.1 + differ.len());
            tally.count += logins as u64;
            for example in differ.into_iter().filter(|_| module == OURS) {
                tally.blame(DIFFERS, example);
            }
        }
    }
    for (module, (logins, differ)) in modules {
        let word = if differ == 0 { "yes" } else { "no" };
        tally.figure(format!("{module} answers as the RFC:"), format!("{word} ({logins} logins)"));
    }
    tally
}

/// The logins of a scenario that end otherwise than it says.
fn play(context: &Context, scenario: &Scenario, module: &str) -> Vec<String> {
    let sandbox = PamSandbox::with_policy(&policy(scenario));
    let stack = match module {
        OURS => enroll(&sandbox, scenario),
        "pam_google_authenticator" => google(sandbox.path(), scenario),
        "pam_oath" => oath(sandbox.path(), scenario),
        other => panic!("no stack for {other}"),
    };
    sandbox.write_service("other-module", &context.module, &stack);
    let mut differ = Vec::new();
    for (number, (time, code, accepted)) in scenario.logins.iter().enumerate() {
        let login = clock::at(sandbox.play_written("other-module"), *time).codes(&[code]);
        let ended = login.run_here().code();
        if (ended == 0) != *accepted {
            differ.push(format!("{}, login {}: {ended}", scenario.name, number + 1));
        }
    }
    differ
}

/// More refusals than a scenario has bring no wait.
fn policy(scenario: &Scenario) -> String {
    let Scenario { kind, look, .. } = scenario;
    let key = if kind == "totp" { "window" } else { "look_ahead" };
    format!(
        "version = 1\nrequired_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"{kind}\"\n{key} = {look}\n\
         [throttle]\nfree_failures = 20\nfail_delay_seconds = 0\n"
    )
}

fn enroll(sandbox: &PamSandbox, scenario: &Scenario) -> String {
    let token = if scenario.kind == "totp" { Token::clock("phone") } else { Token::counter("phone") };
    let token = token.with_key(KEY).with_digits(scenario.digits).starting_at(scenario.first);
    sandbox.enroll("alice", &[token], None);
    STRICT.to_owned()
}

/// Its file, as its FILEFORMAT says: a window of 3 is one step either side.
fn google(folder: &Path, scenario: &Scenario) -> String {
    let path = folder.join("google");
    let kind = match scenario.kind.as_str() {
        "totp" => format!("\" WINDOW_SIZE {}\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n", scenario.look * 2 + 1),
        _ => format!("\" HOTP_COUNTER {}\n\" WINDOW_SIZE {}\n", scenario.first, scenario.look),
    };
    write(&path, &format!("{}\n{kind}", BASE32_NOPAD.encode(KEY)));
    format!(
        "auth required pam_google_authenticator.so secret={} user=root no_increment_hotp\n",
        path.display()
    )
}

/// Its file, as its README says.
fn oath(folder: &Path, scenario: &Scenario) -> String {
    let path = folder.join("oath");
    let (kind, window) = match scenario.kind.as_str() {
        "totp" => ("T30", scenario.look),
        _ => ("E", scenario.look - 1),
    };
    write(
        &path,
        &format!("HOTP/{kind}/{} alice - {} {}\n", scenario.digits, HEXLOWER.encode(KEY), scenario.first),
    );
    format!("auth required pam_oath.so usersfile={} window={window}\n", path.display())
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}
