//! The enrollment of a user.

use std::fmt;

use super::credential::Credential;
use crate::verifier::otp::RecoverySet;
use crate::verifier::policy::{Factor, FactorId};

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
                if other.shares_its_key_with(credential) {
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

    /// The user id of the account that enrolled. Records of version 1 and of unlisted names hold none.
    #[must_use]
    pub const fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// Whether the account of user id `uid` can be the one that enrolled. An account that was deleted and
    /// created again under the same name is not.
    #[must_use]
    pub fn is_of(&self, uid: Option<u32>) -> bool {
        self.credentials.is_empty() || same_account(self.uid, uid)
    }

    /// The credentials, in the order of enrollment.
    #[must_use]
    pub fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    /// The recovery codes, if a set was made.
    #[must_use]
    pub const fn recovery(&self) -> Option<&RecoverySet> {
        self.recovery.as_ref()
    }

    /// The credential enrolled for `factor`, if it has the kind that the policy now requires.
    #[must_use]
    pub fn credential(&self, factor: &Factor) -> Option<&Credential> {
        self.credentials
            .iter()
            .find(|credential| credential.factor == factor.id && credential.otp_type.fits(factor.kind))
    }

    /// A copy with its secrets.
    pub(crate) fn copied(&self) -> Self {
        let credentials = self.credentials.iter().map(Credential::copied).collect();
        Self { uid: self.uid, credentials, recovery: self.recovery.clone() }
    }

    /// The parts of the record, to build the next record.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Credential>, Option<RecoverySet>) {
        (self.credentials, self.recovery)
    }
}

/// Whether two user ids may be the same account; an unknown id matches every id.
#[must_use]
pub fn same_account(enrolled: Option<u32>, today: Option<u32>) -> bool {
    enrolled.is_none() || today.is_none() || enrolled == today
}

/// Why credentials can't be in one record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// More than [`UserRecord::MAX_CREDENTIALS`].
    TooMany,
    /// Two credentials for one factor.
    FactorTwice(FactorId),
    /// Two factors with one key: its holder would pass both steps.
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

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::verifier::enrollment::OtpType;
    use crate::verifier::otp::{Algorithm, Digits, SharedSecret};

    fn credential(factor: &str, algorithm: Algorithm, key: &[u8]) -> Credential {
        Credential {
            algorithm,
            digits: Digits::new(6).expect("digits"),
            ..Credential::new(
                FactorId::parse(factor).expect("an id"),
                OtpType::Hotp,
                SharedSecret::from_bytes(Zeroizing::new(key.to_vec())).expect("a key"),
            )
        }
    }

    /// Compared with the codes themselves: two keys count as one exactly if they make the same codes.
    #[test]
    fn keys_that_make_the_same_codes_count_as_one() {
        let sha1_of = |key: &[u8]| <sha1::Sha1 as sha1::Digest>::digest(key).to_vec();
        let (short, long) = (b"12345678901234567890".to_vec(), vec![7; 65]);
        let filled = [short.as_slice(), &[0, 0, 0]].concat();
        let cases = [
            ("the same", Algorithm::Sha1, short.clone(), Algorithm::Sha1, short.clone(), true),
            ("filled up with zeros", Algorithm::Sha1, short.clone(), Algorithm::Sha1, filled.clone(), true),
            ("zeros, another hash", Algorithm::Sha1, short.clone(), Algorithm::Sha256, filled.clone(), false),
            ("the hash of a long one", Algorithm::Sha1, long.clone(), Algorithm::Sha1, sha1_of(&long), true),
            (
                "short for that hash",
                Algorithm::Sha512,
                long.clone(),
                Algorithm::Sha512,
                sha1_of(&long),
                false,
            ),
            (
                "zeros in front",
                Algorithm::Sha1,
                short.clone(),
                Algorithm::Sha1,
                [&[0], &*short].concat(),
                false,
            ),
        ];
        for (case, first_hash, first, second_hash, second, shared) in cases {
            let (one, other) = (credential("a", first_hash, &first), credential("b", second_hash, &second));
            let codes = |it: &Credential| (0..4).map(|at| it.code(at).to_string()).collect::<Vec<_>>();
            assert_eq!(codes(&one) == codes(&other), shared, "{case}");
            let record = UserRecord::new(vec![one, other], None);
            assert_eq!(matches!(record, Err(InvalidRecord::SecretTwice(..))), shared, "{case}");
        }
    }
}
