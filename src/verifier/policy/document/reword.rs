//! The TOML parser's errors in the words of this policy.

use super::marks::{Mark, code_point, first_mark};
use super::position::Problem;

/// The error with its place. Its `Display` isn't used, since that repeats whole lines of the file.
pub(super) fn reword(error: &toml::de::Error, text: &str) -> Problem {
    reword_at(error, text, 0)
}

/// The same for an error of the part of `text` that starts at `begin`.
#[cold]
pub(super) fn reword_at(error: &toml::de::Error, text: &str, begin: usize) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let span = span.start.saturating_add(begin)..span.end.saturating_add(begin);
    let message = error.message();
    let is_date = message.starts_with("invalid date");
    if let Some(problem) = explain(text, span.start).filter(|_| !is_date) {
        return problem;
    }
    let reworded = duplicate_key(message, text.get(span.clone()))
        .or_else(|| unquoted_text(message))
        .or_else(|| missing_comma(message))
        .unwrap_or_else(|| message.to_owned());
    Problem::at(&span, reworded)
}

/// What the line of the error looks like, where it is a form of another language or a character that is not seen.
fn explain(text: &str, offset: usize) -> Option<Problem> {
    let begin = text.get(..offset)?.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let line = text.get(begin..)?.split('\n').next()?.trim_end_matches('\r');
    let at = |place: usize, message: String| {
        let place = begin.saturating_add(place);
        Some(Problem::at(&(place..place), message))
    };
    if let Some((place, letter)) = line.char_indices().find(|(_, it)| it.is_control() && *it != '\t') {
        return at(place, format!("a control character, {}; delete it", code_point(letter)));
    }
    if let Some((place, letter, kind)) = first_mark(line) {
        let cure = match kind {
            Mark::Quote => "text stands in straight quotes, as in \"phone\"".to_owned(),
            Mark::Blank => "write a plain blank".to_owned(),
            Mark::Invisible => "it is not seen; delete it".to_owned(),
            Mark::LookAlike(plain) => format!("write `{plain}`"),
        };
        return at(place, format!("{} does not belong here; {cure}", code_point(letter)));
    }
    if let Some(place) = ["{{", "{%", "${", "<%"].iter().find_map(|mark| line.find(mark)) {
        return at(
            place,
            "a place in a template that was not filled in; render the template first".to_owned(),
        );
    }
    foreign_form(text, line).map_or_else(
        || wrong_value(line).and_then(|cure| at(offset.saturating_sub(begin), cure)),
        |it| at(0, it).map(|problem| if is_of_all(text, line) { problem.of_all() } else { problem }),
    )
}

/// Whether the line tells that the whole file is of another kind.
fn is_of_all(text: &str, line: &str) -> bool {
    let first = text.lines().find(|it| !it.trim().is_empty() && !it.trim_start().starts_with('#'));
    let is_first = first.is_some_and(|first| first.trim_end() == line.trim_end());
    MERGE_MARKS.iter().any(|mark| line.starts_with(mark))
        || is_json(text)
        || text.trim_start().starts_with('<')
        || is_first && foreign_form(text, line).is_some_and(|told| told.starts_with("this is "))
}

/// Whether the text begins as JSON does, and not as a template.
fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{') && !text.starts_with("{{") && !text.starts_with("{%")
}

const MERGE_MARKS: [&str; 4] = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];

