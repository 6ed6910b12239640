//! `mfa-chain why USER`: the last refusals and grants of a user, and what to do about the newest one.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arguments::WhyArguments;
use super::failure::{Exit, Failure};
use super::outcomes::JudgedStep;
use super::readiness::Readiness;
use super::who::{Who, another_account};
use super::{Context, enrolled, output};
use crate::host::stacks::Stacks;
use crate::store::{FileStore, Problem, StoreError, SystemClock, load_policy};
use crate::verifier::enrollment::UserRecord;
use crate::verifier::policy::{Policy, Unenrolled};
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;
use crate::verifier::shell_word::shell_word;
use crate::verifier::state::{DrawKey, LoginState, NameKey, SourceKey};
use crate::verifier::time::UnixTime;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a policy or a store that can't be used. A policy that is not valid is why every login is denied, and
/// the message says so.
pub fn run(context: &Context, arguments: &WhyArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy).map_err(unusable)?;
    let store = FileStore::at(&context.store);
    let who = Who::of(context, &arguments.user)?;
    let (record, state) = enrolled::find_any(&store, &who.user)?.unwrap_or_default();
    let account = Account { who: &who, record: &record, state: &state, now: SystemClock.now() };
    let causes = account.causes(&policy);
    let steps = newest_first(&state, &policy, arguments.last);
    if context.json {
        let steps: Vec<Value> = steps.iter().map(|(step, place)| to_json(step, place)).collect();
        let facts = json!({ "user": who.user.as_str(), "causes": causes, "steps": steps });
        output::print_json(&facts)?;
        return Ok(Exit::Done);
    }
    output::print(&account.text(&causes, &steps))?;
    Ok(Exit::Done)
}

/// A policy that is not there or that this caller can't read says nothing about logins; one that is not valid does.
fn unusable(error: StoreError) -> Failure {
    let denies_everybody = matches!(error.problem(), Problem::Policy { .. });
    let failure = Failure::from(error);
    if denies_everybody {
        return Failure::files(format!("every login is denied, since the policy is not valid: {failure}"));
    }
    failure
}

/// Where a step was asked for.
struct Place {
    service: Option<String>,
    local: bool,
}

impl Place {
    /// The state keeps hashes of names, so known names are compared.
    fn of(state: &LoginState, step: &JudgedStep, services: &[String]) -> Self {
        let key: &DrawKey = &state.draw_key;
        let service = services.iter().find(|name| NameKey::of_service(name, key) == step.past().service);
        let is_local = |name: &String| SourceKey::of(&Request::local(name, ""), key) == step.past().source;
        Self { service: service.cloned(), local: services.iter().any(is_local) }
    }

    fn service(&self) -> &str {
        self.service.as_deref().unwrap_or("another service")
    }
}

fn newest_first(state: &LoginState, policy: &Policy, most: usize) -> Vec<(JudgedStep, Place)> {
    let mut services = Stacks::of_system().services();
    services.extend(USUAL.map(str::to_owned));
    let steps = state.outcomes.iter().rev().take(most);
    let steps = steps.map(|past| JudgedStep::of(*past, policy, &state.draw_key));
    steps
        .map(|step| {
            let place = Place::of(state, &step, &services);
            (step, place)
        })
        .collect()
}

/// Services whose files may be gone.
const USUAL: [&str; 7] = ["sshd", "sudo", "sudo-i", "su", "su-l", "login", "polkit-1"];

fn to_json(step: &JudgedStep, place: &Place) -> Value {
    let mut facts = step.to_json();
    if let Some(fields) = facts.as_object_mut() {
        fields.insert("at".to_owned(), step.past().at.seconds().into());
        fields.insert("steps".to_owned(), step.past().steps.into());
        fields.insert("service".to_owned(), place.service.as_deref().into());
        fields.insert("local".to_owned(), place.local.into());
    }
    facts
}

/// What is known of the user now.
struct Account<'a> {
    who: &'a Who,
    record: &'a UserRecord,
    state: &'a LoginState,
    now: UnixTime,
}

impl Account<'_> {
    /// What keeps the user out at this moment, whatever is typed.
    fn causes(&self, policy: &Policy) -> Vec<String> {
        let user = self.who.user.as_str();
        let mut causes = Vec::new();
        if self.record.credentials().is_empty() {
            causes.push(self.nothing_enrolled(policy));
        } else if !self.who.subscriber().owns(self.record) {
            causes.push(another_account(user, self.record.uid(), self.who.uid()));
        } else {
            let chains = std::iter::once(policy.default_chain()).chain(policy.named_chains());
            let lacking = chains.map(|chain| Readiness::of(chain, self.record)).filter(|it| !it.is_enough());
            causes.extend(lacking.map(|readiness| format!("{readiness}; run {}", self.enroll_command())));
        }
        let failures = self.state.failures.clone().at(self.now);
        let wait = failures.longest_wait_seconds(policy.throttle(), self.now);
        if wait > 0 {
            causes.push(format!(
                "failures brought a wait of {wait} s at one place or more; run `mfa-chain unlock {}`, or wait",
                shell_word(user)
            ));
        }
        if self.who.account.is_none() {
            causes.push(format!(
                "this system lists no account `{user}`; `getent passwd {}` shows it",
                shell_word(user)
            ));
        }
        causes
    }

    fn nothing_enrolled(&self, policy: &Policy) -> String {
        let (user, command) = (self.who.user.as_str(), self.enroll_command());
        match policy.default_chain().unenrolled() {
            Unenrolled::ExemptUntil(deadline) if self.now < deadline => format!(
                "{user} has enrolled nothing and passes the default chain without codes until {deadline}; run {command}"
            ),
            _ => format!("{user} has enrolled nothing, so a chain denies; run {command}"),
        }
    }

    fn enroll_command(&self) -> String {
        format!("`mfa-chain enroll {} FACTOR`", shell_word(self.who.user.as_str()))
    }

    fn text(&self, causes: &[String], steps: &[(JudgedStep, Place)]) -> String {
        let user = self.who.user.as_str();
        let mut text = format!("user: {}\n", self.who.user);
        // Writing to a String can't fail.
        for cause in causes {
            let _ = writeln!(text, "now: {cause}");
        }
        for (step, place) in steps {
            let (past, from) = (step.past(), if place.local { "here" } else { "elsewhere" });
            let charged = if past.charged { ", counted as a failure" } else { "" };
            let _ = writeln!(
                text,
                "{}  {} from {from}  {step} (of {}){charged}  attempt={}",
                past.at,
                place.service(),
                past.steps,
                past.attempt
            );
        }
        let newest = steps.first();
        if let Some((step, remedy)) = newest.and_then(|(step, _)| Some((step, step.remedy()?))) {
            let remedy = remedy
                .replace("{user}", &shell_word(user))
                .replace("{factor}", step.factor().unwrap_or("FACTOR"));
            let _ = writeln!(text, "what to do about the newest: {remedy}");
        }
        if steps.is_empty() {
            text.push_str(NOTHING_JUDGED);
        }
        text
    }
}

const NOTHING_JUDGED: &str = "no login of this user was judged: either no program asked the module, or a rule decided before \
    a code was asked; `mfa-chain explain USER --service NAME` says which rule, `mfa-chain check` which services ask\n";
