//! What in the rules of a valid policy is likely not meant on this host: names that it does not know, conditions that
//! never hold together, and rules that ask nobody.

use super::host_names::HostNames;
use crate::host::programs;
use crate::verifier::policy::{Policy, Rule, RuleAction};

/// Warnings about the rules of `policy`, in their order.
#[must_use]
pub fn warnings(policy: &Policy, host: &HostNames<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for (number, rule) in (1_usize..).zip(policy.rules()) {
        let of_rule =
            on_users(rule, host).into_iter().chain(on_groups(rule, host)).chain(on_services(rule, host));
        let of_rule =
            of_rule.chain(on_siblings(rule, policy, host)).chain(on_sources(rule)).chain(on_terminals(rule));
        warnings.extend(of_rule.map(|what| format!("rule {number} ({}): {what}", rule.place())));
    }
    warnings.extend(host.failures());
    warnings.extend(on_nobody_asked(policy));
    warnings
}

/// The rules that a directory decides: `asked` answers about groups beside this host.
#[must_use]
pub fn on_directory(policy: &Policy, asked: &[String]) -> Option<String> {
    let rules = (1_usize..).zip(policy.rules()).filter(|(_, rule)| rule.groups().is_some());
    let numbers: Vec<String> = rules.map(|(number, _)| number.to_string()).collect();
    if asked.is_empty() || numbers.is_empty() {
        return None;
    }
    let (noun, verb) = if numbers.len() == 1 { ("rule", "names") } else { ("rules", "name") };
    Some(format!(
        "{noun} {} {verb} groups, and /etc/nsswitch.conf asks {} about them: while that is down, every login that reaches \
         such a rule is denied; let root's console match a rule before it",
        numbers.join(", "),
        asked.join(", ")
    ))
}

fn on_users(rule: &Rule, host: &HostNames<'_>) -> Vec<String> {
    let names = rule.users().unwrap_or_default().into_iter();
    names
        .filter_map(|name| host.account(name).and_then(|found| on_user(name, found.as_deref(), host)))
        .collect()
}

/// What is wrong with `name`, which the host knows as `found`.
fn on_user(name: &str, found: Option<&str>, host: &HostNames<'_>) -> Option<String> {
    match found {
        Some(found) if found == name => None,
        Some(found) => Some(format!("the account `{name}` is called `{found}`; write \"{found}\"")),
        None => {
            let parts: Vec<&str> = name.split([' ', '+', '/', '&']).filter(|part| !part.is_empty()).collect();
            let are_names =
                parts.len() > 1 && parts.iter().all(|part| host.account(part).flatten().is_some());
            let cure = if are_names {
                format!("write one name per entry: [\"{}\"]", parts.join("\", \""))
            } else if is_for_any(name) {
                "to match any user leave `users` out".to_owned()
            } else if host.has_group(name) == Some(true) {
                "that is a group, so write it into `groups`".to_owned()
            } else {
                format!("compare with `getent passwd {}`", quoted(name))
            };
            Some(format!("this host lists no user `{name}`, so the entry matches nobody; {cure}"))
        }
    }
}

fn on_groups(rule: &Rule, host: &HostNames<'_>) -> Vec<String> {
    let names = rule.groups().unwrap_or_default().into_iter();
    let unknown = names.filter(|name| host.has_group(name) == Some(false));
    unknown
        .map(|name| {
            let cure = if is_for_any(name) {
                "to match any user leave `groups` out".to_owned()
            } else if host.account(name).flatten().is_some() {
                "that is a user, so write it into `users`".to_owned()
            } else {
                format!("compare with `getent group {}`", quoted(name))
            };
            let what = if rule.skips_unlisted_groups() {
                "so nobody is a member of it"
            } else {
                "so every login that comes to this rule is denied"
            };
            format!("this host lists no group `{name}`, {what}; {cure}")
        })
        .collect()
}

fn on_services(rule: &Rule, host: &HostNames<'_>) -> Vec<String> {
    let names = rule.services().unwrap_or_default().into_iter();
    names
        .filter_map(|name| {
            if programs::is_included(name) {
                return Some(format!(
                    "`{name}` is included by other files; name the services that include it"
                ));
            }
            // The shipped policy names all lockers, wherever it is installed.
            (host.has_service(name) == Some(false) && !programs::LOCKERS.contains(&name)).then(|| {
                let near = host.near_services(name);
                let cure = if near.is_empty() { "compare with `ls /etc/pam.d`".to_owned() } else { near };
                format!("no service `{name}` has a file in /etc/pam.d, so the entry matches no login; {cure}")
            })
        })
        .collect()
}

