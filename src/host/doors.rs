//! Which services ask for codes on this host, and what gets in past them.

use serde_json::{Value, json};

use super::finding::Finding;
use super::order::{Oddity, Place};
use super::programs::{LOCKERS, is_included};
use super::sshd::Settings;
use super::stacks::{Stacks, Standing};
use super::ways;
use crate::verifier::policy::{ChainSpec, Policy, Rule, RuleAction, Unenrolled};

/// The services that matter, and where the module stands in each.
pub struct Doors {
    stacks: Stacks,
    found: Vec<(String, Standing)>,
    oddities: Vec<(String, Oddity)>,
    sshd: Option<Result<Settings, String>>,
}

/// Told whether they ask or not.
const USUAL: [&str; 6] = ["sshd", "sudo", "sudo-i", "su", "su-l", "login"];

impl Doors {
    /// Looks at this host.
    #[must_use]
    pub fn of_system() -> Self {
        Self::of(&Stacks::of_system(), Settings::in_force)
    }

    fn of(stacks: &Stacks, sshd: impl FnOnce() -> Option<Result<Settings, String>>) -> Self {
        let services = stacks.services().into_iter();
        let found: Vec<(String, Standing)> = services
            .filter_map(|service| stacks.standing(&service).map(|standing| (service, standing)))
            .filter(|(service, standing)| {
                *standing != Standing::default() || USUAL.contains(&service.as_str())
            })
            .collect();
        let is_in_use =
            found.iter().any(|(service, standing)| service == "sshd" && *standing != Standing::default());
        let asking = found.iter().filter(|(_, standing)| standing.auth).map(|(service, _)| service);
        let oddities = asking.flat_map(|service| {
            stacks.oddities(service).into_iter().map(move |oddity| (service.clone(), oddity))
        });
        let oddities = oddities.collect();
        Self { stacks: stacks.clone(), oddities, sshd: if is_in_use { sshd() } else { None }, found }
    }

    /// In lines, a service each.
    #[must_use]
    pub fn to_text(&self) -> String {
        if !self.found.iter().any(|(_, standing)| standing.auth) {
            return "  no service asks for codes yet: no auth line in /etc/pam.d names pam_mfa_chain.so\n"
                .to_owned();
        }
        let line = |(service, standing): &(String, Standing)| {
            let what = match (standing.auth, standing.account) {
                (true, true) => "asks for codes, and refuses who comes around them",
                (true, false) => "asks for codes",
                (false, true) => "refuses who has not passed a chain, and asks for none",
                (false, false) => "does not ask for codes",
            };
            format!("  {service}: {what}\n")
        };
        self.found.iter().map(line).collect()
    }

    /// Each as an object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let door = |(service, standing): &(String, Standing)| json!({"service": service, "auth": standing.auth, "account": standing.account});
        self.found.iter().map(door).collect()
    }

    /// The services that ask for codes or refuse who came around them.
    pub fn in_use(&self) -> impl Iterator<Item = &str> {
        let found = self.found.iter().filter(|(_, standing)| *standing != Standing::default());
        found.map(|(service, _)| service.as_str())
    }

    /// Where the module stands in `service`; `None` where the service has no file.
    #[must_use]
    pub fn standing(&self, service: &str) -> Option<Standing> {
        self.found.iter().find(|(name, _)| name == service).map(|(_, standing)| *standing)
    }

    /// What sshd is set to, where it is in use.
    #[must_use]
    pub const fn sshd(&self) -> Option<&Result<Settings, String>> {
        self.sshd.as_ref()
    }

    /// What is open, and what is shut for everybody, each with its cure.
    #[must_use]
    pub fn findings(&self, policy: &Policy) -> Vec<Finding> {
        let mut findings = self.standing("sshd").map_or_else(Vec::new, |standing| self.on_sshd(standing));
        if matches!(&self.sshd, Some(Ok(settings)) if settings.dns) {
            let rules = (1_usize..).zip(policy.rules()).filter(|(_, rule)| rule.names_sources());
            findings.extend(rules.map(|(number, rule)| on_host_names(number, &rule.place())));
        }
        let refuses = |service: &str| self.standing(service).is_some_and(|standing| standing.account);
        findings.extend(self.oddities.iter().filter_map(|(service, oddity)| {
            on_oddity(service, oddity, refuses(service) && may_exempt(policy))
        }));
        let exempts = may_exempt(policy);
        let started =
            self.in_use().filter(|service| !is_included(service) && !service.starts_with("common-"));
        findings.extend(started.flat_map(|service| ways::findings(&self.stacks, service, exempts)));
        let asking =
            self.found.iter().filter(|(_, standing)| standing.auth).map(|(service, _)| service.as_str());
        findings.extend(
            asking.filter(|service| LOCKERS.contains(service) && !is_exempt(policy, service)).map(on_locker),
        );
        findings
    }

    fn on_sshd(&self, standing: Standing) -> Vec<Finding> {
        let mut findings = Vec::new();
        if standing.account && !standing.auth {
            findings.push(Finding::error(
                "stack-account-only",
                "sshd: its account line refuses users whom the policy asks for codes, and no auth line asks for them",
                "add `auth required pam_mfa_chain.so exempt=publickey` to /etc/pam.d/sshd",
            ));
        }
        match &self.sshd {
            Some(Ok(settings)) if standing.auth => findings.extend(on_settings(settings, standing)),
            Some(Err(error)) => findings.push(Finding::error(
                "sshd-unknown",
                format!("sshd: what it is set to is not known, `sshd -T` says: {error}"),
                "",
            )),
            _ => {}
        }
        findings
    }
}

