//! Whether the users of a store can pass the default chain, and whether their files are whole.

use crate::cli::readiness::Readiness;
use crate::store::{FileStore, StoreError};
use crate::verifier::policy::{ChainSpec, Policy, Rule, RuleAction, Unenrolled};
use crate::verifier::ports::Store;
use crate::verifier::shell_word::shell_word;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// What was found in a store.
#[derive(Debug, Default)]
pub struct Enrollments {
    users: usize,
    cannot_pass: Vec<Username>,
    /// Users with a code that is shorter than the policy says.
    short_codes: Vec<Username>,
    /// Users who can pass no chain of the policy at all.
    pass_none: usize,
    faults: Vec<String>,
    /// Users whose files can't be used.
    faulty: usize,
    closed: bool,
    missing: bool,
    /// Only the folder of secrets is gone.
    secrets_lost: bool,
}

/// What a store means for logins that ask for codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// It is whole.
    Whole,
    /// Some files are damaged or lost; whom they are of, or who meets them, is denied.
    Damaged,
    /// Nobody passes.
    NobodyPasses,
}

impl Enrollments {
    /// Reads each record and login state of `store`.
    #[must_use]
    pub fn survey(store: &FileStore, policy: &Policy) -> Self {
        let mut found = Self::default();
        match store.users() {
            Ok(users) => {
                found.users = users.len();
                let beside = store.faults_beside_records();
                if beside.as_ref().is_err_and(StoreError::is_missing) {
                    found.faulty = found.users;
                    found.faults.push(STATES_LOST.to_owned());
                    return found;
                }
                for user in users {
                    let before = found.faults.len();
                    if let Err(error) = found.look_at(store, policy, user) {
                        found.faults.push(error.to_string());
                    }
                    found.faulty = found.faulty.saturating_add(usize::from(found.faults.len() > before));
                }
                let beside = beside.unwrap_or_else(|error| vec![error]);
                found.faults.extend(beside.iter().take(MOST_FAULTS).map(ToString::to_string));
                // The record of nobody, which is read with every table.
                found.faults.extend(store.find(NOBODY).err().map(|failure| failure.0));
                found.faults.dedup();
            }
            Err(error) if error.is_missing() => {
                found.missing = true;
                found.secrets_lost = store.exists();
            }
            Err(error) => {
                found.closed = true;
                found.faults.push(error.to_string());
            }
        }
        found
    }

    /// How many users have a record; `None` where that can't be told.
    #[must_use]
    pub fn users(&self) -> Option<usize> {
        (!self.closed).then_some(self.users)
    }

    /// What it means under `policy`; `now` is before the end of a roll-out or not.
    #[must_use]
    pub fn soundness(&self, policy: &Policy, now: UnixTime) -> Soundness {
        let asks_nobody = |rule: &Rule| {
            let exempts = match rule.action() {
                RuleAction::Exempt => true,
                RuleAction::Observe { until, .. } => now < *until,
                RuleAction::Chain(_) | RuleAction::Deny => false,
            };
            rule.matches_every_login() && exempts
        };
        let rolls_out =
            matches!(policy.default_chain().unenrolled(), Unenrolled::ExemptUntil(end) if now < end);
        let exempt = rolls_out || policy.observed_until().is_some_and(|until| now < until);
        let barred = self.faulty.saturating_add(self.pass_none);
        let nobody = self.closed || self.missing || (barred >= self.users && !exempt);
        match (nobody && !policy.rules().iter().any(asks_nobody), self.faults.is_empty()) {
            (true, _) => Soundness::NobodyPasses,
            (false, true) => Soundness::Whole,
            (false, false) => Soundness::Damaged,
        }
    }

    /// The store in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.closed, self.users) {
            (true, _) => "cannot be read, so every login that asks for codes is denied".to_owned(),
            (false, 0) if self.secrets_lost => {
                "its folder `secrets` is gone, so no authenticator is known and every login that asks for codes is \
                 denied; restore it from a backup"
                    .to_owned()
            }
            (false, 0) if self.missing => {
                "not there, so every login that asks for codes is denied; restore it from a backup, or make it by the first \
                 `mfa-chain enroll USER FACTOR`"
                    .to_owned()
            }
            (false, 0) => {
                let first = "no users yet; `mfa-chain enroll USER FACTOR` enrolls the first one";
                format!("{first}, and until then every login that asks for codes is denied")
            }
            (false, 1) => "1 user".to_owned(),
            (false, count) => format!("{count} users"),
        }
    }

    /// What is wrong with the store, a line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.faults.iter().cloned().chain(self.advice()).collect()
    }

    /// Files that can't be used, each with its cure.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// What is wrong with enrollments whose files are whole.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let (count, all) = (self.cannot_pass.len(), self.users);
        if count > 0 {
            let names = first_of(&self.cannot_pass);
            warnings.push(format!(
                "{count} of {all} enrolled users cannot pass the default chain, too few factors: {names}"
            ));
        }
        if !self.short_codes.is_empty() {
            let (count, names) = (self.short_codes.len(), first_of(&self.short_codes));
            warnings.push(format!(
                "{count} of {all} enrolled users have an authenticator with fewer digits than the policy says, so a guess is \
                 more likely there: {names}; see `mfa-chain status USER`, and enroll again"
            ));
        }
        warnings
    }

    fn look_at(&mut self, store: &FileStore, policy: &Policy, user: Username) -> Result<(), StoreError> {
        let record = store.record(&user)?.unwrap_or_default();
        let state = store.login_state(&user)?;
        if state.is_none() && !record.credentials().is_empty() {
            self.faults.push(format!(
                "{user}: the login state is gone, so every login is denied; run `mfa-chain unlock --reset-state {}`",
                shell_word(user.as_str())
            ));
        }
        let mut factors =
            policy.factors().iter().filter_map(|factor| Some((factor, record.credential(factor)?)));
        if factors.any(|(factor, credential)| credential.digits.count() < factor.enrollment.digits.count()) {
            self.short_codes.push(user.clone());
        }
        let passes = |chain: &ChainSpec| Readiness::of(chain, &record).is_enough();
        if !passes(policy.default_chain()) {
            let whole = state.is_some() || record.credentials().is_empty();
            let none = !policy.named_chains().any(passes);
            self.pass_none = self.pass_none.saturating_add(usize::from(whole && none));
            self.cannot_pass.push(user);
        }
        Ok(())
    }
}

fn first_of(users: &[Username]) -> String {
    let first: Vec<&str> = users.iter().take(FEW).map(Username::as_str).collect();
    let more = if users.len() > FEW { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

const STATES_LOST: &str = "the store's folder `state` is gone, so used codes are not known and every login that asks for codes \
                           is denied; run `mfa-chain unlock --reset-state USER` for each user";

/// A name that no account has.
const NOBODY: &str = "\u{1}";
/// How many faults of one kind are shown: a folder that is gone has one for each file.
const MOST_FAULTS: usize = 3;
/// How many names are shown.
const FEW: usize = 5;
