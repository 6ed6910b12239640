//! What a user enrolled.

use std::fmt;

use super::credential::Credential;
use super::policy::{Factor, FactorId};
use super::recovery::RecoverySet;

/// The authenticators and recovery codes of one user. No two credentials share a factor or a key, so two
/// steps of a chain never do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UserRecord {
    uid: Option<u32>,
    credentials: Vec<Credential>,
    recovery: Option<RecoverySet>,
}

impl UserRecord {
    /// The most authenticators of one user.
    pub const MAX_CREDENTIALS: usize = 32;

    /// A record of these credentials.
    ///
    /// # Errors
    ///
    /// [`InvalidRecord`] for a factor or a key that appears twice, or too many credentials.
    pub fn new(credentials: Vec<Credential>, recovery: Option<RecoverySet>) -> Result<Self, InvalidRecord> {
        if credentials.len() > Self::MAX_CREDENTIALS {
            return Err(InvalidRecord::TooMany);
        }
        for (place, credential) in credentials.iter().enumerate() {
            for other in credentials.iter().skip(place.saturating_add(1)) {
                if other.factor == credential.factor {
                    return Err(InvalidRecord::FactorTwice(other.factor.clone()));
                }
                if other.secret == credential.secret {
                    return Err(InvalidRecord::SecretTwice(credential.factor.clone(), other.factor.clone()));
                }
            }
        }
        Ok(Self { uid: None, credentials, recovery })
    }

    /// The same record, bound to the account of the number `uid`; to none where the system lists no account.
    #[must_use]
    pub fn bound_to(self, uid: Option<u32>) -> Self {
        Self { uid, ..self }
    }

    /// The number of the account that enrolled. Records of version 1 hold none, nor do those of names that
    /// the system did not list.
    #[must_use]
    pub const fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// Whether the account of the number `uid` can be the one that enrolled. It is not where an account was
    /// deleted and made again under its name.
    #[must_use]
    pub fn is_of(&self, uid: Option<u32>) -> bool {
        self.credentials.is_empty() || same_account(self.uid, uid)
    }

    /// The credentials, in the order of enrolment.
    #[must_use]
    pub fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    /// The recovery codes, if a set was made.
    #[must_use]
    pub const fn recovery(&self) -> Option<&RecoverySet> {
        self.recovery.as_ref()
    }

    /// The credential enrolled for `factor`, if it is of the kind that the policy says today.
    #[must_use]
    pub fn credential(&self, factor: &Factor) -> Option<&Credential> {
        self.credentials
            .iter()
            .find(|credential| credential.factor == factor.id && credential.moving.fits(factor.kind))
    }

    /// Takes the record apart, to build the next one.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Credential>, Option<RecoverySet>) {
        (self.credentials, self.recovery)
    }
}

/// Whether two numbers may be one account's; a number that is not known contradicts nothing.
#[must_use]
pub fn same_account(enrolled: Option<u32>, today: Option<u32>) -> bool {
    enrolled.is_none() || today.is_none() || enrolled == today
}

/// Why credentials can't stand in one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidRecord {
    /// More than [`UserRecord::MAX_CREDENTIALS`].
    TooMany,
    /// Two credentials for one factor.
    FactorTwice(FactorId),
    /// Two factors with one key: whoever holds it would pass both steps.
    SecretTwice(FactorId, FactorId),
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => {
                write!(formatter, "more than {} authenticators for one user", UserRecord::MAX_CREDENTIALS)
            }
            Self::FactorTwice(factor) => write!(formatter, "factor `{factor}` stands there twice"),
            Self::SecretTwice(first, second) => write!(
                formatter,
                "factors `{first}` and `{second}` have the same secret; each step needs an authenticator of its own"
            ),
        }
    }
}

impl std::error::Error for InvalidRecord {}
