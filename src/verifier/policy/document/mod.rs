//! From the text of `policy.toml` to the [`Policy`], or to the places where it isn't one.

mod chains;
mod deadline;
mod factors;
mod marks;
pub(crate) mod misread;
mod mistakes;
mod names;
mod position;
mod prompt;
mod raw;
mod reading;
mod reword;
mod rules;
mod statements;
mod throttle;
mod words;

use toml::de::DeTable;

use self::mistakes::all_mistakes;
use self::position::{Problem, Source};
use self::reading::read_source;
use super::{Policy, PolicyError};

impl Policy {
    /// Reads the text of a policy; `file` is how errors show its path.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with each place that is no TOML, holds an unknown key, a value out of its range, or an
    /// unknown name.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        // Some editors begin a file with a byte order mark; columns shall not count it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source::new(text, file);
        read_source(&source).map_err(|first| all_mistakes(&source, first))
    }

    /// The same of a policy with included files, each with its path, in their order. An included file adds tables, such
    /// as rules behind those before it.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), with the file of each mistake.
    pub fn parse_with(text: &str, file: &str, included: &[(String, String)]) -> Result<Self, PolicyError> {
        if included.is_empty() {
            return Self::parse(text, file);
        }
        // Each file is whole in itself: a text that is left open in one must not go on in the next.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        check_alone(text, file, None)?;
        let (mut whole, mut starts) = (text.to_owned(), Vec::with_capacity(included.len()));
        for (path, text) in included {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            check_alone(text, path, first_outside_of_tables(text))?;
            if !whole.ends_with('\n') {
                whole.push('\n');
            }
            starts.push((whole.len(), path.clone()));
            whole.push_str(text);
        }
        let source = Source::with_included(&whole, file, &starts);
        read_source(&source).map_err(|first| all_mistakes(&source, first))
    }
}

/// Refuses a file that is no TOML, or holds a key at `outside`, before its first table.
fn check_alone(text: &str, file: &str, outside: Option<usize>) -> Result<(), PolicyError> {
    let problem = match (DeTable::parse(text), outside) {
        (Err(error), _) => reword::reword(&error, text),
        (Ok(_), Some(at)) => Problem::at(
            &(at..at),
            "a key before the first table; an included file holds tables only, such as [[rules]]: write this into the policy \
             file",
        ),
        (Ok(_), None) => return Ok(()),
    };
    Err(Source::new(text, file).error(&problem))
}

/// Where a text has a key before its first table. Behind another file it would be a key of that file's last table.
fn first_outside_of_tables(text: &str) -> Option<usize> {
    let mut at = 0_usize;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start();
        if content.starts_with('[') {
            return None;
        }
        if !content.is_empty() && !content.starts_with('#') {
            return Some(at.saturating_add(line.len().saturating_sub(content.len())));
        }
        at = at.saturating_add(line.len());
    }
    None
}

#[cfg(test)]
mod tests;
