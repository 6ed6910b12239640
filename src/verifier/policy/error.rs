//! Why a text is no policy, and where.

use std::fmt;

/// The first thing in a policy that isn't right.
///
/// Shown as `FILE:LINE:COLUMN: what is wrong; what is known`, on one line and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

impl PolicyError {
    /// The file, as the caller of [`super::Policy::parse`] named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, and what would be right.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl std::error::Error for PolicyError {}
