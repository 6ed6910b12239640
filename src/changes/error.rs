//! Why a change was not made.

use std::fmt;
use std::path::Path;

use crate::store::StoreError;

/// Why a change was not made, in words for the administrator.
#[derive(Debug)]
pub enum ChangeError {
    /// The command refuses the change for now; the text says what stands in the way, and what to do.
    Refused(String),
    /// A file can't be used.
    Files(StoreError),
}

impl ChangeError {
    /// The system refused `action` on `path`.
    #[must_use]
    pub fn io(path: &Path, action: &'static str, error: impl Into<std::io::Error>) -> Self {
        Self::Files(StoreError::io(path, action, error))
    }
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Files(error)
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(message) => formatter.write_str(message),
            Self::Files(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for ChangeError {}
