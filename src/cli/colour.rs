//! Colour where it helps to find a line: on a terminal. The words say the same.

use super::failure::Failure;
use super::output;

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Well.
    Green,
    /// Worth a look.
    Yellow,
    /// Denied or broken.
    Red,
}

/// Prints `text`, each line in the colour that `of` says. Colours are left out where standard output is no terminal,
/// `TERM` is `dumb` or unset, or `NO_COLOR` is set (no-color.org).
///
/// # Errors
///
/// As [`output::print`].
pub fn print(text: &str, mut of: impl FnMut(&str) -> Option<Colour>) -> Result<(), Failure> {
    if !is_wanted(output::is_terminal(), |name| std::env::var(name).ok()) {
        return output::print(text);
    }
    let paint = |line: &str| {
        let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        let words = output::one_line(words);
        of(line)
            .map_or(format!("{words}{end}"), |colour| format!("\x1b[{}m{words}\x1b[0m{end}", colour.code()))
    };
    output::print_painted(&text.split_inclusive('\n').map(paint).collect::<String>())
}

impl Colour {
    /// The number of SGR (ECMA-48), of the eight that every terminal has.
    const fn code(self) -> u8 {
        match self {
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
        }
    }
}

fn is_wanted(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let says_no = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let can = variable("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb");
    terminal && can && !says_no
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_whose_user_did_not_decline_it() {
        let wanted = |terminal, pairs: &'static [(&str, &str)]| {
            is_wanted(terminal, |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, it)| (*it).to_owned())
            })
        };
        assert!(wanted(true, &[("TERM", "xterm")]));
        assert!(wanted(true, &[("TERM", "xterm"), ("NO_COLOR", "")]));
        assert!(!wanted(true, &[("TERM", "xterm"), ("NO_COLOR", "1")]));
        assert!(!wanted(true, &[("TERM", "dumb")]));
        assert!(!wanted(true, &[]));
        assert!(!wanted(false, &[("TERM", "xterm")]));
    }
}
