//! A policy cut into its statements, for texts that are no TOML as a whole: a heading, a key with its value, or a line
//! that is neither.

use std::cmp::Ordering;
use std::ops::Range;

use super::position::Problem;

/// One statement, with what follows it to the end of its line.
pub(super) struct Statement {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// The bracket or quote that lacks its partner.
    pub(super) unclosed: Option<Problem>,
}

/// What a statement is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[NAME]` or `[[NAME]]`, also where brackets are missing.
    Heading(String),
    /// `KEY = VALUE`.
    Key(String),
    /// A comment, an empty line, or no TOML.
    Other,
}

/// Cuts `text` up. The statements follow each other without a gap.
#[cold]
pub(super) fn split(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut begin = 0;
    while begin < text.len() {
        let rest = text.get(begin..).unwrap_or_default();
        let line = rest.split_inclusive('\n').next().unwrap_or_default();
        let kind = kind_of(line);
        let (length, unclosed) = match &kind {
            Kind::Heading(name) => (line.len(), unclosed_heading(line, name)),
            Kind::Key(_) => Scan::of(rest),
            Kind::Other => (line.len(), None),
        };
        let end = begin.saturating_add(length.max(1)).min(text.len());
        let unclosed = unclosed.map(|problem| problem.moved(begin));
        statements.push(Statement { span: begin..end, kind, unclosed });
        begin = end;
    }
    statements
}

fn kind_of(line: &str) -> Kind {
    let line = line.trim();
    if line.starts_with('[') {
        let name = line.split('#').next().unwrap_or_default().trim_matches(['[', ']', ' ', '\t']);
        return Kind::Heading(name.to_owned());
    }
    match line.split_once('=') {
        Some((key, _)) if is_bare(key.trim()) => Kind::Key(key.trim().to_owned()),
        _ => Kind::Other,
    }
}

fn is_bare(word: &str) -> bool {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    !word.is_empty() && word.chars().all(bare)
}

/// The heading that is meant by `[[rules]`, `[rules]]`, `[[rules` and their like.
pub(super) fn heading(name: &str) -> String {
    if ["factors", "rules"].contains(&name) { format!("[[{name}]]") } else { format!("[{name}]") }
}

fn unclosed_heading(line: &str, name: &str) -> Option<Problem> {
    let shown = line.split('#').next().unwrap_or_default().trim_end();
    let opened = shown.trim_start().chars().take_while(|letter| *letter == '[').count();
    let closed = shown.chars().rev().take_while(|letter| *letter == ']').count();
    let wrong = match opened.cmp(&closed) {
        Ordering::Greater => "a bracket is missing at the end of this heading",
        Ordering::Less => "a bracket is missing at the start of this heading",
        Ordering::Equal if opened > 2 => "this heading has too many brackets",
        Ordering::Equal => return None,
    };
    let message = format!("{wrong}; write `{}`", heading(name));
    let place = if closed < opened { shown.len() } else { 0 };
    is_bare(name).then(|| Problem::at(&(place..place), message))
}

/// The walk over a key and its value.
struct Scan<'t> {
    text: &'t str,
    at: usize,
    /// Behind what is neither blank nor comment.
    seen: usize,
    open: Vec<u8>,
}

impl<'t> Scan<'t> {
    /// How long the statement at the start of `text` is, and what it lacks.
    fn of(text: &'t str) -> (usize, Option<Problem>) {
        let mut scan = Scan { text, at: 0, seen: 0, open: Vec::new() };
        while let Some(byte) = text.as_bytes().get(scan.at).copied() {
            match byte {
                b'"' | b'\'' => {
                    let begins = text.get(..scan.at).is_some_and(|it| it.trim_end().ends_with(BEFORE_TEXT));
                    if let Some(problem) = scan.skip_text(byte) {
                        return (scan.line_end(scan.at), begins.then_some(problem));
                    }
                    continue;
                }
                b'#' => {
                    scan.at = scan.line_end(scan.at).saturating_sub(1).max(scan.at);
                    if text.as_bytes().get(scan.at) != Some(&b'\n') {
                        break;
                    }
                    continue;
                }
                b'[' | b'{' => scan.open.push(byte),
                b']' if scan.open.is_empty() => return (scan.line_end(scan.at), scan.missing_start()),
                b']' | b'}' => drop(scan.open.pop()),
                b'\n' if scan.ends_here() => return (scan.at.saturating_add(1), scan.missing_bracket()),
                _ => {}
            }
            scan.at = scan.at.saturating_add(1);
            if !byte.is_ascii_whitespace() {
                scan.seen = scan.at;
            }
        }
        (text.len(), scan.missing_bracket())
    }

    /// Whether the statement is over at this line end: no bracket is open, or the next line is another statement.
    fn ends_here(&self) -> bool {
        let next = self.text.get(self.at.saturating_add(1)..).unwrap_or_default();
        match (self.open.last(), kind_of(next.lines().next().unwrap_or_default())) {
            (None, _) => true,
            (Some(_), Kind::Heading(name)) => is_bare(&name),
            (Some(open), Kind::Key(_)) => *open == b'[',
            (Some(_), Kind::Other) => false,
        }
    }

