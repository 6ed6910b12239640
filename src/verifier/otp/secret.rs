//! The key an authenticator shares with this host.

use std::fmt;

use base32ct::{Base32UpperUnpadded, Encoding};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::entropy::{NoRandomness, fill};
use super::parameters::Algorithm;

/// The shared secret of RFC 4226 §4: at least 80 bits here, because such keys are in use; RFC 4226 R6 asks for
/// 128 and recommends the 160 bits that new enrollments get. Wiped on drop, never printed.
#[derive(PartialEq, Eq)]
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// The size of a new secret: 160 bits (RFC 4226 R6).
    pub const RECOMMENDED_BYTES: usize = 20;
    const SHORTEST_BYTES: usize = 10;
    const LONGEST_BYTES: usize = 128;

    /// A new secret of 160 random bits, as RFC 4226 R6 recommends.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when the kernel gives no random bytes.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new(vec![0; Self::RECOMMENDED_BYTES]);
        fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Takes the raw key.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret::Length`] below 80 or above 1024 bits.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, InvalidSecret> {
        if (Self::SHORTEST_BYTES..=Self::LONGEST_BYTES).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(InvalidSecret::Length { bits: bytes.len().saturating_mul(8) })
        }
    }

    /// Reads base32 (RFC 4648 §6) as people copy it: upper or lower case, blanks and dashes between groups,
    /// padding or none.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret::Base32`] for another character or a cut-off text, [`InvalidSecret::Length`] as above.
    pub fn from_base32(text: &str) -> Result<Self, InvalidSecret> {
        let unpadded = text.trim_end_matches(|padding: char| padding == '=' || padding.is_ascii_whitespace());
        let bytes = decode_base32(unpadded.as_bytes()).ok_or(InvalidSecret::Base32)?;
        Self::from_bytes(bytes)
    }

    /// Reads base32 as authenticator apps do: like [`Self::from_base32`], but at the lengths of 128, 256 and
    /// 512 bits the bits left over may be set and are dropped, because some servers draw random letters
    /// instead of bytes. At other lengths such bits mean that letters are missing.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret::CutOff`] with the number of letters, and as [`Self::from_base32`].
    pub fn from_letters(letters: &str) -> Result<Self, InvalidSecret> {
        let letters = letters.trim_end_matches('=');
        let mut whole = Zeroizing::new(letters.as_bytes().to_ascii_uppercase());
        if !whole.iter().all(|letter| matches!(letter, b'A'..=b'Z' | b'2'..=b'7')) {
            return Err(InvalidSecret::Base32);
        }
        let bits = whole.len().saturating_mul(5);
        if DRAWN_LETTERS.contains(&whole.len()) {
            drop_bits(&mut whole, bits % 8);
        }
        let bytes = decode_base32(&whole).ok_or(InvalidSecret::CutOff { letters: whole.len() })?;
        Self::from_bytes(bytes)
    }

    /// The same at every length: the bits left over of the last letter are dropped, as google-authenticator-libpam
    /// drops them.
    ///
    /// # Errors
    ///
    /// As [`Self::from_base32`].
    pub fn from_letters_cut_off(letters: &str) -> Result<Self, InvalidSecret> {
        let mut letters = Zeroizing::new(letters.as_bytes().to_ascii_uppercase());
        if !letters.iter().all(|letter| matches!(letter, b'A'..=b'Z' | b'2'..=b'7')) {
            return Err(InvalidSecret::Base32);
        }
        // One, three and six letters end within a byte that they do not begin.
        let over = letters.len().saturating_mul(5) % 8;
        if over >= 5 {
            letters.pop();
        }
        let bits = letters.len().saturating_mul(5);
        drop_bits(&mut letters, bits % 8);
        Self::from_bytes(decode_base32(&letters).ok_or(InvalidSecret::Base32)?)
    }

    /// The key in base32 without padding, as authenticator apps read it.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        encode_base32(&self.0)
    }

    /// Length in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.len().saturating_mul(8)
    }

    /// Whether it is shorter than the 128 bits that RFC 4226 R6 demands.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.bits() < 128
    }

    /// The key as HMAC uses it (RFC 2104 §2), without the zeros of the padding: a key longer than a block of
    /// the hash is hashed first.
    pub(crate) fn for_hmac(&self, algorithm: Algorithm) -> Zeroizing<Vec<u8>> {
        let long = |block: usize| self.0.len() > block;
        let mut key = Zeroizing::new(match algorithm {
            Algorithm::Sha1 if long(64) => Sha1::digest(&*self.0).to_vec(),
            Algorithm::Sha256 if long(64) => Sha256::digest(&*self.0).to_vec(),
            Algorithm::Sha512 if long(128) => Sha512::digest(&*self.0).to_vec(),
            _ => self.0.to_vec(),
        });
        let used = key.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        key.truncate(used);
        key
    }

    /// A copy, wiped on drop like this one. Not a `Clone`, so that no code copies a secret by accident.
    pub(crate) fn copied(&self) -> Self {
        Self(Zeroizing::new(self.0.to_vec()))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSecret([redacted])")
    }
}

