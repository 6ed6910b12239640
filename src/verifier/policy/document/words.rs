//! Words and numbers out of a known set.

use std::fmt;
use std::ops::RangeInclusive;

use super::position::Problem;
use super::raw::{Number, Text};

/// What `word` means; otherwise "unknown mode `x`; known: fixed, random".
pub(super) fn choose<T: Copy>(what: &str, word: &Text, known: &[(&str, T)]) -> Result<T, Problem> {
    let found = known.iter().find(|(name, _)| *name == *word.get_ref());
    found.map(|(_, value)| *value).ok_or_else(|| unknown(what, word, known.iter().map(|(name, _)| *name)))
}

/// "unknown factor `x`; known: a, b".
pub(super) fn unknown<'k>(what: &str, word: &Text, known: impl Iterator<Item = &'k str>) -> Problem {
    let known = known.collect::<Vec<_>>().join(", ");
    Problem::at(&word.span(), format!("unknown {what} `{}`; known: {known}", word.get_ref()))
}

/// `given` as a number within `range`.
pub(super) fn number<T>(key: &str, given: &Number, range: RangeInclusive<T>) -> Result<T, Problem>
where
    T: TryFrom<i64> + PartialOrd + fmt::Display,
{
    let value = T::try_from(*given.get_ref()).ok().filter(|value| range.contains(value));
    value.ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        Problem::at(&given.span(), format!("`{key}` is {}; it must be {least} to {most}", given.get_ref()))
    })
}