/// The line in another language than TOML.
fn foreign_form(text: &str, line: &str) -> Option<String> {
    let whole = text.trim_start();
    let line = line.trim();
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    if is_json(text) {
        return Some("this is JSON; a policy is TOML, with lines such as `mode = \"random\"`".to_owned());
    }
    if whole.starts_with('<') && !whole.starts_with("<<<<<<<") {
        return Some("this is XML; a policy is TOML, with lines such as `mode = \"random\"`".to_owned());
    }
    if MERGE_MARKS.iter().any(|mark| line.starts_with(mark)) {
        return Some("a mark of a merge; resolve the conflict and delete the marks".to_owned());
    }
    if ["//", "/*", ";", "--"].iter().any(|mark| line.starts_with(mark)) && line != "---" {
        return Some("a comment begins with `#`".to_owned());
    }
    if ["export", "set", "declare"].contains(&word) {
        return Some(format!("a word of a shell, `{word}`; write only `KEY = VALUE`"));
    }
    let colon = line.find(':').filter(|at| line.find('=').is_none_or(|equals| *at < equals));
    if line == "---" || line.starts_with("- ") || colon.is_some() && !line.starts_with(['"', '\'', '[']) {
        return Some("this is YAML; a policy is TOML, with lines such as `mode = \"random\"`".to_owned());
    }
    let is_bare =
        !line.contains('=') && !line.starts_with(['[', '"', '\'', '#', ']', ',']) && !line.is_empty();
    is_bare.then(|| "not TOML; a line is `KEY = VALUE`, as in `required_steps = 2`".to_owned())
}

/// What is meant by a value that TOML does not have.
fn wrong_value(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.split('#').next().unwrap_or_default().trim());
    if value.is_empty() || value.starts_with(['"', '\'', '[']) {
        return None;
    }
    if key == "until" {
        return Some("not a date; write it as year, month and day, such as `until = 2026-12-31`".to_owned());
    }
    if value.ends_with(';') || value.ends_with(',') {
        return Some(
            "nothing stands behind a value; delete the `;` or `,` at the end of the line".to_owned(),
        );
    }
    if value.starts_with('$') {
        return Some("a variable that was not filled in; write its value".to_owned());
    }
    match value.to_ascii_lowercase().as_str() {
        "no" | "off" | "false" => Some(format!("not a value; write `{key} = false`")),
        "yes" | "on" | "true" => Some(format!("not a value; write `{key} = true`")),
        _ => None,
    }
}

fn duplicate_key(message: &str, key: Option<&str>) -> Option<String> {
    (message == "duplicate key").then(|| format!("`{}` is written twice", key.unwrap_or_default()))
}

