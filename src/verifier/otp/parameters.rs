//! One-time codes: parameters (RFC 4226, RFC 6238).

use std::fmt;

/// The HMAC's hash function (RFC 6238 §1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC-SHA-1, the default of RFC 4226 and of every authenticator app.
    #[default]
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, with its name in policies, secret files and `otpauth://` URIs.
    pub const NAMES: [(&'static str, Self); 3] =
        [("SHA1", Self::Sha1), ("SHA256", Self::Sha256), ("SHA512", Self::Sha512)];

    /// The algorithm called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    /// The algorithm that `spelling` means: any case, `SHA-256`, `HmacSHA256`, `HMAC_SHA_256` and the like.
    #[must_use]
    pub fn from_spelling(spelling: &str) -> Option<Self> {
        let letters = spelling.chars().filter(|letter| !"-_ /.()".contains(*letter));
        let plain: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
        let name = plain.strip_prefix("HMAC").or_else(|| plain.strip_suffix("HMAC")).unwrap_or(&plain);
        Self::from_name(name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How many digits a code has: 6, 7 or 8 (RFC 4226 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digits(u8);

impl Digits {
    /// Takes 6, 7 or 8.
    #[must_use]
    pub const fn new(count: u64) -> Option<Self> {
        match count {
            6 => Some(Self(6)),
            7 => Some(Self(7)),
            8 => Some(Self(8)),
            _ => None,
        }
    }

    /// The number of digits.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self(6)
    }
}

/// The time step of TOTP, 15 to 120 seconds (RFC 6238 §4.1 `X`, default 30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period(u64);

impl Period {
    /// Takes 15 to 120 seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Option<Self> {
        if seconds >= 15 && seconds <= 120 { Some(Self(seconds)) } else { None }
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl Default for Period {
    fn default() -> Self {
        Self(30)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_spelling_of_an_algorithm_is_known() {
        for (spellings, algorithm) in [
            (&["SHA1", "sha-1", "HmacSHA1", "HMAC-SHA-1"][..], Algorithm::Sha1),
            (
                &["SHA256", "SHA-256", "HmacSHA256", "HMACSHA256", "HMAC-SHA256", "SHA_256"][..],
                Algorithm::Sha256,
            ),
            (&["sha512", "HmacSHA512", "SHA/512"][..], Algorithm::Sha512),
        ] {
            for spelling in spellings {
                assert_eq!(Algorithm::from_spelling(spelling), Some(algorithm), "{spelling}");
            }
        }
        for foreign in ["", "MD5", "SHA", "SHA-224", "SHA384", "SHA3-256", "HMAC", "256", "SHA512/256"] {
            assert_eq!(Algorithm::from_spelling(foreign), None, "{foreign}");
        }
    }
}
