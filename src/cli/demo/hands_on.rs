//! The demonstration with codes that somebody types: two QR codes to scan, then logins until one is granted.

use std::path::Path;

use super::super::failure::{Exit, Failure};
use super::super::module_path;
use super::super::output::{print, print_painted};
use super::super::qr::QrOutput;
use super::super::rehearse::answers::Answers;
use super::super::rehearse::transcript::Transcript;
use super::devices;
use super::scratch::{Scratch, USER};
use crate::rehearsal::{Libpam, Login};
use crate::store::SystemClock;
use crate::verifier::enrollment::otpauth::to_uri;
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;

/// Enrolls two authenticators in a new scratch folder and lets somebody log in with them.
///
/// # Errors
///
/// [`Failure`] on ^C or ^D, when the folder can't be made, or libpam can't be asked.
pub fn run(module: &Path, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let scratch = Scratch::create(POLICY)?;
    let policy = scratch.policy()?;
    let now = SystemClock.now();
    let made = policy.factors().iter().map(|factor| devices::make(factor, now));
    scratch.enroll(made.collect::<Result<_, Failure>>()?)?;
    print(&opening(module, &scratch))?;
    show_codes(&scratch, &policy)?;
    let granted = (1_u32..).find_map(|number| match log_in(&scratch, module, libpam, number) {
        Ok(false) => None,
        ended => Some(ended),
    });
    let path = scratch.path().display().to_string();
    drop(scratch);
    print(&format!("\nRemoved {path}; nothing is left behind. Delete both entries from your app.\n"))?;
    granted.unwrap_or(Ok(false)).map(|granted| if granted { Exit::Done } else { Exit::Denied })
}

fn opening(module: &Path, scratch: &Scratch) -> String {
    format!(
        "mfa-chain demo: logins through the real PAM module, with codes that you type.\n\
         It runs in a folder of its own. No file of this system is touched; like every login, these leave lines in \
         the log.\n\n\
         Module:  {}\n\
         Folder:  {}\n\n\
         The user `{USER}` needs two codes, one after the other. Scan both QR codes with an authenticator app, or \
         two of them.\n",
        module.display(),
        scratch.path().display()
    )
}

fn show_codes(scratch: &Scratch, policy: &Policy) -> Result<(), Failure> {
    let (record, _) = scratch.enrollment()?;
    for factor in policy.factors() {
        let Some(credential) = record.credential(factor) else { continue };
        let uri = to_uri(credential, &format!("mfa-chain demo ({})", factor.label), USER, 0);
        let drawn = QrOutput::Utf8.draw(&uri)?;
        print_painted(&format!("\n{}:\n{}\n{}\n", factor.label, *drawn, *uri))?;
    }
    Ok(())
}

/// One login, as the application would try again after a denial. Whether it was granted.
fn log_in(scratch: &Scratch, module: &Path, libpam: &dyn Libpam, number: u32) -> Result<bool, Failure> {
    print(&format!("\nLogin {number} (^D ends the demo)\n"))?;
    let services = scratch.service(SERVICE, module)?;
    let mut transcript = Transcript::new(Answers::open(None)?, true);
    let login = Login { services: &services, user: USER, rhost: None, tty: None };
    let outcome = libpam.authenticate(&login, &mut transcript);
    let outcome = outcome.map_err(|error| Failure::files(error.to_string()))?;
    transcript.check()?;
    module_path::check_loaded(module, &outcome)?;
    let failures = scratch.enrollment()?.1.failures;
    let wait = failures.longest_wait_seconds(scratch.policy()?.throttle(), SystemClock.now());
    let (word, why) = if outcome.is_success() {
        ("granted", "Both codes were right and in their places, so the chain is complete.".to_owned())
    } else {
        let why = "A code was wrong, or used before. Chain reset: the next login starts at step 1";
        let told = if wait > 0 { format!(", so nothing is judged for {wait} s") } else { String::new() };
        ("denied", format!("{why}. Failures that stand: {}{told}.", failures.total()))
    };
    print(&format!("  => {word}: libpam says \"{}\" (code {})\n     {why}\n", outcome.text, outcome.code))?;
    Ok(outcome.is_success())
}

const SERVICE: &str = "demo-fixed";

const POLICY: &str = r#"version = 1
required_steps = 2

[[factors]]
id = "first"
label = "First app"
type = "totp"

[[factors]]
id = "second"
label = "Second app"
type = "totp"

[throttle]
fail_delay_seconds = 0
"#;
