//! What the engine asks of the world. Each port has one real implementation and strict doubles in tests.

use std::fmt;

// What the signatures of the ports name.
pub use super::accounts::{Account, Accounts, AccountsError, Membership, NoAccounts};
pub use super::enrollment::{Credential, OtpType, UserRecord};
pub use super::event::Event;
pub use super::otp::Response;
pub use super::policy::{Factor, FactorId};
pub use super::state::{DrawKey, FailureCounts, LoginState};
pub use super::time::UnixTime;
pub use super::username::Username;

/// What a store knows of a claimant before anything is asked. Holds no secret: a chain may wait for minutes
/// at its prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The name that the record and the state go by.
    pub user: String,
    /// The number of the account that enrolled, where the record holds one.
    pub uid: Option<u32>,
    /// The factors enrolled and their kind; none for an unknown user.
    pub enrolled: Vec<(FactorId, OtpType)>,
    /// What failed, and which draw is open from where.
    pub failures: FailureCounts,
    /// The key of the draws.
    pub draw_key: DrawKey,
}

impl Claimant {
    /// Whether `factor` is enrolled, as the kind that the policy says today.
    #[must_use]
    pub fn has_enrolled(&self, factor: &Factor) -> bool {
        self.enrolled.iter().any(|(id, otp_type)| *id == factor.id && otp_type.fits(factor.kind))
    }
}

/// Where enrollments and login states are kept.
pub trait Store {
    /// What is known of `user`. An unknown user gets a decoy that behaves as an enrolled one would.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when the record or the state is unreadable, unsafe or invalid.
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure>;

    /// The name under which the account of user id `uid` enrolled, if it did. After a renaming of the account, this is
    /// the old name.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when the store can't be read.
    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure>;

    /// Runs `judge` with exclusive access to the current record and state of `claimant`, and returns once the changed
    /// state is durable. The wait for the lock is bounded. Nobody learns the outcome before this returns.
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

impl<T: Store> Store for &T {
    fn find(&self, user: &str) -> Result<Claimant, StoreFailure> {
        (**self).find(user)
    }

    fn enrolled_as(&self, uid: u32) -> Result<Option<String>, StoreFailure> {
        (**self).enrolled_as(uid)
    }

    fn update<J>(
        &self,
        claimant: &Claimant,
        judge: impl FnOnce(&UserRecord, &mut LoginState) -> J,
    ) -> Result<Committed<J>, StoreFailure> {
        (**self).update(claimant, judge)
    }
}

/// Where enrollments are changed. A login needs none of this.
pub trait Enrollments: Store {
    /// The record of `user` and its login state; `None` for a name without a record.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when either is unreadable, unsafe or invalid, or the state is lost: used codes are not known
    /// then.
    fn enrollment(&self, user: &Username) -> Result<Option<(UserRecord, LoginState)>, StoreFailure>;

    /// Calls `change` with the record of `user`, with exclusive access, and stores the result. It is durable when this
    /// returns.
    /// The login state stays as it is, and a first one is made with the first record.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] of the store, or the error of `change`. The old record stands then.
    fn change_record<E: From<StoreFailure>>(
        &self,
        user: &Username,
        change: impl FnOnce(UserRecord) -> Result<UserRecord, E>,
    ) -> Result<(), E>;

    /// Records that the counter of `credential` stands at `next` or further, which two codes in a row have just shown.
    /// A reset of the login state made it void before that.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`] when the state can't be changed.
    fn set_counter(
        &self,
        user: &Username,
        credential: &Credential,
        next: u64,
        now: UnixTime,
    ) -> Result<(), StoreFailure>;
}

impl<T: Enrollments> Enrollments for &T {
    fn enrollment(&self, user: &Username) -> Result<Option<(UserRecord, LoginState)>, StoreFailure> {
        (**self).enrollment(user)
    }

    fn change_record<E: From<StoreFailure>>(
        &self,
        user: &Username,
        change: impl FnOnce(UserRecord) -> Result<UserRecord, E>,
    ) -> Result<(), E> {
        (**self).change_record(user, change)
    }

    fn set_counter(
        &self,
        user: &Username,
        credential: &Credential,
        next: u64,
        now: UnixTime,
    ) -> Result<(), StoreFailure> {
        (**self).set_counter(user, credential, next, now)
    }
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

/// An outcome whose state is on disk. No outcome may be reported before it is in this type.
#[derive(Debug, PartialEq, Eq)]
pub struct Committed<T>(T);

impl<T> Committed<T> {
    /// Asserts that the state that goes with `outcome` is durable. Only implementations of [`Store`] may, after
    /// their sync returned.
    pub const fn assertion(outcome: T) -> Self {
        Self(outcome)
    }

    /// The outcome, which may be reported now.
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

impl<T: Clock + ?Sized> Clock for &T {
    fn now(&self) -> UnixTime {
        (**self).now()
    }
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

impl<T: Audit + ?Sized> Audit for &T {
    fn record(&self, event: &Event) {
        (**self).record(event);
    }
}

/// Keeps no audit trail.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn record(&self, _: &Event) {}
}
