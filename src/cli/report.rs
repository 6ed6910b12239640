//! `mfa-chain report`: every account that can log in, what it has, and what a login would ask it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use super::arguments::{ReportArguments, ReportForm};
use super::failure::{Exit, Failure};
use super::readiness::Readiness;
use super::{Context, enrolled, output};
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::policy::{ChainSpec, Decision, Policy, Unenrolled};
use crate::verifier::ports::Clock;
use crate::verifier::request::Request;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] for a policy, a store or a list of users that can't be read.
pub fn run(context: &Context, arguments: &ReportArguments) -> Result<Exit, Failure> {
    if context.json && arguments.form == ReportForm::Csv {
        return Err(Failure::refused("--json and --form csv exclude each other; leave one out"));
    }
    let policy = load_policy(&context.policy)?;
    let store = FileStore::at(&context.store);
    let now = SystemClock.now();
    let names = match &arguments.users {
        Some(path) => listed_in(path)?,
        None => who_can_log_in(&store)?,
    };
    let report = Reporter { context, policy: &policy, store: &store, service: &arguments.service, now };
    let mut rows = Vec::with_capacity(names.len());
    for name in &names {
        rows.push(report.row(name)?);
    }
    match (context.json, arguments.form) {
        (true, _) => output::print_json(&Whole { service: &arguments.service, users: &rows })?,
        (false, ReportForm::Csv) => output::print(&csv(&rows))?,
        (false, ReportForm::Text) => output::print(&text(&rows, &report))?,
    }
    Ok(Exit::Done)
}

/// The names of a file, one a line; blank lines and those that begin with `#` are skipped.
fn listed_in(path: &Path) -> Result<Vec<Username>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::refused(format!("cannot read the list of users {}: {error}", path.display()))
    })?;
    let names =
        (1_usize..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    names
        .map(|(number, line)| {
            Username::parse(line.trim())
                .map_err(|error| Failure::refused(format!("{}:{number}: {error}", path.display())))
        })
        .collect()
}

/// The accounts that the system lists with a shell for people, and everybody who has enrolled.
fn who_can_log_in(store: &FileStore) -> Result<Vec<Username>, Failure> {
    let not_listed = |why: String| {
        Failure::refused(format!(
            "cannot list the accounts: `getent passwd` {why}; name the users with --users FILE"
        ))
    };
    let listed = Command::new("getent").arg("passwd").output();
    let listed = listed.map_err(|error| not_listed(format!("does not run: {error}")))?;
    if !listed.status.success() {
        return Err(not_listed(format!("ended with {}", listed.status)));
    }
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut names: Vec<Username> = text.lines().filter_map(person).collect();
    if store.exists() {
        names.extend(store.users()?);
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The name in a line of passwd(5), where a person can log in by it: its shell is one, and its number is root's or one
/// that is given to people.
fn person(line: &str) -> Option<Username> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, _, _, _, shell] = fields[..] else { return None };
    let uid: u32 = uid.parse().ok()?;
    let is_for_nobody =
        ["nologin", "false", "sync", "shutdown", "halt"].iter().any(|word| shell.ends_with(word));
    (!is_for_nobody && (uid == 0 || (FIRST_PERSON..NOBODY).contains(&uid)))
        .then(|| Username::parse(name).ok())?
}

/// `UID_MIN` of login.defs(5).
const FIRST_PERSON: u32 = 1_000;
const NOBODY: u32 = 65_534;

/// One user. The keys are a contract with scripts.
#[derive(Debug, Serialize)]
struct Row {
    user: String,
    uid: Option<u32>,
    /// `require`, `exempt`, `deny`, `observe` (exempt for now), or `exempt-until-enrolled` in a roll-out.
    decision: &'static str,
    /// The rule that decides, from 1.
    rule: Option<usize>,
    chain: Option<String>,
    /// Whether the user has what the chain needs.
    ready: Option<bool>,
    factors: Vec<String>,
    enrolled_at: Option<u64>,
    last_success_at: Option<u64>,
    recovery_codes_left: usize,
    wait_seconds: u64,
    /// Why the files of the user can't be used.
    error: Option<String>,
}

#[derive(Serialize)]
struct Whole<'a> {
    service: &'a str,
    users: &'a [Row],
}

struct Reporter<'a> {
    context: &'a Context,
    policy: &'a Policy,
    store: &'a FileStore,
    service: &'a str,
    now: UnixTime,
}

