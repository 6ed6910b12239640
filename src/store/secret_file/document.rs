//! The tables and keys of a secret file.

use std::borrow::Cow;

use serde::Deserialize;

/// A secret file. The texts borrow from the text of the file, so that no copy of a secret stays on the heap.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<'t> {
    pub(super) version: u64,
    /// The only text that may contain escapes.
    #[serde(borrow)]
    pub(super) user: Cow<'t, str>,
    pub(super) uid: Option<u64>,
    #[serde(default)]
    pub(super) factors: Vec<FactorEntry<'t>>,
    pub(super) recovery: Option<RecoveryEntry<'t>>,
}

/// `[[factors]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorEntry<'t> {
    pub(super) id: &'t str,
    #[serde(rename = "type")]
    pub(super) kind: &'t str,
    pub(super) algorithm: &'t str,
    pub(super) digits: u64,
    pub(super) period: Option<u64>,
    pub(super) secret: &'t str,
    pub(super) first: u64,
    pub(super) enrolled_at: u64,
    pub(super) serial: Option<&'t str>,
    #[serde(default)]
    pub(super) awaits_resync: bool,
    /// The batch that wrote the entry; it counts only once the batch is in force.
    pub(super) batch: Option<&'t str>,
}

/// `[recovery]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecoveryEntry<'t> {
    pub(super) set: &'t str,
    #[serde(borrow)]
    pub(super) codes: Vec<RecoveryCodeEntry<'t>>,
}

/// An entry of `codes`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecoveryCodeEntry<'t> {
    pub(super) salt: &'t str,
    pub(super) hash: &'t str,
}
