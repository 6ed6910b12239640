//! `mfa-chain status`: who has enrolled what, and who has to wait. Never a secret.

use std::fmt::Write as _;

use serde::Serialize;

use super::arguments::StatusArguments;
use super::colour::{self, Colour};
use super::enrolled::factor_list;
use super::failure::{Exit, Failure};
use super::readiness::Readiness;
use super::who::Who;
use super::{Context, enrolled, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::enrollment::{Credential, OtpType, Serial, UserRecord};
use crate::verifier::policy::Policy;
use crate::verifier::ports::Clock;
use crate::verifier::state::LoginState;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a user who has enrolled nothing, or files that can't be read. In the list of all users each has
/// a line first, those too whose files can't be read.
pub fn run(context: &Context, arguments: &StatusArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    let store = FileStore::at(&context.store);
    let now = SystemClock.now();
    if let Some(user) = &arguments.user {
        let user = Who::enrolled(context, &store, user)?;
        let status = Status::of(&store, &policy, &user, now)?;
        if context.json {
            output::print_json(&status.facts())?;
        } else {
            colour::print(&status.details(&policy), colour_of)?;
        }
        return Ok(Exit::Done);
    }
    let users = store.users()?;
    let all = users.iter().map(|user| (user, Status::of(&store, &policy, user, now)));
    let all: Vec<(&Username, Result<Status, Failure>)> = all.collect();
    if context.json {
        let users: Vec<Row> = all.iter().map(|(user, status)| Row::of(user, status)).collect();
        output::print_json(&Users { users })?;
    } else {
        let lines: String = all.iter().map(|(user, status)| line(user, status)).collect();
        colour::print(&lines, colour_of)?;
    }
    all.into_iter().find_map(|(_, status)| status.err()).map_or(Ok(Exit::Done), Err)
}

/// What somebody may have to do something about.
fn colour_of(line: &str) -> Option<Colour> {
    let waits = line.contains("wait: ") && !line.contains("wait: 0 s");
    match line {
        _ if line.contains(": not readable: ") => Some(Colour::Red),
        _ if waits || line.contains(" more of: ") => Some(Colour::Yellow),
        _ => None,
    }
}

fn line(user: &Username, status: &Result<Status, Failure>) -> String {
    match status {
        Ok(status) => status.line(),
        Err(failure) => format!("{user}: not readable: {failure}\n"),
    }
}

/// What is told of one user.
struct Status {
    user: Username,
    record: UserRecord,
    state: LoginState,
    wait_seconds: u64,
}

impl Status {
    fn of(store: &FileStore, policy: &Policy, user: &Username, now: UnixTime) -> Result<Self, Failure> {
        let (record, mut state) = enrolled::find(store, user)?;
        // As a login now would find them: each day takes one away.
        state.failures = std::mem::take(&mut state.failures).at(now);
        let wait_seconds = state.failures.longest_wait_seconds(policy.throttle(), now);
        Ok(Self { user: user.clone(), record, state, wait_seconds })
    }

    fn recovery_codes(&self) -> (usize, usize) {
        let set = self.record.recovery();
        set.map_or((0, 0), |set| (self.state.recovery_codes_left(set), set.hashes().len()))
    }

    fn last_used(&self, credential: &Credential) -> Option<UnixTime> {
        self.state.mark(credential.id()).filter(|mark| !mark.by_reset).map(|mark| mark.used_at)
    }

    /// Whether no code of it is good before `resync` had two of them.
    fn awaits_resync(&self, credential: &Credential) -> bool {
        credential.otp_type == OtpType::Hotp && self.state.next_acceptable(credential) == u64::MAX
    }

    /// The bypass code that can still be used.
    fn bypass(&self) -> Option<UnixTime> {
        self.state.bypass.filter(|bypass| bypass.used_at.is_none()).map(|bypass| bypass.expires_at)
    }

    fn line(&self) -> String {
        format!(
            "{}: factors: {}; recovery codes left: {}; failures: {}; wait: {} s; last success: {}\n",
            self.user,
            factor_list(self.record.credentials()),
            self.recovery_codes().0,
            self.state.failures.total(),
            self.wait_seconds,
            time_or_never(self.state.last_success),
        )
    }

    fn details(&self, policy: &Policy) -> String {
        let (left, total) = self.recovery_codes();
        let mut text = format!("user: {}\n", self.user);
        // Writing to a String can't fail.
        for credential in self.record.credentials() {
            let _ = write!(text, "factor {}: {}", credential.factor, parameters(credential));
            let _ = write!(text, ", enrolled {}", credential.enrolled_at);
            let _ = write!(text, ", last used {}", time_or_never(self.last_used(credential)));
            if let Some(serial) = &credential.serial {
                let _ = write!(text, ", serial {serial}");
            }
            if self.awaits_resync(credential) {
                text.push_str(", counter not known: run `mfa-chain resync`");
            }
            let _ = writeln!(text, "{}", note(policy, credential));
        }
        if self.record.credentials().is_empty() {
            text.push_str("factors: none\n");
        }
        let _ = writeln!(text, "recovery codes left: {left} of {total}");
        let failures = &self.state.failures;
        let _ = writeln!(
            text,
            "failures: {}, of them {} from places that are not known; today {} with recovery codes",
            failures.total(),
            failures.strangers.failures(),
            failures.recovery_today()
        );
        if let Some(reset_at) = self.state.reset_at {
            let bypass =
                self.bypass().map_or_else(String::new, |until| format!(", bypass code unused until {until}"));
            let _ = writeln!(text, "login state reset: {reset_at}{bypass}");
        }
        let _ = writeln!(text, "wait: {} s", self.wait_seconds);
        let _ = writeln!(text, "last success: {}", time_or_never(self.state.last_success));
        let _ = writeln!(text, "{}", Readiness::of(policy.default_chain(), &self.record));
        text
    }

    fn facts(&self) -> Facts<'_> {
        let (recovery_codes_left, recovery_codes_total) = self.recovery_codes();
        Facts {
            user: self.user.as_str(),
            factors: self
                .record
                .credentials()
                .iter()
                .map(|credential| self.factor_facts(credential))
                .collect(),
            recovery_codes_left,
            recovery_codes_total,
            failures: self.state.failures.total(),
            failures_of_strangers: self.state.failures.strangers.failures(),
            recovery_failures_today: self.state.failures.recovery_today(),
            wait_seconds: self.wait_seconds,
            reset_at: self.state.reset_at.map(UnixTime::seconds),
            bypass_expires_at: self.bypass().map(UnixTime::seconds),
            last_success_at: self.state.last_success.map(UnixTime::seconds),
        }
    }

    fn factor_facts<'a>(&self, credential: &'a Credential) -> FactorFacts<'a> {
        FactorFacts {
            id: credential.factor.as_str(),
            kind: credential.otp_type.name(),
            algorithm: credential.algorithm.name(),
            digits: credential.digits.count(),
            period: period(credential),
            enrolled_at: credential.enrolled_at.seconds(),
            last_used_at: self.last_used(credential).map(UnixTime::seconds),
            serial: credential.serial.as_ref().map(Serial::as_str),
            awaits_resync: self.awaits_resync(credential),
        }
    }
}

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<Row<'a>>,
}

