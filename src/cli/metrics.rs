//! `mfa-chain metrics`: what a monitoring system is told, in the text form of Prometheus. No name of a user.

use std::fmt::{Display, Write as _};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::arguments::MetricsArguments;
use super::failure::{Exit, Failure};
use super::readiness::Readiness;
use super::{Context, enrolled, output};
use crate::changes::ChangesFolder;
use crate::changes::pending::Pending;
use crate::store::{FileStore, SystemClock, load_policy};
use crate::verifier::policy::{Policy, RuleAction, Unenrolled};
use crate::verifier::ports::Clock;
use crate::verifier::time::UnixTime;

/// Runs the command. A policy or a store that can't be used is a value, so that an alert is raised by it.
///
/// # Errors
///
/// [`Failure`] when the output can't be written.
pub fn run(context: &Context, arguments: &MetricsArguments) -> Result<Exit, Failure> {
    let text = text(context, SystemClock.now());
    match &arguments.output {
        Some(path) => replace(path, &text)?,
        None => output::print(&text)?,
    }
    Ok(Exit::Done)
}

fn text(context: &Context, now: UnixTime) -> String {
    let mut page = Page::default();
    page.labelled("mfa_chain_info", "The version.", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    let policy = load_policy(&context.policy);
    page.gauge(
        "mfa_chain_policy_valid",
        "Whether the policy can be used; if not, every login is denied.",
        u8::from(policy.is_ok()),
    );
    if let Ok(policy) = &policy {
        page.of_policy(policy);
    }
    let store = FileStore::at(&context.store);
    let found = policy.ok().and_then(|policy| Counts::of(&store, &policy, now));
    page.gauge(
        "mfa_chain_store_usable",
        "Whether the enrollments can be read.",
        u8::from(found.is_some() || store.users().is_ok()),
    );
    if let Some(counts) = found {
        page.of_counts(&counts);
    }
    if let Ok(Some(pending)) = Pending::waiting(&ChangesFolder::at(&context.store)) {
        let help = "When the change that waits for a confirmation is undone.";
        page.gauge("mfa_chain_change_undone_timestamp_seconds", help, pending.until().seconds());
    }
    page.0
}

/// What the users of a store add up to.
#[derive(Default)]
struct Counts {
    users: u64,
    unreadable: u64,
    lacking: u64,
    waiting: u64,
    few_recovery_codes: u64,
    failures: u64,
    newest_success: Option<u64>,
}

/// As few recovery codes as are worth an alert.
const FEW: usize = 2;

impl Counts {
    fn of(store: &FileStore, policy: &Policy, now: UnixTime) -> Option<Self> {
        let mut counts = Self::default();
        for user in store.users().ok()? {
            let Ok(Some((record, state))) = enrolled::find_any(store, &user) else {
                counts.unreadable = counts.unreadable.saturating_add(1);
                continue;
            };
            let add = |count: &mut u64, holds: bool| *count = count.saturating_add(u64::from(holds));
            let failures = state.failures.clone().at(now);
            add(&mut counts.users, true);
            add(&mut counts.lacking, !Readiness::of(policy.default_chain(), &record).is_enough());
            add(&mut counts.waiting, failures.longest_wait_seconds(policy.throttle(), now) > 0);
            let left = record.recovery().map(|set| state.recovery_codes_left(set));
            add(&mut counts.few_recovery_codes, left.is_some_and(|left| left <= FEW));
            counts.failures = counts.failures.saturating_add(u64::from(failures.total()));
            counts.newest_success = counts.newest_success.max(state.last_success.map(UnixTime::seconds));
        }
        Some(counts)
    }
}

/// The text so far.
#[derive(Default)]
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }

    fn labelled(&mut self, name: &str, help: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{labels}}} {value}");
    }

    fn of_policy(&mut self, policy: &Policy) {
        if let Unenrolled::ExemptUntil(end) = policy.default_chain().unenrolled() {
            let help = "When unenrolled users are asked for codes: the end of the roll-out.";
            self.gauge("mfa_chain_roll_out_end_timestamp_seconds", help, end.seconds());
        }
        let of_rules = policy.rules().iter().filter_map(|rule| match rule.action() {
            RuleAction::Observe { until, .. } => Some(*until),
            RuleAction::Chain(_) | RuleAction::Exempt | RuleAction::Deny => None,
        });
        if let Some(first) = of_rules.chain(policy.observed_until()).min() {
            let help = "When the first `observe` of the policy ends and codes are asked.";
            self.gauge("mfa_chain_observe_end_timestamp_seconds", help, first.seconds());
        }
    }

    fn of_counts(&mut self, counts: &Counts) {
        for (name, help, value) in [
            ("users", "Users who enrolled something and whose files can be read.", counts.users),
            ("users_unreadable", "Users whose files can't be used: they are denied.", counts.unreadable),
            ("users_lacking_factors", "Users who enrolled too little for the default chain.", counts.lacking),
            ("users_waiting", "Users whom failures make wait at one place or more.", counts.waiting),
            (
                "users_few_recovery_codes",
                "Users with two recovery codes left or fewer.",
                counts.few_recovery_codes,
            ),
            ("failures", "Failures that stand, over all users.", counts.failures),
        ] {
            self.gauge(&format!("mfa_chain_{name}"), help, value);
        }
        if let Some(at) = counts.newest_success {
            let help = "When somebody last passed a chain.";
            self.gauge("mfa_chain_last_success_timestamp_seconds", help, at);
        }
    }
}

/// Puts the text at `path` at once, readable by everybody: the collector of the node exporter must never see a part of
/// it.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |what: &str, error: std::io::Error| {
        Failure::refused(format!("cannot {what} {}: {error}", path.display()))
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside: PathBuf = path.with_file_name(name);
    // What a run that was killed left there.
    let _ = fs::remove_file(&beside);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(Permissions::from_mode(0o644))
    });
    let renamed = written
        .map_err(|error| failed("write beside", error))
        .and_then(|()| fs::rename(&beside, path).map_err(|error| failed("replace", error)));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed
}
