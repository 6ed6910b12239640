//! The owner of a login state: its file, the mark at the start of its slots, and the remedy for a damaged
//! file.

use crate::verifier::otp::keyed_number;
use crate::verifier::shell_word::shell_word;
use crate::verifier::state::DrawKey;
use crate::verifier::username::Username;

/// The folder of login states.
pub const STATE: &str = "state";
/// The folder of decoys.
pub const DECOYS: &str = "decoys";

/// The user that a login state belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(pub Username);

impl Owner {
    /// The file below the store.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{STATE}/{}", self.0.to_file_name())
    }

    /// The mark at the start of a slot, made with the key of the same slot.
    #[must_use]
    pub fn mark(&self, key: &DrawKey) -> u64 {
        keyed_number(&key.0, &[b"state of user ", self.0.as_str().as_bytes()])
    }

    /// The command that replaces a damaged file; its content is lost.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!(
            "run `mfa-chain unlock --reset-state {}` once the cause is known",
            shell_word(self.0.as_str())
        )
    }
}
