//! The user that a name on the command line means.

use super::failure::Failure;
use super::{Context, output};
use crate::store::FileStore;
use crate::verifier::accounts::Account;
use crate::verifier::enrollment::{Subscriber, UserRecord};
use crate::verifier::shell_word::shell_word;
use crate::verifier::username::Username;

/// A name as the store knows it, and the account behind it.
pub struct Who {
    /// The name that the record goes by.
    pub user: Username,
    /// The account; `None` where the system lists none.
    pub account: Option<Account>,
}

impl Who {
    /// Asks the system which account `typed` is, as a login would. The record goes by the account's own name.
    ///
    /// # Errors
    ///
    /// [`Failure`] where the account databases do not answer.
    pub fn of(context: &Context, typed: &Username) -> Result<Self, Failure> {
        let account = context.accounts.account(typed.as_str());
        let account = account.map_err(|error| Failure::refused(error.to_string()))?;
        let user = account
            .as_ref()
            .and_then(|account| Username::parse(&account.name).ok())
            .unwrap_or_else(|| typed.clone());
        if user != *typed {
            output::warn(&format!("`{typed}` is another name of the account `{user}`, which is meant"));
        }
        Ok(Self { user, account })
    }

    /// The same for a record that is there: the one under the name as typed, or else the account's. An outage of
    /// the account databases does not stand in the way.
    ///
    /// # Errors
    ///
    /// [`Failure`] where the store can't be read.
    pub fn enrolled(context: &Context, store: &FileStore, typed: &Username) -> Result<Username, Failure> {
        if store.has_record(typed)? {
            return Ok(typed.clone());
        }
        Self::of(context, typed).map(|who| who.user).or_else(|failure| {
            output::warn(&failure.to_string());
            Ok(typed.clone())
        })
    }

    /// The account's number.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.account.as_ref().map(|account| account.uid)
    }

    /// Whom an authenticator is bound to.
    #[must_use]
    pub fn subscriber(&self) -> Subscriber {
        Subscriber { user: self.user.clone(), uid: self.uid() }
    }

    /// Refuses to change a record that another account made.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the two ways on.
    pub fn check_is_same(&self, record: &UserRecord) -> Result<(), Failure> {
        if self.subscriber().owns(record) {
            return Ok(());
        }
        Err(Failure::refused(another_account(self.user.as_str(), record.uid(), self.uid())))
    }
}

/// That an account was made again under its old name, and what to do.
#[must_use]
pub fn another_account(user: &str, enrolled: Option<u32>, today: Option<u32>) -> String {
    let word = shell_word(user);
    let number = |uid: Option<u32>| uid.map_or_else(|| "none".to_owned(), |uid| uid.to_string());
    format!(
        "{user}: user id {} enrolled, the account has {} now, so its logins are denied; `mfa-chain adopt {word}` if it \
         is the same person, `mfa-chain revoke {word}` if not",
        number(enrolled),
        number(today)
    )
}

/// That an account enrolled under another name, and what to do.
#[must_use]
pub fn renamed(holder: &Username, user: &str) -> String {
    format!(
        "the account of user id that enrolled as `{holder}` is called `{user}` now, so it is not exempt from codes; \
         `mfa-chain revoke {}`, then enroll `{user}`",
        shell_word(holder.as_str())
    )
}
