//! Enrollment: an authenticator counts once its codes have proven it, and nothing is written before.

use std::fmt;

use zeroize::Zeroizing;

use super::accounts::{Accounts, AccountsError};
use super::attempt::Orchestrator;
use super::enrollment::{
    Authenticator, Credential, CredentialId, InvalidRecord, Misfit, OtpType, Proof, Subscriber, UserRecord,
    otpauth, proof,
};
use super::otp::{NoRandomness, RecoveryCode, RecoverySet, Response};
use super::policy::{Factor, FactorId, FactorKind};
use super::ports::{Clock, Enrollments, StoreFailure};
use super::state::LoginState;
use super::time::UnixTime;
use super::username::{InvalidUsername, Username};

/// An enrollment in progress: the authenticator is not yet proven and not yet stored. It holds the secret, so
/// a server keeps it with its sessions, never at the client. Dropping it changes nothing.
#[derive(Debug)]
pub struct Enrollment(Box<Pending>);

#[derive(Debug)]
struct Pending {
    subscriber: Subscriber,
    factor: Factor,
    credential: Credential,
    /// Where the search for the codes of a counter token begins.
    counter: u64,
    /// The codes that an earlier enrollment of the same key used up.
    past: u64,
    replaces: bool,
}

impl Enrollment {
    /// The name of the record.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.subscriber.user.as_str()
    }

    /// Its factor of the policy.
    #[must_use]
    pub fn factor(&self) -> &Factor {
        &self.0.factor
    }

    /// The credential to be enrolled.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.0.credential
    }

    /// Whether the user has enrolled the factor already. The old authenticator stays valid until the new one
    /// is proven.
    #[must_use]
    pub fn replaces_another(&self) -> bool {
        self.0.replaces
    }

    /// How many codes prove it: one of TOTP, two consecutive ones of HOTP.
    #[must_use]
    pub fn codes_wanted(&self) -> usize {
        match self.0.factor.kind {
            FactorKind::Totp { .. } => 1,
            FactorKind::Hotp { .. } => 2,
        }
    }

    /// The secret in base32, for typing. Wiped when dropped.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<String> {
        self.0.credential.secret.to_base32()
    }

    /// The `otpauth://` URI for an authenticator app, which shows `issuer` above the code. Wiped when dropped.
    #[must_use]
    pub fn uri(&self, issuer: &str) -> Zeroizing<String> {
        otpauth::to_uri(&self.0.credential, issuer, self.user(), self.0.credential.first)
    }
}

/// The result of the codes of an enrollment.
#[derive(Debug)]
pub enum Confirmation {
    /// The authenticator is bound to its factor. The codes that proved it are used.
    Enrolled(FactorId),
    /// The codes are wrong; nothing was changed. Ask again, or drop the enrollment.
    Wrong(Enrollment, Option<Misfit>),
}

