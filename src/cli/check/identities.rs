//! Whether the accounts of today are the ones that enrolled.

use std::collections::BTreeMap;

use crate::cli::who::{another_account, renamed};
use crate::store::FileStore;
use crate::verifier::accounts::{Account, Accounts, AccountsError};
use crate::verifier::enrollment::UserRecord;
use crate::verifier::shell_word::shell_word;
use crate::verifier::username::Username;

/// Records that no login reads, or that another account's logins would meet, a line each. Records that can't be
/// read are told elsewhere.
#[must_use]
pub fn warnings(store: &FileStore, accounts: &dyn Accounts) -> Vec<String> {
    let (mut warnings, mut silent) = (Vec::new(), None);
    let mut holders: BTreeMap<u32, Vec<Username>> = BTreeMap::new();
    let mut without_uid = 0_usize;
    for user in store.users().unwrap_or_default() {
        let Ok(Some(record)) = store.record(&user) else { continue };
        if record.credentials().is_empty() {
            continue;
        }
        match accounts.account(user.as_str()) {
            Ok(account) => {
                let is_own = account.as_ref().is_some_and(|account| account.name == user.as_str());
                without_uid = without_uid.saturating_add(usize::from(is_own && record.uid().is_none()));
                warnings.extend(on_record(&user, &record, account.as_ref(), accounts));
            }
            Err(error) => silent = Some(error),
        }
        warnings.extend(on_index(store, &user, &record));
        if let Some(uid) = record.uid() {
            holders.entry(uid).or_default().push(user);
        }
    }
    warnings.extend(
        holders.iter().filter(|(_, users)| users.len() > 1).map(|(uid, users)| on_one_uid(*uid, users)),
    );
    if without_uid > 0 {
        warnings.push(format!(
            "{without_uid} records of an earlier version hold no user id, so an account that is made again under \
             its name is not told apart; `mfa-chain adopt --all` writes the ids of today"
        ));
    }
    warnings
        .extend(silent.map(|error: AccountsError| format!("whose records these are is not known: {error}")));
    warnings
}

fn on_record(
    user: &Username,
    record: &UserRecord,
    account: Option<&Account>,
    accounts: &dyn Accounts,
) -> Option<String> {
    match account {
        Some(account) if account.name != user.as_str() => Some(format!(
            "{user}: the account is called `{}`, so no login reads this record; `mfa-chain revoke {}`, then enroll \
             `{}` if it is not enrolled",
            account.name,
            shell_word(user.as_str()),
            account.name
        )),
        Some(account) if !record.is_of(Some(account.uid)) => {
            Some(another_account(user.as_str(), record.uid(), Some(account.uid)))
        }
        Some(_) => None,
        None => {
            let today = record.uid().and_then(|uid| accounts.account_of(uid).ok().flatten());
            today.map(|account| renamed(user, &account.name))
        }
    }
}

/// The index of user ids is what notices a renamed account.
fn on_index(store: &FileStore, user: &Username, record: &UserRecord) -> Option<String> {
    match store.holder_of(record.uid()?) {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!(
            "{user}: not in the index of user ids, as after a restore; `mfa-chain adopt {}` writes it again",
            shell_word(user.as_str())
        )),
        Err(error) => Some(error.to_string()),
    }
}

fn on_one_uid(uid: u32, users: &[Username]) -> String {
    let names: Vec<String> = users.iter().map(|user| format!("`{user}`")).collect();
    format!(
        "{} have one user id, {uid}: to the system they are one account, and each opens it; revoke those that are not \
         meant",
        names.join(" and ")
    )
}
