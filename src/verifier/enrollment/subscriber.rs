//! The user that an authenticator is bound to.

use super::record::UserRecord;
use crate::verifier::username::Username;

/// The person who enrolls (NIST SP 800-63B: subscriber), as the store knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The name of the record.
    pub user: Username,
    /// The user id of the account; `None` if the system lists none.
    pub uid: Option<u32>,
}

impl Subscriber {
    /// Whether `record` can belong to this account. It does not if the account was created again under an old
    /// name.
    #[must_use]
    pub fn owns(&self, record: &UserRecord) -> bool {
        record.is_of(self.uid)
    }

    /// Binds `record` to this account if the system lists it.
    #[must_use]
    pub fn bind(&self, record: UserRecord) -> UserRecord {
        let uid = self.uid.or(record.uid());
        record.bound_to(uid)
    }
}