/// Decodes lenient base32 in constant time: any case, blanks and dashes ignored, no padding, trailing bits zero.
pub(super) fn decode_base32(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // Allocated at full size, so that growing leaves no copy behind.
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.iter().filter(|byte| !b" \t\r\n-".contains(byte)).map(u8::to_ascii_uppercase));
    let mut bytes = Zeroizing::new(vec![0; letters.len()]);
    let decoded = Base32UpperUnpadded::decode(&*letters, &mut bytes).ok()?.len();
    bytes.truncate(decoded);
    // The decoder does not report bits left over and missing letters.
    (encode_base32(&bytes).as_bytes() == letters.as_slice()).then_some(bytes)
}

/// Makes the lowest `count` bits of the last letter zero.
fn drop_bits(letters: &mut [u8], count: usize) {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let Some(last) = letters.last_mut() else { return };
    let value = LETTERS.iter().position(|letter| letter == last).unwrap_or_default();
    let kept = value & usize::MAX.checked_shl(u32::try_from(count).unwrap_or(0)).unwrap_or(0);
    *last = LETTERS.get(kept).copied().unwrap_or(*last);
}

/// Letters that hold 128, 256 and 512 bits and a few more.
const DRAWN_LETTERS: [usize; 3] = [26, 52, 103];

/// Encodes without padding.
pub(super) fn encode_base32(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(Base32UpperUnpadded::encode_string(bytes))
}

/// Why a text or a key is not a [`SharedSecret`]. Holds no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// Not base32.
    Base32,
    /// Base32 that ends within a byte.
    CutOff {
        /// How many letters it has.
        letters: usize,
    },
    /// Too short or too long.
    Length {
        /// The length found, in bits.
        bits: usize,
    },
}

impl fmt::Display for InvalidSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base32 => formatter.write_str(
                "the secret is not base32: letters A to Z and digits 2 to 7, whole; blanks and dashes may group them",
            ),
            Self::CutOff { letters } => write!(
                formatter,
                "{letters} letters of base32 do not end with a whole byte, so letters are missing at the end; copy all of it"
            ),
            Self::Length { bits } => write!(formatter, "the secret has {bits} bits; 80 to 1024 are taken"),
        }
    }
}

impl std::error::Error for InvalidSecret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_read_as_people_copy_it() {
        let plain = SharedSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("plain");
        assert_eq!(plain.expose(), b"12345678901234567890");
        for text in [
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n",
            "gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ======",
        ] {
            assert_eq!(SharedSecret::from_base32(text).as_ref(), Ok(&plain), "{text}");
        }
        assert_eq!(*plain.to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_cut_off_or_foreign_text_is_refused() {
        for text in ["", "0189", "GEZDGNBVGY3TQOJQ1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ", "GEZDGNBVGY3TQOJQÄ"]
        {
            assert!(SharedSecret::from_base32(text).is_err(), "{text}");
        }
    }

    #[test]
    fn letters_that_were_drawn_are_read_as_apps_read_them() {
        // python3: base64.b32decode of the letters with the last one's low bits zero.
        let drawn = SharedSecret::from_letters("GIXGVKXURU5ZRUXOXJQCZDFPXD").expect("26 letters");
        let zero_bits = SharedSecret::from_base32("GIXGVKXURU5ZRUXOXJQCZDFPXA").expect("whole");
        assert_eq!((drawn.bits(), drawn), (128, zero_bits));
        assert!(SharedSecret::from_base32("GIXGVKXURU5ZRUXOXJQCZDFPXD").is_err(), "our own files are whole");
        for lost in ["35GTMLIZVNXQK553DSBAPHTMB", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ"] {
            let cut_off = InvalidSecret::CutOff { letters: lost.len() };
            assert_eq!(SharedSecret::from_letters(lost), Err(cut_off), "{lost}");
        }
        assert_eq!(SharedSecret::from_letters("GEZDGNBVGY3TQOJ1"), Err(InvalidSecret::Base32));
    }

    #[test]
    fn eighty_bits_are_taken_as_short_and_fewer_refused() {
        let short = SharedSecret::from_base32("GEZDGNBVGY3TQOJQ").expect("80 bits");
        assert!(short.is_short());
        assert_eq!(SharedSecret::from_base32("GEZDGNBVGY3TQ"), Err(InvalidSecret::Length { bits: 64 }));
    }

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let secret = SharedSecret::from_base32("GEZDGNBVGY3TQOJQ").expect("80 bits");
        assert_eq!(format!("{secret:?}"), "SharedSecret([redacted])");
    }
}
