//! What sshd does with one user, `Match` blocks and drop-ins included.

use super::doors::on_settings;
use super::finding::Finding;
use super::sshd::Settings;
use super::stacks::Standing;
use crate::verifier::accounts::{Accounts, Membership};

/// What `sshd -T -C user=USER` says of `user` that keeps the user out, or lets the user in without codes. `steps`: how
/// many codes a chain asks for at most. `others`: what is found of every user, which is not said again.
#[must_use]
pub fn findings(
    user: &str,
    standing: Standing,
    steps: usize,
    accounts: &dyn Accounts,
    others: &[Finding],
) -> Vec<Finding> {
    if !standing.auth {
        return Vec::new();
    }
    match Settings::text_for(user) {
        None => Vec::new(),
        Some(Err(error)) => {
            let what = format!("sshd: what it is set to for {user} is not known, `sshd -T` says: {error}");
            vec![Finding::error("sshd-unknown", what, "run `sshd -t`")]
        }
        Some(Ok(text)) => on_text(user, &text, standing, steps, accounts, others),
    }
}

fn on_text(
    user: &str,
    text: &str,
    standing: Standing,
    steps: usize,
    accounts: &dyn Accounts,
    others: &[Finding],
) -> Vec<Finding> {
    let settings = Settings::parse(text);
    let is_new = |finding: &Finding| !others.iter().any(|other| other.id == finding.id);
    let own = on_settings(&settings, standing).into_iter().filter(is_new);
    let mut findings: Vec<Finding> = own
        .map(|finding| Finding {
            what: format!("{} (a Match block that takes {user})", finding.what),
            cure: format!("{}; take care that it stands before the Match block, or in it", finding.cure),
            ..finding
        })
        .collect();
    findings.extend(Access::of(text).bars(user, accounts).map(|setting| {
        let what = format!(
            "sshd: it refuses {user} whatever is typed, and shows the prompts all the same: {setting}"
        );
        Finding::error("sshd-bars-user", what, "change it in sshd_config, then reload sshd")
    }));
    findings.extend(on_root(user, text));
    findings.extend(on_tries(text, steps));
    findings
}

/// root with a key alone and no questions is meant with `prohibit-password`; codes are refused then.
fn on_root(user: &str, text: &str) -> Option<Finding> {
    let said = value(text, "permitrootlogin").unwrap_or("prohibit-password");
    (user == "root" && said != "yes").then(|| {
        let what =
            format!("sshd: root cannot pass with codes, for `PermitRootLogin {said}` refuses each answer");
        Finding::error("sshd-root", what, "say `PermitRootLogin yes`, or log in as another user and use sudo")
    })
}

fn on_tries(text: &str, steps: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let seconds = value(text, "logingracetime").and_then(|said| said.parse::<usize>().ok());
    let needed = steps.saturating_mul(SECONDS_A_STEP);
    if let Some(seconds) = seconds.filter(|seconds| *seconds != 0 && *seconds < needed) {
        let what = format!(
            "sshd: it hangs up after {seconds} seconds, which is little for a chain of {steps} codes"
        );
        let cure = format!("say `LoginGraceTime {}` in sshd_config, then reload sshd", needed.max(120));
        findings.push(Finding::warning("sshd-grace-time", what, cure));
    }
    // A key that is offered and not taken counts as a try, too.
    if value(text, "maxauthtries").and_then(|said| said.parse::<usize>().ok()).is_some_and(|tries| tries < 3)
    {
        let what = "sshd: it hangs up after fewer than 3 tries, and each key that a client offers is one";
        findings.push(Finding::warning(
            "sshd-max-tries",
            what,
            "say `MaxAuthTries 6` in sshd_config, then reload sshd",
        ));
    }
    findings
}

/// What it takes to read a code and type it, with a code that runs out meanwhile.
const SECONDS_A_STEP: usize = 20;

/// Who may log in (`sshd_config(5)`): the lists are asked in this order.
struct Access<'t> {
    deny_users: Vec<&'t str>,
    allow_users: Vec<&'t str>,
    deny_groups: Vec<&'t str>,
    allow_groups: Vec<&'t str>,
}

