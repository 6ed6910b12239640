//! `mfa-chain import`: brings over the authenticators of another system, all of a file or none.

pub mod arguments;
mod assign;
mod input;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use zeroize::Zeroizing;

use self::arguments::{Format, ImportArguments};
use self::assign::Assigner;
use self::input::Input;
use super::failure::{Exit, Failure};
use super::terminal::ask_for_yes;
use super::{Context, administration, output};
use crate::import::oath::OldSystem;
use crate::import::pskc::PskcKey;
use crate::import::{
    Complaint, KnownKeys, Place, Planned, Reading, Remark, Wishes, csv, google_authenticator, migration,
    oath, otpauth, plan, pskc, yubico,
};
use crate::store::{BatchEntry, BatchError, FileStore, Replacing, SystemClock, load_policy};
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;
use crate::verifier::shell_word::shell_word;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// What an import will do, and what there is to say of the file.
pub struct Import {
    planned: Vec<Planned>,
    complaints: Vec<Complaint>,
    remarks: Vec<Remark>,
}

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a file that can't be read, one with a mistake, or without a yes. Nothing is changed then.
pub fn run(context: &Context, arguments: &ImportArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let import = prepare(context, arguments, &policy, SystemClock.now())?;
    if !context.json {
        output::print(&show::table(&import))?;
        tell(&import, arguments);
    }
    let may_be_done = check(&import, arguments);
    if context.json && (may_be_done.is_err() || arguments.dry_run) {
        output::print_json(&show::Facts::of(&import, None))?;
    }
    may_be_done?;
    if arguments.dry_run {
        let told = format!("{} would be imported; nothing was changed.\n", count(&import));
        return if context.json { Ok(()) } else { output::print(&told) }.map(|()| Exit::Done);
    }
    if !arguments.yes {
        ask_for_yes(&format!("{} will be imported.", count(&import)))?;
    }
    let store = FileStore::open_or_create(&context.store)?;
    enroll(&store, &import, arguments.replace, SystemClock.now())?;
    for planned in &import.planned {
        let (user, factor) = (planned.subscriber.user.as_str(), planned.credential.factor.as_str());
        administration::record(context, "import", user, &[("factor", factor)]);
    }
    let without_recovery = without_recovery(&store, &import)?;
    if context.json {
        output::print_json(&show::Facts::of(&import, Some(&without_recovery)))?;
    } else {
        output::print(&done(&import, &without_recovery))?;
    }
    Ok(Exit::Done)
}

/// Reads the files and decides what becomes of each token.
fn prepare(
    context: &Context,
    arguments: &ImportArguments,
    policy: &Policy,
    now: UnixTime,
) -> Result<Import, Failure> {
    let Reading { tokens, mut complaints, mut remarks } = read_all(context, arguments, now)?;
    let candidates = Assigner::new(context, policy, arguments)?.assign(tokens, &mut complaints)?;
    let store = FileStore::at(&context.store);
    let keys = known_keys(&store)?;
    let wishes = Wishes { replace: arguments.replace, counter: arguments.counter, now };
    let is_made = store.is_made()?;
    let record = |user: &Username| {
        let found = if is_made { store.record(user)? } else { None };
        Ok::<_, Failure>(found.unwrap_or_default())
    };
    let (planned, wrong) = plan(candidates, keys, wishes, record)?;
    complaints.extend(wrong);
    complaints.sort_by(|one, other| one.place.cmp(&other.place));
    remarks.extend(planned.iter().flat_map(|it| shortcomings(it, policy)));
    Ok(Import { planned, complaints, remarks })
}

fn read_all(context: &Context, arguments: &ImportArguments, now: UnixTime) -> Result<Reading, Failure> {
    if let Some(pattern) = &arguments.glob {
        if arguments.format != Format::GoogleAuthenticator {
            return Err(Failure::refused(
                "--glob is for google-authenticator, which has a file for each user",
            ));
        }
        return homes(context, pattern);
    }
    let path = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let input = input::read(path)?;
    let mut reading = parse(arguments, &input.text, now)?;
    if arguments.format == Format::GoogleAuthenticator && arguments.user.is_none() {
        let owner = owner_of(context, &input)?;
        for token in &mut reading.tokens {
            token.user.clone_from(&owner);
        }
    }
    Ok(reading)
}

