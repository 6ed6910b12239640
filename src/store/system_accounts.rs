//! The account and group databases of this host, asked through NSS, so that LDAP and SSSD count.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Group, User, getgrouplist};

use crate::verifier::ports::{Accounts, AccountsError};

/// `passwd` and `group` as nsswitch.conf(5) says.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn lists(&self, user: &str) -> Result<bool, AccountsError> {
        Ok(account(user)?.is_some())
    }

    fn is_member(&self, user: &str, group: &str) -> Result<bool, AccountsError> {
        let Some(account) = account(user)? else { return Ok(false) };
        // The groups of the rule are looked up by name and the user's compared by number: a user of a
        // directory may be in hundreds of groups, a rule names a few.
        let looked_up = Group::from_name(group);
        let Some(group) = looked_up.map_err(|error| failed("the group", group, error))? else {
            return Ok(false);
        };
        // Names with NUL exist nowhere.
        let Ok(name) = CString::new(user) else { return Ok(false) };
        let groups = getgrouplist(&name, account.gid);
        Ok(groups.map_err(|error| failed("the groups of", user, error))?.contains(&group.gid))
    }
}

fn account(user: &str) -> Result<Option<User>, AccountsError> {
    if user.contains('\0') {
        return Ok(None);
    }
    User::from_name(user).map_err(|error| failed("the account", user, error))
}

fn failed(what: &str, name: &str, error: Errno) -> AccountsError {
    AccountsError(format!("looking up {what} `{name}`: {}", error.desc()))
}
