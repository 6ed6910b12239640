//! The tables and keys of `policy.toml`, with their places, before their values are judged.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::position::Problem;
use super::{KNOWN_VERSION, reword};
use crate::verifier::policy::Policy;

/// Reads the tables of a policy.
pub(super) fn load(text: &str) -> Result<RawPolicy, Problem> {
    if text.len() > Policy::MAX_BYTES {
        let message = format!("the file has {} bytes; at most {} are read", text.len(), Policy::MAX_BYTES);
        return Err(Problem::at_start(message));
    }
    toml::from_str(text).map_err(|error| {
        // A policy of another version has other keys; the version is the better news then.
        other_version(text).map_or_else(|| reword::reword(&error, text), |version| unknown_version(&version))
    })
}

/// A version that isn't known.
pub(super) fn unknown_version(version: &Spanned<i64>) -> Problem {
    let message = format!("unknown version {}; known: {KNOWN_VERSION}", version.get_ref());
    Problem::at(&version.span(), message)
}

fn other_version(text: &str) -> Option<Spanned<i64>> {
    let version = toml::from_str::<VersionOnly>(text).ok()?.version?;
    (*version.get_ref() != KNOWN_VERSION).then_some(version)
}

#[derive(Deserialize)]
struct VersionOnly {
    version: Option<Spanned<i64>>,
}

pub(super) type Text = Spanned<String>;
pub(super) type Number = Spanned<i64>;
pub(super) type List = Spanned<Vec<Text>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPolicy {
    pub(super) version: Option<Number>,
    mode: Option<Text>,
    required_steps: Option<Number>,
    on_wrong_code: Option<Text>,
    unenrolled: Option<Text>,
    until: Option<Spanned<Datetime>>,
    pub(super) factors: Option<Spanned<Vec<Spanned<RawFactor>>>>,
    #[serde(default)]
    pub(super) chains: BTreeMap<Text, Spanned<RawChain>>,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<RawRule>>,
    pub(super) prompt: Option<RawPrompt>,
    pub(super) throttle: Option<RawThrottle>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawChain {
    pub(super) factors: Option<List>,
    mode: Option<Text>,
    required_steps: Option<Number>,
    on_wrong_code: Option<Text>,
    unenrolled: Option<Text>,
    until: Option<Spanned<Datetime>>,
}

/// The keys that the top level and every chain share. Written out twice above, since serde's `flatten` would
/// accept unknown keys.
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
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
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRule {
    pub(super) services: Option<List>,
    pub(super) users: Option<List>,
    pub(super) groups: Option<List>,
    pub(super) from: Option<List>,
    pub(super) ttys: Option<List>,
    pub(super) chain: Option<Text>,
    pub(super) action: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPrompt {
    pub(super) text: Option<Text>,
    pub(super) echo: Option<bool>,
    pub(super) failure: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
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
}
