//! The TOML parser's errors in the words of this policy.

use super::position::Problem;

/// The error with its place. Its `Display` isn't used, since that repeats whole lines of the file.
pub(super) fn reword(error: &toml::de::Error, text: &str) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let reworded = duplicate_key(message, text.get(span.clone()))
        .or_else(|| unquoted_text(message))
        .unwrap_or_else(|| message.to_owned());
    Problem::at(&span, reworded)
}

fn duplicate_key(message: &str, key: Option<&str>) -> Option<String> {
    (message == "duplicate key").then(|| format!("`{}` is written twice", key.unwrap_or_default()))
}

fn unquoted_text(message: &str) -> Option<String> {
    let unquoted =
        message.starts_with("invalid boolean") || message.starts_with("string values must be quoted");
    unquoted.then(|| "not a value; text is written in quotes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, FACTOR, check, parsed};

    #[test]
    fn what_is_no_toml_is_refused_where_it_breaks() {
        check("", "", TEXTS);
        parsed(&format!("version = 1\n{FACTOR}"));
    }

    const TEXTS: &[Case] = &[
        (
            "text with our words in it",
            "required_steps = 'map, expected i64'",
            "1:18: string \"map, expected i64\"; it must be a whole number in range",
        ),
        (
            "beyond any number",
            "required_steps = 99999999999999999999",
            "1:18: integer `99999999999999999999`; it must be a whole number in range",
        ),
        (
            "unknown key",
            "mods = 'fixed'",
            "1:1: unknown key `mods`; known: version, mode, required_steps, on_wrong_code, unenrolled, until, factors, chains, rules, prompt, throttle",
        ),
        (
            "unknown key with a line end",
            "\"a\\nb\" = 1",
            "1:1: unknown key `a\\nb`; known: version, mode, required_steps, on_wrong_code, unenrolled, until, factors, chains, rules, prompt, throttle",
        ),
        ("twice", "mode = 'fixed'\nmode = 'random'", "2:1: `mode` is written twice"),
        ("without quotes", "mode = fixed", "1:8: not a value; text is written in quotes"),
        ("without a value", "mode =", "1:7: not a value; text is written in quotes"),
        ("no text", "mode = 3", "1:8: integer `3`; it must be a string"),
        ("no number", "required_steps = 'x'", "1:18: string \"x\"; it must be a whole number in range"),
        ("no list", "factors = 3", "1:11: integer `3`; it must be a list"),
        ("a table for a list", "[factors]\nid = 'x'", "1:1: a table; it must be a list"),
        ("no table", "throttle = 3", "1:12: integer `3`; it must be a table"),
        (
            "columns in characters",
            "# \n[chains.\"ü\"]\nx = 1",
            "3:1: unknown key `x`; known: factors, mode, required_steps, on_wrong_code, unenrolled, until",
        ),
        (
            "quoted date",
            "until = '2026-12-31'",
            "1:9: string \"2026-12-31\"; it must be a date such as 2026-12-31, without quotes",
        ),
        ("impossible date", "until = 2026-02-30", "1:9: invalid date, expected day between 01 and 28"),
        ("another version", "version = 2", "1:11: unknown version 2; known: 1"),
        ("another version with other keys", "version = 2\nnew = true", "1:11: unknown version 2; known: 1"),
    ];
}
