//! One user of the store, as the commands that need an enrolment find them.

use super::failure::Failure;
use crate::store::FileStore;
use crate::verifier::credential::Credential;
use crate::verifier::login_state::LoginState;
use crate::verifier::record::UserRecord;
use crate::verifier::shell_word::shell_word;
use crate::verifier::username::Username;

/// The record and the login state of `user`.
///
/// # Errors
///
/// [`Failure`] for a user without a record, or whose state is lost or damaged.
pub fn find(store: &FileStore, user: &Username) -> Result<(UserRecord, LoginState), Failure> {
    find_any(store, user)?.ok_or_else(|| nobody(user))
}

/// As [`find`]; `None` for a user without a record.
///
/// # Errors
///
/// [`Failure`] where the state is lost or damaged.
pub fn find_any(store: &FileStore, user: &Username) -> Result<Option<(UserRecord, LoginState)>, Failure> {
    let Some(record) = store.record(user)? else { return Ok(None) };
    match store.login_state(user)? {
        Some(state) => Ok(Some((record, state))),
        None if record.credentials().is_empty() => Ok(Some((record, LoginState::default()))),
        // A change of the record would make a fresh state, in which used codes are good again.
        None => Err(Failure::files(format!(
            "the login state of `{user}` is gone, so used codes are not known; run `mfa-chain unlock \
             --reset-state {}`",
            shell_word(user.as_str())
        ))),
    }
}

/// That `user` has no record.
#[must_use]
pub fn nobody(user: &Username) -> Failure {
    let word = shell_word(user.as_str());
    Failure::refused(format!(
        "`{user}` has enrolled nothing; run `mfa-chain enroll {word} FACTOR`, or see `mfa-chain status`"
    ))
}

/// The factors of `credentials`, for people.
#[must_use]
pub fn factor_list(credentials: &[Credential]) -> String {
    if credentials.is_empty() {
        return "none".to_owned();
    }
    let factors: Vec<&str> = credentials.iter().map(|credential| credential.factor.as_str()).collect();
    factors.join(", ")
}
