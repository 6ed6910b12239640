//! The pages for people.

use std::net::SocketAddr;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use mfa_chain::qr;
use serde::Deserialize;
use tower_sessions::Session;

use crate::app::{App, Asked, Refused, Stage};
use crate::failure::Failure;
use crate::sessions::Visitor;
use crate::views::{Device, Enroll, Enrolled, Home, StepForm, Welcome, page};

/// What goes wrong becomes a page too.
pub struct Page(Response);

/// What a handler gives, before failures become pages.
type Shown = Result<Response, Failure>;

impl App {
    fn page(&self, shown: Shown) -> Page {
        Page(shown.unwrap_or_else(|failure| failure.shown(false, self.settings().debug_codes)))
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.0
    }
}

/// `GET /`
pub async fn home(State(app): State<App>, session: Session) -> Page {
    app.page(show_home(&app, &session).await)
}

async fn show_home(app: &App, session: &Session) -> Shown {
    let visitor = Visitor::of(session).await?;
    let user = visitor.proven.map(|proven| proven.user);
    let enrolling = visitor.claim.filter(|_| user.is_none()).map(|claim| claim.user);
    let devices = match user.as_ref().or(enrolling.as_ref()) {
        Some(name) => devices(app, name).await?,
        None => Vec::new(),
    };
    let home =
        Home { debug: app.settings().debug_codes, user, enrolling, devices, open: !app.settings().shared };
    Ok(page(StatusCode::OK, &home))
}

async fn devices(app: &App, user: &str) -> Result<Vec<Device>, Failure> {
    let (enrolled, _) = app.enrolled(user).await.map_err(Refused::from)?;
    let device = |(id, label): (&str, &str)| Device {
        factor: id.to_owned(),
        label: label.to_owned(),
        enrolled: enrolled.iter().any(|it| it == id),
    };
    Ok(app.factors().map(device).collect())
}

/// Whom and what to enroll.
#[derive(Deserialize)]
pub struct Subject {
    user: String,
    #[serde(default)]
    factor: Option<String>,
}

/// `POST /enroll`: begins with the factor that is named, or with the first one that is missing.
pub async fn begin_enrolling(
    State(app): State<App>,
    session: Session,
    form: Result<Form<Subject>, FormRejection>,
) -> Page {
    app.page(enroll_next(&app, &session, form).await)
}

async fn enroll_next(app: &App, session: &Session, form: Result<Form<Subject>, FormRejection>) -> Shown {
    let Form(Subject { user, factor }) = form?;
    let mut visitor = Visitor::of(session).await?;
    let next = match factor {
        Some(factor) => Some(factor),
        None => app.enrolled(&user).await.map_err(Refused::from)?.1.into_iter().next(),
    };
    app.enroll(&mut visitor, &user, &next.ok_or(Refused::NotYours)?).await?;
    visitor.keep(session).await?;
    Ok(Redirect::to("/enroll").into_response())
}

/// `GET /enroll`: the authenticator that waits for its code.
pub async fn enrollment(State(app): State<App>, session: Session) -> Page {
    let shown = async {
        let visitor = Visitor::of(&session).await?;
        let shown = show_enrollment(&app, &visitor, StatusCode::OK, None);
        Ok(shown.unwrap_or_else(|_| Redirect::to("/").into_response()))
    };
    app.page(shown.await)
}

fn show_enrollment(app: &App, visitor: &Visitor, status: StatusCode, alert: Option<String>) -> Shown {
    let view = app.pending(visitor, |enrollment| {
        let id = enrollment.factor().id.as_str();
        let secret = enrollment.secret();
        let groups: Vec<&[u8]> = secret.as_bytes().chunks(4).collect();
        Enroll {
            debug: app.settings().debug_codes,
            user: enrollment.user().to_owned(),
            label: enrollment.factor().label.as_str().to_owned(),
            place: app.factors().take_while(|(other, _)| *other != id).count().saturating_add(1),
            places: app.factors().count(),
            secret: String::from_utf8_lossy(&groups.join(&b' ')).into_owned(),
            counter: enrollment.codes_wanted() == 2,
            alert,
        }
    });
    Ok(page(status, &view.ok_or(Refused::NonePending)?))
}

/// `GET /enroll/qr.svg`
///
/// # Errors
///
/// 404 where no enrollment waits.
pub async fn qr_svg(State(app): State<App>, session: Session) -> Shown {
    let image = drawn(&app, &session, |uri| Ok(qr::svg(uri)?.as_bytes().to_vec())).await?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], image).into_response())
}

/// `GET /enroll/qr.png`
///
/// # Errors
///
/// 404 where no enrollment waits.
pub async fn qr_png(State(app): State<App>, session: Session) -> Shown {
    let image = drawn(&app, &session, |uri| Ok(qr::png(uri)?.to_vec())).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], image).into_response())
}

async fn drawn(
    app: &App,
    session: &Session,
    draw: impl FnOnce(&str) -> Result<Vec<u8>, qr::NotDrawn>,
) -> Result<Vec<u8>, Failure> {
    let visitor = Visitor::of(session).await?;
    let drawn = app.pending(&visitor, |enrollment| draw(&enrollment.uri(&app.settings().issuer)));
    drawn.ok_or_else(Failure::not_found)?.map_err(|error| Failure::broken(&error))
}

