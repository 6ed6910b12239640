//! The JSON for programs. A sign-in goes by its `session_id`, which the body carries; enrollments go by the cookie.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mfa_chain::qr;
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use tower_sessions::Session;

use crate::app::{App, Asked, Refused, Stage};
use crate::failure::Failure;
use crate::sessions::Visitor;

/// What a handler gives.
pub type Answer = Result<Response, Failure>;

/// `POST /users/{user}/factors/{factor}/enroll`: a new authenticator, which counts once a code has proven it.
///
/// # Errors
///
/// [`Failure`] where the name or the factor is none to enroll.
pub async fn enroll(
    State(app): State<App>,
    session: Session,
    Path((user, factor)): Path<(String, String)>,
) -> Answer {
    let mut visitor = Visitor::of(&session).await?;
    app.enroll(&mut visitor, &user, &factor).await?;
    visitor.keep(&session).await?;
    let body = app.pending(&visitor, |enrollment| {
        let uri = enrollment.uri(&app.settings().issuer);
        let svg = qr::svg(&uri).map_err(|error| Failure::broken(&error))?;
        Ok::<_, Failure>(json!({
            "user": enrollment.user(),
            "factor_id": enrollment.factor().id.as_str(),
            "label": enrollment.factor().label.as_str(),
            "codes_wanted": enrollment.codes_wanted(),
            "secret": enrollment.secret().as_str(),
            "uri": uri.as_str(),
            "svg": svg.as_str(),
            "png": "/enroll/qr.png",
        }))
    });
    Ok((StatusCode::CREATED, Json(body.ok_or(Refused::NonePending)??)).into_response())
}

/// The codes that prove an authenticator.
#[derive(Deserialize)]
pub struct Proof {
    #[serde(rename = "user_input")]
    first: String,
    /// The second of two consecutive codes, for a counter token.
    #[serde(default, rename = "second_input")]
    second: Option<String>,
}

/// `POST /users/{user}/factors/{factor}/confirm`: binds the authenticator that the code proves.
///
/// # Errors
///
/// [`Failure`] for a wrong code, or where no such enrollment waits.
pub async fn confirm(
    State(app): State<App>,
    session: Session,
    Path((user, factor)): Path<(String, String)>,
    body: Result<Json<Proof>, JsonRejection>,
) -> Answer {
    let Json(Proof { first, second }) = body?;
    let mut visitor = Visitor::of(&session).await?;
    let is_meant = app.pending(&visitor, |it| it.user() == user && it.factor().id.as_str() == factor);
    if is_meant != Some(true) {
        return Err(Refused::NonePending.into());
    }
    let codes: Vec<&str> = std::iter::once(first.as_str()).chain(second.as_deref()).collect();
    let user = app.confirm(&mut visitor, &codes).await?;
    visitor.keep(&session).await?;
    let (enrolled, missing) = app.enrolled(&user).await.map_err(Refused::from)?;
    Ok(Json(json!({ "user": user, "enrolled": enrolled, "missing": missing })).into_response())
}

/// `POST /users/{user}/attempt/start`: begins a sign-in, for every name alike.
pub async fn start(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    session: Session,
    Path(user): Path<String>,
) -> Answer {
    let stage = app.start(user, peer.ip().to_canonical()).await;
    told(stage, &session, StatusCode::CREATED).await
}

/// An answer to a step.
#[derive(Deserialize)]
pub struct Verify {
    session_id: Option<String>,
    factor_id: String,
    user_input: String,
    #[serde(default)]
    window: Option<u64>,
}

/// `POST /attempt/verify`: answers the step of `factor_id`.
///
/// # Errors
///
/// 401 `RESET` for every denial, 409 for a breach, 400 without an open attempt, 422 for a body of another form or a
/// window that is not the policy's. The attempt is untouched by a 422.
pub async fn verify(
    State(app): State<App>,
    session: Session,
    body: Result<Json<Verify>, JsonRejection>,
) -> Answer {
    let Json(Verify { session_id, factor_id, user_input, window }) = body?;
    let id = session_id.ok_or_else(Failure::no_attempt)?;
    if !window.is_none_or(|window| app.is_window_of(&factor_id, window)) {
        let sentence = "The window is the policy's. Leave it out, or send the one that the step told.";
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "window", sentence));
    }
    let stage = app.answer(id, factor_id, &user_input).await;
    told(stage, &session, StatusCode::OK).await
}

async fn told(stage: Stage, session: &Session, status: StatusCode) -> Answer {
    match stage {
        Stage::Asked(asked) => Ok((status, Json(step(&asked))).into_response()),
        Stage::Granted(proven) => {
            let body = json!({
                "authenticated": true,
                "user": proven.user,
                "chain": proven.chain,
                "proven": proven.labels,
            });
            Visitor::sign_in(session, proven).await?;
            Ok(Json(body).into_response())
        }
        Stage::Reset => Err(Failure::reset()),
        Stage::Breach => Err(Failure::breach()),
        Stage::Gone => Err(Failure::no_attempt()),
    }
}

fn step(asked: &Asked) -> serde_json::Value {
    json!({
        "authenticated": false,
        "session_id": asked.attempt,
        "step": asked.step,
        "steps": asked.steps,
        "factor_id": asked.factor,
        "label": asked.label,
        "window": asked.window,
    })
}

/// `GET /attempt/{id}/debug/current-code`: a code that would be right. There with `--debug-codes` only.
///
/// # Errors
///
/// 404 without the option, without the attempt, and where no code counts.
pub async fn current_code(State(app): State<App>, Path(id): Path<String>) -> Answer {
    if !app.settings().debug_codes {
        return Err(Failure::not_found());
    }
    let (factor, code) = app.current_code(&id).await.ok_or_else(Failure::not_found)?;
    let none =
        "No code counts now: the user has not enrolled the factor, or the next code is a time step away.";
    let code = code.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "no-code", none))?;
    Ok(Json(json!({ "factor_id": factor, "code": code })).into_response())
}
