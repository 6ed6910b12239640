//! What the engine asks of the world. Each port has one real implementation and strict doubles in tests.

use std::fmt;

/// The system's databases of accounts and groups (NSS), so LDAP and SSSD count too.
pub trait Accounts {
    /// Whether the system lists an account `user`.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer; "not listed" is no error.
    fn lists(&self, user: &str) -> Result<bool, AccountsError>;

    /// Whether `user` belongs to `group`, as primary or supplementary group. An account or a group that the
    /// system does not list is no member.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer.
    fn is_member(&self, user: &str, group: &str) -> Result<bool, AccountsError>;
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
