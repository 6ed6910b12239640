//! The plan of an import, for people and as JSON. Never a secret.

use std::fmt::Write as _;

use serde::Serialize;

use super::Import;
use crate::cli::output::one_line;
use crate::import::{Complaint, Planned, Remark};
use crate::verifier::enrollment::{Credential, OtpType, Serial};

/// The plan as a table, with what is wrong and what to know above it.
#[must_use]
pub fn table(import: &Import) -> String {
    let mut text = String::new();
    let head = ["USER", "FACTOR", "TYPE", "ALGORITHM", "DIGITS", "PERIOD", "NEXT", "BITS", "SERIAL", "FROM"];
    let rows: Vec<[String; 10]> = import.planned.iter().map(cells).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or_default()
        })
        .collect();
    let mut line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}", line.trim_end());
    };
    if !rows.is_empty() {
        line(&head.map(str::to_owned));
        for row in &rows {
            line(row);
        }
    }
    text
}

fn cells(planned: &Planned) -> [String; 10] {
    let credential = &planned.credential;
    let period = match credential.otp_type {
        OtpType::Totp(period) => format!("{} s", period.seconds()),
        OtpType::Hotp => "-".to_owned(),
    };
    let replaces = if planned.replaces { ", replaces one" } else { "" };
    [
        planned.subscriber.user.to_string(),
        credential.factor.to_string(),
        credential.otp_type.name().to_owned(),
        credential.algorithm.to_string(),
        credential.digits.count().to_string(),
        period,
        next(credential).map_or_else(|| "unknown".to_owned(), |next| next.to_string()),
        credential.secret.bits().to_string(),
        credential.serial.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        format!("{}{replaces}", planned.place),
    ]
    .map(|cell| one_line(&cell).into_owned())
}

/// The lowest time step or counter that will be accepted; `None` for a counter that nobody knows.
fn next(credential: &Credential) -> Option<u64> {
    (!credential.awaits_resync).then_some(credential.first)
}

/// The whole import as JSON; the keys are a contract: docs/json.md.
#[derive(Serialize)]
pub struct Facts<'a> {
    authenticators: Vec<AuthenticatorFacts<'a>>,
    complaints: Vec<Said<'a>>,
    remarks: Vec<Said<'a>>,
    /// Whether the authenticators are enrolled now.
    imported: bool,
    users_without_recovery_codes: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct AuthenticatorFacts<'a> {
    user: &'a str,
    factor: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    algorithm: &'static str,
    digits: u8,
    period: Option<u64>,
    next: Option<u64>,
    bits: usize,
    serial: Option<&'a str>,
    from: String,
    replaces: bool,
}

#[derive(Serialize)]
struct Said<'a> {
    at: String,
    message: &'a str,
}

impl<'a> Facts<'a> {
    /// What will be done, or was.
    #[must_use]
    pub fn of(import: &'a Import, without_recovery: Option<&'a [String]>) -> Self {
        let said_c = |it: &'a Complaint| Said { at: it.place.to_string(), message: &it.what };
        let said_r = |it: &'a Remark| Said { at: it.place.to_string(), message: &it.what };
        Self {
            authenticators: import.planned.iter().map(facts).collect(),
            complaints: import.complaints.iter().map(said_c).collect(),
            remarks: import.remarks.iter().map(said_r).collect(),
            imported: without_recovery.is_some(),
            users_without_recovery_codes: without_recovery
                .map(|users| users.iter().map(String::as_str).collect()),
        }
    }
}

fn facts(planned: &Planned) -> AuthenticatorFacts<'_> {
    let credential = &planned.credential;
    AuthenticatorFacts {
        user: planned.subscriber.user.as_str(),
        factor: credential.factor.as_str(),
        kind: credential.otp_type.name(),
        algorithm: credential.algorithm.name(),
        digits: credential.digits.count(),
        period: Some(credential.otp_type.period_seconds()).filter(|seconds| *seconds > 0),
        next: next(credential),
        bits: credential.secret.bits(),
        serial: credential.serial.as_ref().map(Serial::as_str),
        from: planned.place.to_string(),
        replaces: planned.replaces,
    }
}