/// What is open or shut by settings of sshd, which PAM does not decide.
#[must_use]
pub fn on_settings(settings: &Settings, standing: Standing) -> Vec<Finding> {
    let say = |setting: &str| {
        format!("say `{setting}` in /etc/ssh/sshd_config.d/10-mfa-chain.conf, then reload sshd")
    };
    if !settings.pam {
        let what = "sshd: it does not use PAM, so it never asks for codes";
        return vec![Finding::error("sshd-no-pam", what, say("UsePAM yes"))];
    }
    let mut findings = Vec::new();
    if !settings.keyboard_interactive {
        let cure = say("KbdInteractiveAuthentication yes");
        findings.push(Finding::error("sshd-cannot-ask", "sshd: it can't ask for codes", cure));
    }
    if !settings.always_asks() {
        let cure = say("AuthenticationMethods publickey,keyboard-interactive");
        findings.push(if standing.account {
            Finding::warning("sshd-key-refused", "sshd: a key alone is refused after it was taken", cure)
        } else {
            Finding::error("sshd-key-alone", "sshd: a key alone gets in without a code", cure)
        });
    }
    if settings.takes_passwords() {
        let what =
            "sshd: the method `password` gives one password to every hidden prompt, a wrong code each time";
        findings.push(Finding::warning("sshd-password-method", what, say("PasswordAuthentication no")));
    }
    findings
}

/// `exempt`: logins may be exempt, and the account line wants them to have shown something.
fn on_oddity(service: &str, oddity: &Oddity, exempt: bool) -> Option<Finding> {
    match oddity {
        Oddity::Ends(place) | Oddity::Jumps(place) | Oddity::IsIgnored(place) => {
            Some(on_way_past(service, oddity, place).at(place))
        }
        Oddity::PasswordBehind(place) if exempt && service == "sshd" => Some(
            Finding::warning(
                "stack-password-behind",
                format!(
                    "{service}: an exempt user who has a password alone is refused, for the password ({place}) comes \
                     behind the line of pam_mfa_chain.so"
                ),
                "put it before",
            )
            .at(place),
        ),
        Oddity::PasswordBehind(_) => None,
        Oddity::AsksAfterWrongPassword(place) => Some(
            Finding::warning(
                "stack-asks-after-wrong-password",
                format!(
                    "{service}: codes are asked after a wrong password too ({place}), so somebody without it can use up \
                     tries"
                ),
                "docs/logins.md has lines that end the stack there",
            )
            .at(place),
        ),
    }
}

