//! The errors of serde and of the TOML reader, in our words.

use std::fmt;
use std::ops::Range;

/// A table or value that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// Where, in bytes of the text.
    pub at: Range<usize>,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Kind {
        found: String,
        expected: String,
    },
    UnknownKey {
        key: String,
        known: String,
    },
    MissingKey(String),
    /// No message of serde's that is known here. It may quote the text.
    Other(String),
}

impl Misread {
    /// Takes the message apart. The text between "unknown field" or "invalid type" and the last ", expected" is the
    /// file's own; what follows is ours.
    #[must_use]
    #[cold]
    pub fn of(error: &toml::de::Error, text: &str) -> Self {
        let (at, message) = (error.span().unwrap_or(0..0), error.message());
        let fault = missing_key(message)
            .or_else(|| unknown_key(message))
            .or_else(|| wrong_kind(message, text.get(at.clone()).unwrap_or_default()))
            .unwrap_or_else(|| Fault::Other(message.to_owned()));
        Self { at, fault }
    }

    /// The key that is missing.
    #[must_use]
    #[cold]
    pub fn missing(&self) -> Option<&str> {
        match &self.fault {
            Fault::MissingKey(key) => Some(key),
            Fault::Kind { .. } | Fault::UnknownKey { .. } | Fault::Other(_) => None,
        }
    }

    /// What is wrong, without a word of the text: for files that hold secrets.
    #[must_use]
    #[cold]
    pub fn without_content(&self) -> String {
        match &self.fault {
            Fault::Kind { expected, .. } => format!("it must be {expected}"),
            Fault::UnknownKey { known, .. } => format!("unknown key; known: {known}"),
            Fault::MissingKey(key) => format!("missing key `{key}`"),
            Fault::Other(_) => "not a value that can stand here".to_owned(),
        }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Kind { found, expected } => {
                write!(formatter, "{found}; it must be {expected}")?;
                let is_text = found.starts_with("string ");
                if is_text && [WHOLE_NUMBER, FLAG].contains(&expected.as_str()) {
                    formatter.write_str(", without quotes")?;
                }
                Ok(())
            }
            Fault::UnknownKey { key, known } => {
                write!(formatter, "unknown key `{key}`; known: {known}")?;
                if TOP_LEVEL.contains(&key.as_str()) && !known.contains("rules") {
                    write!(
                        formatter,
                        "; `{key}` is a key of the top level, so write it above the first table"
                    )?;
                }
                Ok(())
            }
            Fault::MissingKey(key) => write!(formatter, "missing key `{key}`"),
            Fault::Other(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Misread {}

fn missing_key(message: &str) -> Option<Fault> {
    let key = message.strip_prefix("missing field `")?.strip_suffix('`')?;
    Some(Fault::MissingKey(key.to_owned()))
}

/// "unknown field `x`, expected one of `a`, `b`"
fn unknown_key(message: &str) -> Option<Fault> {
    let (key, known) = message.strip_prefix("unknown field `")?.rsplit_once("`, expected ")?;
    let known = known.strip_prefix("one of ").unwrap_or(known).replace(" or ", ", ").replace('`', "");
    Some(Fault::UnknownKey { key: key.to_owned(), known })
}

/// "invalid type: string \"x\", expected i64"
fn wrong_kind(message: &str, written: &str) -> Option<Fault> {
    let kind = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = kind.rsplit_once(", expected ")?;
    let found = match found {
        // A date is a map to serde.
        "map" if written.starts_with(|first: char| first.is_ascii_digit()) => "a date",
        "map" => "a table",
        "sequence" => "a list",
        other => other.trim_end_matches(" as i128").trim_end_matches(" as u128"),
    };
    let expected = match expected {
        "i64" | "u64" => WHOLE_NUMBER,
        "a boolean" => FLAG,
        "a sequence" => "a list",
        "a map" => "a table",
        "a TOML datetime" => "a date such as 2026-12-31, without quotes",
        "a borrowed string" => "a string without escapes",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    Some(Fault::Kind { found: found.to_owned(), expected: expected.to_owned() })
}

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
const FLAG: &str = "true or false";
