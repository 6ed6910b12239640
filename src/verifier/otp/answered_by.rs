//! The kind of code that answered a step.

/// The kind of code that answered a step, by the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A code of the factor, or anything that does not look like a recovery code.
    Code,
    /// A recovery code, or an answer of that shape.
    RecoveryCode,
    /// The bypass code of a reset of the login state.
    BypassCode,
}

impl AnsweredBy {
    /// Its word in the log; `None` for the ordinary case.
    #[must_use]
    pub const fn log_word(self) -> Option<&'static str> {
        match self {
            Self::Code => None,
            Self::RecoveryCode => Some("recovery-code"),
            Self::BypassCode => Some("bypass-code"),
        }
    }
}
