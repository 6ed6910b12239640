//! Recovery codes: look-up secrets (NIST SP 800-63B §3.1.2) for users who lost an authenticator.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::entropy::{NoRandomness, fill};
use super::keyed_hash::keyed_hash;
use super::secret::{decode_base32, encode_base32};
use crate::verifier::time::UnixTime;

/// One recovery code: 120 bits from the kernel, so that a fast salted hash protects it. Wiped on drop.
#[derive(PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<[u8; Self::BYTES]>);

impl RecoveryCode {
    /// Its length: 120 bits.
    pub const BYTES: usize = 15;
    const LETTERS: usize = 24;

    /// A new code of 120 random bits, and its hash.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when the kernel gives no random bytes.
    pub fn random() -> Result<(Self, RecoveryHash), NoRandomness> {
        let (mut bytes, mut salt) = (Zeroizing::new([0; Self::BYTES]), [0; 16]);
        fill(bytes.as_mut_slice())?;
        fill(&mut salt)?;
        let code = Self(bytes);
        let hash = RecoveryHash::of(&code, salt);
        Ok((code, hash))
    }

    /// Makes a code of random bytes.
    #[must_use]
    pub fn from_entropy(bytes: Zeroizing<[u8; Self::BYTES]>) -> Self {
        Self(bytes)
    }

    /// Reads 24 characters of base32, in any case, grouped by dashes or blanks or not at all.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        if letters != Self::LETTERS {
            return None;
        }
        let decoded = decode_base32(text)?;
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        (decoded.len() == bytes.len()).then(|| bytes.copy_from_slice(&decoded))?;
        Some(Self(bytes))
    }

    /// The code as it is shown once: six groups of four.
    #[must_use]
    pub fn to_groups(&self) -> Zeroizing<String> {
        let letters = encode_base32(self.0.as_slice());
        let mut groups = Zeroizing::new(String::with_capacity(29));
        for (position, letter) in letters.chars().enumerate() {
            if position > 0 && position % 4 == 0 {
                groups.push('-');
            }
            groups.push(letter);
        }
        groups
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RecoveryCode([redacted])")
    }
}

/// The stored form of a recovery code: a salt, and HMAC-SHA-256 with the salt as key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryHash {
    /// Random, one per code.
    pub salt: [u8; 16],
    /// `HMAC-SHA-256(salt, "mfa-chain recovery code v1" || code)`.
    pub hash: [u8; 32],
}

impl RecoveryHash {
    /// Hashes `code` under `salt`.
    #[must_use]
    pub fn of(code: &RecoveryCode, salt: [u8; 16]) -> Self {
        Self { salt, hash: keyed_hash(&salt, &[b"mfa-chain recovery code v1", code.0.as_slice()]) }
    }

    fn matches(&self, code: &RecoveryCode) -> Choice {
        Self::of(code, self.salt).hash.ct_eq(&self.hash)
    }
}

/// The recovery codes of one user; a new set voids the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverySet {
    id: u64,
    hashes: Vec<RecoveryHash>,
}

impl RecoverySet {
    /// The most codes a set can hold: one bit each in the login state.
    pub const MAX_CODES: usize = 64;

    /// A set with its random `id`, which links the used marks of the login state to this set. `None` without
    /// codes or beyond [`Self::MAX_CODES`].
    #[must_use]
    pub fn new(id: u64, hashes: Vec<RecoveryHash>) -> Option<Self> {
        (1..=Self::MAX_CODES).contains(&hashes.len()).then_some(Self { id, hashes })
    }

    /// A new set of `count` codes, and the codes. `None` for no code or more than [`Self::MAX_CODES`].
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when the kernel gives no random bytes.
    pub fn random(count: usize) -> Result<Option<(Self, Vec<RecoveryCode>)>, NoRandomness> {
        if count > Self::MAX_CODES {
            return Ok(None);
        }
        let (mut codes, mut hashes, mut id) = (Vec::new(), Vec::new(), [0; 8]);
        for _ in 0..count {
            let (code, hash) = RecoveryCode::random()?;
            codes.push(code);
            hashes.push(hash);
        }
        fill(&mut id)?;
        Ok(Self::new(u64::from_le_bytes(id), hashes).map(|set| (set, codes)))
    }

