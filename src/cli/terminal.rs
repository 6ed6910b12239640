//! Questions to the administrator who runs the command.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Read};

use nix::sys::signal::{SigSet, Signal};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::output;

/// Where answers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The controlling terminal, whatever standard input is.
    Keyboard,
    /// The lines of standard input, without prompts.
    Lines,
}

impl Terminal {
    /// The keyboard where standard input is a terminal, else the lines of standard input.
    #[must_use]
    pub fn of_stdin() -> Self {
        if io::stdin().is_terminal() { Self::Keyboard } else { Self::Lines }
    }

    /// The keyboard, where there is one.
    #[must_use]
    pub fn keyboard() -> Option<Self> {
        OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok().then_some(Self::Keyboard)
    }

    /// Asks for something that is not shown while it is typed.
    ///
    /// # Errors
    ///
    /// [`Failure`] at the end of input.
    pub fn ask_unseen(self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Keyboard => read_unseen(prompt),
            Self::Lines => read_line(),
        }
    }
}

/// Asks `question` and goes on only at the word `yes`.
///
/// # Errors
///
/// [`Failure`] at any other answer, and where nobody can be asked.
pub fn ask_for_yes(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        let line = "not confirmed: standard input is no terminal; run it on one, or add --yes";
        return Err(Failure::cancelled(line));
    }
    output::complain(&format!("{question} Type `yes` to go on:"));
    if read_line()?.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::cancelled("not confirmed; nothing was changed"))
}

fn read_unseen(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    // At ^C rpassword raises SIGINT, which would end this process before the terminal shows typing again.
    let interrupt = SigSet::from(Signal::SIGINT);
    let cannot_ask = |error: &dyn Display| Failure::cancelled(format!("cannot ask on the terminal: {error}"));
    interrupt.thread_block().map_err(|error| cannot_ask(&error.desc()))?;
    match rpassword::prompt_password(prompt) {
        Ok(answer) => {
            let answer = Zeroizing::new(answer);
            interrupt.thread_unblock().map_err(|error| cannot_ask(&error.desc()))?;
            Ok(answer)
        }
        Err(error) => match error.kind() {
            io::ErrorKind::Interrupted => Err(Failure::cancelled("interrupted; nothing was changed")),
            io::ErrorKind::UnexpectedEof => Err(end_of_input()),
            _ => Err(cannot_ask(&error)),
        },
    }
}

fn read_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(LONGEST_LINE));
    let longest = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    let read = io::stdin().lock().take(longest).read_line(&mut line);
    match read {
        Ok(0) => Err(end_of_input()),
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::cancelled(format!("cannot read standard input: {error}"))),
    }
}

fn end_of_input() -> Failure {
    Failure::cancelled("the input ended; nothing was changed")
}

const LONGEST_LINE: usize = 1_024;
