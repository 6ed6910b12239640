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
use super::{Context, enrolled, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::credential::{Credential, CredentialId, MovingFactor};
use crate::verifier::policy::{Factor, FactorKind, Policy};
use crate::verifier::ports::Clock;
use crate::verifier::record::UserRecord;
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
    let factor = find_factor(&policy, arguments)?;
    let store = FileStore::open_or_create(&context.store)?;
    let clock = SystemClock;
    let terminal = confirming_terminal(arguments)?;
    let who = find_user(context, arguments)?;
    let record = enrolled::find_any(&store, &who.user)?.map(|(record, _)| record).unwrap_or_default();
    who.check_is_same(&record)?;

    let authenticator = match &arguments.secret_file {
        Some(path) => secret_input::read(path, factor)?,
        None => secret_input::make(factor)?,
    };
    let told = arguments.counter.unwrap_or(authenticator.counter);
    let mut credential = authenticator.into_credential(factor, told, clock.now());
    let past = past_of(&credential, &record);
    let counter = next_counter(&credential, &store, &who.user, told.max(past))?;
    credential.first = credential.step_at(clock.now()).unwrap_or(counter).max(past);
    check_secret(&credential, &record)?;
    let replaces = record.credentials().iter().any(|other| other.factor == credential.factor);
    announce(replaces && terminal.is_some(), &who, factor);

    show::show(context, arguments, &who.user, factor, &credential)?;
    if let Some(terminal) = terminal {
        credential.first = confirm(&credential, factor, counter, terminal, &clock)?.max(past);
    }
    let proven = terminal.is_some().then(|| (credential.id(), credential.first));
    store.change_record(&who.user, |current| {
        who.check_is_same(&current)?;
        replace(current, credential).map(|record| who.bind(record))
    })?;
    if replaces {
        output::warn(&format!("the authenticator that {} had for `{}` is replaced", who.user, factor.id));
    }
    if let Some((id, next)) = proven {
        lift_void(&store, &who.user, id, next)?;
    }
    if !context.json {
        output::print(&next_steps(&policy, &store, &who.user, factor)?)?;
    }
    Ok(Exit::Done)
}

/// What an earlier enrolment of the same key used up.
fn past_of(credential: &Credential, record: &UserRecord) -> u64 {
    let same = record.credentials().iter().find(|other| other.id() == credential.id());
    same.map_or(0, |other| other.first)
}

/// Where a counter token stands at the least: where it was told to, or behind what this key was used for here.
fn next_counter(
    credential: &Credential,
    store: &FileStore,
    user: &Username,
    told: u64,
) -> Result<u64, Failure> {
    let state = store.login_state(user)?.unwrap_or_default();
    Ok(state.lowest_counter(credential).max(told))
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

fn check_secret(credential: &Credential, record: &UserRecord) -> Result<(), Failure> {
    let same = |other: &&Credential| other.factor != credential.factor && other.secret == credential.secret;
    if let Some(other) = record.credentials().iter().find(same) {
        return Err(Failure::refused(format!(
            "factor `{}` has this secret already; each step needs an authenticator of its own",
            other.factor
        )));
    }
    if credential.secret.is_short() {
        // RFC 4226 §4 R6.
        let bits = credential.secret.bits();
        output::warn(&format!(
            "the secret has {bits} bits only; 128 are the least for a new one, 160 better"
        ));
    }
    Ok(())
}

/// The user to enrol. A name with a typing mistake would be enrolled in vain.
fn find_user(context: &Context, arguments: &EnrollArguments) -> Result<Who, Failure> {
    let who = Who::of(context, &arguments.user)?;
    if who.account.is_none() && !arguments.unknown_user {
        let user = &who.user;
        let line = format!(
            "this system lists no account `{user}`; to enrol the name all the same add --unknown-user"
        );
        return Err(Failure::refused(line));
    }
    Ok(who)
}

/// The record with `credential` in place of the one of its factor, checked again as it is now.
fn replace(current: UserRecord, credential: Credential) -> Result<UserRecord, Failure> {
    let (mut credentials, recovery) = current.into_parts();
    credentials.retain(|other| other.factor != credential.factor);
    credentials.push(credential);
    UserRecord::new(credentials, recovery).map_err(|error| Failure::refused(error.to_string()))
}

/// Lets a counter token count again that a reset of the login state made void. Its two consecutive codes have
/// just shown where the counter stands, and everything up to there is past. Any other mark stands: enrolling
/// a key again never makes a used code good.
fn lift_void(store: &FileStore, user: &Username, id: CredentialId, next: u64) -> Result<(), Failure> {
    let (record, state) = enrolled::find(store, user)?;
    let is_void = state.mark(id).is_some_and(|mark| mark.by_reset);
    let token = record.credentials().iter().find(|it| it.id() == id && it.moving == MovingFactor::Hotp);
    match token.filter(|_| is_void) {
        Some(token) => Ok(store.set_counter(user, token, next, SystemClock.now())?),
        None => Ok(()),
    }
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
