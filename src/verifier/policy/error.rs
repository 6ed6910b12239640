//! Why a text is no policy, and where.

use std::fmt;

/// The first thing in a policy that isn't right, with what else isn't.
///
/// Shown as `FILE:LINE:COLUMN: what is wrong; what is known`, on one line and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
    pub(super) further: Vec<PolicyError>,
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

    /// The other mistakes, in the order of their places. None of them has others itself.
    #[must_use]
    pub fn further(&self) -> &[Self] {
        &self.further
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
