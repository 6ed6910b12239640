//! HMAC-SHA-256: what draws, credential names and recovery hashes follow from.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA-256 (RFC 2104) of the concatenated parts. Each use begins with a text of its own, so that no value
/// of one use is ever a value of another.
pub(crate) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so there is no error to meet; the fallback hashes nothing.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The first 64 bits of it, for names of things.
pub(crate) fn keyed_number(key: &[u8], parts: &[&[u8]]) -> u64 {
    let mut number = [0; 8];
    number.iter_mut().zip(keyed_hash(key, parts)).for_each(|(to, from)| *to = from);
    u64::from_le_bytes(number)
}
