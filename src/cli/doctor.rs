//! `mfa-chain doctor`: what this host will do at a login, and what is wrong with it. Writes nothing.

use std::fmt::Write as _;
use std::path::Path;

use nix::unistd::geteuid;
use serde_json::json;

use super::Context;
use super::arguments::DoctorArguments;
use super::check::enrollments::{Enrollments, Soundness};
use super::check::{identities, rules, siblings};
use super::colour::{self, Colour};
use super::explain::Explanation;
use super::failure::{Exit, Failure};
use super::output::{one_line, print_json};
use crate::changes::ChangesFolder;
use crate::changes::pending::Pending;
use crate::host::doors::Doors;
use crate::host::finding::{Finding, Severity};
use crate::host::lines::on_module;
use crate::host::stacks::Stacks;
use crate::host::{directory, resources, sshd_user, sudo};
use crate::store::{DEFAULT_POLICY, DEFAULT_STORE, FileStore, SystemClock, load_policy};
use crate::verifier::policy::{ChainSpec, Policy};
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for another user than root, and when the output can't be written. Whatever root can't read is a finding.
pub fn run(context: &Context, arguments: &DoctorArguments) -> Result<Exit, Failure> {
    if !geteuid().is_root() {
        return Err(Failure::refused("only root can read what libpam and sshd read; run it with sudo"));
    }
    let examined = Examination::of(context, arguments);
    let is_unwell = examined.findings.iter().any(|finding| finding.severity == Severity::Error);
    if context.json {
        print_json(&json!({
            "healthy": examined.findings.is_empty(),
            "services": examined.services,
            "findings": examined.findings,
        }))?;
    } else {
        colour::print(&examined.text(arguments.quiet), colour_of)?;
    }
    Ok(if is_unwell { Exit::Unwell } else { Exit::Done })
}

/// What was looked at, and what was found.
struct Examination<'a> {
    context: &'a Context,
    stacks: Stacks,
    /// The services that were looked at.
    services: Vec<String>,
    findings: Vec<Finding>,
}

impl<'a> Examination<'a> {
    fn of(context: &'a Context, arguments: &DoctorArguments) -> Self {
        let (doors, stacks) = (Doors::of_system(), Stacks::of_system());
        let mut services: Vec<String> = doors.in_use().map(str::to_owned).collect();
        services.extend(
            arguments.services.iter().filter(|name| !services.contains(name)).cloned().collect::<Vec<_>>(),
        );
        let mut found = Self { context, stacks, services, findings: Vec::new() };
        found.on_asked(&doors, &arguments.services);
        found.on_lines();
        match load_policy(&context.policy) {
            Ok(policy) => found.on_policy(&policy, &doors, arguments),
            Err(error) => {
                let id = if error.is_missing() { "policy-missing" } else { "policy-invalid" };
                let what = format!("every login is denied, since the policy can't be used: {error}");
                let place = context.policy.display();
                found.findings.push(
                    Finding::error(id, what, "run `mfa-chain check`, which lists every mistake").at(place),
                );
            }
        }
        found.findings.extend(resources::on_store(&context.store));
        found.findings.extend(resources::on_log(Path::new("/dev/log")));
        found.findings.extend(resources::on_clock());
        found.on_pending();
        found.findings.sort_by_key(|finding| finding.severity);
        found
    }

