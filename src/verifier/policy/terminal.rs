//! Terminals in `ttys`, and the terminal of a login.

use std::fmt;

/// A terminal, or with a trailing `*` all whose names begin so. `/dev/` in front doesn't count: login gives
/// `tty1`, sudo gives `/dev/pts/0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalPattern {
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
        if head.is_empty() && !beginning || !head.bytes().all(is_plain) || head.starts_with('/') {
            refuse(text, name)?;
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
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(_), Self::Beginning(_)) => false,
            (_, Self::Named(name) | Self::Beginning(name)) => self.matches(name),
        }
    }
}

/// What every kernel's terminals are called by. Programs without one have words of their own, such as `:0` and `ssh`.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'/'
}

/// Refuses what no terminal is called.
#[cold]
fn refuse(text: &str, name: &str) -> Result<(), String> {
    let such = "write one such as `tty1` or `pts/*`";
    if name.is_empty() || name.starts_with('/') || name.chars().any(char::is_control) {
        return Err(format!("`{text}` is no terminal; {such}"));
    }
    if name.trim() != name || text.trim() != text {
        return Err(format!("`{text}` has a blank at its end or start; write `{}`", name.trim()));
    }
    if let Some(rest) = name.strip_prefix('!') {
        return Err(format!(
            "`{text}` is no terminal; a rule excludes nothing: write a rule for `{rest}` before this one"
        ));
    }
    if name.contains([',', ';', '|']) {
        return Err(format!("`{text}` is no single terminal; write one per entry"));
    }
    if name.contains(['?', '[', ']', '{', '}', '"', '\'', '<', '$']) || name.starts_with('^') {
        return Err(format!("`{text}` is no terminal; only a trailing `*` is known, so write each one"));
    }
    if ["ALL", "ANY", "LOCAL", "NONE"].contains(&name) {
        return Err(format!("`{text}` is no terminal; leave `ttys` out to match any, or {such}"));
    }
    if ["TTY", "PTS", "Tty", "Pts", "Console", "CONSOLE"].iter().any(|head| name.starts_with(head)) {
        return Err(format!(
            "`{text}` matches no terminal; they are in lower case: `{}`",
            name.to_ascii_lowercase()
        ));
    }
    Ok(())
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
    fn what_no_terminal_is_called_is_refused_with_the_cure() {
        let cases = [
            ("pts/?", "so write each one"),
            ("tty[1-6]", "so write each one"),
            ("pts/{0,1}", "one per entry"),
            ("tty1,tty2", "one per entry"),
            ("TTY1", "lower case: `tty1`"),
            ("/dev/PTS/*", "lower case: `pts/*`"),
            (" tty1", "write `tty1`"),
            ("tty1 ", "write `tty1`"),
            ("!tty1", "write a rule for `tty1` before this one"),
            ("ALL", "leave `ttys` out"),
            ("//dev/tty1", "such as `tty1`"),
        ];
        for (pattern, cure) in cases {
            let refused = TerminalPattern::parse(pattern).expect_err(pattern);
            assert!(refused.contains(cure), "{pattern}: {refused}");
        }
        for pattern in
            ["ttyS0", "ttyUSB*", ":0", "ssh", "hvc0", "console", "*", "web console", "UNKNOWN", "pts/*"]
        {
            assert!(TerminalPattern::parse(pattern).is_ok(), "{pattern}");
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
