//! What holds for every request: where it may come from, and what its answer allows the browser.

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::failure::{Failure, wants_json};

/// No script, no frame, nothing from elsewhere. `same-origin` and not `no-referrer`, with which browsers send the
/// origin `null` along with forms.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses requests that another site makes a browser send, and sets the headers of all answers.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let json = wants_json(request.uri().path());
    let mut response = match check(&app, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.shown(json, app.settings().debug_codes).into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn check(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).unwrap_or_default();
    // A name of another site that leads to 127.0.0.1 would be of one origin with us (DNS rebinding).
    if app.settings().loopback && !is_loopback(host) {
        return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, "host", "This host has another name."));
    }
    if method.is_safe() {
        return Ok(());
    }
    let foreign_site =
        text(HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site != "same-origin");
    let foreign_origin = text(header::ORIGIN).is_some_and(|origin| {
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        rest != Some(host)
    });
    // Programs such as curl send neither header, and no cookie that they were not given.
    if foreign_site || foreign_origin {
        return Err(Failure::new(StatusCode::FORBIDDEN, "origin", "The request came from another site."));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_loopback_are_known_with_and_without_a_port() {
        for host in ["localhost", "127.0.0.1:8080", "[::1]:8080", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost:80.evil"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
