//! Which services ask for codes on this host, and what gets in past them.

use serde_json::{Value, json};

use super::services::LOCKERS;
use crate::host::order::Oddity;
use crate::host::sshd::Settings;
use crate::host::stacks::{Stacks, Standing};
use crate::verifier::policy::{ChainSpec, Policy, RuleAction, Unenrolled};

/// The services that matter, and where the module stands in each.
pub struct Doors {
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
        Self { oddities, sshd: if is_in_use { sshd() } else { None }, found }
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

    /// What is open, and what is shut for everybody, each with its cure.
    #[must_use]
    pub fn warnings(&self, policy: &Policy) -> Vec<String> {
        let sshd = self.found.iter().find(|(service, _)| service == "sshd").map(|(_, standing)| *standing);
        let mut warnings = sshd.map_or_else(Vec::new, |standing| self.on_sshd(standing));
        if matches!(&self.sshd, Some(Ok(settings)) if settings.dns) {
            let rules = (1_usize..).zip(policy.rules()).filter(|(_, rule)| rule.names_sources());
            warnings.extend(rules.map(|(number, rule)| on_host_names(number, rule.line())));
        }
        let refuses =
            |service: &str| self.found.iter().any(|(name, standing)| name == service && standing.account);
        warnings.extend(self.oddities.iter().filter_map(|(service, oddity)| {
            on_oddity(service, oddity, refuses(service) && may_exempt(policy))
        }));
        let asking =
            self.found.iter().filter(|(_, standing)| standing.auth).map(|(service, _)| service.as_str());
        warnings.extend(
            asking.filter(|service| LOCKERS.contains(service) && !is_exempt(policy, service)).map(on_locker),
        );
        warnings
    }

    fn on_sshd(&self, standing: Standing) -> Vec<String> {
        let mut warnings = Vec::new();
        if standing.account && !standing.auth {
            warnings.push(
                "sshd: its account line refuses whoever the policy asks for codes, and no auth line asks for them; add \
                 `auth required pam_mfa_chain.so exempt=publickey` to /etc/pam.d/sshd"
                    .to_owned(),
            );
        }
        match &self.sshd {
            Some(Ok(settings)) if standing.auth => warnings.extend(on_settings(settings, standing)),
            Some(Err(error)) => {
                warnings.push(format!("sshd: what it is set to is not known, `sshd -T` says: {error}"));
            }
            _ => {}
        }
        warnings
    }
}

fn on_settings(settings: &Settings, standing: Standing) -> Vec<String> {
    const WHERE: &str = "in /etc/ssh/sshd_config.d/10-mfa-chain.conf, then reload sshd";
    if !settings.pam {
        return vec![format!(
            "sshd: it does not use PAM, so it never asks for codes; say `UsePAM yes` {WHERE}"
        )];
    }
    let mut warnings = Vec::new();
    if !settings.keyboard_interactive {
        warnings
            .push(format!("sshd: it can't ask for codes; say `KbdInteractiveAuthentication yes` {WHERE}"));
    }
    if !settings.always_asks() {
        let effect = if standing.account {
            "a key alone is refused after it was taken"
        } else {
            "a key alone gets in without a code"
        };
        warnings.push(format!(
            "sshd: {effect}; say `AuthenticationMethods publickey,keyboard-interactive` {WHERE}"
        ));
    }
    if settings.takes_passwords() {
        warnings.push(format!(
            "sshd: the method `password` gives one password to every hidden prompt, a wrong code each time; say \
             `PasswordAuthentication no` {WHERE}"
        ));
    }
    warnings
}

/// `exempt`: logins may be exempt, and the account line wants them to have shown something.
fn on_oddity(service: &str, oddity: &Oddity, exempt: bool) -> Option<String> {
    Some(match oddity {
        Oddity::Ends(place) => format!(
            "{service}: codes are not asked where {place} succeeds ({} {}), for the stack ends there; put the line of \
             pam_mfa_chain.so before it, or include that file by `substack`",
            place.control, place.module
        ),
        Oddity::Jumps(place) => format!(
            "{service}: codes are not asked where {place} succeeds ([{}] {}), which jumps over the line of \
             pam_mfa_chain.so; mend the number",
            place.control, place.module
        ),
        Oddity::IsIgnored(place) => format!(
            "{service}: a wrong code does not deny, for {place} says `{}`; say `required`",
            place.control
        ),
        Oddity::PasswordBehind(place) if exempt && service == "sshd" => format!(
            "{service}: an exempt user who has a password alone is refused, for the password ({place}) comes behind the line \
             of pam_mfa_chain.so; put it before"
        ),
        Oddity::PasswordBehind(_) => return None,
    })
}

fn may_exempt(policy: &Policy) -> bool {
    let rolls_out = |chain: &ChainSpec| matches!(chain.unenrolled(), Unenrolled::ExemptUntil(_));
    let chains = std::iter::once(policy.default_chain()).chain(policy.named_chains());
    policy.rules().iter().any(|rule| *rule.action() == RuleAction::Exempt)
        || chains.into_iter().any(rolls_out)
}

fn on_host_names(number: usize, line: usize) -> String {
    format!(
        "rule {number} (line {line}): sshd gives PAM host names, which match no `from`; set `UseDNS no` in sshd_config, \
         then reload sshd"
    )
}

fn is_exempt(policy: &Policy, service: &str) -> bool {
    policy.rules().iter().filter(|rule| *rule.action() == RuleAction::Exempt).any(|rule| {
        rule.matches_every_login() || rule.services().is_some_and(|names| names.contains(&service))
    })
}

fn on_locker(service: &str) -> String {
    format!(
        "{service}: this locker runs as its user and can't read the store, so it refuses every password; exempt it: \
         [[rules]] services = [\"{service}\"] action = \"exempt\""
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
        let doors = Doors::of(&Stacks::below(&[folder.path()]), || Some(Ok(Settings::read(sshd))));
        doors.warnings(&Policy::parse(&format!("{POLICY}{rules}"), "policy.toml").expect("a policy"))
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
            ("common-auth", AUTH),
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
            ("auth [success=1 default=ignore] pam_u2f.so\n", "mend the number"),
        ] {
            let told = warned(&[("sshd", &format!("{stack}{AUTH}{ACCOUNT}"))], &settings(door), "");
            assert!(told.len() == 1 && told[0].contains("sshd:1 ") && told[0].contains(cure), "{told:?}");
        }
        let told = warned(&[("sudo", "auth optional pam_mfa_chain.so\n")], "", "");
        assert!(told.len() == 1 && told[0].contains("sudo:1 says `optional`; say `required`"), "{told:?}");
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