/// A user in the list as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Readable(Facts<'a>),
    NotReadable { user: &'a str, error: String },
}

impl<'a> Row<'a> {
    fn of(user: &'a Username, status: &'a Result<Status, Failure>) -> Self {
        match status {
            Ok(status) => Self::Readable(status.facts()),
            Err(failure) => Self::NotReadable { user: user.as_str(), error: failure.to_string() },
        }
    }
}

/// A user as JSON; times in seconds since 1970. The keys are a contract with scripts.
#[derive(Serialize)]
struct Facts<'a> {
    user: &'a str,
    factors: Vec<FactorFacts<'a>>,
    recovery_codes_left: usize,
    recovery_codes_total: usize,
    failures: u32,
    failures_of_strangers: u32,
    recovery_failures_today: u32,
    wait_seconds: u64,
    reset_at: Option<u64>,
    bypass_expires_at: Option<u64>,
    last_success_at: Option<u64>,
}

#[derive(Serialize)]
struct FactorFacts<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    algorithm: &'static str,
    digits: u8,
    period: Option<u64>,
    enrolled_at: u64,
    last_used_at: Option<u64>,
    serial: Option<&'a str>,
    awaits_resync: bool,
}

fn parameters(credential: &Credential) -> String {
    let (kind, algorithm) = (credential.otp_type.name(), credential.algorithm);
    let period = period(credential).map_or(String::new(), |seconds| format!(", {seconds} s"));
    format!("{kind}, {algorithm}, {} digits{period}", credential.digits.count())
}

fn period(credential: &Credential) -> Option<u64> {
    match credential.otp_type {
        OtpType::Totp(period) => Some(period.seconds()),
        OtpType::Hotp => None,
    }
}

/// Why no chain asks for a credential, if so.
fn note(policy: &Policy, credential: &Credential) -> String {
    match policy.factor(credential.factor.as_str()) {
        None => " (not in the policy)".to_owned(),
        Some(factor) if !credential.otp_type.fits(factor.kind) => {
            format!(" (of no use: the policy says {} now; enroll it again)", factor.kind.name())
        }
        Some(_) => String::new(),
    }
}

fn time_or_never(time: Option<UnixTime>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.to_string())
}
