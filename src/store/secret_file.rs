//! `secrets/<user>.toml`: the enrollment of a user. The command writes it, and logins read it.

mod document;

use std::fmt::{self, Write as _};
use std::path::Path;

use base16ct::lower as hex;
use serde::Deserialize as _;
use toml::de::{DeTable, Deserializer};
use zeroize::Zeroizing;

use self::document::{Document, FactorEntry, RecoveryEntry};
use super::error::StoreError;
use crate::verifier::enrollment::{Credential, OtpType, Serial, UserRecord};
use crate::verifier::otp::{Algorithm, Digits, Period, RecoveryHash, RecoverySet, SharedSecret};
use crate::verifier::policy::FactorId;
use crate::verifier::policy::misread::{Misread, line_and_column};
use crate::verifier::time::UnixTime;
use crate::verifier::username::Username;

/// The largest secret file that is read, in bytes. A full record takes about 20 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// The version that is written. Version 1 had no `uid`.
const VERSION: u64 = 2;

/// Reads the record of `user` from the text of a secret file. `is_in_force` says whether a batch counts that wrote
/// entries of the file: such an entry takes the place of the one of the same factor then, and is passed over otherwise.
///
/// # Errors
///
/// [`StoreError`] with line, column and problem. It never quotes the content, which may be a secret.
pub fn parse(
    text: &[u8],
    user: &Username,
    path: &Path,
    is_in_force: impl Fn(&str) -> Result<bool, StoreError>,
) -> Result<UserRecord, StoreError> {
    let text = std::str::from_utf8(text).map_err(|_| StoreError::invalid(path, "is not UTF-8"))?;
    // Shows only the place and the problem. The parser's full text would quote the line, which may hold a secret.
    let at = |offset: usize, what: &str| {
        let (line, column) = line_and_column(text, offset);
        StoreError::invalid(path, format!("{line}:{column}: {what}"))
    };
    let table = DeTable::parse(text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
    let document = Document::deserialize(Deserializer::from(table)).map_err(|error| {
        let misread = Misread::of(&error, text);
        at(misread.at.start, &misread.without_content())
    })?;
    if !(1..=VERSION).contains(&document.version) {
        let what = format!("version {} is not known; 1 to {VERSION} are", document.version);
        return Err(StoreError::invalid(path, what));
    }
    if document.version == 1 && document.uid.is_some() {
        return Err(StoreError::invalid(path, "version 1 has no key `uid`"));
    }
    if document.user != user.as_str() {
        return Err(StoreError::invalid(path, "is the record of another user; it was renamed or copied"));
    }
    let mut document = document;
    settle(&mut document.factors, is_in_force)?;
    build(document).map_err(|what| StoreError::invalid(path, what))
}

/// Leaves of the entries those that count.
fn settle(
    factors: &mut Vec<FactorEntry<'_>>,
    is_in_force: impl Fn(&str) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    // One batch at a time writes to a store, so one answer is for all of its entries.
    let Some(batch) = factors.iter().find_map(|entry| entry.batch) else { return Ok(()) };
    let counts = is_in_force(batch)?;
    let new: Vec<&str> =
        factors.iter().filter(|entry| counts && entry.batch == Some(batch)).map(|entry| entry.id).collect();
    factors.retain(|entry| match entry.batch {
        None => !new.contains(&entry.id),
        Some(other) => counts && other == batch,
    });
    Ok(())
}

/// The user that `text` names, if `text` is a secret file.
pub fn user_of(text: &[u8]) -> Option<Username> {
    let table = DeTable::parse(std::str::from_utf8(text).ok()?).ok()?;
    Username::parse(&Document::deserialize(Deserializer::from(table)).ok()?.user).ok()
}

/// Writes `record` as the text of a secret file. Wiped when dropped.
#[must_use]
pub fn render(record: &UserRecord, user: &Username) -> Zeroizing<String> {
    render_with(record, None, user)
}

/// The same with credentials that count once their batch is in force.
#[must_use]
pub fn render_with(
    record: &UserRecord,
    additions: Option<(&str, &[Credential])>,
    user: &Username,
) -> Zeroizing<String> {
    // Has room for the largest record, because a growing text would leave copies of secrets in memory.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES));
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "# Written by mfa-chain; edit with `mfa-chain enroll`, `revoke` and `recovery`.\nversion = {VERSION}"
    );
    let _ = writeln!(text, "user = \"{}\"", escaped(user));
    if let Some(uid) = record.uid() {
        let _ = writeln!(text, "uid = {uid}");
    }
    for credential in record.credentials() {
        render_credential(&mut text, credential, None);
    }
    if let Some((batch, credentials)) = additions {
        for credential in credentials {
            render_credential(&mut text, credential, Some(batch));
        }
    }
    if let Some(set) = record.recovery() {
        let _ = writeln!(text, "\n[recovery]\nset = \"{:016x}\"\ncodes = [", set.id());
        for code in set.hashes() {
            let (salt, hash) = (hex::encode_string(&code.salt), hex::encode_string(&code.hash));
            let _ = writeln!(text, "  {{ salt = \"{salt}\", hash = \"{hash}\" }},");
        }
        text.push_str("]\n");
    }
    text
}

