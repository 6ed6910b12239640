//! The settings of sshd that codes need: a drop-in, or a block at the start of `sshd_config`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ChangeError;
use super::pending::Write;
use super::stack::{self, First, Switch};
use crate::host::sshd::Settings;

/// What has to be written so that sshd asks the questions of PAM.
///
/// # Errors
///
/// [`ChangeError`] when a file of that name was written by hand, or `sshd_config` can't be read.
pub fn enable(switch: Switch) -> Result<Vec<Write>, ChangeError> {
    let methods = match switch.first {
        First::Key => "AuthenticationMethods publickey,keyboard-interactive",
        First::Password => "AuthenticationMethods keyboard-interactive",
    };
    let mut lines =
        vec!["UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no", methods];
    if switch.root_key {
        // The last line ends the block: more settings follow where there are no drop-ins.
        lines.extend(["Match User root", "    AuthenticationMethods publickey", "Match all"]);
    }
    let block = stack::block(&lines);
    let config = read_text(CONFIG)?;
    if stack::is_enabled(&config) || fs::exists(DROP_IN).unwrap_or(false) {
        let found = read_text(DROP_IN).unwrap_or_default();
        if found == block || config.starts_with(&block) {
            return Ok(Vec::new());
        }
        return Err(ChangeError::Refused(format!(
            "{DROP_IN} is there with other settings; look at it and remove it first"
        )));
    }
    // The first value that sshd reads counts, and drop-ins come first where they are included.
    Ok(vec![if includes_drop_ins(&config) {
        Write { path: DROP_IN.into(), bytes: Some(block.into_bytes()) }
    } else {
        Write { path: CONFIG.into(), bytes: Some((block + &config).into_bytes()) }
    }])
}

/// What has to be written to take that back.
///
/// # Errors
///
/// [`ChangeError`] when `sshd_config` can't be read.
pub fn disable() -> Result<Vec<Write>, ChangeError> {
    let mut writes = Vec::new();
    if fs::read_to_string(DROP_IN).is_ok_and(|text| stack::disable(&text).is_empty()) {
        writes.push(Write { path: DROP_IN.into(), bytes: None });
    }
    let config = read_text(CONFIG)?;
    if stack::is_enabled(&config) {
        writes.push(Write { path: CONFIG.into(), bytes: Some(stack::disable(&config).into_bytes()) });
    }
    Ok(writes)
}

/// Checks what sshd makes of its files, before it is told to read them.
///
/// # Errors
///
/// [`ChangeError::Refused`] with the words of sshd, or the setting that does not hold.
pub fn check_enabled() -> Result<(), ChangeError> {
    let settings = in_force()?;
    let wrong = [
        (!settings.pam, "UsePAM is not yes"),
        (!settings.keyboard_interactive, "KbdInteractiveAuthentication is not yes"),
        (settings.takes_passwords(), "PasswordAuthentication is not no"),
        (!settings.always_asks(), "AuthenticationMethods lets in without keyboard-interactive"),
    ];
    match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
        None => Ok(()),
        Some((_, what)) => Err(ChangeError::Refused(format!(
            "{what} in the end, for sshd reads another value before the one in {DROP_IN}; look for it with `grep -r \
             Authentication /etc/ssh`"
        ))),
    }
}

/// Checks that sshd can read its files.
///
/// # Errors
///
/// [`ChangeError::Refused`] with its words.
pub fn in_force() -> Result<Settings, ChangeError> {
    match Settings::in_force() {
        None => Err(ChangeError::Refused("there is no sshd on this host".to_owned())),
        Some(Ok(settings)) => Ok(settings),
        Some(Err(said)) => Err(ChangeError::Refused(format!("sshd does not take its settings: {said}"))),
    }
}

/// Has a running sshd read its settings again; connections stay. One that is started for each connection needs nothing.
pub fn reload() {
    if Path::new("/run/systemd/system").is_dir() {
        for unit in ["ssh.service", "sshd.service"] {
            let _ = Command::new("systemctl")
                .args(["--quiet", "try-reload-or-restart", unit])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
        return;
    }
    let pid = fs::read_to_string(PID_FILE).ok().and_then(|text| text.trim().parse::<i32>().ok());
    let is_sshd = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/exe"))
            .is_ok_and(|program| program.file_name() == Some("sshd".as_ref()))
    };
    if let Some(pid) = pid.filter(|pid| *pid > 1).filter(is_sshd) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGHUP);
    }
}

fn read_text(path: &str) -> Result<String, ChangeError> {
    fs::read_to_string(path).map_err(|error| ChangeError::io(Path::new(path), "read", error))
}

/// Whether the drop-ins are read before any setting of the file itself.
fn includes_drop_ins(config: &str) -> bool {
    let lines = config.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut lines = lines.filter(|line| !line.is_empty());
    lines.next().is_some_and(|line| {
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        let is_include = words.next().is_some_and(|word| word.eq_ignore_ascii_case("include"));
        is_include && words.any(|word| word.trim_matches('"') == "/etc/ssh/sshd_config.d/*.conf")
    })
}

const CONFIG: &str = "/etc/ssh/sshd_config";
/// Before `50-redhat.conf` and `50-cloud-init.conf`.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/10-mfa-chain.conf";
const PID_FILE: &str = "/run/sshd.pid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_ins_count_where_they_are_read_first() {
        for (config, expected) in [
            ("# x\n\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM no\n", true),
            ("include \"/etc/ssh/sshd_config.d/*.conf\"\n", true),
            ("UsePAM no\nInclude /etc/ssh/sshd_config.d/*.conf\n", false),
            ("#Include /etc/ssh/sshd_config.d/*.conf\nUsePAM no\n", false),
            ("", false),
        ] {
            assert_eq!(includes_drop_ins(config), expected, "{config}");
        }
    }
}