/// A line with which somebody gets in without a code.
fn on_way_past(service: &str, oddity: &Oddity, place: &Place) -> Finding {
    let (control, module) = (&place.control, &place.module);
    match oddity {
        Oddity::Ends(_) => Finding::error(
            "stack-ended-before",
            format!(
                "{service}: codes are not asked where {place} succeeds ({control} {module}), for the stack ends there"
            ),
            "put the line of pam_mfa_chain.so before it, or write the lines of the password as docs/logins.md has them",
        ),
        Oddity::Jumps(_) => Finding::error(
            "stack-jumped-over",
            format!(
                "{service}: codes are not asked where {place} ([{control}] {module}) jumps over the line of pam_mfa_chain.so"
            ),
            "correct the number",
        ),
        _ => Finding::error(
            "stack-not-required",
            format!("{service}: a wrong code does not deny, for {place} says `{control}`"),
            "say `required`",
        ),
    }
}

fn may_exempt(policy: &Policy) -> bool {
    let rolls_out = |chain: &ChainSpec| matches!(chain.unenrolled(), Unenrolled::ExemptUntil(_));
    let chains = std::iter::once(policy.default_chain()).chain(policy.named_chains());
    let exempts = |rule: &Rule| matches!(rule.action(), RuleAction::Exempt | RuleAction::Observe { .. });
    policy.observed_until().is_some()
        || policy.rules().iter().any(exempts)
        || chains.into_iter().any(rolls_out)
}

fn on_host_names(number: usize, place: &str) -> Finding {
    Finding::warning(
        "sshd-host-names",
        format!("rule {number} ({place}): sshd gives PAM host names, which match no `from`"),
        "set `UseDNS no` in sshd_config, then reload sshd",
    )
}

fn is_exempt(policy: &Policy, service: &str) -> bool {
    policy.rules().iter().filter(|rule| *rule.action() == RuleAction::Exempt).any(|rule| {
        rule.matches_every_login() || rule.services().is_some_and(|names| names.contains(&service))
    })
}

