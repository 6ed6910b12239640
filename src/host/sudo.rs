//! What sudo is set to for a user, as it tells itself.

use std::process::Command;

use super::finding::Finding;

/// What sudo does for `user` that the codes do not change, or change otherwise than it looks. `asks`: sudo asks for
/// codes. Nothing where there is no sudo, or the user may run nothing.
#[must_use]
pub fn findings(user: &str, asks: bool) -> Vec<Finding> {
    if !asks || user.starts_with('-') {
        return Vec::new();
    }
    Command::new("sudo")
        .args(["-n", "-l", "-U", user])
        .env("LC_ALL", "C")
        .output()
        .map_or_else(|_| Vec::new(), |output| on_list(user, &String::from_utf8_lossy(&output.stdout)))
}

/// Reads what `sudo -l -U USER` prints (sudo(8)): the defaults that are set for the user, then the commands.
fn on_list(user: &str, text: &str) -> Vec<Finding> {
    let (head, commands) = text.split_once("may run the following commands").unwrap_or((text, ""));
    let defaults: Vec<&str> = head
        .lines()
        .filter(|line| line.starts_with([' ', '\t']))
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    // Each setting is listed as often as it is made, and the last counts.
    let last = |name: &str| defaults.iter().rev().find(|word| word.trim_start_matches('!') == name);
    let has = |name: &str| last(name.trim_start_matches('!')) == Some(&name);
    let mut findings = Vec::new();
    if commands.lines().any(|line| line.contains("NOPASSWD:")) || has("!authenticate") {
        let what = format!(
            "sudo asks {user} for no code before commands with NOPASSWD, for it does not ask PAM then"
        );
        let cure =
            format!("take NOPASSWD out: `sudo -l -U {user}` lists the commands, `visudo` changes them");
        findings.push(Finding::error("sudo-nopasswd", what, cure));
    }
    let other = [("targetpw", "the target"), ("rootpw", "root"), ("runaspw", "the user of `runas_default`")];
    findings.extend(other.into_iter().filter(|(name, _)| has(name)).map(|(name, whose)| {
        let what =
            format!("sudo asks {user} for the codes of {whose}, not for those of {user}: `{name}` is set");
        Finding::warning("sudo-other-codes", what, format!("take `Defaults {name}` out with `visudo`"))
    }));
    findings.extend(on_timestamp(user, &defaults));
    if has("passprompt_override") {
        let what = format!(
            "sudo shows {user} its own prompt in place of the one that names the code: `passprompt_override` is set"
        );
        let cure = "take `Defaults passprompt_override` out with `visudo`";
        findings.push(Finding::warning("sudo-prompt", what, cure));
    }
    findings
}

/// Negative minutes stand for no end.
fn on_timestamp(user: &str, defaults: &[&str]) -> Option<Finding> {
    let minutes = defaults.iter().rev().find_map(|word| word.strip_prefix("timestamp_timeout="))?;
    let minutes = minutes.parse::<f64>().ok().filter(|minutes| !(0.0..=LONG_MINUTES).contains(minutes))?;
    let lasts =
        if minutes < 0.0 { "until the next boot".to_owned() } else { format!("for {minutes} minutes") };
    let what = format!("sudo asks {user} for codes once, then for none {lasts}");
    Some(Finding::warning("sudo-timestamp", what, "say `Defaults timestamp_timeout=5` with `visudo`"))
}

/// sudo's own default is 15, or 5 on some systems.
const LONG_MINUTES: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "Matching Defaults entries for alice on host:\n    env_reset, mail_badpass,\n    \
        secure_path=/usr/sbin\\:/usr/bin, use_pty\n\nUser alice may run the following commands on host:\n    (ALL : ALL) ALL\n";

    fn ids(text: &str) -> Vec<&'static str> {
        on_list("alice", text).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn what_changes_the_codes_of_sudo_is_told() {
        assert_eq!(ids(PLAIN), [""; 0]);
        assert_eq!(ids("User bob is not allowed to run sudo on host.\n"), [""; 0]);
        let with = |option: &str| PLAIN.replace("use_pty", option);
        for (text, id) in [
            (PLAIN.replace(") ALL", ") NOPASSWD: ALL"), "sudo-nopasswd"),
            (with("!authenticate"), "sudo-nopasswd"),
            (with("targetpw"), "sudo-other-codes"),
            (with("rootpw"), "sudo-other-codes"),
            (with("runaspw"), "sudo-other-codes"),
            (with("timestamp_timeout=-1"), "sudo-timestamp"),
            (with("timestamp_timeout=600"), "sudo-timestamp"),
            (with("passprompt_override"), "sudo-prompt"),
        ] {
            assert_eq!(ids(&text), [id], "{text}");
        }
        for option in [
            "timestamp_timeout=5",
            "timestamp_timeout=-1, timestamp_timeout=0",
            "targetpw, !targetpw",
            "insults",
        ] {
            assert_eq!(ids(&with(option)), [""; 0], "{option}");
        }
    }
}