/// The codes that prove an authenticator.
#[derive(Deserialize)]
pub struct Proof {
    code: String,
    #[serde(default)]
    second_code: Option<String>,
}

/// `POST /enroll/confirm`
pub async fn confirm(
    State(app): State<App>,
    session: Session,
    form: Result<Form<Proof>, FormRejection>,
) -> Page {
    app.page(confirm_and_go_on(&app, &session, form).await)
}

async fn confirm_and_go_on(app: &App, session: &Session, form: Result<Form<Proof>, FormRejection>) -> Shown {
    let Form(Proof { code, second_code }) = form?;
    let mut visitor = Visitor::of(session).await?;
    let codes: Vec<&str> = std::iter::once(code.as_str()).chain(second_code.as_deref()).collect();
    let user = match app.confirm(&mut visitor, &codes).await {
        Ok(user) => user,
        Err(Refused::WrongCode) => {
            let alert = "That is not the code. Type the one that the app shows now.".to_owned();
            return show_enrollment(app, &visitor, StatusCode::UNPROCESSABLE_ENTITY, Some(alert));
        }
        Err(refused) => return Err(refused.into()),
    };
    let (_, missing) = app.enrolled(&user).await.map_err(Refused::from)?;
    let next = missing.first().filter(|_| visitor.proven.is_none());
    if let Some(next) = next {
        app.enroll(&mut visitor, &user, next).await?;
    }
    visitor.keep(session).await?;
    if next.is_some() || visitor.proven.is_some() {
        return Ok(Redirect::to(if next.is_some() { "/enroll" } else { "/" }).into_response());
    }
    let labels: Vec<String> = app.factors().map(|(_, label)| format!("{label} enrolled")).collect();
    let done = Enrolled { debug: app.settings().debug_codes, user, labels };
    Ok(page(StatusCode::OK, &done))
}

/// Who signs in.
#[derive(Deserialize)]
pub struct Login {
    user: String,
}

/// `POST /login`: begins a sign-in in this browser. One that was open is over.
pub async fn login(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    session: Session,
    form: Result<Form<Login>, FormRejection>,
) -> Page {
    let shown = async {
        let Form(Login { user }) = form?;
        let stage = app.start(user, peer.ip().to_canonical()).await;
        follow(&session, stage).await
    };
    app.page(shown.await)
}

/// `GET /login/step`: the step that waits for its code.
pub async fn step(State(app): State<App>, session: Session) -> Page {
    let shown = async {
        let asked = Visitor::of(&session).await?.attempt.and_then(|id| app.asked(&id));
        Ok(asked.map_or_else(|| Redirect::to("/").into_response(), |asked| show_step(&app, asked)))
    };
    app.page(shown.await)
}

fn show_step(app: &App, asked: Asked) -> Response {
    let Asked { attempt, step, steps, factor, label, .. } = asked;
    let debug = app.settings().debug_codes;
    page(StatusCode::OK, &StepForm { debug, attempt, step, steps, factor, label })
}

/// The code of a step. The form says which step it asked for, so that a page that is not the newest can't answer
/// another.
#[derive(Deserialize)]
pub struct StepAnswer {
    attempt: String,
    factor: String,
    code: String,
}

/// `POST /login/step`
pub async fn answer(
    State(app): State<App>,
    session: Session,
    form: Result<Form<StepAnswer>, FormRejection>,
) -> Page {
    let shown = async {
        let Form(StepAnswer { attempt, factor, code }) = form?;
        let own = Visitor::of(&session).await?.attempt;
        let is_own = own.as_ref() == Some(&attempt);
        let stage = if is_own { app.answer(attempt, factor, &code).await } else { Stage::Gone };
        follow(&session, stage).await
    };
    app.page(shown.await)
}

/// Where the browser goes from here.
async fn follow(session: &Session, stage: Stage) -> Shown {
    match stage {
        Stage::Asked(asked) => {
            let visitor = Visitor { attempt: Some(asked.attempt), ..Visitor::of(session).await? };
            visitor.keep(session).await?;
            Ok(Redirect::to("/login/step").into_response())
        }
        Stage::Granted(proven) => {
            Visitor::sign_in(session, proven).await?;
            Ok(Redirect::to("/welcome").into_response())
        }
        Stage::Reset => Err(Failure::reset()),
        Stage::Breach => Err(Failure::breach()),
        Stage::Gone => Err(Failure::no_attempt()),
    }
}

/// `GET /welcome`: what the chain proved.
pub async fn welcome(State(app): State<App>, session: Session) -> Page {
    let shown = async {
        let Some(proven) = Visitor::of(&session).await?.proven else {
            return Ok(Redirect::to("/").into_response());
        };
        let debug = app.settings().debug_codes;
        let view = Welcome { debug, user: proven.user, chain: proven.chain, proven: proven.labels };
        Ok(page(StatusCode::OK, &view))
    };
    app.page(shown.await)
}

/// `POST /logout`
///
/// # Errors
///
/// [`Failure`] where the session can't be ended.
pub async fn logout(session: Session) -> Shown {
    session.flush().await?;
    Ok(Redirect::to("/").into_response())
}