/// Services that the same program starts PAM as, and that no rule names.
fn on_siblings(rule: &Rule, policy: &Policy, host: &HostNames<'_>) -> Vec<String> {
    let named = |name: &str| {
        let of_rules = policy.rules().iter().filter_map(Rule::services);
        of_rules.flatten().any(|known| known == name)
    };
    let own = rule.services().unwrap_or_default();
    let mut warnings = Vec::new();
    for family in programs::FAMILIES {
        let Some(first) = own.iter().find(|name| family.services.contains(name)) else { continue };
        let siblings =
            family.services.iter().filter(|name| !named(name) && host.has_service(name) == Some(true));
        let left_out: Vec<String> = siblings.map(|name| format!("`{name}`")).collect();
        if !left_out.is_empty() {
            warnings.push(format!(
                "`{first}` is named and {} is not, though {}; add it, or write a rule for it",
                left_out.join(", "),
                family.reason
            ));
        }
    }
    warnings
}

fn on_sources(rule: &Rule) -> Option<String> {
    let named = rule.services().filter(|_| rule.names_sources())?;
    let without: Vec<String> =
        named.iter().filter(|name| programs::has_no_source(name)).map(|name| format!("`{name}`")).collect();
    let (listed, all) = (without.join(", "), without.len() == named.len());
    (!without.is_empty()).then(|| {
        let effect = if all { "this rule never matches" } else { "this rule does not match them" };
        format!(
            "logins of {listed} have no source address, so with `from` {effect}; write a rule without `from`"
        )
    })
}

fn on_terminals(rule: &Rule) -> Option<String> {
    let sshd_alone = rule.services().is_some_and(|names| names == [SSHD]);
    (sshd_alone && !rule.takes_terminal(TERMINAL_OF_SSHD)).then(|| {
        format!(
            "sshd gives `{TERMINAL_OF_SSHD}` as the terminal, so this rule never matches; leave `ttys` out"
        )
    })
}

fn on_nobody_asked(policy: &Policy) -> Option<String> {
    let exempts_all = |rule: &&Rule| rule.matches_every_login() && *rule.action() == RuleAction::Exempt;
    if let Some(rule) = policy.rules().iter().find(exempts_all) {
        let who = if policy.rules().len() == 1 {
            "nobody is asked for codes"
        } else {
            "no other login is asked for codes"
        };
        return Some(format!(
            "the rule in {} exempts every login, so {who}; name the users, services or sources that it is for",
            rule.place()
        ));
    }
    let rule = policy.exempts_every_source()?;
    Some(format!(
        "with the rule in {} logins from everywhere are exempt, so nobody who comes over the network is asked for \
         codes; name the networks that it is for",
        rule.place()
    ))
}

/// Words of other tools for everybody or nobody. A directory may hold them as names.
fn is_for_any(name: &str) -> bool {
    ["all", "any", "everybody", "everyone", "anybody", "none", "nobody"].contains(&name)
}

/// The name as a shell takes it.
fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', "'\\''"))
}