    /// Goes behind the text whose quote stands here.
    fn skip_text(&mut self, quote: u8) -> Option<Problem> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mark = if quote == b'"' { "\"" } else { "'" };
        let triple = mark.repeat(3);
        if rest.starts_with(&triple) {
            let Some(length) = rest.get(3..).and_then(|inner| inner.find(&triple)) else {
                let message = format!("the text that begins here has no `{triple}` at its end");
                return Some(Problem::at(&(self.at..self.at), message));
            };
            self.at = self.at.saturating_add(length).saturating_add(6);
            // Up to two quotes may stand before the three that end it.
            while self.text.as_bytes().get(self.at) == Some(&quote) {
                self.at = self.at.saturating_add(1);
            }
        } else {
            let line = rest.lines().next().unwrap_or_default();
            let Some(length) = text_length(line, quote) else {
                let end = self.at.saturating_add(line.trim_end().len());
                let message = format!("a text that has no `{mark}` at its end");
                return Some(Problem::at(&(end..end), message));
            };
            self.at = self.at.saturating_add(length);
        }
        self.seen = self.at;
        None
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.find('\n').map_or(self.text.len(), |length| from.saturating_add(length).saturating_add(1))
    }

    fn missing_start(&self) -> Option<Problem> {
        let (key, value) = self.text.split_once('=')?;
        let blanks = value.len().saturating_sub(value.trim_start().len());
        let place = key.len().saturating_add(1).saturating_add(blanks);
        Some(Problem::at(&(place..place), "the list that stands here has no `[` at its start"))
    }

    fn missing_bracket(&self) -> Option<Problem> {
        let message = match self.open.last()? {
            b'[' => "the list that stands here has no `]` at its end",
            _ => "the table that stands here has no `}` at its end",
        };
        Some(Problem::at(&(self.seen..self.seen), message))
    }
}

/// How many bytes the text at the start of `line` has, with its quotes.
pub(super) fn text_length(line: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quote == b'"' => escaped = true,
            byte if byte == quote => return Some(at.saturating_add(1)),
            _ => {}
        }
    }
    None
}

/// What a text stands behind. A quote behind anything else ends a text without a start.
const BEFORE_TEXT: [char; 4] = ['=', '[', ',', '{'];

#[cfg(test)]
mod tests {
    use super::super::tests::{FACTOR, parsed, refusal};
    use super::*;

    #[test]
    fn a_missing_bracket_or_quote_is_told_where_it_is_missing() {
        for (text, told) in CASES {
            let refused = refusal(&format!("{FACTOR}{text}"));
            assert!(refused.starts_with(told), "{text}: {refused}");
        }
        let closed = "label = \"App\" # [\n[[rules]]\nusers = [ # ]\n 'a',\n 'b',\n]\naction = 'deny'";
        parsed(&format!("{FACTOR}{closed}"));
    }

    #[test]
    fn statements_follow_each_other_without_a_gap() {
        let text = "a = [1, # ]\n 2]\r\n\n[[rules]] # x\nb = '''\n[c]\n'''\nno toml\nc = \"\"\"x";
        let statements = split(text);
        let parts: Vec<&str> = statements.iter().map(|statement| &text[statement.span.clone()]).collect();
        let expected = [
            "a = [1, # ]\n 2]\r\n",
            "\n",
            "[[rules]] # x\n",
            "b = '''\n[c]\n'''\n",
            "no toml\n",
            "c = \"\"\"x",
        ];
        assert_eq!(parts, expected);
        assert_eq!(statements[2].kind, Kind::Heading("rules".to_owned()));
    }

    const CASES: [(&str, &str); 16] = [
        (
            "[[rules]\naction = 'deny'",
            "5:9: a bracket is missing at the end of this heading; write `[[rules]]`",
        ),
        ("[rules]] # all", "5:1: a bracket is missing at the start of this heading; write `[[rules]]`"),
        (
            "[[rules\naction = 'deny'",
            "5:8: a bracket is missing at the end of this heading; write `[[rules]]`",
        ),
        ("[throttle", "5:10: a bracket is missing at the end of this heading; write `[throttle]`"),
        ("[chains.a\n", "5:10: a bracket is missing at the end of this heading; write `[chains.a]`"),
        ("[[[rules]]]\naction = 'deny'", "5:1: this heading has too many brackets; write `[[rules]]`"),
        ("label = \"App\n[prompt]", "5:13: a text that has no `\"` at its end"),
        ("label = 'App\n[prompt]", "5:13: a text that has no `'` at its end"),
        ("label = \"\"\"App\n[prompt]", "5:9: the text that begins here has no `\"\"\"` at its end"),
        ("label = App\"\n[prompt]", "5:9: missing opening quote"),
        (
            "[[rules]]\nusers = ['a', 'b'\n\n# both\naction = 'deny'",
            "6:18: the list that stands here has no `]`",
        ),
        ("[[rules]]\nusers = ['a', # one\n'b', # two\n[prompt]", "7:5: the list that stands here has no `]`"),
        ("[[rules]]\naction = 'deny'\nusers = ['a'", "7:13: the list that stands here has no `]`"),
        ("[[rules]]\naction = 'deny'\nusers = 'a', 'b']", "7:9: the list that stands here has no `[`"),
        ("[[rules]]\naction = 'deny'\nusers = ['a', 'b]", "7:18: a text that has no `'` at its end"),
        ("[[rules]]\naction = 'deny'\nusers = ['a' 'b']", "7:14: a comma is missing before this entry"),
    ];
}
