//! Takes TOML values apart, each with its place in the text.
//!
//! By hand: serde's derived code for every table and kind of value would be a fifth of the module, which each login maps
//! into memory and runs twice (`docs/performance.md`).

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};
use toml::value::Datetime;

/// A value as it stands in the text.
pub type Value<'t> = Spanned<DeValue<'t>>;

/// A key as it stands in the text.
pub type Key<'t> = Spanned<DeString<'t>>;

/// A text, and where it stands.
pub type Text<'t> = Spanned<&'t str>;

/// Keys and values. Not the table itself, whose iteration is much code for each place that iterates.
pub type Entries<'t> = Vec<(&'t Key<'t>, &'t Value<'t>)>;

/// Takes a table: its keys and values, in the order of the keys.
///
/// # Errors
///
/// [`Misread`] for another kind of value; as everywhere here.
pub fn table<'t>(value: &'t Value<'t>) -> Result<Entries<'t>, Misread> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(entries(table)),
        other => Err(Misread::kind(value.span(), other, "a table")),
    }
}

/// The keys and values of a table, in the order of the keys.
#[must_use]
pub fn entries<'t>(table: &'t DeTable<'t>) -> Entries<'t> {
    table.iter().collect()
}

/// Takes a list, each entry of it by `read`.
pub fn list<'t, T>(
    value: &'t Value<'t>,
    read: impl Fn(&'t Value<'t>) -> Result<T, Misread>,
) -> Result<Spanned<Vec<T>>, Misread> {
    match value.get_ref() {
        DeValue::Array(array) => {
            let mut entries = Vec::with_capacity(array.len());
            for entry in array {
                entries.push(read(entry)?);
            }
            Ok(Spanned::new(value.span(), entries))
        }
        other => Err(Misread::kind(value.span(), other, "a list")),
    }
}

/// Takes a text.
pub fn text<'t>(value: &'t Value<'t>) -> Result<Text<'t>, Misread> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Spanned::new(value.span(), text.as_ref())),
        other => Err(Misread::kind(value.span(), other, "a string")),
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

    /// The key that is missing.
    #[must_use]
    #[cold]
    pub const fn missing(&self) -> Option<&'static str> {
        match &self.fault {
            Fault::MissingKey(key) => Some(key),
            Fault::Kind { .. } | Fault::UnknownKey { .. } => None,
        }
    }

    /// What is wrong, without a word of the text: for files that hold secrets.
    #[must_use]
    #[cold]
    pub fn without_content(&self) -> String {
        match &self.fault {
            Fault::Kind { expected, .. } => format!("it must be {expected}"),
            Fault::UnknownKey { known, .. } => format!("unknown key; known: {}", known.join(", ")),
            Fault::MissingKey(key) => format!("missing key `{key}`"),
        }
    }

    #[cold]
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
            Fault::Kind { found, expected } => {
                write!(formatter, "{found}; it must be {expected}")?;
                let is_text = found.starts_with("string ");
                if is_text && [WHOLE_NUMBER, "true or false"].contains(expected) {
                    formatter.write_str(", without quotes")?;
                }
                Ok(())
            }
            Fault::UnknownKey { key, known } => {
                write!(formatter, "unknown key `{key}`; known: {}", known.join(", "))?;
                if TOP_LEVEL.contains(&key.as_str()) && !known.contains(&"rules") {
                    write!(
                        formatter,
                        "; `{key}` is a key of the top level, so write it above the first table"
                    )?;
                }
                Ok(())
            }
            Fault::MissingKey(key) => write!(formatter, "missing key `{key}`"),
        }
    }
}

impl std::error::Error for Misread {}

/// The line and the column of the byte at `offset`, from 1, as editors count them.
#[must_use]
#[cold]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let in_line = before.rsplit('\n').next().unwrap_or_default();
    (line, in_line.chars().count().saturating_add(1))
}

/// Keys that people write at the end of a policy, where they belong to the last table.
const TOP_LEVEL: [&str; 6] = ["version", "mode", "required_steps", "on_wrong_code", "unenrolled", "until"];
const WHOLE_NUMBER: &str = "a whole number in range";
