//! `[[factors]]`.

use std::ops::Range;

use toml::Spanned;

use super::position::Problem;
use super::raw::{Number, RawFactor, Text};
use super::words::{choose, number};
use crate::verifier::otp::{Algorithm, Digits, Period};
use crate::verifier::policy::{CodeParameters, Factor, FactorId, FactorKind, Label};

/// A factor, and where its label is written, or its id where that is its label.
pub(super) struct ReadFactor {
    pub(super) factor: Factor,
    pub(super) label_at: Range<usize>,
}

/// Reads every factor, at least one.
pub(super) fn read_factors(given: Option<&Spanned<Vec<RawFactor>>>) -> Result<Vec<ReadFactor>, Problem> {
    let Some(list) = given.filter(|list| !list.get_ref().is_empty()) else {
        let message = "an empty chain: no factors; write at least one [[factors]]";
        return Err(given.map_or_else(
            || Problem::at_start(message).lacking("factors").following(&["factors"]),
            |list| Problem::at(&list.span(), message),
        ));
    };
    let mut factors: Vec<ReadFactor> = Vec::new();
    for raw in list.get_ref() {
        let read = read_one(raw)?;
        refuse_duplicate(&factors, &read, raw)?;
        factors.push(read);
    }
    Ok(factors)
}

fn read_one(raw: &RawFactor) -> Result<ReadFactor, Problem> {
    let id = FactorId::parse(raw.id.get_ref()).map_err(|invalid| refused(&raw.id, invalid))?;
    let label = match &raw.label {
        Some(text) => Label::parse(text.get_ref()).map_err(|invalid| refused(text, invalid))?,
        None => Label::from(&id),
    };
    let factor = Factor { id, label, kind: read_kind(raw)?, enrollment: read_parameters(raw)? };
    Ok(ReadFactor { factor, label_at: raw.label.as_ref().unwrap_or(&raw.id).span() })
}

fn refuse_duplicate(earlier: &[ReadFactor], read: &ReadFactor, raw: &RawFactor) -> Result<(), Problem> {
    let factor = &read.factor;
    if earlier.iter().any(|known| known.factor.id == factor.id) {
        return Err(Problem::at(&raw.id.span(), format!("another factor has the id `{}`", factor.id)));
    }
    if earlier.iter().any(|known| known.factor.label == factor.label) {
        let message =
            format!("another factor has the label `{}`; prompts couldn't tell them apart", factor.label);
        return Err(Problem::at(&read.label_at, message));
    }
    Ok(())
}

fn read_kind(raw: &RawFactor) -> Result<FactorKind, Problem> {
    let kinds = [("totp", FactorKind::Totp { window: 1 }), ("hotp", FactorKind::Hotp { look_ahead: 10 })];
    match choose("type", &raw.kind, &kinds)? {
        FactorKind::Totp { window } => {
            refuse_foreign("look_ahead", raw.look_ahead.as_ref(), "hotp")?;
            let window = raw
                .window
                .as_ref()
                .map_or(Ok(window), |given| number("window", given, 0..=FactorKind::WIDEST_WINDOW))?;
            Ok(FactorKind::Totp { window })
        }
        FactorKind::Hotp { look_ahead } => {
            refuse_foreign("window", raw.window.as_ref(), "totp")?;
            refuse_foreign("period", raw.period.as_ref(), "totp")?;
            let given = raw.look_ahead.as_ref();
            let look_ahead = given.map_or(Ok(look_ahead), |given| {
                number("look_ahead", given, 1..=FactorKind::LONGEST_LOOK_AHEAD)
            })?;
            Ok(FactorKind::Hotp { look_ahead })
        }
    }
}

fn read_parameters(raw: &RawFactor) -> Result<CodeParameters, Problem> {
    let algorithm = raw.algorithm.as_ref().map(|word| choose("algorithm", word, &Algorithm::NAMES));
    let digits = raw.digits.as_ref().map(|given| within("digits", given, 6..=8, Digits::new));
    let period = raw.period.as_ref().map(|given| within("period", given, 15..=120, Period::from_seconds));
    Ok(CodeParameters {
        algorithm: algorithm.transpose()?.unwrap_or_default(),
        digits: digits.transpose()?.unwrap_or_default(),
        period: period.transpose()?.unwrap_or_default(),
    })
}

