//! What went wrong, in the words of a page or as JSON.

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::Refused;
use crate::views::{Message, page};

/// The sentence for every denial, whatever its cause.
pub const RESET: &str = "That did not work. The chain starts again at step 1.";

/// One failure: a status, a word for programs, a sentence for people.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    word: &'static str,
    sentence: String,
}

impl Failure {
    /// A failure.
    pub fn new(status: StatusCode, word: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, word, sentence: sentence.into() }
    }

    /// A denial.
    pub fn reset() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "RESET", RESET)
    }

    /// An answer to another step than the expected one.
    pub fn breach() -> Self {
        let sentence =
            "The answer was for another step than the one that was asked. The chain starts again at step 1.";
        Self::new(StatusCode::CONFLICT, "breach", sentence)
    }

    /// No attempt is open.
    pub fn no_attempt() -> Self {
        let sentence = "No sign-in of this session is waiting for a code. Start again.";
        Self::new(StatusCode::BAD_REQUEST, "no-session", sentence)
    }

    /// Nothing is there.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here.")
    }

    /// The method is another than the path takes.
    pub fn not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "That can't be asked in this way.")
    }

    /// As JSON, or as a page.
    pub fn shown(self, json: bool, debug: bool) -> Response {
        if json {
            return self.into_response();
        }
        let heading = if self.word == "RESET" { "RESET" } else { "Not possible" };
        page(self.status, &Message { debug, heading: heading.to_owned(), sentence: self.sentence })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.word, "message": self.sentence });
        (self.status, Json(body)).into_response()
    }
}

/// Whether the path belongs to programs.
pub fn wants_json(path: &str) -> bool {
    path.starts_with("/users/") || path.starts_with("/attempt/")
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        use mfa_chain::EnrollmentError as Library;
        match refused {
            Refused::NotYours => {
                let sentence = "Somebody has this name. Sign in by it to change what is enrolled.";
                Self::new(StatusCode::FORBIDDEN, "not-yours", sentence)
            }
            Refused::NonePending => Self::new(
                StatusCode::BAD_REQUEST,
                "no-session",
                "No enrollment is waiting for a code. Start again.",
            ),
            Refused::WrongCode => {
                let sentence = "That is not the code. Type the one that the app shows now.";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong-code", sentence)
            }
            Refused::Library(error @ Library::UnknownFactor { .. }) => {
                Self::new(StatusCode::NOT_FOUND, "no-factor", error.to_string())
            }
            Refused::Library(error @ Library::Name(_)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "name", error.to_string())
            }
            Refused::Library(error) => Self::broken(&error),
        }
    }
}

impl Failure {
    /// What the operator has to look at. The visitor is told no path and no cause.
    pub fn broken(error: &dyn std::fmt::Display) -> Self {
        use std::io::Write as _;
        // Nothing is left to do where standard error is closed.
        let _ = writeln!(std::io::stderr().lock(), "mfa-chain-web: {error}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "broken",
            "The server can't do that now. Its log says why.",
        )
    }
}

impl From<tower_sessions::session::Error> for Failure {
    fn from(error: tower_sessions::session::Error) -> Self {
        Self::broken(&error)
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        // The text of the rejection can quote the body, which may hold a code.
        let sentence = "The body is not the JSON that is wanted here; TEST_PROCESS.md shows it.";
        Self::new(rejection.status(), "body", sentence)
    }
}

impl From<FormRejection> for Failure {
    fn from(rejection: FormRejection) -> Self {
        Self::new(rejection.status(), "body", "A field of the form is missing.")
    }
}