fn parse(arguments: &ImportArguments, text: &str, now: UnixTime) -> Result<Reading, Failure> {
    Ok(match arguments.format {
        Format::GoogleAuthenticator => google_authenticator::parse(text),
        Format::Oath => oath::parse(text, &OldSystem { window: arguments.window, now }),
        Format::Csv => csv::parse(text, arguments.encoding.map(Into::into)),
        Format::Pskc => pskc::parse(text, pskc_key(arguments)?.as_ref(), now),
        Format::Otpauth => otpauth::parse(text),
        Format::Yubico => yubico::parse(text),
        Format::OtpauthMigration => migration::parse(text),
    })
}

/// What opens an encrypted file.
fn pskc_key(arguments: &ImportArguments) -> Result<Option<PskcKey>, Failure> {
    if let Some(path) = &arguments.password_file {
        return Ok(Some(PskcKey::Password(input::read_line(path)?)));
    }
    let Some(path) = &arguments.key_file else { return Ok(None) };
    let digits = input::read_line(path)?;
    let mut bytes = Zeroizing::new(vec![0; digits.trim().len() / 2]);
    match base16ct::mixed::decode(digits.trim(), &mut bytes) {
        Ok(key) if [16, 24, 32].contains(&key.len()) => Ok(Some(PskcKey::Hex(Zeroizing::new(key.to_vec())))),
        _ => Err(Failure::refused("the file of --key-file holds no key of 32, 48 or 64 hexadecimal digits")),
    }
}

/// Reads the file of each home that `pattern` leads to.
fn homes(context: &Context, pattern: &str) -> Result<Reading, Failure> {
    let paths = glob::glob(pattern)
        .map_err(|error| Failure::refused(format!("--glob: {}, at letter {}", error.msg, error.pos)))?;
    let mut all = Reading::default();
    let mut files = 0_usize;
    for path in paths {
        let path = path.map_err(|error| Failure::refused(error.to_string()))?;
        files = files.saturating_add(1);
        let name = path.display().to_string();
        match home(context, &path) {
            Ok(reading) => all.extend_from(&name, reading),
            Err(failure) => all.complain(Place::Path(name), failure.to_string()),
        }
    }
    if files == 0 {
        return Err(Failure::refused(format!("--glob {}: no file is called so", shell_word(pattern))));
    }
    Ok(all)
}

/// The file of one user. Its owner has to own the folder too: a file that somebody put into the home of another, or
/// linked there, is of nobody.
fn home(context: &Context, path: &Path) -> Result<Reading, Failure> {
    let input = input::read(path)?;
    let folder = path.parent().and_then(|folder| std::fs::symlink_metadata(folder).ok());
    let folder = folder.map(|status| std::os::unix::fs::MetadataExt::uid(&status));
    if folder.is_none() || folder != input.owner {
        return Err(Failure::refused(
            "the file and its folder have different owners, so it is not clear whose it is",
        ));
    }
    let mut reading = google_authenticator::parse(&input.text);
    let owner = owner_of(context, &input)?;
    for token in &mut reading.tokens {
        token.user.clone_from(&owner);
    }
    Ok(reading)
}

fn owner_of(context: &Context, input: &Input) -> Result<Option<String>, Failure> {
    let Some(uid) = input.owner else { return Ok(None) };
    let account = context.accounts.account_of(uid).map_err(|error| Failure::refused(error.to_string()))?;
    Ok(account.map(|account| account.name))
}

/// The keys of everybody who has enrolled.
fn known_keys(store: &FileStore) -> Result<KnownKeys, Failure> {
    let mut keys = KnownKeys::default();
    if store.is_made()? {
        for user in store.users()? {
            keys.add(&user, &store.record(&user)?.unwrap_or_default());
        }
    }
    Ok(keys)
}

