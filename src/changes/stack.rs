//! The marked blocks that switch codes on in the service files of PAM, and how they are taken out again.

/// What has to be right before the codes are asked for in sshd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The key: the lines that take a password are switched off.
    Key,
    /// The password, which PAM asks for.
    Password,
}

/// How sshd is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// What it asks for before the codes.
    pub first: First,
    /// Whether root's key is enough for root, without codes.
    pub root_key: bool,
}

/// The text of the file of `service` with the codes switched on. `included` reads another file of the folder.
///
/// # Errors
///
/// Why the lines have no sure place in this file, and what to do.
pub fn enable(
    service: &str,
    text: &str,
    included: impl Fn(&str) -> Option<String>,
    first: First,
) -> Result<String, String> {
    if is_enabled(text) {
        return Ok(text.to_owned());
    }
    if text.lines().any(|line| line.split('#').next().is_some_and(|line| line.contains(MODULE))) {
        return Err(
            "it names pam_mfa_chain.so already, in lines written by hand; take them out first".to_owned()
        );
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let place = anchor(&lines, "auth", "common-auth")?;
    let is_sshd = service == "sshd";
    let mut edit = Edit { lines: &lines, blocks: Vec::new() };
    match (place, first) {
        (anchor, First::Key) if is_sshd => {
            edit.replace(anchor.line(), &["auth       required     pam_mfa_chain.so exempt=publickey"]);
        }
        (Anchor::Debian(line), _) => edit.insert(line.saturating_add(1), &[OURS]),
        (Anchor::RedHat { line, file }, _) => {
            let inner = included(file).unwrap_or_default();
            edit.replace(
                line,
                &password_lines(inner.contains("pam_sss.so"), inner.contains("pam_faillock.so")),
            );
        }
    }
    if is_sshd {
        let account = anchor(&lines, "account", "common-account")?;
        edit.insert(account.line(), &["account    required     pam_mfa_chain.so"]);
    }
    edit.finish()
}

/// The text without our blocks, byte for byte as it was; the same text where there is none.
#[must_use]
pub fn disable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut is_inside, mut had_no_end) = (false, false);
    for line in text.split_inclusive('\n') {
        if line.starts_with(BEGIN) {
            is_inside = true;
            had_no_end |= line.contains(NO_END);
        } else if is_inside && line.starts_with(END) {
            is_inside = false;
        } else if !is_inside {
            plain.push_str(line);
        } else if let Some(off) = line.strip_prefix(OFF) {
            plain.push_str(off);
        }
    }
    if had_no_end && plain.ends_with('\n') {
        plain.pop();
    }
    plain
}

/// Whether the text has a block of ours.
#[must_use]
pub fn is_enabled(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(BEGIN))
}

/// A block with `lines` for the start of another kind of file, such as `sshd_config`.
#[must_use]
pub fn block(lines: &[&str]) -> String {
    let inside: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    format!("{BEGIN}\n{inside}{END}\n")
}

/// The line beside which ours stand.
enum Anchor<'t> {
    /// `@include common-auth`
    Debian(usize),
    /// `auth substack password-auth`
    RedHat { line: usize, file: &'t str },
}

impl Anchor<'_> {
    const fn line(&self) -> usize {
        match self {
            Self::Debian(line) | Self::RedHat { line, .. } => *line,
        }
    }
}

/// The one line of a stage that brings in what the distribution does for all services.
fn anchor<'t>(lines: &[&'t str], stage: &str, common: &str) -> Result<Anchor<'t>, String> {
    let found = lines.iter().enumerate().filter_map(|(number, line)| {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        match words[..] {
            ["@include", file] if file == common => Some(Anchor::Debian(number)),
            [kind, "include" | "substack", file @ ("password-auth" | "system-auth")] if kind == stage => {
                Some(Anchor::RedHat { line: number, file })
            }
            _ => None,
        }
    });
    let mut found: Vec<Anchor<'_>> = found.collect();
    let (Some(anchor), true) = (found.pop(), found.is_empty()) else {
        return Err(format!(
            "it has no single line `@include {common}`, or `{stage} include` or `substack` of `system-auth` or \
             `password-auth`, so the place of ours is not known; write it by hand, docs/logins.md says how"
        ));
    };
    // A backslash joins a line with the next one, so a comment between them would be a part of it.
    let before = anchor.line().checked_sub(1).and_then(|number| lines.get(number));
    if before.into_iter().chain(lines.get(anchor.line())).any(|line| line.trim_end().ends_with('\\')) {
        return Err("a backslash joins lines where ours would stand; write them by hand".to_owned());
    }
    Ok(anchor)
}

