//! What is found wrong with a host.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, or worth to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, which stays: `docs/doctor.md` lists them all.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file, with the line where there is one.
    pub at: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// How bad a finding is. The order is that of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody gets in without a code, or users who should get in can't.
    Error,
    /// It will surprise somebody, or weakens what the policy asks.
    Warning,
    /// Nothing has to be done.
    Note,
}

impl Finding {
    /// An error.
    #[must_use]
    pub fn error(id: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { id, severity: Severity::Error, at: None, what: what.into(), cure: cure.into() }
    }

    /// A warning.
    #[must_use]
    pub fn warning(id: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(id, what, cure) }
    }

    /// A note.
    #[must_use]
    pub fn note(id: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(id, what, cure) }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self { at: Some(place.to_string()), ..self }
    }
}

impl Severity {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)?;
        if self.cure.is_empty() { Ok(()) } else { write!(formatter, "; {}", self.cure) }
    }
}
