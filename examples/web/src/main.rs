//! Enrolling two authenticators and passing a chain of their codes, in a browser or with curl, on the library
//! `mfa-chain`.
//!
//! `engine.rs` is all that talks to the library, `app.rs` keeps what waits between two requests, `pages.rs` and
//! `api.rs` show it to people and to programs, `guard.rs` looks at every request first.

mod api;
mod app;
mod bounded;
mod engine;
mod failure;
mod guard;
mod pages;
mod sessions;
mod views;

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use clap::Parser;
use mfa_chain::{Factor, FileStore, MemoryStore, Orchestrator, Policy, SystemClock, load_policy};
use tokio::net::TcpListener;
use tower_sessions::SessionManagerLayer;
use tower_sessions::cookie::SameSite;

use crate::app::{App, Settings};
use crate::engine::{Engine, Trail};
use crate::failure::{Failure, wants_json};
use crate::sessions::Sessions;

/// Enrolls authenticators and asks for a chain of their codes, in a browser or as JSON.
///
/// Without --store everything is kept in memory: two factors, gone when the program ends.
#[derive(Debug, Parser)]
#[command(name = "mfa-chain-web", version)]
struct Options {
    /// Where to listen. Port 0 takes a free one. On another address than one of loopback the cookie goes over HTTPS
    /// only, which a proxy has to bring.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The store that PAM uses, such as /var/lib/mfa-chain. A code that was used there is used here.
    #[arg(long, value_name = "FOLDER", requires = "policy")]
    store: Option<PathBuf>,
    /// The policy that goes with the store, such as /etc/mfa-chain/policy.toml.
    #[arg(long, value_name = "FILE", requires = "store")]
    policy: Option<PathBuf>,
    /// What authenticator apps show above a code.
    #[arg(long, value_name = "NAME", default_value = "mfa-chain")]
    issuer: String,
    /// For trying it out: tells every visitor a right code. Every page then has a red bar.
    #[arg(long, conflicts_with = "store")]
    debug_codes: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "mfa-chain-web: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let loopback = options.listen.ip().is_loopback();
    if options.debug_codes && !loopback {
        return Err("--debug-codes gives the second factor away: listen on 127.0.0.1 with it".into());
    }
    let engine = engine(&options)?;
    let settings = Settings {
        issuer: options.issuer,
        debug_codes: options.debug_codes,
        shared: options.store.is_some(),
        loopback,
    };
    let listen = options.listen;
    let cure = |error| format!("{listen}: {error}; choose another address with --listen ADDRESS:PORT");
    let listener = TcpListener::bind(listen).await.map_err(cure)?;
    writeln!(std::io::stdout().lock(), "http://{}/", listener.local_addr()?)?;
    let service = router(App::new(engine, settings)).into_make_service_with_connect_info::<SocketAddr>();
    serve(listener, service).with_graceful_shutdown(interrupt()).await?;
    Ok(())
}

fn engine(options: &Options) -> Result<Arc<dyn Engine>, Box<dyn Error>> {
    if let (Some(store), Some(policy)) = (&options.store, &options.policy) {
        let store = FileStore::at(store);
        return Ok(Arc::new(Orchestrator::new(load_policy(policy)?, store, SystemClock).with_audit(Trail)));
    }
    let policy = Policy::builder()
        .factor(Factor::totp("phone")?.with_label("Authenticator app")?)
        .factor(Factor::totp("tablet")?.with_label("Second authenticator")?)
        .build()?;
    Ok(Arc::new(Orchestrator::new(policy, MemoryStore::random()?, SystemClock).with_audit(Trail)))
}

/// Longest body, in bytes: a name and a code.
const MOST_BYTES: usize = 4096;

fn router(app: App) -> Router {
    // Strict: no other site can make the browser send it, not even by a link.
    let cookie = SessionManagerLayer::new(Sessions::new())
        .with_name("mfa-chain-web")
        .with_same_site(SameSite::Strict)
        .with_http_only(true)
        .with_secure(!app.settings().loopback);
    Router::new()
        .route("/", get(pages::home))
        .route("/enroll", get(pages::enrollment).post(pages::begin_enrolling))
        .route("/enroll/qr.svg", get(pages::qr_svg))
        .route("/enroll/qr.png", get(pages::qr_png))
        .route("/enroll/confirm", post(pages::confirm))
        .route("/login", post(pages::login))
        .route("/login/step", get(pages::step).post(pages::answer))
        .route("/welcome", get(pages::welcome))
        .route("/logout", post(pages::logout))
        .route("/users/{user}/factors/{factor}/enroll", post(api::enroll))
        .route("/users/{user}/factors/{factor}/confirm", post(api::confirm))
        .route("/users/{user}/attempt/start", post(api::start))
        .route("/attempt/verify", post(api::verify))
        .route("/attempt/{id}/debug/current-code", get(api::current_code))
        .route("/style.css", get(style))
        .fallback(nothing)
        .method_not_allowed_fallback(not_allowed)
        .layer(cookie)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../static/style.css"))
}

async fn nothing(State(app): State<App>, uri: Uri) -> Response {
    Failure::not_found().shown(wants_json(uri.path()), app.settings().debug_codes)
}

async fn not_allowed(State(app): State<App>, uri: Uri) -> Response {
    Failure::not_allowed().shown(wants_json(uri.path()), app.settings().debug_codes)
}

async fn interrupt() {
    // Without a handler of signals the program ends as others do.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
