//! The lines of a service file as Linux-PAM reads them (`pam.conf(5)`, `libpam/pam_handlers.c`).

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it begins, from 1.
    pub line: usize,
    /// `auth`, `account`, `password` or `session`; `None` for `@include`, which is about all of them.
    pub stage: Option<&'static str>,
    /// What it says.
    pub kind: Kind,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A module is asked.
    Module {
        /// Without brackets.
        control: String,
        /// As it is written.
        path: String,
        /// One each, without the brackets of `[...]`.
        arguments: Vec<String>,
    },
    /// The lines of another file.
    Include {
        /// Its name or path.
        file: String,
        /// Whether those lines end among themselves.
        substack: bool,
    },
    /// libpam can't use it, and fails each login for it: why.
    Invalid(String),
}

/// Reads the lines of a file.
#[must_use]
pub fn entries(text: &str) -> Vec<Entry> {
    logical_lines(text).into_iter().filter_map(|(line, text)| Entry::parse(line, &text)).collect()
}

impl Entry {
    fn parse(line: usize, text: &str) -> Option<Self> {
        let mut words = Words(text);
        let first = words.next()?;
        if first.eq_ignore_ascii_case("@include") {
            let kind = words.next().map_or_else(
                || Kind::Invalid("`@include` names no file".to_owned()),
                |file| Kind::Include { file, substack: false },
            );
            return Some(Self { line, stage: None, kind });
        }
        let word = first.strip_prefix('-').unwrap_or(&first);
        let Some(stage) = STAGES.into_iter().find(|stage| stage.eq_ignore_ascii_case(word)) else {
            // libpam takes the strictest reading: the line is of `auth`, and fails.
            let why = format!("`{word}` is none of auth, account, password and session");
            return Some(Self { line, stage: Some("auth"), kind: Kind::Invalid(why) });
        };
        let (Some(control), Some(path)) = (words.next(), words.next()) else {
            let why = "it names no module".to_owned();
            return Some(Self { line, stage: Some(stage), kind: Kind::Invalid(why) });
        };
        let named = control.to_ascii_lowercase();
        let kind = match named.as_str() {
            "include" | "substack" => Kind::Include { file: path, substack: named == "substack" },
            _ if CONTROLS.contains(&named.as_str()) => {
                Kind::Module { control: named, path, arguments: words.collect() }
            }
            _ if control.contains('=') => Kind::Module { control, path, arguments: words.collect() },
            _ => Kind::Invalid(format!("`{control}` is no control")),
        };
        Some(Self { line, stage: Some(stage), kind })
    }
}

const STAGES: [&str; 4] = ["auth", "account", "password", "session"];
const CONTROLS: [&str; 4] = ["required", "requisite", "sufficient", "optional"];

/// The words of a line. One that begins with `[` goes up to `]`, which `\]` does not end.
struct Words<'t>(&'t str);

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let rest = self.0.trim_start_matches([' ', '\t']);
        if let Some(inner) = rest.strip_prefix('[') {
            let closing = inner.char_indices().find(|(at, letter)| {
                *letter == ']' && !inner.get(..*at).is_some_and(|text| text.ends_with('\\'))
            });
            let (word, rest) = closing
                .and_then(|(at, _)| Some((inner.get(..at)?, inner.get(at..)?.get(1..)?)))
                .unwrap_or((inner, ""));
            self.0 = rest;
            return Some(word.replace("\\]", "]"));
        }
        let (word, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        self.0 = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }
}

/// Each line with its number, without remarks; one that goes on behind a backslash counts where it begins. A carriage
/// return is a letter like others to libpam.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (said, remark) = line.split_once('#').map_or((line, false), |(said, _)| (said, true));
        let said = said.trim_end_matches([' ', '\t']);
        let (said, more) = match said.strip_suffix('\\') {
            Some(before) if !remark => (before, true),
            _ => (said, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, before)) => before.extend([" ", said]),
            None => lines.push((number, said.to_owned())),
        }
        goes_on = more;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(control: &str, path: &str, arguments: &[&str]) -> Kind {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Kind::Module { control: control.to_owned(), path: path.to_owned(), arguments }
    }

    #[test]
    fn lines_are_read_as_libpam_reads_them() {
        for (text, kind) in [
            ("AUTH Required x.so a b", module("required", "x.so", &["a", "b"])),
            (
                "-auth [success=ok default=die] x.so [a b] c # why",
                module("success=ok default=die", "x.so", &["a b", "c"]),
            ),
            ("auth [required] x.so [a\\]b]", module("required", "x.so", &["a]b"])),
            ("auth required \\\n # why\n  x.so", module("required", "x.so", &[])),
            ("auth required x.so\r", module("required", "x.so\r", &[])),
            ("auth substack y", Kind::Include { file: "y".to_owned(), substack: true }),
            ("auth requird x.so", Kind::Invalid("`requird` is no control".to_owned())),
            (
                "auht required x.so",
                Kind::Invalid("`auht` is none of auth, account, password and session".to_owned()),
            ),
            ("auth required", Kind::Invalid("it names no module".to_owned())),
        ] {
            let found = entries(text);
            assert_eq!(found, [Entry { line: 1, stage: Some("auth"), kind }], "{text}");
        }
        assert_eq!(entries("# x\n\n \t\n"), []);
    }
}
