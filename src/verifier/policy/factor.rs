//! One factor: what the claimant holds, and how far its codes may drift.

use std::fmt;

use super::factor_id::{FactorId, InvalidFactorId};
use crate::verifier::otp::{Algorithm, Digits, Period};

/// A source of one-time codes that users enroll, such as an authenticator app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its name in policies, secret files and logs.
    pub id: FactorId,
    /// Its name in prompts.
    pub label: Label,
    /// The kind of code, and how far verification looks.
    pub kind: FactorKind,
    /// What a new enrollment gets; a code is judged by what was enrolled.
    pub enrollment: CodeParameters,
}

/// The kind of code a factor makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorKind {
    /// Codes of the time (RFC 6238).
    Totp {
        /// Time steps accepted before and after the present one, 0 to 10 (RFC 6238 §5.2).
        window: u8,
    },
    /// Codes of a counter (RFC 4226).
    Hotp {
        /// Counters tried, from the expected one on, 1 to 100 (RFC 4226 §7.4 `s`).
        look_ahead: u8,
    },
}

impl Factor {
    /// A factor of time codes (RFC 6238) that an authenticator app makes: SHA-1, 6 digits, steps of 30 seconds, and one
    /// step before and after the present one accepted.
    ///
    /// # Errors
    ///
    /// [`InvalidFactorId`] for an id that is not 1 to 32 of `a-z 0-9 _ -`.
    pub fn totp(id: &str) -> Result<Self, InvalidFactorId> {
        Self::of(id, FactorKind::Totp { window: 1 })
    }

    /// A factor of counter codes (RFC 4226), as hardware tokens make them: SHA-1, 6 digits, 10 counters looked at.
    ///
    /// # Errors
    ///
    /// As [`totp`](Self::totp).
    pub fn hotp(id: &str) -> Result<Self, InvalidFactorId> {
        Self::of(id, FactorKind::Hotp { look_ahead: 10 })
    }

    fn of(id: &str, kind: FactorKind) -> Result<Self, InvalidFactorId> {
        let id = FactorId::parse(id)?;
        Ok(Self { label: Label::from(&id), id, kind, enrollment: CodeParameters::default() })
    }

    /// The same factor, called `label` where it is asked for.
    ///
    /// # Errors
    ///
    /// [`InvalidLabel`] when it is not 1 to 64 printable ASCII characters.
    pub fn with_label(self, label: &str) -> Result<Self, InvalidLabel> {
        Ok(Self { label: Label::parse(label)?, ..self })
    }
}

impl FactorKind {
    /// The widest window of a policy, in time steps.
    pub const WIDEST_WINDOW: u8 = 10;
    /// The longest look-ahead of a policy, in counters.
    pub const LONGEST_LOOK_AHEAD: u8 = 100;

    /// Its name in policies, secret files and `otpauth://` URIs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Totp { .. } => "totp",
            Self::Hotp { .. } => "hotp",
        }
    }
}

/// How codes are made from a secret. The default is what every authenticator app knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeParameters {
    /// The hash function.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
    /// The time step; without meaning for HOTP.
    pub period: Period,
}

/// What prompts call a factor: 1 to 64 printable ASCII characters, not all blank.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

impl Label {
    /// The longest label, in characters.
    pub const MAX_CHARS: usize = 64;

    /// Takes a label.
    ///
    /// # Errors
    ///
    /// [`InvalidLabel`] when it is empty, blank, too long, or holds anything but printable ASCII: a terminal
    /// must never be steered by a prompt.
    pub fn parse(text: &str) -> Result<Self, InvalidLabel> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if text.trim().is_empty() || text.len() > Self::MAX_CHARS || !printable {
            return Err(InvalidLabel);
        }
        Ok(Self(text.to_owned()))
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&FactorId> for Label {
    /// The label of a factor that was given none.
    fn from(id: &FactorId) -> Self {
        Self(id.as_str().to_owned())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The text is no [`Label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLabel;

impl fmt::Display for InvalidLabel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a label: 1 to {} printable ASCII characters, not all blank", Label::MAX_CHARS)
    }
}

impl std::error::Error for InvalidLabel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_labels_of_up_to_64_characters_are_taken() {
        for text in ["a", "Authenticator app", "~!{}", &"z".repeat(64)] {
            assert_eq!(Label::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn labels_that_could_mislead_a_terminal_are_refused() {
        for text in ["", "   ", "a\nb", "\u{1b}[2J", "é", "a\u{7f}", &"z".repeat(65)] {
            assert_eq!(Label::parse(text), Err(InvalidLabel), "{text:?}");
        }
    }

    #[test]
    fn kinds_are_called_as_in_otpauth_uris() {
        assert_eq!(FactorKind::Totp { window: 1 }.name(), "totp");
        assert_eq!(FactorKind::Hotp { look_ahead: 10 }.name(), "hotp");
    }
}
