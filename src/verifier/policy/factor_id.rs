//! The name of a factor in policies and files.

use std::fmt;

/// What a factor is called in the policy, the secret file and the log: `[a-z0-9_-]{1,32}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactorId(String);

impl FactorId {
    /// Takes 1 to 32 of the characters `a-z`, `0-9`, `_` and `-`.
    ///
    /// # Errors
    ///
    /// [`InvalidFactorId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidFactorId> {
        if is_identifier(text) { Ok(Self(text.to_owned())) } else { Err(InvalidFactorId) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FactorId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The text is no [`FactorId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidFactorId;

impl fmt::Display for InvalidFactorId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a factor id: {IDENTIFIER}")
    }
}

impl std::error::Error for InvalidFactorId {}

/// Whether `text` can name a factor or a chain.
pub(super) fn is_identifier(text: &str) -> bool {
    let known = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    known && (1..=MAX_BYTES).contains(&text.len())
}

/// What [`is_identifier`] takes, for messages.
pub(super) const IDENTIFIER: &str = "1 to 32 of the characters a-z, 0-9, `_` and `-`";

const MAX_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_names_of_up_to_32_characters_are_taken() {
        for text in ["a", "phone", "yubikey-2", "_", "0", &"z".repeat(32)] {
            assert_eq!(FactorId::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn any_other_name_is_refused() {
        for text in ["", "Phone", "my phone", "a.b", "a/b", "é", "a\n", &"z".repeat(33)] {
            assert_eq!(FactorId::parse(text), Err(InvalidFactorId), "{text:?}");
        }
    }
}
