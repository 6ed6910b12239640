//! `secrets/<user>.toml`: what a user enrolled. Written by the command, read at login.

use std::fmt::{self, Write as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use toml::Spanned;
use toml::de::{DeString, DeTable};
use zeroize::Zeroizing;

use super::error::StoreError;
use crate::verifier::credential::{Credential, MovingFactor};
use crate::verifier::otp::{Algorithm, Digits, Period};
use crate::verifier::policy::FactorId;
use crate::verifier::record::UserRecord;
use crate::verifier::recovery::{RecoveryHash, RecoverySet};
use crate::verifier::secret::SharedSecret;
use crate::verifier::time::UnixTime;
use crate::verifier::toml_values::{self as values, Misread, Value};
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
    // Neither the parser's text nor a word of the file's: the line may hold a secret.
    let at = |offset: usize, what: &str| {
        let (line, column) = position(text, offset);
        StoreError::invalid(path, format!("{line}:{column}: {what}"))
    };
    let table = DeTable::parse(text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?
        .into_inner();
    let document =
        Document::read(table).map_err(|misread| at(misread.at.start, &misread.without_content()))?;
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

fn build(document: Document<'_>) -> Result<UserRecord, String> {
    let mut credentials = Vec::with_capacity(document.factors.len());
    for entry in document.factors {
        credentials.push(build_credential(&entry)?);
    }
    let recovery = document.recovery.as_ref().map(build_recovery).transpose()?;
    UserRecord::new(credentials, recovery).map_err(|error| error.to_string())
}

fn build_credential(entry: &FactorEntry<'_>) -> Result<Credential, String> {
    let factor = FactorId::parse(&entry.id).map_err(|error| error.to_string())?;
    let wrong = |what: &dyn fmt::Display| format!("factor `{factor}`: {what}");
    let moving = match (entry.kind.as_ref(), entry.period) {
        ("totp", Some(seconds)) => MovingFactor::Totp(
            Period::from_seconds(seconds).ok_or_else(|| wrong(&"period is not 15 to 120"))?,
        ),
        ("hotp", None) => MovingFactor::Hotp,
        ("totp", None) => return Err(wrong(&"period is missing")),
        ("hotp", Some(_)) => return Err(wrong(&"a counter has no period")),
        _ => return Err(wrong(&"type is not known; known: hotp, totp")),
    };
    let secret = SharedSecret::from_base32(&entry.secret).map_err(|invalid| wrong(&invalid))?;
    Ok(Credential {
        moving,
        algorithm: Algorithm::from_name(&entry.algorithm)
            .ok_or_else(|| wrong(&"algorithm is not known; known: SHA1, SHA256, SHA512"))?,
        digits: Digits::new(entry.digits).ok_or_else(|| wrong(&"digits is not 6, 7 or 8"))?,
        secret,
        first: entry.first,
        enrolled_at: UnixTime::from_seconds(entry.enrolled_at),
        factor,
    })
}

fn build_recovery(entry: &RecoveryEntry<'_>) -> Result<RecoverySet, String> {
    let id =
        u64::from_str_radix(&entry.set, 16).map_err(|_| "recovery set is not a number in hex".to_owned())?;
    let mut hashes = Vec::with_capacity(entry.codes.len());
    for code in &entry.codes {
        let salt = bytes_of_hex(&code.salt).ok_or("a recovery salt is not 16 bytes in hex")?;
        let hash = bytes_of_hex(&code.hash).ok_or("a recovery hash is not 32 bytes in hex")?;
        hashes.push(RecoveryHash { salt, hash });
    }
    RecoverySet::new(id, hashes)
        .ok_or_else(|| format!("1 to {} recovery codes make a set", RecoverySet::MAX_CODES))
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0_u8; N];
    if text.len() != N.saturating_mul(2) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit.wrapping_sub(b'0'),
                b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
                _ => return None,
            };
            *byte = byte.wrapping_shl(4) | value;
        }
    }
    Some(bytes)
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.get(line_start..).map_or(1, |part| part.chars().count().saturating_add(1));
    (line, column)
}

struct Document<'t> {
    version: u64,
    user: DeString<'t>,
    factors: Vec<FactorEntry<'t>>,
    recovery: Option<RecoveryEntry<'t>>,
}

