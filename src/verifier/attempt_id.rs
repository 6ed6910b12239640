//! The identifier of an attempt, in the log and in the login state.

use std::fmt;

use super::otp::{NoRandomness, fill};

/// The identifier of one attempt. Shown as eight letters, which never look like a code or a word. It is no secret, and
/// proves nothing by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AttemptId(u64);

impl AttemptId {
    /// A new one from the kernel's random bytes, because unrelated processes write to one log.
    pub(super) fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 4];
        fill(&mut bytes)?;
        Ok(Self(u64::from(u32::from_le_bytes(bytes))))
    }

    /// The number as the login state keeps it.
    #[must_use]
    pub const fn to_number(self) -> u64 {
        self.0
    }

    /// The one that is stored as `number`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shift in [28, 24, 20, 16, 12, 8, 4, 0] {
            let four_bits = usize::try_from((self.0 >> shift) & 0xf).unwrap_or_default();
            let letter = LETTERS.get(four_bits..=four_bits).unwrap_or_default();
            formatter.write_str(letter)?;
        }
        Ok(())
    }
}

/// Consonants for the numbers 0 to 15.
const LETTERS: &str = "bcdfghjkmnpqrstv";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_shown_as_eight_letters() {
        assert_eq!(AttemptId::from_number(0).to_string(), "bbbbbbbb");
        assert_eq!(AttemptId::from_number(0x0123_4567).to_string(), "bcdfghjk");
        assert_eq!(AttemptId::from_number(0x89ab_cdef).to_string(), "mnpqrstv");
        assert_ne!(AttemptId::random(), AttemptId::random());
    }
}
