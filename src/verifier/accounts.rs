//! The accounts and groups of a system, as the engine asks for them.

use std::fmt;

/// The system's databases of accounts and groups (NSS), so LDAP and SSSD count too.
pub trait Accounts {
    /// The account that `name` leads to. A directory may know one account by several names; the answer holds
    /// the account's own name.
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

    /// Whether `account` belongs to `group`, as primary or supplementary group. An account that the system
    /// does not list is not a member. The group is looked up in any case.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when a database did not answer.
    fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError>;
}

impl<T: Accounts + ?Sized> Accounts for &T {
    fn account(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        (**self).account(name)
    }

    fn account_of(&self, uid: u32) -> Result<Option<Account>, AccountsError> {
        (**self).account_of(uid)
    }

    fn lists_group(&self, group: &str) -> Result<bool, AccountsError> {
        (**self).lists_group(group)
    }

    fn membership(&self, account: Option<&Account>, group: &str) -> Result<Membership, AccountsError> {
        (**self).membership(account, group)
    }
}

/// No account databases: every name stands for itself and is in no group.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAccounts;

impl Accounts for NoAccounts {
    fn account(&self, _: &str) -> Result<Option<Account>, AccountsError> {
        Ok(None)
    }

    fn account_of(&self, _: u32) -> Result<Option<Account>, AccountsError> {
        Ok(None)
    }

    fn lists_group(&self, _: &str) -> Result<bool, AccountsError> {
        Ok(false)
    }

    fn membership(&self, _: Option<&Account>, _: &str) -> Result<Membership, AccountsError> {
        Ok(Membership::NoSuchGroup)
    }
}

/// What an account is to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// A member.
    Member,
    /// Not a member of an existing group.
    NoMember,
    /// The system lists no such group. Some directories also answer this while they are down.
    NoSuchGroup,
}

impl From<bool> for Membership {
    fn from(is_member: bool) -> Self {
        if is_member { Self::Member } else { Self::NoMember }
    }
}

/// An account, as the system lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's own name (`pw_name`), which may differ from the requested name.
    pub name: String,
    /// Its number (`pw_uid`).
    pub uid: u32,
    /// The number of its primary group (`pw_gid`).
    pub gid: u32,
}

/// The account databases did not answer. Decisions that need the answer deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsError(pub String);

impl fmt::Display for AccountsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for AccountsError {}
