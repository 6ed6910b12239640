//! Whose a state file is: its name, what its slots begin with, and what mends it.

use super::decoys::bucket_of;
use crate::verifier::keyed_hash::keyed_number;
use crate::verifier::login_state::DrawKey;
use crate::verifier::username::Username;

/// The folder of login states.
pub const STATE: &str = "state";
/// The folder of decoys.
pub const DECOYS: &str = "decoys";

/// Whose a state file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This user's.
    User(Username),
    /// Of names that nobody enrolled, in the table of this name.
    Nobody(String),
}

impl Owner {
    /// That of the table which `user`, who has not enrolled, falls into.
    #[must_use]
    pub fn of_unknown(user: &str) -> Self {
        Self::Nobody(bucket_of(user))
    }

    /// The file below the store.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::User(user) => format!("{STATE}/{}", user.to_file_name()),
            Self::Nobody(table) => format!("{DECOYS}/{table}"),
        }
    }

    /// What a slot begins with, under the key in it.
    #[must_use]
    pub fn mark(&self, key: &DrawKey) -> u64 {
        let (kind, name) = match self {
            Self::User(user) => ("state of user ", user.as_str()),
            Self::Nobody(table) => ("state of table ", table.as_str()),
        };
        keyed_number(&key.0, &[kind.as_bytes(), name.as_bytes()])
    }

    /// What mends a damaged file: a user's state is lost with what it knew, a table of decoys knew nothing.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::User(user) => {
                format!("run `mfa-chain unlock --reset-state {user}` once the cause is known")
            }
            Self::Nobody(_) => "run `mfa-chain enroll` for any user, which makes it anew".to_owned(),
        }
    }
}