fn on_locker(service: &str) -> Finding {
    Finding::error(
        "locker-asks",
        format!(
            "{service}: this locker runs as its user and can't read the store, so it refuses every password"
        ),
        format!("exempt it: [[rules]] services = [\"{service}\"] action = \"exempt\""),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTH: &str = "auth required pam_mfa_chain.so\n";
    const ACCOUNT: &str = "account required pam_mfa_chain.so\n";
    const POLICY: &str = "required_steps = 1\n[[factors]]\nid = \"phone\"\ntype = \"totp\"\n";

    fn warned(files: &[(&str, &str)], sshd: &str, rules: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a service");
        }
        let doors = Doors::of(&Stacks::below(&[folder.path()]), || Some(Ok(Settings::parse(sshd))));
        let policy = Policy::parse(&format!("{POLICY}{rules}"), "policy.toml").expect("a policy");
        doors.findings(&policy).iter().map(ToString::to_string).collect()
    }

    fn settings(methods: &str) -> String {
        format!(
            "usepam yes\nkbdinteractiveauthentication yes\npasswordauthentication no\nauthenticationmethods {methods}\n"
        )
    }

    #[test]
    fn a_door_that_is_as_documented_is_no_warning() {
        let both = format!("{AUTH}{ACCOUNT}");
        assert_eq!(warned(&[("sshd", &both)], &settings("publickey,keyboard-interactive"), ""), [""; 0]);
        assert_eq!(warned(&[("sshd", "auth required pam_unix.so\n")], "", ""), [""; 0], "not in use yet");
    }

    #[test]
    fn each_opening_that_an_installation_leaves_is_told_with_its_cure() {
        let debian = "usepam yes\nkbdinteractiveauthentication no\npasswordauthentication yes\n";
        let told = warned(&[("sshd", AUTH)], debian, "");
        let cures = [
            "KbdInteractiveAuthentication yes",
            "AuthenticationMethods publickey,keyboard",
            "PasswordAuthentication no",
        ];
        assert_eq!(told.len(), cures.len(), "{told:?}");
        assert!(told.iter().zip(cures).all(|(line, cure)| line.contains(cure)), "{told:?}");
        assert!(told[1].contains("a key alone gets in without a code"));
        let told = warned(&[("sshd", &format!("{AUTH}{ACCOUNT}"))], &settings("any"), "");
        assert!(told.len() == 1 && told[0].contains("a key alone is refused"), "{told:?}");
        let told = warned(&[("sshd", ACCOUNT)], &settings("any"), "");
        assert!(told.len() == 1 && told[0].contains("add `auth required pam_mfa_chain.so"), "{told:?}");
        let told = warned(&[("sshd", AUTH)], "usepam no\n", "");
        assert!(told.len() == 1 && told[0].contains("UsePAM yes"), "{told:?}");
    }

    #[test]
    fn host_names_are_told_of_only_where_sshd_gives_them() {
        let rule = "[[rules]]\nfrom = [\"10.0.0.0/8\"]\naction = \"deny\"\n";
        let both = format!("{AUTH}{ACCOUNT}");
        let settings = settings("publickey,keyboard-interactive");
        let told = warned(&[("sshd", &both)], &format!("{settings}usedns yes\n"), rule);
        assert!(told.len() == 1 && told[0].contains("set `UseDNS no`"), "{told:?}");
        assert_eq!(warned(&[("sshd", &both)], &format!("{settings}usedns no\n"), rule), [""; 0]);
    }

    #[test]
    fn a_locker_that_asks_for_codes_is_told_unless_it_is_exempt() {
        let files = [
            ("common-auth", "auth requisite pam_unix.so\nauth required pam_mfa_chain.so\n"),
            ("i3lock", "@include common-auth\n"),
            ("vlock", "auth required pam_unix.so\n"),
        ];
        let told = warned(&files, "", "");
        assert!(told.len() == 1 && told[0].starts_with("i3lock: "), "{told:?}");
        let exempt = "[[rules]]\nservices = [\"i3lock\"]\naction = \"exempt\"\n";
        assert_eq!(warned(&files, "", exempt), [""; 0]);
        let other = "[[rules]]\nservices = [\"vlock\"]\naction = \"exempt\"\n";
        assert_eq!(warned(&files, "", other).len(), 1);
    }

    #[test]
    fn a_way_around_the_codes_is_told_with_its_place_and_cure() {
        let door = "publickey,keyboard-interactive";
        for (stack, cure) in [
            ("auth sufficient pam_unix.so\n", "put the line of pam_mfa_chain.so before it"),
            ("auth [success=1 default=ignore] pam_u2f.so\n", "correct the number"),
        ] {
            let told = warned(&[("sshd", &format!("{stack}{AUTH}{ACCOUNT}"))], &settings(door), "");
            assert!(told.len() == 1 && told[0].contains("sshd:1 ") && told[0].contains(cure), "{told:?}");
        }
        let told = warned(&[("sudo", "auth optional pam_mfa_chain.so\n")], "", "");
        assert!(told.len() == 1 && told[0].contains("sudo:1 says `optional`; say `required`"), "{told:?}");
    }

    #[test]
    fn a_stack_that_asks_after_a_wrong_password_is_told_with_its_cure() {
        let fedora = ("system-auth", "auth sufficient pam_unix.so\nauth required pam_deny.so\n");
        let before = |password: &str| warned(&[fedora, ("sudo", &format!("{password}\n{AUTH}"))], "", "");
        for (password, place) in
            [("auth substack system-auth", "system-auth:1)"), ("auth required pam_unix.so", "sudo:1)")]
        {
            let told = before(password);
            let cure = "docs/logins.md has lines that end the stack there";
            assert!(told.len() == 1 && told[0].contains(place) && told[0].ends_with(cure), "{told:?}");
        }
        assert_eq!(before("auth requisite pam_unix.so"), [""; 0]);
    }

    #[test]
    fn a_password_behind_the_codes_is_told_where_somebody_may_be_exempt() {
        let (stack, door) = (
            format!("{AUTH}auth required pam_unix.so\n{ACCOUNT}"),
            settings("publickey,keyboard-interactive"),
        );
        let exempt = "[[rules]]\nusers = [\"bob\"]\naction = \"exempt\"\n";
        let told = warned(&[("sshd", &stack)], &door, exempt);
        assert!(
            told.len() == 1 && told[0].contains("comes behind the line of pam_mfa_chain.so; put it before"),
            "{told:?}"
        );
        assert_eq!(warned(&[("sshd", &stack)], &door, ""), [""; 0]);
    }
}
