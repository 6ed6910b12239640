//! HMAC-SHA-256, for draws, credential names and recovery hashes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA-256 (RFC 2104) of the concatenated parts. Each use begins with its own text, so that a value of
/// one use never equals a value of another.
///
/// # Panics
///
/// Never: HMAC takes keys of any length. A fixed value instead of an error would be a key that everybody
/// knows, so an error ends the login (`PAM_ABORT`).
#[allow(clippy::expect_used)]
pub(crate) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The first 64 bits of [`keyed_hash`], for names in the login state.
pub(crate) fn keyed_number(key: &[u8], parts: &[&[u8]]) -> u64 {
    let mut number = [0; 8];
    number.iter_mut().zip(keyed_hash(key, parts)).for_each(|(to, from)| *to = from);
    u64::from_le_bytes(number)
}
