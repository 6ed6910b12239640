//! Where in the text something is wrong.

use std::ops::Range;

use crate::verifier::policy::PolicyError;
use crate::verifier::toml_values::line_and_column;

/// Something wrong at a byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    offset: usize,
    message: String,
}

impl Problem {
    /// What is wrong where `span` begins.
    pub(super) fn at(span: &Range<usize>, message: impl Into<String>) -> Self {
        Self { offset: span.start, message: message.into() }
    }

    /// The same with `more` behind its message.
    pub(super) fn adding(self, more: &str) -> Self {
        Self { message: self.message + more, ..self }
    }

    /// What is wrong with the text as a whole.
    pub(super) fn at_start(message: impl Into<String>) -> Self {
        Self { offset: 0, message: message.into() }
    }
}

/// A text whose bytes have lines and columns.
pub(super) struct Source<'t> {
    text: &'t str,
    file: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str, file: &'t str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(offset, _)| offset.saturating_add(1));
        Self { text, file, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The line of the byte at `offset`, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The problem as the administrator sees it.
    pub(super) fn error(&self, problem: &Problem) -> PolicyError {
        let (line, column) = line_and_column(self.text, problem.offset);
        PolicyError { file: self.file.to_owned(), line, column, message: one_line(&problem.message) }
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
