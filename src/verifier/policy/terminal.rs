//! Terminals in `ttys`, and the terminal of a login.

use std::fmt;

/// A terminal, or with a trailing `*` all whose names begin so. `/dev/` in front doesn't count: login gives
/// `tty1`, sudo gives `/dev/pts/0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TerminalPattern {
    /// This one.
    Named(String),
    /// All whose names begin so.
    Beginning(String),
}

impl TerminalPattern {
    /// Takes `tty1`, `pts/*` or `/dev/pts/0`; otherwise tells what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let name = short_name(text);
        let (head, beginning) = name.strip_suffix('*').map_or((name, false), |head| (head, true));
        if head.contains('*') {
            return Err(format!("`{text}` has a `*` before its end; only a trailing `*` matches any rest"));
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(format!("`{text}` is no terminal; write one such as `tty1` or `pts/*`"));
        }
        let head = head.to_owned();
        Ok(if beginning { Self::Beginning(head) } else { Self::Named(head) })
    }

    /// Whether `terminal`, as [`short_name`] gives it, is meant.
    pub(super) fn matches(&self, terminal: &str) -> bool {
        match self {
            Self::Named(name) => terminal == name,
            Self::Beginning(head) => terminal.starts_with(head),
        }
    }

    /// Whether every terminal that `other` means is meant.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(_), Self::Beginning(_)) => false,
            (_, Self::Named(name) | Self::Beginning(name)) => self.matches(name),
        }
    }
}

impl fmt::Display for TerminalPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => formatter.write_str(name),
            Self::Beginning(head) => write!(formatter, "{head}*"),
        }
    }
}

/// The terminal in `PAM_TTY` without `/dev/`.
pub(super) fn short_name(terminal: &str) -> &str {
    terminal.strip_prefix("/dev/").unwrap_or(terminal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_matches_with_and_without_dev() {
        let cases = [
            ("tty1", "tty1", true),
            ("tty1", "/dev/tty1", true),
            ("/dev/tty1", "tty1", true),
            ("tty1", "tty10", false),
            ("pts/*", "/dev/pts/0", true),
            ("pts/*", "pts/", true),
            ("pts/*", "tty1", false),
            ("*", "ssh", true),
            ("/dev/*", ":0", true),
        ];
        for (pattern, terminal, expected) in cases {
            let parsed = TerminalPattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.matches(short_name(terminal)), expected, "{pattern} matches {terminal}");
        }
    }

    #[test]
    fn a_star_is_known_at_the_end_only() {
        for pattern in ["*tty", "pts/*/x", "**", "", "/dev/", "a\nb"] {
            assert!(TerminalPattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_covers_what_begins_with_it() {
        let cases = [
            ("pts/*", "pts/*", true),
            ("pts/*", "pts/1*", true),
            ("pts/1*", "pts/*", false),
            ("pts/*", "/dev/pts/3", true),
            ("pts/3", "pts/*", false),
            ("tty1", "tty1", true),
            ("tty1", "tty2", false),
        ];
        for (outer, inner, covers) in cases {
            let found = TerminalPattern::parse(outer)
                .expect(outer)
                .covers(&TerminalPattern::parse(inner).expect(inner));
            assert_eq!(found, covers, "{outer} covers {inner}");
        }
    }
}
