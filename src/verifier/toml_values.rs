//! Takes TOML values apart, each with its place in the text.
//!
//! By hand for the policy, which each login reads: each place is told in errors, and serde's derived code for every
//! table and kind of value in it would be a good part of the module (`docs/performance.md`).

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};
use toml::value::Datetime;

/// A value as it stands in the text.
pub type Value<'t> = Spanned<DeValue<'t>>;

/// A key as it stands in the text.
pub type Key<'t> = Spanned<DeString<'t>>;

/// Keys and values. Not the table itself, whose iteration is much code for each place that iterates.
pub type Entries<'t> = Vec<(Key<'t>, Value<'t>)>;

/// Takes a table: its keys and values, in the order of the keys.
///
/// # Errors
///
/// [`Misread`] for another kind of value; as everywhere here.
pub fn table(value: Value<'_>) -> Result<Entries<'_>, Misread> {
    let at = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Ok(entries(table)),
        other => Err(Misread::kind(at, &other, "a table")),
    }
}

/// The keys and values of a table, in the order of the keys.
#[must_use]
pub fn entries(table: DeTable<'_>) -> Entries<'_> {
    table.into_iter().collect()
}

/// Takes a list, each entry of it by `read`.
pub fn list<'t, T>(
    value: Value<'t>,
    read: impl Fn(Value<'t>) -> Result<T, Misread>,
) -> Result<Spanned<Vec<T>>, Misread> {
    let at = value.span();
    match value.into_inner() {
        DeValue::Array(array) => {
            let mut entries = Vec::with_capacity(array.len());
            for entry in array {
                entries.push(read(entry)?);
            }
            Ok(Spanned::new(at, entries))
        }
        other => Err(Misread::kind(at, &other, "a list")),
    }
}

/// Takes a text; it is no copy where it holds no escapes.
pub fn text(value: Value<'_>) -> Result<Key<'_>, Misread> {
    let at = value.span();
    match value.into_inner() {
        DeValue::String(text) => Ok(Spanned::new(at, text)),
        other => Err(Misread::kind(at, &other, "a string")),
    }
}

/// Takes a whole number within the range of `N`.
pub fn number<N: TryFrom<i128>>(value: &Value<'_>) -> Result<Spanned<N>, Misread> {
    let at = value.span();
    let DeValue::Integer(integer) = value.get_ref() else {
        return Err(Misread::kind(at, value.get_ref(), WHOLE_NUMBER));
    };
    match whole_number(integer) {
        Some(number) => Ok(Spanned::new(at, number)),
        None => Err(Misread::kind(at, value.get_ref(), WHOLE_NUMBER)),
    }
}

fn whole_number<N: TryFrom<i128>>(integer: &DeInteger<'_>) -> Option<N> {
    let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    N::try_from(number).ok()
}

/// Takes `true` or `false`.
pub fn flag(value: &Value<'_>) -> Result<bool, Misread> {
    let flag = value.get_ref().as_bool();
    flag.ok_or_else(|| Misread::kind(value.span(), value.get_ref(), "true or false"))
}

/// Takes a date, a time or both.
pub fn date(value: &Value<'_>) -> Result<Spanned<Datetime>, Misread> {
    let at = value.span();
    match value.get_ref().as_datetime() {
        Some(date) => Ok(Spanned::new(at, *date)),
        None => Err(Misread::kind(at, value.get_ref(), "a date such as 2026-12-31, without quotes")),
    }
}

/// A table or value that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// Where.
    pub at: Range<usize>,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Kind { found: String, expected: &'static str },
    UnknownKey { key: String, known: &'static [&'static str] },
    MissingKey(&'static str),
}

impl Misread {
    /// A key that is not among the `known` ones of its table.
    #[must_use]
    #[cold]
    pub fn unknown_key(key: &Key<'_>, known: &'static [&'static str]) -> Self {
        let fault = Fault::UnknownKey { key: key.get_ref().to_string(), known };
        Self { at: key.span(), fault }
    }

    /// A key that the table at `at` lacks.
    #[must_use]
    #[cold]
    pub const fn missing_key(at: Range<usize>, key: &'static str) -> Self {
        Self { at, fault: Fault::MissingKey(key) }
    }

    fn kind(at: Range<usize>, found: &DeValue<'_>, expected: &'static str) -> Self {
        let found = match found {
            DeValue::String(text) => format!("string {text:?}"),
            DeValue::Integer(integer) => format!("integer `{integer}`"),
            DeValue::Float(float) => format!("floating point `{float}`"),
            DeValue::Boolean(flag) => format!("boolean `{flag}`"),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        Self { at, fault: Fault::Kind { found, expected } }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Kind { found, expected } => write!(formatter, "{found}; it must be {expected}"),
            Fault::UnknownKey { key, known } => {
                write!(formatter, "unknown key `{key}`; known: {}", known.join(", "))
            }
            Fault::MissingKey(key) => write!(formatter, "missing key `{key}`"),
        }
    }
}

impl std::error::Error for Misread {}

const WHOLE_NUMBER: &str = "a whole number in range";
