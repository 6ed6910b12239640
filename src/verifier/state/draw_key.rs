//! What makes the draws of a user unpredictable.

use crate::verifier::otp::{NoRandomness, fill};

/// The key of a user's draws: 256 random bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DrawKey(pub [u8; 32]);

impl DrawKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when the kernel gives no random bytes.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut key = Self::default();
        fill(&mut key.0)?;
        Ok(key)
    }
}

impl std::fmt::Debug for DrawKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DrawKey([redacted])")
    }
}