    /// Services that were named and do not ask, and those beside them that lead to the same place.
    fn on_asked(&mut self, doors: &Doors, asked: &[String]) {
        for service in asked {
            if !self.stacks.standing(service).is_some_and(|standing| standing.auth) {
                let what = format!("{service}: no auth line names pam_mfa_chain.so, so no code is asked");
                let cure = format!("run `mfa-chain enable {service}`");
                self.findings.push(Finding::error("stack-not-asked", what, cure));
            }
        }
        let asking = doors.in_use().filter(|service| doors.standing(service).is_some_and(|it| it.auth));
        let asking: Vec<String> = asking.map(str::to_owned).collect();
        if asking.is_empty() && asked.is_empty() {
            let what = "no service asks for codes: no auth line in /etc/pam.d names pam_mfa_chain.so";
            self.findings.push(Finding::note(
                "stack-none",
                what,
                "docs/logins.md and `mfa-chain enable` have the lines",
            ));
        }
        self.findings.extend(siblings(&asking).iter().map(|sibling| {
            let what =
                format!("{sibling}: it does not ask for codes, and leads where a service that asks leads");
            Finding::warning("sibling-not-asked", what, format!("run `mfa-chain enable {sibling}`"))
        }));
    }

    fn on_lines(&mut self) {
        for service in self.services.clone() {
            let lines = self.stacks.lines_of_ours(&service);
            self.findings.extend(lines.findings);
            for line in &lines.ours {
                let of_module = on_module(&service, line, env!("CARGO_PKG_VERSION"));
                self.findings.extend(of_module);
                let named = |key: &str, default: &str| {
                    let named = line.arguments.iter().find_map(|argument| argument.strip_prefix(key));
                    named.unwrap_or(default).to_owned()
                };
                let files = [
                    ("policy=", DEFAULT_POLICY, &self.context.policy),
                    ("store=", DEFAULT_STORE, &self.context.store),
                ];
                for (key, default, own) in files {
                    let other = named(key, default);
                    if Path::new(&other) != own {
                        let what = format!(
                            "{service}: {} goes by {key}{other}, and this command by {}",
                            line.place,
                            own.display()
                        );
                        let option = key.trim_end_matches('=');
                        let cure = format!("look there too: `mfa-chain --{option} {other} doctor`");
                        self.findings.push(Finding::note("stack-other-files", what, cure).at(&line.place));
                    }
                }
            }
        }
        // Several lines may lead to one module.
        let mut seen = Vec::new();
        self.findings.retain(|finding| {
            let key = (finding.id, finding.at.clone());
            let is_new = !finding.id.starts_with("module-") || !seen.contains(&key);
            seen.push(key);
            is_new
        });
    }

    fn on_policy(&mut self, policy: &Policy, doors: &Doors, arguments: &DoctorArguments) {
        let store = FileStore::at(&self.context.store);
        self.findings.extend(doors.findings(policy));
        self.on_groups(policy);
        let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let on_directory = rules::on_directory(policy, &directory::asked_by(&switch, "group"));
        self.findings.extend(on_directory.map(|text| split("rule-hangs-on-directory", &text)));
        self.on_enrollments(policy, &store);
        for user in &arguments.users {
            self.on_user(user, policy, &store);
            self.on_programs(user, policy, doors);
        }
    }

    fn on_groups(&mut self, policy: &Policy) {
        for (rule, group) in policy
            .rules()
            .iter()
            .flat_map(|rule| rule.groups().unwrap_or_default().into_iter().map(move |group| (rule, group)))
        {
            match self.context.accounts.lists_group(group) {
                Ok(false) if !rule.skips_unlisted_groups() => {
                    let what = format!(
                        "the system lists no group `{group}`, so every login that comes to the rule is denied"
                    );
                    let cure = "create the group, take its name out of the rule, or say `unlisted_groups = \"skip\"` there";
                    self.findings.push(Finding::error("rule-group-missing", what, cure).at(rule.place()));
                }
                Ok(_) => {}
                Err(error) => {
                    let what = format!("the directory does not answer about the group `{group}`: {error}");
                    let cure = "repair the directory; logins that come to the rule are denied until then";
                    self.findings.push(Finding::error("directory-silent", what, cure).at(rule.place()));
                }
            }
        }
    }