fn missing_comma(message: &str) -> Option<String> {
    if message.starts_with("unexpected key or value") {
        return Some(
            "this stands behind the end of a value or heading; give it a line of its own".to_owned(),
        );
    }
    let is_missing = message.starts_with("missing comma between array elements");
    is_missing.then(|| "a comma is missing before this entry of the list".to_owned())
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

    #[test]
    fn other_languages_and_unseen_characters_are_named_with_the_cure() {
        for (text, told) in [
            ("id = \u{201c}phone\u{201d}", "1:6: U+201C (left double quotation mark)"),
            ("required\u{ad}_steps = 2", "1:9: U+00AD (soft hyphen)"),
            ("mode\u{a0}= 'x'", "1:5: U+00A0 (no-break space)"),
            ("version = 1\n\u{c}\n", "2:1: a control character, U+000C (form feed)"),
            ("required_steps = {{ steps }}", "1:18: a place in a template"),
            ("required_steps = $STEPS", "1:18: a variable"),
            ("mode: random", "1:1: this is YAML"),
            ("{\"a\": 1}", "1:1: this is JSON"),
            ("// hello", "1:1: a comment begins with `#`"),
            ("<<<<<<< HEAD", "1:1: a mark of a merge"),
            ("export mode='x'", "1:1: a word of a shell"),
            ("Match User root", "1:1: not TOML; a line is `KEY = VALUE`"),
            ("required_steps = 2;", "delete the `;`"),
            ("echo = no", "write `echo = false`"),
            ("echo = TRUE", "write `echo = true`"),
            ("until = 31.12.2026", "such as `until = 2026-12-31`"),
            ("until = tomorrow", "such as `until = 2026-12-31`"),
            ("users = ['a', 'b'\naction = 'deny'", "1:18: the list that stands here has no `]`"),
        ] {
            let refused = super::super::tests::refusal(text);
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }

    #[test]
    fn tables_and_lists_in_the_wrong_shape_are_told_with_the_heading_that_is_meant() {
        for (text, told) in [
            (
                "[factors]\nid = 'x'",
                "1:1: a table; it must be a list: write `[[factors]]`, and the name as `id`",
            ),
            ("[factors.phone]\ntype = 'totp'", "1:2: a table; it must be a list: write `[[factors]]`"),
            ("[rules]\naction = 'deny'", "1:1: a table; it must be a list: write `[[rules]]`"),
            ("[[prompt]]\necho = true", "1:1: a list; it must be a table: write `[prompt]`"),
            ("[[throttle]]\nlock_after = 9", "1:1: a list; it must be a table: write `[throttle]`"),
            ("[[chains]]\nfactors = ['a']", "1:1: a list; it must be a table: write `[chains.NAME]`"),
            ("[[chains.admin]]\nfactors = ['a']", "1:1: a list; it must be a table: write `[chains.admin]`"),
        ] {
            let refused = super::super::tests::refusal(text);
            assert!(refused.starts_with(told), "{text}: {refused}");
        }
        parsed(&format!(
            "{FACTOR}[[rules]]\naction = 'deny'\n[prompt]\necho = true\n[chains.admin]\nfactors = ['phone']"
        ));
    }

    #[test]
    fn a_key_of_the_top_level_below_a_table_and_a_number_in_quotes_are_told_with_the_cure() {
        let cure = "is a key of the top level, so write it above the first table";
        for (key, table) in [
            ("mode", "[[factors]]\nid = 'b'\ntype = 'totp'"),
            ("until", "[prompt]"),
            ("version", "[throttle]"),
        ] {
            let refused = super::super::tests::refusal(&format!("{FACTOR}{table}\n{key} = 1"));
            assert!(
                refused.contains(&format!("unknown key `{key}`; known: ")) && refused.ends_with(cure),
                "{refused}"
            );
        }
        for (key, value) in [("digits", "6"), ("period", "30"), ("window", "1")] {
            let refused = super::super::tests::refusal(&format!("{FACTOR}{key} = \"{value}\""));
            let told = format!("string \"{value}\"; it must be a whole number in range, without quotes");
            assert!(refused.ends_with(&told), "{refused}");
            parsed(&format!("{FACTOR}{key} = {value}"));
        }
    }

    const TEXTS: &[Case] = &[
        (
            "text with our words in it",
            "required_steps = 'map, expected i64'",
            "1:18: string \"map, expected i64\"; it must be a whole number in range, without quotes",
        ),
        (
            "beyond any number",
            "required_steps = 99999999999999999999",
            "1:18: integer `99999999999999999999`; it must be a whole number in range",
        ),
        (
            "unknown key",
            "mods = 'fixed'",
            "1:1: unknown key `mods`; known: version, mode, required_steps, on_wrong_code, unenrolled, until, action, factors, chains, rules, prompt, throttle",
        ),
        (
            "unknown key with a line end",
            "\"a\\nb\" = 1",
            "1:1: unknown key `a\\nb`; known: version, mode, required_steps, on_wrong_code, unenrolled, until, action, factors, chains, rules, prompt, throttle",
        ),
        ("twice", "mode = 'fixed'\nmode = 'random'", "2:1: `mode` is written twice"),
        ("without quotes", "mode = fixed", "1:8: not a value; text is written in quotes"),
        ("without a value", "mode =", "1:7: not a value; text is written in quotes"),
        ("no text", "mode = 3", "1:8: integer `3`; it must be a string"),
        (
            "no number",
            "required_steps = 'x'",
            "1:18: string \"x\"; it must be a whole number in range, without quotes",
        ),
        ("no list", "factors = 3", "1:11: integer `3`; it must be a list"),
        (
            "a table for a list",
            "[factors]\nid = 'x'",
            "1:1: a table; it must be a list: write `[[factors]]`, and the name as `id`",
        ),
        ("no table", "throttle = 3", "1:12: integer `3`; it must be a table"),
        (
            "columns in characters",
            "# \n[chains.\"ü\"]\nx = 1",
            "2:9: `ü` is not a chain name: 1 to 32 of the characters a-z, 0-9, `_` and `-`",
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