fn within<T>(
    key: &str,
    given: &Number,
    range: std::ops::RangeInclusive<u64>,
    take: impl Fn(u64) -> Option<T>,
) -> Result<T, Problem> {
    let value = number(key, given, range)?;
    take(value).ok_or_else(|| Problem::at(&given.span(), format!("`{key}` can't be {value}")))
}

fn refuse_foreign(key: &str, given: Option<&Number>, kind: &str) -> Result<(), Problem> {
    given.map_or(Ok(()), |given| {
        Err(Problem::at(&given.span(), format!("`{key}` is for type `{kind}` only")).following(&["type"]))
    })
}

fn refused(text: &Text, reason: impl std::fmt::Display) -> Problem {
    Problem::at(&text.span(), format!("`{}` is {reason}", text.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, FACTOR, check, parsed};

    #[test]
    fn factors_out_of_range_are_refused() {
        check("", "", WITHOUT_FACTORS);
        check(FACTOR, "", OF_ANY_KIND);
        let hotp = "[[factors]]\nid = 'a'\n";
        check(hotp, "", OF_HOTP);
        for accepted in
            ["window = 10", "window = 0\ndigits = 8\nperiod = 15", "period = 120\nalgorithm = 'SHA512'"]
        {
            parsed(&format!("{FACTOR}{accepted}"));
        }
        parsed(&format!("required_steps = 1\n{hotp}type = 'hotp'\nlook_ahead = 1"));
    }

    const WITHOUT_FACTORS: &[Case] = &[
        ("none", "", "1:1: an empty chain: no factors; write at least one [[factors]]"),
        ("an empty list", "factors = []", "1:11: an empty chain: no factors; write at least one [[factors]]"),
        ("no id", "[[factors]]\ntype = 'totp'", "1:1: missing key `id`"),
        ("no type", "[[factors]]\nid = 'a'", "1:1: missing key `type`"),
        (
            "bad id",
            "[[factors]]\nid = 'A b'\ntype = 'totp'",
            "2:6: `A b` is not a factor id: 1 to 32 of the characters a-z, 0-9, `_` and `-`",
        ),
        (
            "unknown key",
            "[[factors]]\nid = 'a'\nlook = 1",
            "3:1: unknown key `look`; known: id, label, type, window, look_ahead, algorithm, digits, period",
        ),
    ];

    const OF_ANY_KIND: &[Case] = &[
        ("window", "window = 11", "5:10: `window` is 11; it must be 0 to 10"),
        ("negative window", "window = -1", "5:10: `window` is -1; it must be 0 to 10"),
        ("hotp's key", "look_ahead = 10", "5:14: `look_ahead` is for type `hotp` only"),
        ("digits", "digits = 9", "5:10: `digits` is 9; it must be 6 to 8"),
        ("period", "period = 121", "5:10: `period` is 121; it must be 15 to 120"),
        ("algorithm", "algorithm = 'sha1'", "5:13: unknown algorithm `sha1`; known: SHA1, SHA256, SHA512"),
        (
            "blank label",
            "label = ' '",
            "5:9: ` ` is not a label: 1 to 64 printable ASCII characters, not all blank",
        ),
        (
            "escape in label",
            "label = \"\\u001b\"",
            "5:9: `\\u{1b}` is not a label: 1 to 64 printable ASCII characters, not all blank",
        ),
        (
            "label that sudo replaces",
            "label = 'PassWord app'",
            "5:9: the prompt for `phone` begins with \"password\"; sudo would replace it",
        ),
        ("the same id", "[[factors]]\nid = 'phone'\ntype = 'hotp'", "6:6: another factor has the id `phone`"),
        (
            "the same label",
            "[[factors]]\nid = 'x'\ntype = 'hotp'\nlabel = 'phone'",
            "8:9: another factor has the label `phone`; prompts couldn't tell them apart",
        ),
    ];

    const OF_HOTP: &[Case] = &[
        ("type", "type = 'topt'", "3:8: unknown type `topt`; known: totp, hotp"),
        ("look_ahead", "type = 'hotp'\nlook_ahead = 0", "4:14: `look_ahead` is 0; it must be 1 to 100"),
        ("totp's window", "type = 'hotp'\nwindow = 1", "4:10: `window` is for type `totp` only"),
        ("totp's period", "type = 'hotp'\nperiod = 30", "4:10: `period` is for type `totp` only"),
    ];
}