    fn on_enrollments(&mut self, policy: &Policy, store: &FileStore) {
        let enrollments = Enrollments::survey(store, policy);
        match enrollments.soundness(policy, SystemClock.now()) {
            Soundness::NobodyPasses => self.findings.push(Finding::error(
                "store-nobody-passes",
                format!("nobody can pass a chain: the store is {}", enrollments.summary()),
                "run `mfa-chain status`",
            )),
            Soundness::Damaged | Soundness::Whole => {}
        }
        let faults = enrollments
            .faults()
            .iter()
            .map(|fault| Finding { severity: Severity::Error, ..split("store-damaged", fault) });
        self.findings.extend(faults);
        self.findings.extend(enrollments.advice().iter().map(|text| split("enrollments", text)));
        self.findings.extend(
            identities::warnings(store, self.context.accounts)
                .iter()
                .map(|text| split("enrollment-account", text)),
        );
    }

    /// Whether the user could pass through each service now.
    fn on_user(&mut self, user: &str, policy: &Policy, store: &FileStore) {
        let services = if self.services.is_empty() { vec!["sshd".to_owned()] } else { self.services.clone() };
        for service in services {
            let request = Request::local(&service, user);
            let explained = Explanation::of(policy, store, self.context.accounts, &request);
            let what = match explained {
                Ok(explanation) if explanation.can_pass() => continue,
                Ok(explanation) => {
                    format!("{user} cannot pass through {service} now: {}", explanation.reasons().join("; "))
                }
                Err(failure) => format!("whether {user} can pass through {service} is not known: {failure}"),
            };
            let cure =
                format!("run `mfa-chain explain {user} --service {service}` and `mfa-chain why {user}`");
            self.findings.push(Finding::error("user-cannot-pass", what, cure));
        }
    }

    /// What sshd and sudo do with the user beside PAM.
    fn on_programs(&mut self, user: &str, policy: &Policy, doors: &Doors) {
        let chains = std::iter::once(policy.default_chain()).chain(policy.named_chains());
        let steps = chains.map(ChainSpec::required_steps).max().unwrap_or_default();
        if let Some(standing) = doors.standing("sshd") {
            let accounts = self.context.accounts;
            let found = sshd_user::findings(user, standing, steps, accounts, &self.findings);
            self.findings.extend(found);
        }
        let asks = |service| doors.standing(service).is_some_and(|standing| standing.auth);
        self.findings.extend(sudo::findings(user, asks("sudo") || asks("sudo-i")));
    }

    fn on_pending(&mut self) {
        if let Ok(Some(pending)) = Pending::waiting(&ChangesFolder::at(&self.context.store)) {
            let what = format!(
                "a change waits for its confirmation and is undone at {}: {}",
                pending.until(),
                pending.what
            );
            self.findings.push(Finding::note(
                "change-waits",
                what,
                "log in with codes, then run `mfa-chain confirm`",
            ));
        }
    }

    fn text(&self, quiet: bool) -> String {
        let mut text = String::new();
        for finding in self.findings.iter().filter(|finding| !quiet || finding.severity == Severity::Error) {
            let at = finding.at.as_ref().map(|at| format!("  {}", one_line(at)));
            // Writing to a String can't fail.
            let _ = writeln!(text, "{:<8} {}{}", finding.severity.word(), finding.id, at.unwrap_or_default());
            let _ = writeln!(text, "  {}", one_line(&finding.what));
            if !finding.cure.is_empty() {
                let _ = writeln!(text, "  -> {}", one_line(&finding.cure));
            }
        }
        if self.findings.is_empty() && !quiet {
            let _ = writeln!(text, "healthy: {} as they should", self.services.join(", "));
        }
        text
    }
}

/// A warning in words of WHAT; CURE.
fn split(id: &'static str, text: &str) -> Finding {
    let (what, cure) = text.rsplit_once("; ").unwrap_or((text, ""));
    Finding::warning(id, what, cure)
}

fn colour_of(line: &str) -> Option<Colour> {
    match line.split(' ').next() {
        Some("error") => Some(Colour::Red),
        Some("warning") => Some(Colour::Yellow),
        Some("healthy:") => Some(Colour::Green),
        _ => None,
    }
}
