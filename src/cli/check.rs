//! `mfa-chain check`: whether the policy is valid, what it says, and what is likely not meant.

mod advice;
pub mod enrollments;
mod facts;
mod host_names;
pub mod identities;
pub mod rules;

use serde_json::json;

use self::enrollments::{Enrollments, Soundness};
use self::host_names::HostNames;
use super::Context;
use super::arguments::CheckArguments;
use super::colour::{self, Colour};
use super::failure::{Exit, Failure};
use super::output::{one_line, print_json};
use super::policy::candidate::{Candidate, shown};
use crate::changes::policy_files::PolicyFiles;
use crate::host::doors::Doors;
use crate::host::stacks::{SERVICE_FOLDERS, Stacks};
use crate::host::{directory, file_systems, programs};
use crate::store::{FileStore, StoreError, SystemClock, load_policy};
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;
use crate::verifier::time::UnixTime;

/// That the store is damaged or lets nobody pass, if so.
#[must_use]
pub fn unsound(context: &Context, policy: &Policy) -> Option<String> {
    let enrollments = Enrollments::survey(&FileStore::at(&context.store), policy);
    let what = match enrollments.soundness(policy, SystemClock.now()) {
        Soundness::Whole => return None,
        Soundness::Damaged => "files of the store are damaged or lost",
        Soundness::NobodyPasses => "nobody could pass",
    };
    Some(format!("{what}; `mfa-chain check` says more"))
}

/// Services of the programs behind `services` that have a file, do not ask for codes, and are not among them.
#[must_use]
pub fn siblings(services: &[String]) -> Vec<&'static str> {
    let stacks = Stacks::of_system();
    let families = programs::FAMILIES.iter().map(|family| family.services);
    let families = families.filter(|family| family.iter().any(|name| services.iter().any(|it| it == name)));
    let others = families.flatten().copied().filter(|name| !services.iter().any(|it| it == name));
    others.filter(|name| stacks.standing(name).is_some_and(|standing| !standing.auth)).collect()
}

/// Loads the policy as the module does and tells what it says. Warnings are no errors: each may be meant. Damage is
/// one, and a store that lets nobody pass is the same as no policy.
///
/// # Errors
///
/// [`Failure`] naming file, line and column when the policy is not valid: nobody gets in with it.
pub fn run(context: &Context, arguments: &CheckArguments) -> Result<Exit, Failure> {
    let (loaded, file) = load(context, arguments)?;
    let policy = match loaded {
        Ok(policy) => policy,
        Err(error) => return refuse(context, &file, &error),
    };
    let now = SystemClock.now();
    let store = FileStore::at(&context.store);
    let enrollments = Enrollments::survey(&store, &policy);
    let doors = Doors::of_system();
    let warnings = warnings(context, &policy, &store, &enrollments, &doors, now);
    let soundness = enrollments.soundness(&policy, now);
    let file_system = file_systems::unfit(&context.store);
    if context.json {
        print_json(&json!({
            "policy": file,
            "valid": true,
            "factors": facts::factors_json(&policy),
            "chains": facts::chains_json(&policy),
            "rules": facts::rules_json(&policy),
            "prompt": facts::prompt_json(&policy),
            "throttle": facts::throttle_json(&policy),
            "users": enrollments.users(),
            "services": doors.to_json(),
            "store": soundness.name(),
            "file_system": file_system,
            "warnings": warnings,
        }))?;
        return Ok(soundness.exit());
    }
    let on = file_system.map_or(String::new(), |kind| format!(", on {kind}"));
    let store = format!("store {}: {}{on}", context.store.display(), enrollments.summary());
    let (facts, doors, warnings) = (facts::text(&policy), doors.to_text(), listed(&warnings));
    let text = format!("{file}: valid\n\n{facts}\nservices\n{doors}\n{store}\n\n{warnings}");
    show(&text, &format!("{file}: valid\n"), soundness)?;
    Ok(soundness.exit())
}

/// The policy that is looked at, and its name in words.
fn load(
    context: &Context,
    arguments: &CheckArguments,
) -> Result<(Result<Policy, StoreError>, String), Failure> {
    Ok(match &arguments.file {
        Some(file) => {
            let files = PolicyFiles::beside(&context.policy, Candidate::text_of(file)?)?;
            (files.parse(&shown(file), &context.policy), shown(file))
        }
        None => (load_policy(&context.policy), context.policy.display().to_string()),
    })
}

/// Prints it with what to look at in colour.
fn show(text: &str, valid: &str, soundness: Soundness) -> Result<(), Failure> {
    let mut warned = false;
    colour::print(text, |line| {
        warned |= line == "warnings\n";
        match line {
            _ if warned => Some(Colour::Yellow),
            "no warnings\n" => Some(Colour::Green),
            _ if line == valid => Some(Colour::Green),
            _ if line.starts_with("store ") && soundness != Soundness::Whole => Some(Colour::Red),
            _ => None,
        }
    })
}

/// Warnings for people, a line each whatever a name in it holds.
fn listed(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return "no warnings\n".to_owned();
    }
    let mut text = "warnings\n".to_owned();
    for warning in warnings {
        text.extend(["  ", &one_line(warning), "\n"]);
    }
    text
}

/// Everything that is likely not meant.
fn warnings(
    context: &Context,
    policy: &Policy,
    store: &FileStore,
    enrollments: &Enrollments,
    doors: &Doors,
    now: UnixTime,
) -> Vec<String> {
    let mut warnings = advice::on_policy(policy, now);
    let host = HostNames::of(context.accounts, &SERVICE_FOLDERS);
    warnings.extend(rules::warnings(policy, &host));
    let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    warnings.extend(rules::on_directory(policy, &directory::asked_by(&switch, "group")));
    warnings.extend(doors.findings(policy).iter().map(ToString::to_string));
    warnings.extend(enrollments.warnings());
    warnings.extend(identities::warnings(store, context.accounts));
    warnings
}

/// Nobody gets in; programs learn it as people do.
fn refuse(context: &Context, file: &str, error: &StoreError) -> Result<Exit, Failure> {
    let failure = Failure::in_full(error);
    if context.json {
        print_json(&json!({ "policy": file, "valid": false, "error": failure.facts() }))?;
    }
    Err(failure)
}

impl Soundness {
    const fn exit(self) -> Exit {
        match self {
            Self::Whole => Exit::Done,
            Self::Damaged => Exit::Denied,
            Self::NobodyPasses => Exit::NobodyPasses,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Damaged => "damaged",
            Self::NobodyPasses => "nobody-passes",
        }
    }
}