/// The password, and the codes only after a right one: `include` ends before ours, and `substack` goes on after a wrong
/// one.
fn password_lines(has_sssd: bool, has_faillock: bool) -> Vec<&'static str> {
    let mut lines = vec!["auth       required                      pam_env.so"];
    if has_sssd {
        lines.push("auth       [success=2 default=ignore]    pam_unix.so");
        lines.push("auth       [success=1 default=ignore]    pam_sss.so use_first_pass");
    } else {
        lines.push("auth       [success=1 default=ignore]    pam_unix.so");
    }
    if has_faillock {
        lines.push("auth       [default=die]                 pam_faillock.so authfail");
        lines.push("auth       requisite                     pam_faillock.so preauth silent");
    } else {
        lines.push("auth       requisite                     pam_deny.so");
    }
    lines.push(OURS);
    lines
}

/// Blocks to be written between the lines of a text.
struct Edit<'t> {
    lines: &'t [&'t str],
    /// Before which line, how many lines are switched off, and what stands in their place.
    blocks: Vec<(usize, usize, Vec<String>)>,
}

impl Edit<'_> {
    fn insert(&mut self, before: usize, lines: &[&str]) {
        self.blocks.push((before, 0, lines.iter().map(|line| (*line).to_owned()).collect()));
    }

    fn replace(&mut self, at: usize, lines: &[&str]) {
        self.blocks.push((at, 1, lines.iter().map(|line| (*line).to_owned()).collect()));
    }

    fn finish(self) -> Result<String, String> {
        let mut text = String::new();
        let mut skip = 0_usize;
        for number in 0..=self.lines.len() {
            for (_, off, ours) in self.blocks.iter().filter(|(before, ..)| *before == number) {
                let has_no_end = !text.is_empty() && !text.ends_with('\n');
                let off_lines = self.lines.get(number..number.saturating_add(*off)).unwrap_or_default();
                let off_has_no_end = off_lines.iter().any(|line| !line.ends_with('\n'));
                if has_no_end {
                    text.push('\n');
                }
                let mark = if has_no_end || off_has_no_end { NO_END } else { "" };
                text.extend([BEGIN, mark, "\n"]);
                for line in off_lines {
                    text.extend([OFF, line.trim_end_matches('\n'), "\n"]);
                }
                for line in ours {
                    text.extend([line.as_str(), "\n"]);
                }
                text.extend([END, "\n"]);
                skip = *off;
            }
            if skip > 0 {
                skip = skip.saturating_sub(1);
            } else if let Some(line) = self.lines.get(number) {
                text.push_str(line);
            }
        }
        let whole = self.lines.concat();
        if disable(&text) == whole {
            Ok(text)
        } else {
            Err("it can't be taken back exactly; write it by hand".to_owned())
        }
    }
}

