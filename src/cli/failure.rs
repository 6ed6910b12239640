//! What a command ends with: its exit code, or one line about what is wrong and what to do.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::output;
use super::who::another_account;
use crate::changes::ChangeError;
use crate::store::{DEFAULT_POLICY, Problem, StoreError};
use crate::verifier::enrolling::EnrollmentError;
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
    /// 3: the host has something that must be cured, and the output says what.
    Unwell,
    /// 5: the new policy is weaker somewhere, and the output says where.
    Weaker,
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Denied => 1,
            Self::NobodyPasses | Self::Unwell => 3,
            Self::Weaker => 5,
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
    /// What scripts go by. The words are a contract: docs/json.md.
    code: &'static str,
    message: String,
    /// The file that it is about.
    path: Option<String>,
    /// The mistakes of a policy, each with its place.
    mistakes: Vec<Mistake>,
    /// Whether each mistake is told, not only the first.
    is_in_full: bool,
}

/// A mistake at its place in a file; the keys are a contract: docs/json.md.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    path: String,
    line: usize,
    column: usize,
    message: String,
}

impl Mistake {
    /// All mistakes of a policy that is not valid; none for any other error.
    #[must_use]
    pub fn all(error: &StoreError) -> Vec<Self> {
        let Problem::Policy { error } = error.problem() else { return Vec::new() };
        let mistakes = std::iter::once(&**error).chain(error.further());
        mistakes
            .map(|error| Self {
                path: error.file().to_owned(),
                line: error.line(),
                column: error.column(),
                message: error.message().to_owned(),
            })
            .collect()
    }
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
        Self::new(Cause::Refused, "refused", message)
    }

    /// The policy or the store can't be used as it is.
    #[must_use]
    pub fn files(message: impl Into<String>) -> Self {
        Self::new(Cause::Files, "files", message)
    }

    /// Nobody said yes.
    #[must_use]
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Cause::Cancelled, "cancelled", message)
    }

    /// The reader of the output went away, so nothing is printed.
    #[must_use]
    pub fn output_closed() -> Self {
        Self::new(Cause::OutputClosed, "output-closed", "")
    }

    fn new(cause: Cause, code: &'static str, message: impl Into<String>) -> Self {
        let (path, mistakes) = (None, Vec::new());
        Self { cause, code, message: message.into(), path, mistakes, is_in_full: false }
    }

    /// The same with another code.
    #[must_use]
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    /// All mistakes of a policy that is not valid, a line each; else as any error of a file.
    #[must_use]
    pub fn in_full(error: &StoreError) -> Self {
        let message = match error.problem() {
            // Without "and N more": all follow.
            Problem::Policy { error } => error.to_string(),
            _ => error.to_string(),
        };
        Self { is_in_full: true, ..Self::of_store(error, message) }
    }

    fn of_store(error: &StoreError, message: String) -> Self {
        let code = match error.problem() {
            Problem::Missing { .. } => "file-missing",
            Problem::Unsafe { .. } => "file-unsafe",
            Problem::Io { .. } => "file-refused",
            Problem::Invalid { .. } => "file-invalid",
            Problem::Policy { .. } => "policy-invalid",
            Problem::Busy => "busy",
            Problem::Overtaken => "overtaken",
        };
        let mistakes = Mistake::all(error);
        let path =
            mistakes.first().map_or_else(|| error.path().display().to_string(), |first| first.path.clone());
        Self { path: Some(path), mistakes, ..Self::new(Cause::Files, code, message) }
    }

    /// Why nothing was enrolled or changed for `user`, and what to do.
    #[must_use]
    pub fn of_enrollment(error: EnrollmentError, user: &str) -> Self {
        match error {
            EnrollmentError::Store(failure) => failure.into(),
            EnrollmentError::AnotherAccount { enrolled, today } => {
                Self::refused(another_account(user, enrolled, today)).with_code("another-account")
            }
            EnrollmentError::NotEnrolled => Self::refused(format!(
                "`{user}` has enrolled nothing; run `mfa-chain enroll {} FACTOR`, or see `mfa-chain status`",
                shell_word(user)
            ))
            .with_code("not-enrolled"),
            EnrollmentError::UnknownFactor { .. } => {
                Self::refused(error.to_string()).with_code("unknown-factor")
            }
            EnrollmentError::SecretTwice(_) => Self::refused(error.to_string()).with_code("secret-twice"),
            error => Self::refused(error.to_string()),
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
            let more = self.mistakes.iter().skip(1).filter(|_| self.is_in_full).map(|it| {
                let line = format!("{}:{}:{}: {}", it.path, it.line, it.column, it.message);
                format!("\nmfa-chain: {}", output::one_line(&line))
            });
            format!("mfa-chain: {self}{}", more.collect::<String>())
        })
    }
}

impl Failure {
    /// What it is about: its code, its words, and the places of the mistakes of a policy.
    #[must_use]
    pub fn facts(&self) -> Value {
        // Messages are written as WHAT IS WRONG; WHAT TO DO. A mistake of a policy says in its own words what is known.
        let remedy = self.message.split_once("; ").map(|(_, remedy)| remedy);
        let remedy = remedy.filter(|_| self.mistakes.is_empty());
        json!({
            "code": self.code,
            "message": self.message,
            "remedy": remedy,
            "path": self.path,
            "mistakes": self.mistakes,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&output::one_line(&self.message))
    }
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let more = error.further_mistakes().first().map(|mistake| match mistake.file() {
            DEFAULT_POLICY => "; `mfa-chain check` lists them".to_owned(),
            policy => format!("; `mfa-chain --policy {} check` lists them", shell_word(policy)),
        });
        let message = format!("{error}{}", more.unwrap_or_default());
        Self::of_store(&error, message)
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(message) => Self::refused(message),
            ChangeError::Files(error) => error.into(),
        }
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
        let exits = [Exit::Done, Exit::Denied, Exit::NobodyPasses, Exit::Weaker];
        assert_eq!(exits.map(Exit::code), [0, 1, 3, 5]);
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