impl Reporter<'_> {
    fn row(&self, name: &Username) -> Result<Row, Failure> {
        let accounts = self.context.accounts;
        let request = Request::local(self.service, name.as_str()).resolved(accounts);
        let request = request.map_err(|error| Failure::refused(error.to_string()))?;
        let found = enrolled::find_any(self.store, name);
        let (error, found) = match found {
            Ok(found) => (None, found.unwrap_or_default()),
            Err(failure) => (Some(failure.to_string()), Default::default()),
        };
        let (record, state) = found;
        let decision =
            self.policy.decide(&request, &accounts).map_err(|error| Failure::refused(error.to_string()))?;
        let (decision, rule, chain) = match decision {
            Decision::Deny { rule } => ("deny", Some(rule), None),
            Decision::Exempt { rule } => ("exempt", Some(rule), None),
            Decision::Observe { chain, rule, until } if self.now < until && request.account.is_some() => {
                ("observe", rule, Some(chain))
            }
            Decision::Observe { chain, rule, .. } | Decision::Require { chain, rule } => {
                ("require", rule, Some(chain))
            }
        };
        let ready = chain.map(|chain| Readiness::of(chain, &record).is_enough());
        let is_rolled_out = decision == "require" && ready == Some(false) && self.rolls_out(chain, &request);
        let failures = state.failures.clone().at(self.now);
        let recovery_codes_left = record.recovery().map_or(0, |set| state.recovery_codes_left(set));
        Ok(Row {
            user: name.to_string(),
            uid: request.uid(),
            decision: if is_rolled_out { "exempt-until-enrolled" } else { decision },
            rule: rule.map(|place| place.saturating_add(1)),
            chain: chain.map(|chain| chain.name().to_owned()),
            ready,
            factors: record.credentials().iter().map(|credential| credential.factor.to_string()).collect(),
            enrolled_at: record.credentials().iter().map(|credential| credential.enrolled_at.seconds()).min(),
            last_success_at: state.last_success.map(UnixTime::seconds),
            recovery_codes_left,
            wait_seconds: failures.longest_wait_seconds(self.policy.throttle(), self.now),
            error,
        })
    }

    /// Only accounts that the system lists are exempt in a roll-out.
    fn rolls_out(&self, chain: Option<&ChainSpec>, request: &Request) -> bool {
        let exempts = |chain: &ChainSpec| matches!(chain.unenrolled(), Unenrolled::ExemptUntil(deadline) if self.now < deadline);
        request.account.is_some() && chain.is_some_and(exempts)
    }

    /// How far a roll-out has come.
    fn progress(&self, rows: &[Row]) -> Option<String> {
        let Unenrolled::ExemptUntil(deadline) = self.policy.default_chain().unenrolled() else { return None };
        let asked = rows.iter().filter(|row| row.chain.is_some()).count();
        let left = rows.iter().filter(|row| row.ready == Some(false)).count();
        let days = deadline.seconds_since(self.now) / 86_400;
        Some(format!("roll-out: {left} of {asked} left to enroll, {days} days\n"))
    }
}

fn text(rows: &[Row], report: &Reporter<'_>) -> String {
    let time = |seconds: Option<u64>| {
        seconds.map_or_else(|| "never".to_owned(), |seconds| UnixTime::from_seconds(seconds).to_string())
    };
    let mut text = String::new();
    for row in rows {
        let ready = match row.ready {
            Some(true) => ", can pass",
            Some(false) => ", cannot pass yet",
            None => "",
        };
        let by = row.rule.map_or_else(String::new, |rule| format!(" by rule {rule}"));
        let chain = row.chain.as_ref().map_or_else(String::new, |chain| format!(" chain {chain}"));
        let factors = if row.factors.is_empty() { "nothing".to_owned() } else { row.factors.join(", ") };
        // Writing to a String can't fail.
        let _ = write!(text, "{}: {}{chain}{by}{ready}; enrolled: {factors}", row.user, row.decision);
        if !row.factors.is_empty() {
            let _ = write!(
                text,
                "; since {}; last success {}; recovery codes left: {}",
                time(row.enrolled_at),
                time(row.last_success_at),
                row.recovery_codes_left
            );
        }
        if row.wait_seconds > 0 {
            let _ = write!(text, "; wait: {} s", row.wait_seconds);
        }
        if let Some(error) = &row.error {
            let _ = write!(text, "; not readable: {error}");
        }
        text.push('\n');
    }
    text.push_str(&report.progress(rows).unwrap_or_default());
    text
}

/// RFC 4180, with a header line.
fn csv(rows: &[Row]) -> String {
    let mut text = "user,uid,decision,rule,chain,ready,factors,enrolled_at,last_success_at,recovery_codes_left,wait_seconds,error\r\n"
        .to_owned();
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    for row in rows {
        let cells = [
            row.user.clone(),
            number(row.uid.map(u64::from)),
            row.decision.to_owned(),
            row.rule.map_or_else(String::new, |rule| rule.to_string()),
            row.chain.clone().unwrap_or_default(),
            row.ready.map_or_else(String::new, |ready| ready.to_string()),
            row.factors.join(" "),
            number(row.enrolled_at),
            number(row.last_success_at),
            row.recovery_codes_left.to_string(),
            row.wait_seconds.to_string(),
            row.error.clone().unwrap_or_default(),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe in front.
fn quoted(cell: &str) -> String {
    let cell = if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_accounts_of_programs() {
        for (line, name) in [
            ("alice:x:1000:1000::/home/alice:/bin/bash", Some("alice")),
            ("root:x:0:0:root:/root:/bin/bash", Some("root")),
            ("daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin", None),
            ("backup:x:34:34:backup:/var/backups:/bin/sh", None),
            ("svc:x:1001:1001::/srv:/bin/false", None),
            ("nobody:x:65534:65534:nobody:/nonexistent:/bin/sh", None),
            ("broken line", None),
        ] {
            assert_eq!(person(line).as_ref().map(Username::as_str), name, "{line}");
        }
    }

    #[test]
    fn a_cell_stays_one_cell_and_runs_nothing() {
        for (cell, expected) in
            [("a", "a"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("=1+1", "'=1+1"), ("a\nb", "\"a\nb\"")]
        {
            assert_eq!(quoted(cell), expected);
        }
    }
}
