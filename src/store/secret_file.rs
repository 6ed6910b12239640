//! `secrets/<user>.toml`: what a user enrolled. Written by the command, read at login.

use std::fmt::Write as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use zeroize::Zeroizing;

use super::error::StoreError;
use crate::verifier::credential::{Credential, MovingFactor};
use crate::verifier::otp::{Algorithm, Digits, Period};
use crate::verifier::policy::FactorId;
use crate::verifier::record::UserRecord;
use crate::verifier::recovery::{RecoveryHash, RecoverySet};
use crate::verifier::secret::SharedSecret;
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// The largest secret file that is read, in bytes. A full record takes about 20 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// Reads the record of `user` from the text of a secret file.
///
/// # Errors
///
/// [`StoreError`] naming line, column and what is wrong; never a word of the content.
pub fn parse(text: &[u8], user: &Username, path: &Path) -> Result<UserRecord, StoreError> {
    let text = std::str::from_utf8(text).map_err(|_| StoreError::invalid(path, "is not UTF-8"))?;
    let document: Document = toml::from_str(text).map_err(|error| {
        // The Display of a toml error quotes the line, which may hold a secret.
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        StoreError::invalid(path, format!("{line}:{column}: {}", error.message()))
    })?;
    if document.version != 1 {
        return Err(StoreError::invalid(path, format!("version {} is not known; 1 is", document.version)));
    }
    if document.user != user.as_str() {
        return Err(StoreError::invalid(path, "is the record of another user; it was renamed or copied"));
    }
    build(document).map_err(|what| StoreError::invalid(path, what))
}

/// Writes `record` as the text of a secret file. Wiped when dropped.
#[must_use]
pub fn render(record: &UserRecord, user: &Username) -> Zeroizing<String> {
    // Room for the largest record, so that growing never leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES));
    text.push_str(
        "# Written by mfa-chain; edit with `mfa-chain enroll`, `revoke` and `recovery`.\nversion = 1\n",
    );
    // Writing to a String can't fail. A Username holds neither quotes' escapes nor controls but `\` and `"`.
    let _ = writeln!(text, "user = \"{}\"", user.as_str().replace('\\', "\\\\").replace('"', "\\\""));
    for credential in record.credentials() {
        render_credential(&mut text, credential);
    }
    if let Some(set) = record.recovery() {
        let _ = writeln!(text, "\n[recovery]\nset = \"{:016x}\"\ncodes = [", set.id());
        for code in set.hashes() {
            let (salt, hash) = (HEXLOWER.encode(&code.salt), HEXLOWER.encode(&code.hash));
            let _ = writeln!(text, "  {{ salt = \"{salt}\", hash = \"{hash}\" }},");
        }
        text.push_str("]\n");
    }
    text
}

fn render_credential(text: &mut Zeroizing<String>, credential: &Credential) {
    let Credential { factor, moving, algorithm, digits, secret, first, enrolled_at } = credential;
    let _ = writeln!(text, "\n[[factors]]\nid = \"{factor}\"\ntype = \"{}\"", moving.name());
    let _ = writeln!(text, "algorithm = \"{algorithm}\"\ndigits = {}", digits.count());
    if let MovingFactor::Totp(period) = moving {
        let _ = writeln!(text, "period = {}", period.seconds());
    }
    let _ = writeln!(text, "secret = \"{}\"", *secret.to_base32());
    let _ = writeln!(text, "first = {first}\nenrolled_at = {}", enrolled_at.seconds());
}

fn build(document: Document) -> Result<UserRecord, String> {
    let mut credentials = Vec::with_capacity(document.factors.len());
    for entry in document.factors {
        credentials.push(build_credential(entry)?);
    }
    let recovery = document.recovery.map(build_recovery).transpose()?;
    UserRecord::new(credentials, recovery).map_err(|error| error.to_string())
}

fn build_credential(entry: FactorEntry) -> Result<Credential, String> {
    let FactorEntry { id, kind, algorithm, digits, period, secret, first, enrolled_at } = entry;
    let factor = FactorId::parse(&id).map_err(|error| error.to_string())?;
    let wrong = |what: &str| format!("factor `{id}`: {what}");
    let moving = match (kind.as_str(), period) {
        ("totp", Some(seconds)) => {
            MovingFactor::Totp(Period::from_seconds(seconds).ok_or_else(|| wrong("period is not 15 to 120"))?)
        }
        ("hotp", None) => MovingFactor::Hotp,
        ("totp", None) => return Err(wrong("period is missing")),
        ("hotp", Some(_)) => return Err(wrong("a counter has no period")),
        _ => return Err(wrong("type is not known; known: hotp, totp")),
    };
    Ok(Credential {
        factor,
        moving,
        algorithm: Algorithm::from_name(&algorithm)
            .ok_or_else(|| wrong("algorithm is not known; known: SHA1, SHA256, SHA512"))?,
        digits: Digits::new(digits).ok_or_else(|| wrong("digits is not 6, 7 or 8"))?,
        secret: secret.0,
        first,
        enrolled_at: UnixTime::from_seconds(enrolled_at),
    })
}

fn build_recovery(entry: RecoveryEntry) -> Result<RecoverySet, String> {
    let id =
        u64::from_str_radix(&entry.set, 16).map_err(|_| "recovery set is not a number in hex".to_owned())?;
    let mut hashes = Vec::with_capacity(entry.codes.len());
    for code in entry.codes {
        let salt = bytes_of_hex(&code.salt).ok_or("a recovery salt is not 16 bytes in hex")?;
        let hash = bytes_of_hex(&code.hash).ok_or("a recovery hash is not 32 bytes in hex")?;
        hashes.push(RecoveryHash { salt, hash });
    }
    RecoverySet::new(id, hashes)
        .ok_or_else(|| format!("1 to {} recovery codes make a set", RecoverySet::MAX_CODES))
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.get(line_start..).map_or(1, |part| part.chars().count().saturating_add(1));
    (line, column)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    user: String,
    #[serde(default)]
    factors: Vec<FactorEntry>,
    recovery: Option<RecoveryEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactorEntry {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    algorithm: String,
    digits: u64,
    period: Option<u64>,
    secret: SecretText,
    first: u64,
    enrolled_at: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoveryEntry {
    set: String,
    codes: Vec<RecoveryCodeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoveryCodeEntry {
    salt: String,
    hash: String,
}

/// Decodes the secret from the text where it stands, so that no copy of it is left on the heap.
struct SecretText(SharedSecret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SecretVisitor)
    }
}

struct SecretVisitor;

impl Visitor<'_> for SecretVisitor {
    type Value = SecretText;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a secret in base32")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretText, E> {
        SharedSecret::from_base32(text).map(SecretText).map_err(E::custom)
    }
}
