//! `mfa-chain check`: whether the policy is valid, what it says, and what is likely not meant.

mod advice;
mod doors;
mod enrolments;
mod facts;
mod host_names;
mod identities;
mod rules;
mod services;

use serde_json::json;

use self::doors::Doors;
use self::enrolments::{Enrolments, Soundness};
use self::host_names::HostNames;
use super::Context;
use super::arguments::CheckArguments;
use super::colour::{self, Colour};
use super::failure::{Exit, Failure};
use super::output::print_json;
use crate::host::stacks::SERVICE_FOLDERS;
use crate::host::{directory, file_systems};
use crate::store::{FileStore, StoreError, SystemClock, load_policy};
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;
use crate::verifier::time::UnixTime;

/// Loads the policy as the module does and tells what it says. Warnings are no errors: each may be meant. Damage is one,
/// and a store that lets nobody pass is the same as no policy.
///
/// # Errors
///
/// [`Failure`] naming file, line and column when the policy is not valid: nobody gets in with it.
pub fn run(context: &Context, _: &CheckArguments) -> Result<Exit, Failure> {
    let policy = match load_policy(&context.policy) {
        Ok(policy) => policy,
        Err(error) => return refuse(context, &error),
    };
    let now = SystemClock.now();
    let store = FileStore::at(&context.store);
    let enrolments = Enrolments::survey(&store, &policy);
    let doors = Doors::of_system();
    let warnings = warnings(context, &policy, &store, &enrolments, &doors, now);
    let soundness = enrolments.soundness(&policy, now);
    let file_system = file_systems::unfit(&context.store);
    let file = context.policy.display();
    if context.json {
        print_json(&json!({
            "policy": file.to_string(),
            "valid": true,
            "factors": facts::factors_json(&policy),
            "chains": facts::chains_json(&policy),
            "rules": facts::rules_json(&policy),
            "prompt": facts::prompt_json(&policy),
            "throttle": facts::throttle_json(&policy),
            "users": enrolments.users(),
            "services": doors.to_json(),
            "store": soundness.name(),
            "file_system": file_system,
            "warnings": warnings,
        }))?;
        return Ok(soundness.exit());
    }
    let on = file_system.map_or(String::new(), |kind| format!(", on {kind}"));
    let store = format!("store {}: {}{on}", context.store.display(), enrolments.summary());
    let warnings = match warnings.as_slice() {
        [] => "no warnings\n".to_owned(),
        warnings => format!("warnings\n  {}\n", warnings.join("\n  ")),
    };
    let (facts, doors) = (facts::text(&policy), doors.to_text());
    let text = format!("{file}: valid\n\n{facts}\nservices\n{doors}\n{store}\n\n{warnings}");
    show(&text, &format!("{file}: valid\n"), soundness)?;
    Ok(soundness.exit())
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

/// Everything that is likely not meant.
fn warnings(
    context: &Context,
    policy: &Policy,
    store: &FileStore,
    enrolments: &Enrolments,
    doors: &Doors,
    now: UnixTime,
) -> Vec<String> {
    let mut warnings = advice::on_policy(policy, now);
    let host = HostNames::of(context.accounts, &SERVICE_FOLDERS);
    warnings.extend(rules::warnings(policy, &host));
    let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    warnings.extend(rules::on_directory(policy, &directory::asked_by(&switch, "group")));
    warnings.extend(doors.warnings(policy));
    warnings.extend(enrolments.warnings());
    warnings.extend(identities::warnings(store, context.accounts));
    warnings
}

/// Nobody gets in; programs learn it as people do.
fn refuse(context: &Context, error: &StoreError) -> Result<Exit, Failure> {
    if context.json {
        let further = error.further_mistakes().iter().map(ToString::to_string);
        let errors: Vec<String> = std::iter::once(error.to_string()).chain(further).collect();
        let file = context.policy.display().to_string();
        print_json(&json!({ "policy": file, "valid": false, "errors": errors }))?;
    }
    Err(Failure::in_full(error))
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