impl<'t> Document<'t> {
    const KEYS: &'static [&'static str] = &["version", "user", "factors", "recovery"];

    fn read(table: DeTable<'t>) -> Result<Self, Misread> {
        let (mut version, mut user, mut factors, mut recovery) = (None, None, Vec::new(), None);
        for (key, value) in values::entries(table) {
            match key.get_ref().as_ref() {
                "version" => version = Some(number(&value)?),
                "user" => user = Some(text(value)?),
                "factors" => factors = values::list(value, FactorEntry::read)?.into_inner(),
                "recovery" => recovery = Some(RecoveryEntry::read(value)?),
                _ => return Err(Misread::unknown_key(&key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(0..0, key);
        Ok(Self {
            version: version.ok_or_else(|| missing("version"))?,
            user: user.ok_or_else(|| missing("user"))?,
            factors,
            recovery,
        })
    }
}

/// The texts stand where they are in the file, so that no copy of a secret is left on the heap.
struct FactorEntry<'t> {
    id: DeString<'t>,
    kind: DeString<'t>,
    algorithm: DeString<'t>,
    digits: u64,
    period: Option<u64>,
    secret: DeString<'t>,
    first: u64,
    enrolled_at: u64,
}

impl<'t> FactorEntry<'t> {
    const KEYS: &'static [&'static str] =
        &["id", "type", "algorithm", "digits", "period", "secret", "first", "enrolled_at"];

    fn read(value: Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut id, mut kind, mut algorithm, mut secret) = (None, None, None, None);
        let (mut digits, mut period, mut first, mut enrolled_at) = (None, None, None, None);
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "id" => id = Some(text(value)?),
                "type" => kind = Some(text(value)?),
                "algorithm" => algorithm = Some(text(value)?),
                "digits" => digits = Some(number(&value)?),
                "period" => period = Some(number(&value)?),
                "secret" => secret = Some(text(value)?),
                "first" => first = Some(number(&value)?),
                "enrolled_at" => enrolled_at = Some(number(&value)?),
                _ => return Err(Misread::unknown_key(&key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(at.clone(), key);
        Ok(Self {
            id: id.ok_or_else(|| missing("id"))?,
            kind: kind.ok_or_else(|| missing("type"))?,
            algorithm: algorithm.ok_or_else(|| missing("algorithm"))?,
            digits: digits.ok_or_else(|| missing("digits"))?,
            period,
            secret: secret.ok_or_else(|| missing("secret"))?,
            first: first.ok_or_else(|| missing("first"))?,
            enrolled_at: enrolled_at.ok_or_else(|| missing("enrolled_at"))?,
        })
    }
}

struct RecoveryEntry<'t> {
    set: DeString<'t>,
    codes: Vec<RecoveryCodeEntry<'t>>,
}

impl<'t> RecoveryEntry<'t> {
    const KEYS: &'static [&'static str] = &["set", "codes"];

    fn read(value: Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut set, mut codes) = (None, None);
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "set" => set = Some(text(value)?),
                "codes" => codes = Some(values::list(value, RecoveryCodeEntry::read)?.into_inner()),
                _ => return Err(Misread::unknown_key(&key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(at.clone(), key);
        Ok(Self { set: set.ok_or_else(|| missing("set"))?, codes: codes.ok_or_else(|| missing("codes"))? })
    }
}

struct RecoveryCodeEntry<'t> {
    salt: DeString<'t>,
    hash: DeString<'t>,
}

impl<'t> RecoveryCodeEntry<'t> {
    const KEYS: &'static [&'static str] = &["salt", "hash"];

    fn read(value: Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut salt, mut hash) = (None, None);
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "salt" => salt = Some(text(value)?),
                "hash" => hash = Some(text(value)?),
                _ => return Err(Misread::unknown_key(&key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(at.clone(), key);
        Ok(Self { salt: salt.ok_or_else(|| missing("salt"))?, hash: hash.ok_or_else(|| missing("hash"))? })
    }
}

fn text(value: Value<'_>) -> Result<DeString<'_>, Misread> {
    values::text(value).map(Spanned::into_inner)
}

fn number(value: &Value<'_>) -> Result<u64, Misread> {
    values::number(value).map(Spanned::into_inner)
}