/// What makes an authenticator weaker than the policy asks of a new one, and what is left to do.
fn shortcomings(planned: &Planned, policy: &Policy) -> Vec<Remark> {
    let credential = &planned.credential;
    let (user, factor) = (&planned.subscriber.user, &credential.factor);
    let mut told = Vec::new();
    if credential.secret.is_short() {
        // RFC 4226 §4 R6.
        let bits = credential.secret.bits();
        told.push(format!("the secret of {user} has {bits} bits only; 128 are the least for a new one"));
    }
    let given = credential.digits.count();
    let wanted = policy.factor(factor.as_str()).map(|factor| factor.enrollment.digits.count());
    if let Some(wanted) = wanted.filter(|wanted| given < *wanted) {
        told.push(format!(
            "the token of {user} shows {given} digits, the policy says {wanted} for `{factor}`"
        ));
    }
    if credential.awaits_resync {
        let word = shell_word(user.as_str());
        told.push(format!(
            "the counter of {user} is not known; none of its codes is good before `mfa-chain resync {word} {factor}` has two in a row"
        ));
    }
    told.into_iter().map(|what| Remark { place: planned.place.clone(), what }).collect()
}

fn tell(import: &Import, arguments: &ImportArguments) {
    for remark in &import.remarks {
        output::warn(&format!("{}: {}", remark.place, remark.what));
    }
    let left_out = if arguments.skip_bad { "left out: " } else { "" };
    for complaint in &import.complaints {
        output::warn(&format!("{left_out}{}: {}", complaint.place, complaint.what));
    }
}

fn check(import: &Import, arguments: &ImportArguments) -> Result<(), Failure> {
    if !import.complaints.is_empty() && !arguments.skip_bad {
        let count = import.complaints.len();
        let what = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
        return Err(Failure::refused(format!(
            "{what} in the file, so nothing was changed; correct them, or bring the rest with --skip-bad"
        ))
        .with_code("import-refused"));
    }
    if import.planned.is_empty() {
        return Err(
            Failure::refused("there is nothing to import; nothing was changed").with_code("import-refused")
        );
    }
    Ok(())
}

fn enroll(store: &FileStore, import: &Import, replace: bool, now: UnixTime) -> Result<(), Failure> {
    let mut entries: BTreeMap<&Username, BatchEntry> = BTreeMap::new();
    for planned in &import.planned {
        let subscriber = || BatchEntry { subscriber: planned.subscriber.clone(), credentials: Vec::new() };
        let entry = entries.entry(&planned.subscriber.user).or_insert_with(subscriber);
        let mut credential = planned.credential.copied();
        // Codes may have been used on the old system while the administrator read the plan.
        let past = credential.step_at(now).map_or(0, |step| step.saturating_add(1));
        credential.first = credential.first.max(past);
        entry.credentials.push(credential);
    }
    let entries: Vec<BatchEntry> = entries.into_values().collect();
    let replacing = if replace { Replacing::Allowed } else { Replacing::Refused };
    store.enroll_batch(&entries, replacing).map_err(|error| match error {
        BatchError::Store(error) => error.into(),
        error => Failure::refused(format!("{error}; nothing was changed")),
    })
}

/// The users who have no way in without their authenticators.
fn without_recovery(store: &FileStore, import: &Import) -> Result<Vec<String>, Failure> {
    let users: BTreeSet<&Username> = import.planned.iter().map(|it| &it.subscriber.user).collect();
    let mut without = Vec::new();
    for user in users {
        if store.record(user)?.is_some_and(|record| record.recovery().is_none()) {
            without.push(user.as_str().to_owned());
        }
    }
    Ok(without)
}

fn count(import: &Import) -> String {
    let mut users: Vec<&str> = import.planned.iter().map(|it| it.subscriber.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    let plural = |number: usize, word: &str| {
        if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
    };
    format!("{} of {}", plural(import.planned.len(), "authenticator"), plural(users.len(), "user"))
}

fn done(import: &Import, without_recovery: &[String]) -> String {
    let no_codes = match without_recovery {
        [] => String::new(),
        [user] => {
            format!("{user} has no recovery codes; `mfa-chain recovery {}` makes them.\n", shell_word(user))
        }
        users => {
            format!(
                "{} users have no recovery codes; `mfa-chain recovery USER` makes them for one.\n",
                users.len()
            )
        }
    };
    let imported = count(import);
    format!(
        "Imported {imported}.\nUntil the old system is switched off, each code is good once on each of the two, and their \
         counters run apart.\n{no_codes}"
    )
}
