//! The keys of a secret file, taken from its TOML.

use toml::Spanned;
use toml::de::DeTable;

use crate::verifier::toml_values::{self as values, Misread, Value};

/// A secret file as it is written. Its texts stand where they are in the file, so that no copy of a secret is left on
/// the heap.
pub(super) struct Document<'t> {
    pub(super) version: u64,
    pub(super) user: &'t str,
    pub(super) uid: Option<u64>,
    pub(super) factors: Vec<FactorEntry<'t>>,
    pub(super) recovery: Option<RecoveryEntry<'t>>,
}

impl<'t> Document<'t> {
    const KEYS: &'static [&'static str] = &["version", "user", "uid", "factors", "recovery"];

    pub(super) fn read(table: &'t DeTable<'t>) -> Result<Self, Misread> {
        let (mut version, mut user, mut uid, mut recovery) = (None, None, None, None);
        let mut factors = Vec::new();
        for (key, value) in values::entries(table) {
            match key.get_ref().as_ref() {
                "version" => version = Some(number(value)?),
                "user" => user = Some(text(value)?),
                "uid" => uid = Some(number(value)?),
                "factors" => factors = values::list(value, FactorEntry::read)?.into_inner(),
                "recovery" => recovery = Some(RecoveryEntry::read(value)?),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(0..0, key);
        Ok(Self {
            version: version.ok_or_else(|| missing("version"))?,
            user: user.ok_or_else(|| missing("user"))?,
            uid,
            factors,
            recovery,
        })
    }
}

/// `[[factors]]`
pub(super) struct FactorEntry<'t> {
    pub(super) id: &'t str,
    pub(super) kind: &'t str,
    pub(super) algorithm: &'t str,
    pub(super) digits: u64,
    pub(super) period: Option<u64>,
    pub(super) secret: &'t str,
    pub(super) first: u64,
    pub(super) enrolled_at: u64,
}

impl<'t> FactorEntry<'t> {
    const KEYS: &'static [&'static str] =
        &["id", "type", "algorithm", "digits", "period", "secret", "first", "enrolled_at"];

    fn read(value: &'t Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut id, mut kind, mut algorithm, mut secret) = (None, None, None, None);
        let (mut digits, mut period, mut first, mut enrolled_at) = (None, None, None, None);
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "id" => id = Some(text(value)?),
                "type" => kind = Some(text(value)?),
                "algorithm" => algorithm = Some(text(value)?),
                "digits" => digits = Some(number(value)?),
                "period" => period = Some(number(value)?),
                "secret" => secret = Some(text(value)?),
                "first" => first = Some(number(value)?),
                "enrolled_at" => enrolled_at = Some(number(value)?),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
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

/// `[recovery]`
pub(super) struct RecoveryEntry<'t> {
    pub(super) set: &'t str,
    pub(super) codes: Vec<RecoveryCodeEntry<'t>>,
}

impl<'t> RecoveryEntry<'t> {
    const KEYS: &'static [&'static str] = &["set", "codes"];

    fn read(value: &'t Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut set, mut codes) = (None, None);
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "set" => set = Some(text(value)?),
                "codes" => codes = Some(values::list(value, RecoveryCodeEntry::read)?.into_inner()),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(at.clone(), key);
        Ok(Self { set: set.ok_or_else(|| missing("set"))?, codes: codes.ok_or_else(|| missing("codes"))? })
    }
}

/// An entry of `codes`
pub(super) struct RecoveryCodeEntry<'t> {
    pub(super) salt: &'t str,
    pub(super) hash: &'t str,
}

impl<'t> RecoveryCodeEntry<'t> {
    const KEYS: &'static [&'static str] = &["salt", "hash"];

    fn read(value: &'t Value<'t>) -> Result<Self, Misread> {
        let at = value.span();
        let (mut salt, mut hash) = (None, None);
        for (key, value) in values::table(value)? {
            match key.get_ref().as_ref() {
                "salt" => salt = Some(text(value)?),
                "hash" => hash = Some(text(value)?),
                _ => return Err(Misread::unknown_key(key, Self::KEYS)),
            }
        }
        let missing = |key| Misread::missing_key(at.clone(), key);
        Ok(Self { salt: salt.ok_or_else(|| missing("salt"))?, hash: hash.ok_or_else(|| missing("hash"))? })
    }
}

fn text<'t>(value: &'t Value<'t>) -> Result<&'t str, Misread> {
    values::text(value).map(Spanned::into_inner)
}

fn number(value: &Value<'_>) -> Result<u64, Misread> {
    values::number(value).map(Spanned::into_inner)
}