const MODULE: &str = "pam_mfa_chain.so";
const OURS: &str = "auth       required     pam_mfa_chain.so";
const BEGIN: &str = "# BEGIN mfa-chain: `mfa-chain disable` takes this block out";
const NO_END: &str = "; the file had no end of line";
const END: &str = "# END mfa-chain";
/// Before a line that is switched off.
const OFF: &str = "#off# ";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SSHD: &str = "# PAM for sshd\n@include common-auth\n\naccount required pam_nologin.so\n@include common-account\n\
                        @include common-session\n";
    const FEDORA: &str = "#%PAM-1.0\nauth       substack     password-auth\nauth       include      postlogin\n\
                          account    required     pam_sepermit.so\naccount    include      password-auth\n";

    fn enabled(service: &str, text: &str, first: First) -> String {
        enable(
            service,
            text,
            |_| Some("auth sufficient pam_unix.so\nauth required pam_faillock.so".to_owned()),
            first,
        )
        .expect("enabled")
    }

    /// Without comments.
    fn lines(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
    }

    #[test]
    fn sshd_asks_after_the_key_or_after_the_password() {
        let key = enabled("sshd", SSHD, First::Key);
        assert_eq!(
            lines(&key),
            [
                "auth       required     pam_mfa_chain.so exempt=publickey",
                "account required pam_nologin.so",
                "account    required     pam_mfa_chain.so",
                "@include common-account",
                "@include common-session",
            ]
        );
        let password = enabled("sshd", SSHD, First::Password);
        assert_eq!(
            lines(&password)[..2],
            ["@include common-auth", "auth       required     pam_mfa_chain.so"]
        );
        let fedora = enabled("sshd", FEDORA, First::Key);
        assert_eq!(lines(&fedora)[0], "auth       required     pam_mfa_chain.so exempt=publickey");
        assert!(lines(&fedora)[3..].starts_with(&[
            "account    required     pam_mfa_chain.so",
            "account    include      password-auth"
        ]));
    }

    #[test]
    fn sudo_asks_after_the_password_and_has_no_account_line() {
        let sudo = enabled("sudo", "#%PAM-1.0\n@include common-auth\n@include common-account", First::Key);
        let told =
            ["@include common-auth", "auth       required     pam_mfa_chain.so", "@include common-account"];
        assert_eq!(lines(&sudo), told);
        let fedora = enabled("sudo", "auth include system-auth\naccount include system-auth\n", First::Key);
        let words: Vec<&str> =
            lines(&fedora).iter().map(|line| line.split_whitespace().last().unwrap_or("")).collect();
        assert_eq!(
            words,
            ["pam_env.so", "pam_unix.so", "authfail", "silent", "pam_mfa_chain.so", "system-auth"]
        );
        assert!(lines(&fedora)[1].contains("success=1"));
    }

    #[test]
    fn a_file_without_a_sure_place_is_refused() {
        for (text, why) in [
            ("auth required pam_unix.so\n", "has no single line `@include common-auth`"),
            ("@include common-auth\n@include common-auth\n", "has no single line"),
            ("auth required pam_x.so \\\n@include common-auth\n", "a backslash joins lines"),
            ("@include common-auth\nauth required pam_mfa_chain.so\n", "names pam_mfa_chain.so already"),
        ] {
            let told = enable("sudo", text, |_| None, First::Key).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
        let told =
            enable("sshd", "@include common-auth\n", |_| None, First::Key).expect_err("no account line");
        assert!(told.contains("@include common-account"), "{told}");
    }

    #[test]
    fn switching_on_twice_is_the_same_as_once() {
        let once = enabled("sshd", SSHD, First::Key);
        assert_eq!(enabled("sshd", &once, First::Key), once);
        assert_eq!(disable(&once), SSHD);
        assert_eq!(disable(SSHD), SSHD);
    }

    proptest! {
        #[test]
        fn what_was_switched_on_comes_off_byte_for_byte(
            before in "([a-z# ]{0,9}(\n|\r\n)){0,3}", between in "([a-z# ]{0,9}\n){0,3}", after in "[a-z#\n ]{0,20}",
            is_sshd: bool, is_key: bool, is_last: bool, has_return: bool
        ) {
            let end = if has_return { "\r\n" } else { "\n" };
            let auth = "\t@include  common-auth # why";
            let text = if is_last && !is_sshd {
                format!("{before}@include common-account{end}{between}{auth}")
            } else {
                format!("{before}{auth}{end}{between}@include common-account{after}")
            };
            let (service, first) = (if is_sshd { "sshd" } else { "sudo" }, if is_key { First::Key } else { First::Password });
            // A word right behind the name is another name.
            if let Ok(on) = enable(service, &text, |_| None, first) {
                prop_assert!(is_enabled(&on));
                prop_assert_eq!(disable(&on), text);
            }
        }
    }
}
