//! One user of the store, as the commands that need an enrollment find them.

use super::failure::Failure;
use crate::store::FileStore;
use crate::verifier::enrolling::EnrollmentError;
use crate::verifier::enrollment::{Credential, UserRecord};
use crate::verifier::ports::Enrollments;
use crate::verifier::state::LoginState;
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
    Ok(store.enrollment(user)?)
}

/// That `user` has no record.
#[must_use]
pub fn nobody(user: &Username) -> Failure {
    Failure::of_enrollment(EnrollmentError::NotEnrolled, user.as_str())
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