impl<'t> Access<'t> {
    fn of(text: &'t str) -> Self {
        let list = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.filter(|(key, _)| *key == name).flat_map(|(_, names)| names.split(' ')).collect()
        };
        Self {
            deny_users: list("denyusers"),
            allow_users: list("allowusers"),
            deny_groups: list("denygroups"),
            allow_groups: list("allowgroups"),
        }
    }

    /// The setting that keeps `user` out. Patterns with a host are about some sources only, and count as taking the
    /// user where they let in.
    fn bars(&self, user: &str, accounts: &dyn Accounts) -> Option<String> {
        let named = |pattern: &&&str| matches(pattern, user);
        let with_host =
            |pattern: &&&str| pattern.split_once('@').is_some_and(|(name, _)| matches(name, user));
        if let Some(pattern) = self.deny_users.iter().find(named) {
            return Some(format!("`DenyUsers {pattern}`"));
        }
        let is_listed = self.allow_users.iter().any(|pattern| named(&pattern) || with_host(&pattern));
        if !self.allow_users.is_empty() && !is_listed {
            return Some("`AllowUsers` does not name the user".to_owned());
        }
        let account = accounts.account(user).ok().flatten();
        let is_in =
            |group: &&&str| matches!(accounts.membership(account.as_ref(), group), Ok(Membership::Member));
        let is_plain = |group: &&&str| !group.contains(['*', '?', '!']);
        if let Some(group) = self.deny_groups.iter().filter(is_plain).find(is_in) {
            return Some(format!("`DenyGroups {group}`"));
        }
        // A group with wildcards may be one of the user's.
        let could_be = self.allow_groups.iter().any(|group| !is_plain(&group) || is_in(&group));
        (!self.allow_groups.is_empty() && !could_be)
            .then(|| "`AllowGroups` names no group of the user".to_owned())
    }
}

fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
}

/// `*` and `?`, as in PATTERNS of `ssh_config(5)`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = pattern.get(1..).unwrap_or_default();
            name.char_indices()
                .map(|(at, _)| at)
                .chain([name.len()])
                .any(|at| matches(rest, name.get(at..).unwrap_or_default()))
        }
        Some(letter) => name.chars().next().is_some_and(|first| {
            let rest =
                |text: &str, letter: char| text.get(letter.len_utf8()..).unwrap_or_default().to_owned();
            (letter == '?' || letter == first) && matches(&rest(pattern, letter), &rest(name, first))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::accounts::NoAccounts;

    const GOOD: &str = "usepam yes\nkbdinteractiveauthentication yes\npasswordauthentication no\n\
        authenticationmethods publickey,keyboard-interactive\npermitrootlogin no\nmaxauthtries 6\nlogingracetime 120\n";

    fn ids(user: &str, text: &str, others: &[Finding]) -> Vec<&'static str> {
        let standing = Standing { auth: true, account: true };
        on_text(user, text, standing, 2, &NoAccounts, others).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn settings_that_keep_a_user_out_are_told() {
        assert_eq!(ids("alice", GOOD, &[]), [""; 0]);
        for (line, id) in [
            ("denyusers mallory\ndenyusers al*", "sshd-bars-user"),
            ("allowusers bob", "sshd-bars-user"),
            ("allowgroups staff", "sshd-bars-user"),
            ("allowusers alice@10.0.0.1", ""),
            ("allowusers ?lice\nallowgroups st*", ""),
            ("denyusers bob", ""),
        ] {
            let expected: Vec<&str> = [id].into_iter().filter(|id| !id.is_empty()).collect();
            assert_eq!(ids("alice", &format!("{GOOD}{line}\n"), &[]), expected, "{line}");
        }
        assert_eq!(ids("root", GOOD, &[]), ["sshd-root"]);
        assert_eq!(ids("root", &GOOD.replace("permitrootlogin no", "permitrootlogin yes"), &[]), [""; 0]);
        assert_eq!(ids("alice", &GOOD.replace("time 120", "time 30"), &[]), ["sshd-grace-time"]);
        assert_eq!(ids("alice", &GOOD.replace("time 120", "time 0"), &[]), [""; 0], "no limit");
        assert_eq!(ids("alice", &GOOD.replace("tries 6", "tries 2"), &[]), ["sshd-max-tries"]);
    }

    #[test]
    fn what_a_match_block_changes_is_told_unless_it_is_so_for_everybody() {
        let key_alone = GOOD.replace("publickey,keyboard-interactive", "publickey");
        assert_eq!(ids("alice", &key_alone, &[]), ["sshd-key-refused"]);
        assert_eq!(ids("alice", &key_alone, &[Finding::warning("sshd-key-refused", "", "")]), [""; 0]);
    }
}