const SSHD: &str = "sshd";
const TERMINAL_OF_SSHD: &str = "ssh";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::verifier::accounts::{Account, Accounts, AccountsError, Membership};

    #[test]
    fn rules_that_hang_on_a_directory_are_named() {
        let text = "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n\
                    [[rules]]\nusers = ['root']\naction = 'exempt'\n[[rules]]\ngroups = ['wheel']\naction = 'deny'\n";
        let policy = Policy::parse(text, "policy.toml").expect("a policy");
        let told = on_directory(&policy, &["sss".to_owned()]).expect("a warning");
        assert!(
            told.starts_with("rule 2 names groups, and /etc/nsswitch.conf asks sss about them"),
            "{told}"
        );
        assert_eq!(on_directory(&policy, &[]), None);
        let without =
            Policy::parse(text.rsplit_once("[[rules]]").expect("rules").0, "policy.toml").expect("a policy");
        assert_eq!(on_directory(&without, &["sss".to_owned()]), None);
    }

    #[test]
    fn what_the_host_knows_gets_no_warning() {
        for rule in [
            "users = ['alice', 'domain users']\naction = 'deny'",
            "groups = ['wheel']\naction = 'deny'",
            "services = ['sshd']\nfrom = ['10.0.0.0/8']\naction = 'exempt'",
            "services = ['sudo', 'sudo-i']\naction = 'exempt'",
            "services = ['sudo']\naction = 'exempt'\n[[rules]]\nservices = ['sudo-i']\naction = 'deny'",
            "services = ['su']\naction = 'deny'",
            "services = ['sshd']\nttys = ['ssh']\naction = 'deny'",
            "from = ['0.0.0.0/0']\naction = 'exempt'",
            "from = ['0.0.0.0/0', '::/0']\naction = 'deny'",
            "action = 'deny'",
        ] {
            assert_eq!(warned(rule), [""; 0], "{rule}");
        }
    }

    #[test]
    fn what_no_login_of_this_host_matches_is_told_with_the_cure() {
        let cases = [
            (
                "users = ['alcie']\naction = 'deny'",
                "no user `alcie`, so the entry matches nobody; compare with `getent passwd 'alcie'`",
            ),
            ("users = ['alice anna']\naction = 'deny'", "write one name per entry: [\"alice\", \"anna\"]"),
            ("users = ['any']\naction = 'deny'", "leave `users` out"),
            ("users = ['wheel']\naction = 'deny'", "write it into `groups`"),
            ("users = ['ALICE']\naction = 'deny'", "the account `ALICE` is called `alice`; write \"alice\""),
            ("groups = ['admin-typo']\naction = 'deny'", "no group `admin-typo`"),
            ("groups = ['alice']\naction = 'deny'", "write it into `users`"),
            (
                "services = ['ssh']\naction = 'deny'",
                "no service `ssh` has a file in /etc/pam.d, so the entry matches no login; is `sshd` meant?",
            ),
            ("services = ['system-auth']\naction = 'deny'", "is included by other files"),
            ("services = ['sudo']\naction = 'deny'", "`sudo` is named and `sudo-i` is not, though `sudo -i`"),
            (
                "services = ['sudo', 'sudo-i']\nfrom = ['10.0.0.0/8']\naction = 'exempt'",
                "logins of `sudo`, `sudo-i` have no source address, so with `from` this rule never matches",
            ),
            ("services = ['sshd', 'su']\nfrom = ['10.0.0.0/8']\naction = 'exempt'", "does not match them"),
            ("services = ['sshd']\nttys = ['pts/*']\naction = 'deny'", "sshd gives `ssh`"),
        ];
        for (rule, told) in cases {
            let warnings = warned(rule);
            assert!(
                warnings.len() == 1 && warnings[0].starts_with("rule 1 (line 6): "),
                "{rule}: {warnings:?}"
            );
            assert!(warnings[0].contains(told), "{rule}: {warnings:?}");
        }
    }

    #[test]
    fn a_policy_that_asks_nobody_is_told() {
        for (rule, told) in [
            ("action = 'exempt'", "the rule in line 6 exempts every login, so nobody is asked"),
            (
                "users = ['alice']\naction = 'deny'\n[[rules]]\naction = 'exempt'",
                "the rule in line 9 exempts every login",
            ),
            (
                "from = ['0.0.0.0/0', '::/0']\naction = 'exempt'",
                "with the rule in line 6 logins from everywhere",
            ),
            (
                "from = ['::/0']\naction = 'exempt'\n[[rules]]\nfrom = ['0.0.0.0/1', '128.0.0.0/1']\naction = 'exempt'",
                "with the rule in line 9",
            ),
        ] {
            let warnings = warned(rule);
            assert!(warnings.len() == 1 && warnings[0].contains(told), "{rule}: {warnings:?}");
        }
    }

    #[test]
    fn a_directory_that_does_not_answer_is_a_warning_of_its_own() {
        let rule = "users = ['alice', 'down']\ngroups = ['down']\naction = 'deny'";
        assert_eq!(
            warned(rule),
            [
                "the user `down` and the group `down` could not be looked up: no answer; check again when it answers"
            ]
        );
    }

    struct Directory;

    impl Accounts for Directory {
        fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
            let found = match name {
                "down" => return Err(AccountsError("no answer".to_owned())),
                "ALICE" => "alice",
                "alice" | "anna" | "domain users" => name,
                _ => return Ok(None),
            };
            Ok(Some(Account { name: found.to_owned(), uid: 1_000, gid: 1_000 }))
        }

        fn account_of(&self, _: u32) -> Result<Option<Account>, AccountsError> {
            Ok(None)
        }

        fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
            if group == "down" { Err(AccountsError("no answer".to_owned())) } else { Ok(group == "wheel") }
        }

        fn membership(&self, _: Option<&Account>, _: &str) -> Result<Membership, AccountsError> {
            Ok(Membership::NoMember)
        }
    }

    fn warned(rule: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for service in ["sshd", "sudo", "sudo-i", "su", "other"] {
            fs::write(folder.path().join(service), "").expect("a service");
        }
        let host = HostNames::of(&Directory, &[folder.path()]);
        let text = format!(
            "version = 1\nrequired_steps = 1\n[[factors]]\nid = 'a'\ntype = 'totp'\n[[rules]]\n{rule}\n"
        );
        warnings(&Policy::parse(&text, "p").expect("valid"), &host)
    }
}
