//! Whose a login state is: its file, what its slots begin with, and what mends it.

use crate::verifier::keyed_hash::keyed_number;
use crate::verifier::login_state::DrawKey;
use crate::verifier::shell_word::shell_word;
use crate::verifier::username::Username;

/// The folder of login states.
pub const STATE: &str = "state";
/// The folder of decoys.
pub const DECOYS: &str = "decoys";

/// The user whose login state a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(pub Username);

impl Owner {
    /// The file below the store.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{STATE}/{}", self.0.to_file_name())
    }

    /// What a slot begins with, under the key in it.
    #[must_use]
    pub fn mark(&self, key: &DrawKey) -> u64 {
        keyed_number(&key.0, &[b"state of user ", self.0.as_str().as_bytes()])
    }

    /// What mends a file that is damaged: what it knew is lost.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!(
            "run `mfa-chain unlock --reset-state {}` once the cause is known",
            shell_word(self.0.as_str())
        )
    }
}