impl<S: Enrollments, C: Clock, N: Accounts, A> Orchestrator<S, C, N, A> {
    /// Begins to enroll a new authenticator of `user` for a factor of the policy: 160 bits from the kernel, with the
    /// parameters that the policy says. Nothing is written before [`confirm_enrollment`](Self::confirm_enrollment).
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] for a factor that the policy does not have, a record of another account, or a store that
    /// can't be read.
    pub fn begin_enrollment(&self, user: &str, factor: &str) -> Result<Enrollment, EnrollmentError> {
        let authenticator = Authenticator::random(self.factor(factor)?)?;
        self.begin_enrollment_of(user, factor, authenticator)
    }

    /// The same with an authenticator that exists already, such as a hardware token.
    ///
    /// # Errors
    ///
    /// As [`begin_enrollment`](Self::begin_enrollment), and [`EnrollmentError::SecretTwice`] where another factor of
    /// the user has its key.
    pub fn begin_enrollment_of(
        &self,
        user: &str,
        factor: &str,
        authenticator: Authenticator,
    ) -> Result<Enrollment, EnrollmentError> {
        let factor = self.factor(factor)?.clone();
        let subscriber = self.subscriber(user)?;
        let found = self.store().enrollment(&subscriber.user)?;
        let (record, state) = found.unwrap_or_default();
        check_is_same(&subscriber, &record)?;
        let (told, now) = (authenticator.counter, self.clock().now());
        let mut credential = authenticator.into_credential(&factor, told, now);
        let past = past_of(&credential, &record);
        let counter = state.lowest_counter(&credential).max(told.max(past));
        credential.first = credential.step_at(now).unwrap_or(counter).max(past);
        check_key(&credential, &record)?;
        let replaces = record.credentials().iter().any(|other| other.factor == credential.factor);
        Ok(Enrollment(Box::new(Pending { subscriber, factor, credential, counter, past, replaces })))
    }

    /// Binds the authenticator to its factor if `codes` prove it: one code of TOTP, two consecutive ones of HOTP. They
    /// are used up.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] when the record can't be changed. The record is unchanged then.
    pub fn confirm_enrollment(
        &self,
        enrollment: Enrollment,
        codes: &[Response],
    ) -> Result<Confirmation, EnrollmentError> {
        let Enrollment(mut pending) = enrollment;
        let Pending { credential, factor, counter, .. } = &*pending;
        match proof(credential, factor.kind, codes, *counter, self.clock().now()) {
            Proof::Wrong(misfit) => Ok(Confirmation::Wrong(Enrollment(pending), misfit)),
            Proof::Proven(next) => {
                let id = pending.credential.id();
                pending.credential.first = next.max(pending.past);
                let (user, first) = (pending.subscriber.user.clone(), pending.credential.first);
                let factor = self.bind(*pending)?;
                lift_void(self.store(), &user, id, first, self.clock().now())?;
                Ok(Confirmation::Enrolled(factor))
            }
        }
    }

    /// Binds the authenticator without a proof, for programs that can't ask for a code.
    ///
    /// # Errors
    ///
    /// As [`confirm_enrollment`](Self::confirm_enrollment).
    pub fn enroll_unproven(&self, enrollment: Enrollment) -> Result<FactorId, EnrollmentError> {
        self.bind(*enrollment.0)
    }

    fn bind(&self, pending: Pending) -> Result<FactorId, EnrollmentError> {
        let Pending { subscriber, credential, factor, .. } = pending;
        self.store().change_record(&subscriber.user, |current| {
            check_is_same(&subscriber, &current)?;
            replace(current, credential).map(|record| subscriber.bind(record))
        })?;
        Ok(factor.id)
    }

    /// Which factors `user` has enrolled; none for an unknown name.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] when the store can't be read.
    pub fn enrolled(&self, user: &str) -> Result<Vec<Enrolled>, EnrollmentError> {
        let found = self.store().enrollment(&self.subscriber(user)?.user)?;
        let (record, state) = found.unwrap_or_default();
        Ok(record.credentials().iter().map(|credential| Enrolled::of(credential, &state)).collect())
    }

    /// Removes the authenticator of `factor`, or with `None` everything that `user` enrolled. Codes that were used stay
    /// used. Returns the factors that were removed.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError::NotEnrolled`] where there is nothing to remove, and as the others.
    pub fn revoke(&self, user: &str, factor: Option<&str>) -> Result<Vec<FactorId>, EnrollmentError> {
        revoke(self.store(), &self.subscriber(user)?.user, factor)
    }

    /// Replaces the recovery codes by `count` new ones and returns them once; the store holds only hashes.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError::NotEnrolled`] for a user without an authenticator, [`EnrollmentError::Count`] for no code or
    /// more than 64, and as the others.
    pub fn make_recovery_codes(
        &self,
        user: &str,
        count: usize,
    ) -> Result<Vec<RecoveryCode>, EnrollmentError> {
        make_recovery_codes(self.store(), &self.subscriber(user)?, count)
    }

    fn factor(&self, id: &str) -> Result<&Factor, EnrollmentError> {
        self.policy().factor(id).ok_or_else(|| EnrollmentError::UnknownFactor {
            factor: id.to_owned(),
            known: self.policy().factors().iter().map(|factor| factor.id.clone()).collect(),
        })
    }

    fn subscriber(&self, user: &str) -> Result<Subscriber, EnrollmentError> {
        let account = self.accounts().account(user)?;
        let (name, uid) = account.as_ref().map_or((user, None), |account| (&account.name, Some(account.uid)));
        Ok(Subscriber { user: Username::parse(name)?, uid })
    }
}

