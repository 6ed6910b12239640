//! What the engine asks of the world. Each port has one real implementation and strict doubles in tests.

use std::fmt;

use super::credential::MovingFactor;
use super::event::Event;
use super::failures::FailureCounts;
use super::login_state::{DrawKey, LoginState};
use super::policy::{Factor, FactorId};
use super::record::UserRecord;
use super::response::Response;
use super::time::UnixTime;

/// The system's databases of accounts and groups (NSS), so LDAP and SSSD count too.
pub trait Accounts {
    /// The account that `name` leads to. A directory may know one account by several names; the answer has the
    /// one that it goes by.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer; "not listed" is no error.
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError>;

    /// The account of the number `uid`; the first one where several have it.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer; "not listed" is no error.
    fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError>;

    /// Whether the system lists a group `group`.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer; "not listed" is no error.
    fn lists_group(&self, group: &str) -> Result<bool, AccountsError>;

    /// Whether `account` belongs to `group`, as primary or supplementary group. An account or a group that the
    /// system does not list is no member. The group is looked up either way.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer.
    fn is_member(&self, account: Option<&Account>, group: &str) -> Result<bool, AccountsError>;
}

/// An account, as the system lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name it goes by (`pw_name`), whatever spelling was asked for.
    pub name: String,
    /// Its number (`pw_uid`).
    pub uid: u32,
    /// The number of its primary group (`pw_gid`).
    pub gid: u32,
}

/// The system's account databases did not answer. What depends on the answer is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsError(pub String);

impl fmt::Display for AccountsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the account databases did not answer: {}", self.0)
    }
}

impl std::error::Error for AccountsError {}

/// What a store knows of a claimant before anything is asked. Holds no secret: a chain may wait for minutes
/// at its prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The name that the record and the state go by.
    pub user: String,
    /// The number of the account that enrolled, where the record holds one.
    pub uid: Option<u32>,
    /// The factors enrolled and their kind; none for an unknown user.
    pub enrolled: Vec<(FactorId, MovingFactor)>,
    /// What failed, and which draw is open from where.
    pub failures: FailureCounts,
    /// What seeds the draws.
    pub draw_key: DrawKey,
}

impl Claimant {
    /// Whether `factor` is enrolled, as the kind that the policy says today.
    #[must_use]
    pub fn has_enrolled(&self, factor: &Factor) -> bool {
        self.enrolled.iter().any(|(id, moving)| *id == factor.id && moving.fits(factor.kind))
    }
}

/// Where enrolments and login states are kept.
pub trait Store {
    /// What is known of `user`. An unknown user gets a decoy that behaves as an enrolled one would.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when the record or the state is unreadable, unsafe or invalid.
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure>;

    /// The name under which the account of the number `uid` enrolled, if any did: after a renaming it is
    /// another than the account's.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when that can't be told.
    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure>;

    /// Runs `judge` on the current record and state of `claimant`, alone, and returns once the changed state
    /// is durable. The wait for the lock is bounded, and nothing of the outcome is known before.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when anything fails before the state is durable; the outcome is dropped unseen.
    fn update<T>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> T,
    ) -> Result<Committed<T>, StoreFailure>;
}

/// A store could not do what was asked: what failed, on which file, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFailure(pub String);

impl fmt::Display for StoreFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for StoreFailure {}

/// Something that is on disk. An outcome outside of it is a rumour, and nobody may learn it.
#[derive(Debug, PartialEq, Eq)]
pub struct Committed<T>(T);

impl<T> Committed<T> {
    /// Asserts that the state that goes with `outcome` is durable. Only implementations of [`Store`] may, after
    /// their sync returned.
    pub const fn assertion(outcome: T) -> Self {
        Self(outcome)
    }

    /// The outcome, free to be told.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The outcome, to look at.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// The time of day.
pub trait Clock {
    /// Now.
    fn now(&self) -> UnixTime;
}

/// The way to the claimant.
pub trait Conversation {
    /// A chain begins, which the rule at this place of the policy chose, or none.
    fn begins(&mut self, _rule: Option<usize>) {}

    /// Asks for one answer. `echo` shows what is typed.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] when the claimant went away, cancelled, or the application failed.
    fn ask(&mut self, prompt: &str, echo: bool) -> Result<Response, NoAnswer>;

    /// Tells the claimant that the chain is denied and starts again. May be lost.
    fn tell_denied(&mut self, message: &str);

    /// Whether the application still means the same claimant.
    fn claimant_is(&mut self, user: &str) -> bool;
}

/// No answer came: why, in the application's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(pub String);

/// Where audit lines go. Losing one must never change an outcome.
pub trait Audit {
    /// Takes one event.
    fn record(&self, event: &Event);
}

/// Keeps no audit trail.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn record(&self, _: &Event) {}
}