    /// The random number that names this set.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The stored hashes of the codes.
    #[must_use]
    pub fn hashes(&self) -> &[RecoveryHash] {
        &self.hashes
    }

    /// The place of `code` in this set. Every entry is compared, so the time reveals nothing about the place.
    pub(crate) fn find(&self, code: &RecoveryCode) -> Option<u32> {
        let mut found = u32::MAX;
        for (place, hash) in (0_u32..).zip(&self.hashes) {
            found.conditional_assign(&place, hash.matches(code));
        }
        (found != u32::MAX).then_some(found)
    }

    /// Ten hashes that no code has, for the same work if the user has no recovery codes.
    pub(crate) fn decoy() -> Self {
        Self { id: 0, hashes: vec![RecoveryHash { salt: [0; 16], hash: [0; 32] }; 10] }
    }
}

/// The stored form of the bypass code: a code for one login that an administrator gives to a user whose other
/// codes are void. It has the shape of a recovery code and answers every step of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BypassCode {
    /// The hash of the code.
    pub hash: RecoveryHash,
    /// When it was made.
    pub made_at: UnixTime,
    /// When it becomes void.
    pub expires_at: UnixTime,
    /// When a chain took it.
    pub used_at: Option<UnixTime>,
}

impl BypassCode {
    /// How long a bypass code is good, in seconds.
    pub const SECONDS: u64 = 86_400;

    /// The code with `hash`, good for a day from `now` on.
    #[must_use]
    pub const fn new(hash: RecoveryHash, now: UnixTime) -> Self {
        Self { hash, made_at: now, expires_at: now.plus_seconds(Self::SECONDS), used_at: None }
    }

    pub(crate) fn is(&self, code: &RecoveryCode) -> bool {
        self.hash.matches(code).into()
    }

    /// Whether it is good at `now`. If the clock was turned back before it was made, it is not good.
    #[must_use]
    pub fn is_in_time(&self, now: UnixTime) -> bool {
        self.made_at <= now && now < self.expires_at
    }

    /// A code that no user has, for the same work if none was made.
    pub(crate) fn decoy() -> Self {
        let hash = RecoveryHash { salt: [0; 16], hash: [0; 32] };
        Self { hash, made_at: UnixTime::default(), expires_at: UnixTime::default(), used_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(byte: u8) -> RecoveryCode {
        RecoveryCode::from_entropy(Zeroizing::new([byte; RecoveryCode::BYTES]))
    }

    fn set(bytes: &[u8]) -> RecoverySet {
        let hashes = bytes.iter().map(|byte| RecoveryHash::of(&code(*byte), [*byte; 16])).collect();
        RecoverySet::new(1, hashes).expect("codes")
    }

    #[test]
    fn a_code_reads_back_from_the_groups_it_is_shown_in() {
        let groups = code(0xa7).to_groups();
        assert_eq!(groups.len(), 29);
        assert_eq!(RecoveryCode::parse(groups.as_bytes()), Some(code(0xa7)));
    }

    #[test]
    fn a_code_is_found_in_its_set_alone() {
        assert_eq!(set(&[1, 2, 3]).find(&code(3)), Some(2));
        assert_eq!(set(&[1, 2, 3]).find(&code(4)), None);
        assert_eq!(RecoverySet::decoy().find(&code(0)), None);
    }

    #[test]
    fn equal_codes_under_other_salts_have_other_hashes() {
        assert_ne!(RecoveryHash::of(&code(1), [1; 16]).hash, RecoveryHash::of(&code(1), [2; 16]).hash);
    }
}
