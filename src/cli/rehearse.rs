//! `mfa-chain try`: one true login through libpam and the module, without touching the stacks of the system.

pub(super) mod answers;
mod reasons;
pub(super) mod transcript;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use self::answers::Answers;
use self::transcript::Transcript;
use super::Context;
use super::arguments::TryArguments;
use super::explain::Explanation;
use super::failure::{Exit, Failure};
use super::module_path;
use super::outcomes::JudgedStep;
use super::output::{complain, one_line, print, print_json};
use crate::rehearsal::{Libpam, Login, Outcome, ServiceFolder};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;
use crate::verifier::shell_word::shell_word;

/// Runs the login and tells what it saw.
///
/// # Errors
///
/// [`Failure`] when there is no policy, no module or no answers, when libpam can't be asked, and when the answers
/// ended before the login did.
pub fn run(context: &Context, arguments: &TryArguments, libpam: &dyn Libpam) -> Result<Exit, Failure> {
    let module = module_path::find(arguments.module.as_deref())?;
    let (policy_path, store) = (absolute(&context.policy)?, absolute(&context.store)?);
    // The module would say no more than "service error"; this says what is wrong and where.
    let policy = load_policy(&policy_path)?;
    let answers = Answers::open(arguments.answers.as_deref())?;
    let services = ServiceFolder::create(&arguments.service, &module, &policy_path, &store)?;
    announce(context, arguments, &module)?;
    let mut transcript = Transcript::new(answers, !context.json);
    let (rhost, tty) = (arguments.rhost.as_deref(), arguments.tty.as_deref());
    let login = Login { services: &services, user: &arguments.user, rhost, tty };
    let started = SystemClock.now();
    let outcome = libpam.authenticate(&login, &mut transcript);
    let outcome = outcome.map_err(|error| Failure::files(error.to_string()))?;
    transcript.check()?;
    module_path::check_loaded(&module, &outcome)?;
    let exemption = exemption(context, &policy, arguments, &transcript, &outcome)?;
    // An extra: the codes are used by now, so nothing may keep the verdict back.
    let reasons = reasons::of(context, &policy, arguments, started).unwrap_or_default();
    let told = Told {
        transcript: &transcript,
        outcome: &outcome,
        exemption: exemption.as_deref(),
        reasons: &reasons,
    };
    tell(context, arguments, &told)
}

/// What there is to tell of a login.
struct Told<'a> {
    transcript: &'a Transcript,
    outcome: &'a Outcome,
    exemption: Option<&'a str>,
    reasons: &'a [JudgedStep],
}

/// Makes `path` absolute: the module takes no other, because its folder of work is the application's.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::files(format!("{}: {error}", path.display())))
}

fn announce(context: &Context, arguments: &TryArguments, module: &Path) -> Result<(), Failure> {
    let (user, service) = (one_line(&arguments.user), one_line(&arguments.service));
    let warning = format!(
        "This is a true attempt of {user}: a right code is used up, a wrong one counts as a failure. Nothing else \
         of the system is touched."
    );
    if context.json {
        complain(&warning);
        return Ok(());
    }
    print(&format!(
        "{warning}\nlogin    {user} through {service}, by {}\n",
        one_line(&module.display().to_string())
    ))
}

/// libpam hides an exemption in a stack of only this module: "ignore" from every line is no grant.
fn exemption(
    context: &Context,
    policy: &Policy,
    arguments: &TryArguments,
    transcript: &Transcript,
    outcome: &Outcome,
) -> Result<Option<String>, Failure> {
    if outcome.code != PAM_PERM_DENIED || !transcript.prompts().is_empty() {
        return Ok(None);
    }
    let (rhost, tty) = (arguments.rhost.clone(), arguments.tty.clone());
    let request = Request { rhost, tty, ..Request::local(&arguments.service, &arguments.user) };
    let explanation = Explanation::of(policy, &FileStore::at(&context.store), context.accounts, &request)?;
    Ok(explanation.exemption())
}

fn tell(context: &Context, arguments: &TryArguments, told: &Told<'_>) -> Result<Exit, Failure> {
    let Told { transcript, outcome, exemption, reasons } = *told;
    let granted = outcome.is_success();
    if context.json {
        print_json(&json!({
            "user": arguments.user,
            "service": arguments.service,
            "prompts": transcript.prompts(),
            "notices": transcript.notices(),
            "steps": reasons.iter().map(JudgedStep::to_json).collect::<Vec<_>>(),
            "granted": granted,
            "exempt": exemption,
            "code": outcome.code,
            "text": outcome.text,
        }))?;
    } else {
        print(&verdict(arguments, told))?;
    }
    match (granted || exemption.is_some(), outcome.code) {
        (true, _) => Ok(Exit::Done),
        (false, PAM_SERVICE_ERR) => Err(Failure::files(format!(
            "the module could not work with the policy or the store; see `{}` and the log",
            hint(arguments)
        ))),
        (false, _) => Ok(Exit::Denied),
    }
}

fn verdict(arguments: &TryArguments, told: &Told<'_>) -> String {
    let Told { transcript, outcome: Outcome { code, text }, exemption, reasons } = *told;
    let mut steps = String::new();
    for reason in reasons {
        // Writing to a String can't fail.
        let _ = writeln!(steps, "{reason}");
    }
    let left_over = match transcript.answers_left() {
        0 => String::new(),
        1 => "note     1 answer was not asked for\n".to_owned(),
        left => format!("note     {left} answers were not asked for\n"),
    };
    if told.outcome.is_success() {
        return format!("{steps}{left_over}verdict  granted\n");
    }
    if let Some(by) = exemption {
        return format!(
            "{left_over}verdict  exempt by {by}: the module asks nothing, the other lines of the stack decide\n"
        );
    }
    format!("{steps}{left_over}verdict  denied: {text} (code {code})\nwhy      {}\n", hint(arguments))
}

fn hint(arguments: &TryArguments) -> String {
    let TryArguments { user, service, rhost, tty, .. } = arguments;
    let option = |name: &str, value: &Option<String>| {
        value.as_ref().map_or(String::new(), |value| format!(" --{name} {}", shell_word(value)))
    };
    let (source, terminal) = (option("rhost", rhost), option("tty", tty));
    let line =
        format!("mfa-chain explain {} --service {}{source}{terminal}", shell_word(user), shell_word(service));
    one_line(&line).into_owned()
}

// security/_pam_types.h
const PAM_SERVICE_ERR: i32 = 3;
const PAM_PERM_DENIED: i32 = 6;