/// An enrolled authenticator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enrolled {
    /// Its factor.
    pub factor: FactorId,
    /// `totp` or `hotp`.
    pub kind: &'static str,
    /// When it was enrolled.
    pub enrolled_at: UnixTime,
    /// When a login last accepted one of its codes, if any.
    pub used_at: Option<UnixTime>,
}

impl Enrolled {
    fn of(credential: &Credential, state: &LoginState) -> Self {
        Self {
            factor: credential.factor.clone(),
            kind: credential.otp_type.name(),
            enrolled_at: credential.enrolled_at,
            used_at: state.mark(credential.id()).filter(|mark| !mark.by_reset).map(|mark| mark.used_at),
        }
    }
}

/// Removes the authenticator of `factor` of `user`, or with `None` everything. Returns what was removed.
///
/// # Errors
///
/// [`EnrollmentError::NotEnrolled`] where there is nothing to remove, or the error of the store.
pub fn revoke<S: Enrollments>(
    store: &S,
    user: &Username,
    factor: Option<&str>,
) -> Result<Vec<FactorId>, EnrollmentError> {
    let mut revoked = Vec::new();
    store.change_record(user, |current| {
        let is_meant = |credential: &Credential| factor.is_none_or(|id| credential.factor.as_str() == id);
        revoked =
            current.credentials().iter().filter(|it| is_meant(it)).map(|it| it.factor.clone()).collect();
        if factor.is_none() {
            return Ok(UserRecord::default());
        }
        if revoked.is_empty() {
            return Err(EnrollmentError::NotEnrolled);
        }
        let uid = current.uid();
        let (mut credentials, recovery) = current.into_parts();
        credentials.retain(|credential| !is_meant(credential));
        Ok::<_, EnrollmentError>(UserRecord::new(credentials, recovery)?.bound_to(uid))
    })?;
    Ok(revoked)
}

/// Replaces the recovery codes by `count` new ones. Returns them after their hashes are durable.
///
/// # Errors
///
/// [`EnrollmentError::NotEnrolled`] for a user without an authenticator, [`EnrollmentError::Count`], or the error of
/// the store.
pub fn make_recovery_codes<S: Enrollments>(
    store: &S,
    subscriber: &Subscriber,
    count: usize,
) -> Result<Vec<RecoveryCode>, EnrollmentError> {
    let (set, codes) = RecoverySet::random(count)?.ok_or(EnrollmentError::Count)?;
    store.change_record(&subscriber.user, |current| {
        if current.credentials().is_empty() {
            return Err(EnrollmentError::NotEnrolled);
        }
        check_is_same(subscriber, &current)?;
        let uid = current.uid();
        let (credentials, _) = current.into_parts();
        Ok::<_, EnrollmentError>(subscriber.bind(UserRecord::new(credentials, Some(set))?.bound_to(uid)))
    })?;
    Ok(codes)
}

/// The codes that an earlier enrollment of the same key used up.
fn past_of(credential: &Credential, record: &UserRecord) -> u64 {
    let same = record.credentials().iter().find(|other| other.id() == credential.id());
    same.map_or(0, |other| other.first)
}

fn check_is_same(subscriber: &Subscriber, record: &UserRecord) -> Result<(), EnrollmentError> {
    if subscriber.owns(record) {
        return Ok(());
    }
    Err(EnrollmentError::AnotherAccount { enrolled: record.uid(), today: subscriber.uid })
}

