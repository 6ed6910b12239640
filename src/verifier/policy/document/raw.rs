//! The tables and keys of `policy.toml`, with their places, before their values are judged.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};
use toml::value::Datetime;

use super::misread::Misread;
use super::position::Problem;
use super::reword;
use crate::verifier::policy::Policy;

const KNOWN_VERSION: &str = "1";

/// A text, and where it stands.
pub(super) type Text = Spanned<String>;
pub(super) type Number = Spanned<i64>;
pub(super) type List = Spanned<Vec<Text>>;

/// Reads the tables of a policy.
pub(super) fn read_tables(text: &str) -> Result<RawPolicy, Problem> {
    if text.len() > Policy::MAX_BYTES {
        let message = format!("the file has {} bytes; at most {} are read", text.len(), Policy::MAX_BYTES);
        return Err(Problem::at_start(message));
    }
    let table = DeTable::parse(text).map_err(|error| reword::reword(&error, text))?;
    // A policy of another version has other keys; the version is the better news then.
    check_version(table.get_ref())?;
    refuse_shapes(table.get_ref())?;
    RawPolicy::deserialize(Deserializer::from(table)).map_err(|error| {
        let misread = Misread::of(&error, text);
        let problem = Problem::at(&misread.at, misread.to_string());
        match REQUIRED.iter().find(|key| misread.missing() == Some(key)) {
            Some(key) => problem.lacking(key),
            None => problem,
        }
    })
}

fn check_version(table: &DeTable<'_>) -> Result<(), Problem> {
    match table.get("version").map(|version| (version.span(), version.get_ref())) {
        Some((at, DeValue::Integer(version))) if version.as_str() != KNOWN_VERSION => {
            Err(Problem::at(&at, format!("unknown version {version}; known: {KNOWN_VERSION}")).of_all())
        }
        _ => Ok(()),
    }
}

/// Refuses a table where a list of tables stands, and the other way round, with the heading that is meant.
fn refuse_shapes(table: &DeTable<'_>) -> Result<(), Problem> {
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let cure = match (key, value.get_ref()) {
            ("factors", DeValue::Table(_)) => {
                "a table; it must be a list: write `[[factors]]`, and the name as `id`"
            }
            ("rules", DeValue::Table(_)) => "a table; it must be a list: write `[[rules]]`",
            ("prompt", DeValue::Array(_)) => "a list; it must be a table: write `[prompt]`",
            ("throttle", DeValue::Array(_)) => "a list; it must be a table: write `[throttle]`",
            ("chains", DeValue::Array(_)) => "a list; it must be a table: write `[chains.NAME]`",
            ("chains", DeValue::Table(chains)) => match chains.iter().find(|(_, it)| it.get_ref().is_array())
            {
                Some((name, chain)) => {
                    let message = format!("a list; it must be a table: write `[chains.{}]`", name.get_ref());
                    return Err(Problem::at(&chain.span(), message));
                }
                None => continue,
            },
            _ => continue,
        };
        return Err(Problem::at(&value.span(), cure));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    /// Checked before: a policy of another version has other keys.
    #[serde(rename = "version")]
    _version: Option<i64>,
    mode: Option<Text>,
    required_steps: Option<Number>,
    on_wrong_code: Option<Text>,
    unenrolled: Option<Text>,
    until: Option<Spanned<Datetime>>,
    pub(super) action: Option<Text>,
    pub(super) factors: Option<Spanned<Vec<RawFactor>>>,
    #[serde(default)]
    pub(super) chains: BTreeMap<Text, RawChain>,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<RawRule>>,
    pub(super) prompt: Option<RawPrompt>,
    pub(super) throttle: Option<RawThrottle>,
}

/// The keys that the top level and every chain share. serde can't flatten them and keep their places.
pub(super) struct RawSettings<'r> {
    pub(super) mode: Option<&'r Text>,
    pub(super) required_steps: Option<&'r Number>,
    pub(super) on_wrong_code: Option<&'r Text>,
    pub(super) unenrolled: Option<&'r Text>,
    pub(super) until: Option<&'r Spanned<Datetime>>,
}

impl RawPolicy {
    pub(super) fn settings(&self) -> RawSettings<'_> {
        RawSettings {
            mode: self.mode.as_ref(),
            required_steps: self.required_steps.as_ref(),
            on_wrong_code: self.on_wrong_code.as_ref(),
            unenrolled: self.unenrolled.as_ref(),
            until: self.until.as_ref(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChain {
    pub(super) factors: Option<List>,
    mode: Option<Text>,
    required_steps: Option<Number>,
    on_wrong_code: Option<Text>,
    unenrolled: Option<Text>,
    until: Option<Spanned<Datetime>>,
}

impl RawChain {
    pub(super) fn settings(&self) -> RawSettings<'_> {
        RawSettings {
            mode: self.mode.as_ref(),
            required_steps: self.required_steps.as_ref(),
            on_wrong_code: self.on_wrong_code.as_ref(),
            unenrolled: self.unenrolled.as_ref(),
            until: self.until.as_ref(),
        }
    }
}

/// The keys that a table of a policy can't do without; `required_steps` and `factors` are looked for later.
const REQUIRED: [&str; 2] = ["id", "type"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFactor {
    pub(super) id: Text,
    pub(super) label: Option<Text>,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) window: Option<Number>,
    pub(super) look_ahead: Option<Number>,
    pub(super) algorithm: Option<Text>,
    pub(super) digits: Option<Number>,
    pub(super) period: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) services: Option<List>,
    pub(super) users: Option<List>,
    pub(super) groups: Option<List>,
    pub(super) unlisted_groups: Option<Text>,
    pub(super) from: Option<List>,
    pub(super) ttys: Option<List>,
    pub(super) chain: Option<Text>,
    pub(super) action: Option<Text>,
    pub(super) until: Option<Spanned<Datetime>>,
    pub(super) fail_delay_seconds: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrompt {
    pub(super) text: Option<Text>,
    pub(super) echo: Option<bool>,
    pub(super) failure: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawThrottle {
    pub(super) free_failures: Option<Number>,
    pub(super) first_wait_seconds: Option<Number>,
    pub(super) longest_wait_seconds: Option<Number>,
    pub(super) long_after: Option<Number>,
    pub(super) long_wait_seconds: Option<Number>,
    pub(super) lock_after: Option<Number>,
    pub(super) lock_wait_seconds: Option<Number>,
    pub(super) failures_a_day: Option<Number>,
    pub(super) fail_delay_seconds: Option<Number>,
    pub(super) attempt_seconds: Option<Number>,
}
