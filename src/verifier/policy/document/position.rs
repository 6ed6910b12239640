//! Where in the text something is wrong.

use std::cell::OnceCell;
use std::ops::Range;

use super::misread::line_and_column;
use crate::verifier::policy::PolicyError;

/// Something wrong at a byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    offset: usize,
    message: String,
    kind: Kind,
    /// The keys that, once something stands in for them, may be the only cause.
    follows: &'static [&'static str],
}

/// What a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The statement at its place.
    Statement,
    /// A key that is missing in the table at its place, or at the top.
    Missing(&'static str),
    /// The whole text: it is of no use to read on.
    Whole,
}

impl Problem {
    /// What is wrong where `span` begins.
    pub(super) fn at(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self { offset: span.start, message: message.into(), kind: Kind::Statement, follows: &[] }
    }

    /// The same with `more` behind its message.
    pub(super) fn adding(self, more: &str) -> Self {
        Self { message: self.message + more, ..self }
    }

    /// What is wrong with the text as a whole.
    pub(super) fn at_start(message: impl Into<String>) -> Self {
        Self { kind: Kind::Whole, ..Self::at(&(0..0), message) }
    }

    /// The same as one about the whole text.
    pub(super) fn of_all(self) -> Self {
        Self { kind: Kind::Whole, ..self }
    }

    /// The same as one about a key that is not there.
    pub(super) fn lacking(self, key: &'static str) -> Self {
        Self { kind: Kind::Missing(key), ..self }
    }

    /// The same as one that depends on these keys, wherever they stand.
    pub(super) fn following(self, keys: &'static [&'static str]) -> Self {
        Self { follows: keys, ..self }
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    /// The key that is missing.
    pub(super) const fn missing(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Missing(key) => Some(key),
            Kind::Statement | Kind::Whole => None,
        }
    }

    pub(super) fn ends_reading(&self) -> bool {
        self.kind == Kind::Whole
    }

    /// Whether it may only come of what stands in for one of the `touched` keys.
    pub(super) fn follows_from(&self, touched: &[String]) -> bool {
        let is_dropped = touched.iter().any(|it| it == DROPPED);
        let follows = self.follows.iter().any(|key| touched.iter().any(|it| it == key));
        follows || is_dropped && (self.missing().is_some() || !self.follows.is_empty())
    }

    /// For the order in a list: what is missing comes last, since another mistake may be why.
    pub(super) fn place(&self) -> (bool, usize) {
        (self.missing().is_some(), self.offset)
    }

    pub(super) fn moved(self, by: usize) -> Self {
        Self { offset: self.offset.saturating_add(by), ..self }
    }

    pub(super) fn moved_to(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    pub(super) fn moved_from(self, start: usize, to: usize) -> Self {
        let offset = self.offset.saturating_sub(start).saturating_add(to);
        Self { offset, ..self }
    }
}

/// Stands for the keys of a table that was left out, and of a line that may be any key.
pub(super) const DROPPED: &str = "[]";

/// A text whose bytes have lines and columns. Included files stand behind the policy file, each from a line of its own
/// on.
pub(super) struct Source<'t> {
    text: &'t str,
    file: &'t str,
    /// Where each included file begins in the text that was given.
    included: &'t [(usize, String)],
    /// The text that was given, which an edited one stems from.
    given: &'t str,
    /// Where its lines begin, once somebody asks: a policy without rules or mistakes needs no line.
    line_starts: OnceCell<Vec<usize>>,
    /// Where parts begin in `text`, and in the text that was given.
    origin: &'t [(usize, usize)],
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str, file: &'t str) -> Self {
        Self::with_included(text, file, &[])
    }

    /// One whose last parts are included files.
    pub(super) fn with_included(text: &'t str, file: &'t str, included: &'t [(usize, String)]) -> Self {
        Self { text, file, included, given: text, line_starts: OnceCell::new(), origin: &[] }
    }

    /// The same with another text, whose parts stem from this one.
    pub(super) fn edited<'e>(&self, text: &'e str, origin: &'e [(usize, usize)]) -> Source<'e>
    where
        't: 'e,
    {
        let Self { file, included, given, line_starts, .. } = self;
        Source { text, file, included, given, line_starts: line_starts.clone(), origin }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The included file of the byte at `offset`, if it is in one, and its line there, from 1.
    pub(super) fn place(&self, offset: usize) -> (Option<&'t str>, usize) {
        let part = self.origin.partition_point(|(start, _)| *start <= offset).checked_sub(1);
        let (start, original) = part.and_then(|part| self.origin.get(part)).copied().unwrap_or_default();
        let offset = offset.saturating_sub(start).saturating_add(original);
        let (begin, file) = self.included_at(offset);
        let starts = self.line_starts.get_or_init(|| {
            let after_newlines = self.given.match_indices('\n').map(|(offset, _)| offset.saturating_add(1));
            std::iter::once(0).chain(after_newlines).collect()
        });
        let line = |offset: usize| starts.partition_point(|start| *start <= offset);
        (file, line(offset).saturating_sub(line(begin)).saturating_add(1))
    }

    fn included_at(&self, offset: usize) -> (usize, Option<&'t str>) {
        let behind = self.included.partition_point(|(start, _)| *start <= offset);
        let part = behind.checked_sub(1).and_then(|part| self.included.get(part));
        part.map_or((0, None), |(start, file)| (*start, Some(file.as_str())))
    }

    /// The problem as the administrator sees it.
    pub(super) fn error(&self, problem: &Problem) -> PolicyError {
        let (begin, file) = self.included_at(problem.offset);
        let text = self.text.get(begin..).unwrap_or_default();
        let (line, column) = line_and_column(text, problem.offset.saturating_sub(begin));
        PolicyError {
            file: file.unwrap_or(self.file).to_owned(),
            line,
            column,
            message: one_line(&problem.message),
            further: Vec::new(),
        }
    }
}

/// Control characters escaped and the length bounded: messages end in the log and on terminals.
fn one_line(message: &str) -> String {
    let mut shown = String::new();
    for character in message.chars() {
        if shown.len() >= MESSAGE_BYTES {
            shown.push_str(" ...");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

const MESSAGE_BYTES: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a\r\nüx\n", "f");
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (3, 2, 1), (5, 2, 2), (6, 2, 3), (7, 3, 1)] {
            let error = source.error(&Problem::at(&(offset..offset), "no"));
            assert_eq!((error.line(), error.column()), (line, column), "{offset}");
        }
    }

    #[test]
    fn an_empty_text_and_an_offset_beyond_it_have_a_place() {
        let error = Source::new("", "f").error(&Problem::at_start("no"));
        assert_eq!(error.to_string(), "f:1:1: no");
        let error = Source::new("a", "f").error(&Problem::at(&(9..9), "no"));
        assert_eq!((error.line(), error.column()), (1, 2));
    }

    #[test]
    fn a_message_stays_on_one_line_and_short() {
        let source = Source::new("", "f");
        assert_eq!(source.error(&Problem::at_start("a\n\u{1b}b")).message(), "a\\n\\u{1b}b");
        let long = source.error(&Problem::at_start("ü".repeat(100_000)));
        assert!(long.message().len() < MESSAGE_BYTES + 10 && long.message().ends_with("ü ..."));
    }
}
