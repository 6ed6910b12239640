//! `mfa-chain enroll`: binds an authenticator to a factor, once it has proven itself.

mod show;

use std::fmt::Write as _;
use std::path::Path;

use super::arguments::EnrollArguments;
use super::confirmation::confirm;
use super::failure::{Exit, Failure};
use super::readiness::Readiness;
use super::secret_input::{self, STDIN};
use super::terminal::Terminal;
use super::who::Who;
use super::{Context, administration, enrolled, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::attempt::Orchestrator;
use crate::verifier::enrollment::{Authenticator, Credential};
use crate::verifier::policy::{Factor, FactorKind, Policy};
use crate::verifier::shell_word::shell_word;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when the factor is not in the policy, the secret is refused, or no code proves it. The store
/// is as before then.
pub fn run(context: &Context, arguments: &EnrollArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let factor = find_factor(&policy, arguments)?.clone();
    let store = FileStore::open_or_create(&context.store)?;
    let terminal = confirming_terminal(arguments)?;
    let who = find_user(context, arguments)?;
    let registry = Orchestrator::new(policy, store, SystemClock).with_accounts(context.accounts);
    let refused = |error| Failure::of_enrollment(error, who.user.as_str());

    let mut authenticator = match &arguments.secret_file {
        Some(path) => secret_input::read_secret(path, &factor)?,
        None => Authenticator::random(&factor).map_err(|error| Failure::refused(error.to_string()))?,
    };
    authenticator.counter = arguments.counter.unwrap_or(authenticator.counter);
    let enrollment = registry
        .begin_enrollment_of(who.user.as_str(), factor.id.as_str(), authenticator)
        .map_err(refused)?;
    warn_of_key(enrollment.credential(), &factor);
    let replaces = enrollment.replaces_another();
    announce(replaces && terminal.is_some(), &who, &factor);

    show::show(context, arguments, &enrollment)?;
    match terminal {
        Some(terminal) => confirm(&registry, enrollment, terminal)?,
        None => registry.enroll_unproven(enrollment).map(|_| ()).map_err(refused)?,
    }
    administration::record(context, "enroll", who.user.as_str(), &[("factor", factor.id.as_str())]);
    if replaces {
        output::warn(&format!("the authenticator that {} had for `{}` is replaced", who.user, factor.id));
    }
    if !context.json {
        output::print(&next_steps(registry.policy(), registry.store(), &who.user, &factor)?)?;
    }
    Ok(Exit::Done)
}

/// That an authenticator is there already, and stays for now.
fn announce(stays: bool, who: &Who, factor: &Factor) {
    if stays {
        output::warn(&format!(
            "{} has enrolled `{}` before; that authenticator stays until a code proves the new one",
            who.user, factor.id
        ));
    }
}

fn find_factor<'a>(policy: &'a Policy, arguments: &EnrollArguments) -> Result<&'a Factor, Failure> {
    let id = &arguments.factor;
    let factor = policy.factor(id).ok_or_else(|| {
        let known: Vec<&str> = policy.factors().iter().map(|factor| factor.id.as_str()).collect();
        Failure::refused(format!("the policy has no factor `{id}`; known: {}", known.join(", ")))
    })?;
    if arguments.counter.is_some() && matches!(factor.kind, FactorKind::Totp { .. }) {
        return Err(Failure::refused(format!(
            "--counter is for counter tokens (HOTP); `{id}` goes by the time"
        )));
    }
    Ok(factor)
}

/// Where the code comes from that proves the authenticator; `None` where none is asked for.
fn confirming_terminal(arguments: &EnrollArguments) -> Result<Option<Terminal>, Failure> {
    if arguments.no_confirm {
        return Ok(None);
    }
    if arguments.secret_file.as_deref() != Some(Path::new(STDIN)) {
        return Ok(Some(Terminal::of_stdin()));
    }
    let keyboard = Terminal::keyboard().ok_or_else(|| {
        let line = "standard input holds the secret and there is no terminal to ask for a code on; give the \
                    secret in a file, or add --no-confirm";
        Failure::cancelled(line)
    });
    keyboard.map(Some)
}

/// A secret that was made elsewhere may be short, or of an authenticator that shows shorter codes.
fn warn_of_key(credential: &Credential, factor: &Factor) {
    if credential.secret.is_short() {
        // RFC 4226 §4 R6.
        let bits = credential.secret.bits();
        output::warn(&format!(
            "the secret has {bits} bits only; 128 are the least for a new one, 160 better"
        ));
    }
    let (given, wanted) = (credential.digits.count(), factor.enrollment.digits.count());
    if given < wanted {
        output::warn(&format!(
            "this authenticator shows {given} digits, the policy says {wanted} for `{}`: a guess is more likely at that step",
            factor.id
        ));
    }
}

/// The user to enroll. A name with a typing mistake would be enrolled in vain.
fn find_user(context: &Context, arguments: &EnrollArguments) -> Result<Who, Failure> {
    let who = Who::of(context, &arguments.user)?;
    if who.account.is_none() && !arguments.unknown_user {
        let user = &who.user;
        let line = format!(
            "this system lists no account `{user}`; to enroll the name all the same add --unknown-user"
        );
        return Err(Failure::refused(line));
    }
    Ok(who)
}

fn next_steps(
    policy: &Policy,
    store: &FileStore,
    user: &Username,
    factor: &Factor,
) -> Result<String, Failure> {
    let (record, _) = enrolled::find(store, user)?;
    let mut text = format!("Enrolled factor `{}` ({}) of {user}.\n", factor.id, factor.label);
    // Writing to a String can't fail.
    for chain in std::iter::once(policy.default_chain()).chain(policy.named_chains()) {
        let _ = writeln!(text, "{}", Readiness::of(chain, &record));
    }
    if record.recovery().is_none() {
        let _ = writeln!(
            text,
            "No recovery codes yet; `mfa-chain recovery {}` makes them.",
            shell_word(user.as_str())
        );
    }
    Ok(text)
}
