//! Codes for every login at once, where a program of the distribution keeps the stacks.

use std::fs;
use std::path::{Path, PathBuf};

use super::ChangeError;
use super::pending::Program;
use crate::host::stacks::Stacks;

/// The change that switches the module on or off in the stack that all services include.
///
/// # Errors
///
/// [`ChangeError::Refused`] where another program keeps the stacks, or the profile of the package is missing.
pub fn program(is_on: bool) -> Result<Program, ChangeError> {
    if Path::new("/etc/authselect/authselect.conf").exists() {
        return Err(ChangeError::Refused(
            "authselect keeps the stacks of this host; authselect.md of the package has a profile with the module, and how to \
             select it"
                .to_owned(),
        ));
    }
    for (file, what) in
        [(PAM_AUTH_UPDATE, "pam-auth-update of Debian"), (PROFILE, "the profile of the package")]
    {
        if !Path::new(file).exists() {
            return Err(ChangeError::Refused(format!(
                "{file} is missing, {what}; name the services in place of --all-logins"
            )));
        }
    }
    let command: &[&str] = if is_on {
        &[PAM_AUTH_UPDATE, "--package", "--enable", "mfa-chain"]
    } else {
        &[PAM_AUTH_UPDATE, "--package", "--disable", "mfa-chain"]
    };
    let common = STAGES.map(|stage| PathBuf::from(format!("/etc/pam.d/common-{stage}")));
    let own = STAGES.iter().chain(&["seen"]).map(|name| PathBuf::from(format!("/var/lib/pam/{name}")));
    Ok(Program { command, files: common.into_iter().chain(own).collect() })
}

/// Whether the stack that all services include asks for codes.
#[must_use]
pub fn is_on() -> bool {
    fs::read_to_string("/etc/pam.d/common-auth").is_ok_and(|text| {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        lines.into_iter().any(|line| line.contains("pam_mfa_chain.so"))
    })
}

/// The usual ways to log in that exist on this host.
#[must_use]
pub fn services() -> Vec<String> {
    let stacks = Stacks::of_system();
    USUAL
        .iter()
        .filter(|service| stacks.standing(service).is_some())
        .map(|service| (*service).to_owned())
        .collect()
}

/// Those of `services` that do not ask for codes.
#[must_use]
pub fn not_asking(services: &[String]) -> Vec<String> {
    let stacks = Stacks::of_system();
    let asks = |service: &&String| stacks.standing(service).is_some_and(|standing| standing.auth);
    services.iter().filter(|service| !asks(service)).cloned().collect()
}

const PAM_AUTH_UPDATE: &str = "/usr/sbin/pam-auth-update";
const PROFILE: &str = "/usr/share/pam-configs/mfa-chain";
const STAGES: [&str; 5] = ["account", "auth", "password", "session", "session-noninteractive"];
const USUAL: [&str; 4] = ["login", "sshd", "su", "sudo"];