/// Refused, because the holder of a key that two steps share passes both.
fn check_key(credential: &Credential, record: &UserRecord) -> Result<(), EnrollmentError> {
    let same =
        |other: &&Credential| other.factor != credential.factor && other.shares_its_key_with(credential);
    match record.credentials().iter().find(same) {
        Some(other) => Err(EnrollmentError::SecretTwice(other.factor.clone())),
        None => Ok(()),
    }
}

/// Replaces the credential of the same factor and checks the resulting record.
fn replace(current: UserRecord, credential: Credential) -> Result<UserRecord, EnrollmentError> {
    let uid = current.uid();
    let (mut credentials, recovery) = current.into_parts();
    credentials.retain(|other| other.factor != credential.factor);
    credentials.push(credential);
    Ok(UserRecord::new(credentials, recovery)?.bound_to(uid))
}

/// Makes a counter token valid again that a reset of the login state made void. Two consecutive codes have
/// just proven the counter, and all codes up to it count as used. Any other mark stays: enrolling a key again
/// never makes a used code good.
fn lift_void<S: Enrollments>(
    store: &S,
    user: &Username,
    id: CredentialId,
    next: u64,
    now: UnixTime,
) -> Result<(), EnrollmentError> {
    let (record, state) = store.enrollment(user)?.unwrap_or_default();
    let is_void = state.mark(id).is_some_and(|mark| mark.by_reset);
    let token = record.credentials().iter().find(|it| it.id() == id && it.otp_type == OtpType::Hotp);
    match token.filter(|_| is_void) {
        Some(token) => Ok(store.set_counter(user, token, next, now)?),
        None => Ok(()),
    }
}

/// Why an enrollment was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnrollmentError {
    /// No account can have this name.
    Name(InvalidUsername),
    /// The policy has no such factor.
    UnknownFactor {
        /// The requested factor.
        factor: String,
        /// The factors of the policy.
        known: Vec<FactorId>,
    },
    /// An account with another user id enrolled under this name.
    AnotherAccount {
        /// The user id in the record.
        enrolled: Option<u32>,
        /// The user id of the account now.
        today: Option<u32>,
    },
    /// Another factor of the user, this one, has the same key.
    SecretTwice(FactorId),
    /// Nothing is enrolled that could be changed.
    NotEnrolled,
    /// 1 to 64 recovery codes make a set.
    Count,
    /// The record would not be valid.
    Record(InvalidRecord),
    /// The kernel gave no random bytes.
    Randomness(NoRandomness),
    /// The account databases did not answer.
    Accounts(AccountsError),
    /// The store could not be read or written.
    Store(StoreFailure),
}

impl fmt::Display for EnrollmentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(formatter),
            Self::UnknownFactor { factor, known } => {
                let known: Vec<&str> = known.iter().map(FactorId::as_str).collect();
                write!(formatter, "the policy has no factor `{factor}`; known: {}", known.join(", "))
            }
            Self::AnotherAccount { enrolled, today } => {
                let number = |uid: &Option<u32>| uid.map_or_else(|| "none".to_owned(), |uid| uid.to_string());
                write!(
                    formatter,
                    "the account of user id {} enrolled under this name, which has user id {} today",
                    number(enrolled),
                    number(today)
                )
            }
            Self::SecretTwice(factor) => write!(
                formatter,
                "factor `{factor}` has this secret already; each step needs an authenticator of its own"
            ),
            Self::NotEnrolled => formatter.write_str("nothing of that name is enrolled"),
            Self::Count => write!(formatter, "1 to {} recovery codes make a set", RecoverySet::MAX_CODES),
            Self::Record(error) => error.fmt(formatter),
            Self::Randomness(error) => error.fmt(formatter),
            Self::Accounts(error) => error.fmt(formatter),
            Self::Store(failure) => failure.fmt(formatter),
        }
    }
}

impl std::error::Error for EnrollmentError {}

macro_rules! from {
    ($($error:ident => $variant:ident),*) => {
        $(impl From<$error> for EnrollmentError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}
from!(InvalidUsername => Name, InvalidRecord => Record, NoRandomness => Randomness, AccountsError => Accounts, StoreFailure => Store);