/// The name, escaped for a basic string of TOML.
fn escaped(user: &Username) -> String {
    let mut text = String::with_capacity(user.as_str().len());
    for letter in user.as_str().chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
            letter => text.push(letter),
        }
    }
    text
}

fn render_credential(text: &mut Zeroizing<String>, credential: &Credential, batch: Option<&str>) {
    let Credential { factor, otp_type, algorithm, digits, secret, first, enrolled_at, serial, awaits_resync } =
        credential;
    let _ = writeln!(text, "\n[[factors]]\nid = \"{factor}\"\ntype = \"{}\"", otp_type.name());
    let _ = writeln!(text, "algorithm = \"{algorithm}\"\ndigits = {}", digits.count());
    if let OtpType::Totp(period) = otp_type {
        let _ = writeln!(text, "period = {}", period.seconds());
    }
    let _ = writeln!(text, "secret = \"{}\"", *secret.to_base32());
    let _ = writeln!(text, "first = {first}\nenrolled_at = {}", enrolled_at.seconds());
    if let Some(serial) = serial {
        let _ = writeln!(text, "serial = \"{serial}\"");
    }
    if *awaits_resync {
        let _ = writeln!(text, "awaits_resync = true");
    }
    if let Some(batch) = batch {
        let _ = writeln!(text, "batch = \"{batch}\"");
    }
}

fn build(document: Document<'_>) -> Result<UserRecord, String> {
    let mut credentials = Vec::with_capacity(document.factors.len());
    for entry in document.factors {
        credentials.push(build_credential(&entry)?);
    }
    let recovery = document.recovery.as_ref().map(build_recovery).transpose()?;
    let uid = document.uid.map(u32::try_from).transpose().map_err(|_| "uid is not a number of 32 bits")?;
    let record = UserRecord::new(credentials, recovery).map_err(|error| error.to_string())?;
    Ok(record.bound_to(uid))
}

fn build_credential(entry: &FactorEntry<'_>) -> Result<Credential, String> {
    let factor = FactorId::parse(entry.id).map_err(|error| error.to_string())?;
    let wrong = |what: &dyn fmt::Display| format!("factor `{factor}`: {what}");
    let otp_type = match (entry.kind, entry.period) {
        ("totp", Some(seconds)) => {
            OtpType::Totp(Period::from_seconds(seconds).ok_or_else(|| wrong(&"period is not 15 to 120"))?)
        }
        ("hotp", None) => OtpType::Hotp,
        ("totp", None) => return Err(wrong(&"period is missing")),
        ("hotp", Some(_)) => return Err(wrong(&"a counter has no period")),
        _ => return Err(wrong(&"type is not known; known: hotp, totp")),
    };
    let secret = SharedSecret::from_base32(entry.secret).map_err(|invalid| wrong(&invalid))?;
    let serial = entry.serial.map(|text| Serial::parse(text).ok_or_else(|| wrong(&"serial is not one")));
    Ok(Credential {
        algorithm: Algorithm::from_name(entry.algorithm)
            .ok_or_else(|| wrong(&"algorithm is not known; known: SHA1, SHA256, SHA512"))?,
        digits: Digits::new(entry.digits).ok_or_else(|| wrong(&"digits is not 6, 7 or 8"))?,
        first: entry.first,
        enrolled_at: UnixTime::from_seconds(entry.enrolled_at),
        serial: serial.transpose()?,
        awaits_resync: entry.awaits_resync,
        ..Credential::new(factor, otp_type, secret)
    })
}

fn build_recovery(entry: &RecoveryEntry<'_>) -> Result<RecoverySet, String> {
    let id =
        u64::from_str_radix(entry.set, 16).map_err(|_| "recovery set is not a number in hex".to_owned())?;
    let mut hashes = Vec::with_capacity(entry.codes.len());
    for code in &entry.codes {
        let salt = bytes_of_hex(code.salt).ok_or("a recovery salt is not 16 bytes in hex")?;
        let hash = bytes_of_hex(code.hash).ok_or("a recovery hash is not 32 bytes in hex")?;
        hashes.push(RecoveryHash { salt, hash });
    }
    RecoverySet::new(id, hashes)
        .ok_or_else(|| format!("1 to {} recovery codes make a set", RecoverySet::MAX_CODES))
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = hex::decode(text, &mut bytes).ok()?.len();
    (length == N).then_some(bytes)
}
