//! The pages, as their templates want them. Askama escapes what it writes.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// The start: who is signed in, what is enrolled, what to do next.
#[derive(Template)]
#[template(path = "home.html")]
pub struct Home {
    /// Whether the red bar shows.
    pub debug: bool,
    /// Who signed in.
    pub user: Option<String>,
    /// Who is about to enroll in this browser.
    pub enrolling: Option<String>,
    /// The factors of this user.
    pub devices: Vec<Device>,
    /// Whether a new name can enroll.
    pub open: bool,
}

/// One factor of the policy, as it stands for a user.
pub struct Device {
    /// Its id.
    pub factor: String,
    /// What the user calls it.
    pub label: String,
    /// Whether it is enrolled.
    pub enrolled: bool,
}

/// An authenticator that waits for its code.
#[derive(Template)]
#[template(path = "enroll.html")]
pub struct Enroll {
    /// Whether the red bar shows.
    pub debug: bool,
    /// Whose it is.
    pub user: String,
    /// What the user calls it.
    pub label: String,
    /// Its place among the factors of the policy, from 1.
    pub place: usize,
    /// How many factors there are.
    pub places: usize,
    /// The secret in base32, in groups of four.
    pub secret: String,
    /// Whether two consecutive codes are wanted.
    pub counter: bool,
    /// What was wrong with the last code.
    pub alert: Option<String>,
}

/// One step of a sign-in.
#[derive(Template)]
#[template(path = "step.html")]
pub struct StepForm {
    /// Whether the red bar shows.
    pub debug: bool,
    /// The attempt that the form answers.
    pub attempt: String,
    /// The step, from 1.
    pub step: usize,
    /// How many there are.
    pub steps: usize,
    /// The factor that the form answers.
    pub factor: String,
    /// What the user calls it.
    pub label: String,
}

/// Signed in.
#[derive(Template)]
#[template(path = "welcome.html")]
pub struct Welcome {
    /// Whether the red bar shows.
    pub debug: bool,
    /// Who.
    pub user: String,
    /// The chain that was passed.
    pub chain: String,
    /// The labels of its factors, in the order of the steps.
    pub proven: Vec<String>,
}

/// A sentence, and the way back.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message {
    /// Whether the red bar shows.
    pub debug: bool,
    /// What happened, in a word or two.
    pub heading: String,
    /// What it means.
    pub sentence: String,
}

/// Every authenticator of a new user is enrolled.
#[derive(Template)]
#[template(path = "enrolled.html")]
pub struct Enrolled {
    /// Whether the red bar shows.
    pub debug: bool,
    /// Who.
    pub user: String,
    /// What.
    pub labels: Vec<String>,
}

/// The page that a template makes.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        // Writing to a text does not fail.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
