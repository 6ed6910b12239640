//! Random bytes of the kernel, for secrets, salts and draw keys.

use std::fmt;

/// Fills `bytes` with random bytes of the kernel (getrandom(2)).
///
/// # Errors
///
/// [`NoRandomness`] when it gives none.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(|_| NoRandomness)
}

/// The kernel gave no random bytes, so nothing was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

impl fmt::Display for NoRandomness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the kernel gave no random bytes; try again")
    }
}

impl std::error::Error for NoRandomness {}
