//! Where the answers of a rehearsal come from.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use zeroize::Zeroizing;

use super::super::failure::Failure;

/// A source of answers.
pub enum Answers {
    /// Somebody at the terminal.
    Terminal,
    /// Lines that are there already.
    Lines(VecDeque<Zeroizing<String>>),
}

impl Answers {
    /// Opens the source: a file, standard input for `-`, the terminal for none.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it can't be read.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Terminal) };
        let shown = path.display();
        let failed =
            |error: io::Error| Failure::cancelled(format!("{shown}: cannot read the answers: {error}"));
        if path == Path::new("-") {
            return lines(io::stdin().lock()).map(Self::Lines).map_err(failed);
        }
        let file = File::open(path).map_err(failed)?;
        lines(BufReader::new(file)).map(Self::Lines).map_err(failed)
    }

    /// The next answer to `prompt`.
    ///
    /// # Errors
    ///
    /// [`Failure`] when there is none: the lines ran out, ^C, ^D, no terminal.
    pub fn next(&mut self, prompt: &str, echo: bool) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Terminal => ask(prompt, echo),
            Self::Lines(lines) => lines
                .pop_front()
                .ok_or_else(|| Failure::cancelled("the answers ran out before the login ended")),
        }
    }

    /// How many lines nobody asked for.
    #[must_use]
    pub fn left(&self) -> usize {
        match self {
            Self::Terminal => 0,
            Self::Lines(lines) => lines.len(),
        }
    }
}

/// Asks at the terminal, as a login does: hidden, unless the policy shows what is typed.
///
/// # Errors
///
/// [`Failure`] on ^C, ^D, and without a terminal.
pub fn ask(prompt: &str, echo: bool) -> Result<Zeroizing<String>, Failure> {
    let config = rpassword::ConfigBuilder::new();
    let config = if echo { config.password_feedback_partial_mask('*', usize::MAX) } else { config };
    rpassword::prompt_password_with_config(prompt, config.build()).map(Zeroizing::new).map_err(|error| {
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => {
                Failure::cancelled("cancelled at the prompt")
            }
            _ => Failure::cancelled(format!("no terminal to answer at: {error}")),
        }
    })
}

fn lines(source: impl BufRead) -> io::Result<VecDeque<Zeroizing<String>>> {
    let mut lines = VecDeque::new();
    // No login asks for more; a device that never ends does not end the command either.
    for line in source.take(MOST_BYTES).lines() {
        lines.push_back(Zeroizing::new(line?));
    }
    Ok(lines)
}

const MOST_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_one_answer_until_they_run_out() {
        let mut answers = Answers::Lines(lines("123456\r\n\n789".as_bytes()).expect("lines"));
        assert_eq!(answers.left(), 3);
        for expected in ["123456", "", "789"] {
            assert_eq!(answers.next("? ", false).expect("answer").as_str(), expected);
        }
        assert_eq!(answers.next("? ", false).expect_err("none").code(), 4);
    }
}
