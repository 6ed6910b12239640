//! What a command ends with: its exit code, or one line about what is wrong and what to do.

use std::fmt;

use crate::store::{DEFAULT_POLICY, Problem, StoreError};
use crate::verifier::ports::StoreFailure;
use crate::verifier::shell_word::shell_word;

/// How a command ended that did what it was asked to find out. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: what was asked about failed or is denied, and the output says so.
    Denied,
    /// 3: nobody gets in as the files are, and the output says so.
    NobodyPasses,
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Denied => 1,
            Self::NobodyPasses => 3,
        }
    }
}

/// Why a command could not do what it was asked: one line for people, with the exit code that scripts read.
///
/// | Code | Cause |
/// |---|---|
/// | 1 | what was asked failed or is denied |
/// | 2 | the command line is wrong; clap says so itself |
/// | 3 | the policy or the store is missing, unsafe or invalid |
/// | 4 | not confirmed or cancelled |
#[derive(Debug)]
pub struct Failure {
    cause: Cause,
    message: String,
    /// A line each, told after the message.
    more: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Refused,
    Files,
    Cancelled,
    OutputClosed,
}

impl Failure {
    /// What was asked failed: `what is wrong; what to do`.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self { cause: Cause::Refused, message: message.into(), more: Vec::new() }
    }

    /// The policy or the store can't be used as it is.
    #[must_use]
    pub fn files(message: impl Into<String>) -> Self {
        Self { cause: Cause::Files, message: message.into(), more: Vec::new() }
    }

    /// Nobody said yes.
    #[must_use]
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self { cause: Cause::Cancelled, message: message.into(), more: Vec::new() }
    }

    /// Whoever read the output went away; there is nobody to tell.
    #[must_use]
    pub const fn output_closed() -> Self {
        Self { cause: Cause::OutputClosed, message: String::new(), more: Vec::new() }
    }

    /// All mistakes of a policy that is not valid, a line each; else as any error of a file.
    #[must_use]
    pub fn in_full(error: &StoreError) -> Self {
        let more: Vec<String> = error.further_mistakes().iter().map(ToString::to_string).collect();
        match error.problem() {
            Problem::Policy { error } => Self { more, ..Self::files(error.to_string()) },
            _ => Self::files(error.to_string()),
        }
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.cause {
            Cause::Refused | Cause::OutputClosed => 1,
            Cause::Files => 3,
            Cause::Cancelled => 4,
        }
    }

    /// The line for standard error, or the lines of a policy with several mistakes; `None` where nobody listens.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        (self.cause != Cause::OutputClosed).then(|| {
            let more = self.more.iter().map(|more| format!("\nmfa-chain: {}", one_line(more)));
            format!("mfa-chain: {self}{}", more.collect::<String>())
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&one_line(&self.message))
    }
}

/// One line, whatever a name or a path holds.
fn one_line(message: &str) -> String {
    let mut line = String::new();
    for letter in message.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let more = error.further_mistakes().first().map(|mistake| match mistake.file() {
            DEFAULT_POLICY => "; `mfa-chain check` lists them".to_owned(),
            policy => format!("; `mfa-chain --policy {} check` lists them", shell_word(policy)),
        });
        Self::files(format!("{error}{}", more.unwrap_or_default()))
    }
}

impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        Self::files(failure.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_exit_code() {
        let cases = [
            (Failure::refused(""), 1),
            (Failure::output_closed(), 1),
            (Failure::files(""), 3),
            (Failure::cancelled(""), 4),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
        assert_eq!([Exit::Done, Exit::Denied, Exit::NobodyPasses].map(Exit::code), [0, 1, 3]);
    }

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::refused("a\nb\u{1b}[2J");
        assert_eq!(failure.line().as_deref(), Some("mfa-chain: a\\nb\\u{1b}[2J"));
    }

    #[test]
    fn a_closed_output_is_left_without_a_word() {
        assert_eq!(Failure::output_closed().line(), None);
    }
}
