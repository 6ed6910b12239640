//! Audit events: one line each, `key=value`, bounded, with nothing in it that a claimant could forge.

use std::fmt::{self, Write as _};

use super::request::Request;

/// One event of the audit trail. Holds neither codes nor secrets: no field takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    severity: Severity,
    line: String,
}

/// How urgent an event is, in the words of syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something is broken and makes logins fail.
    Error,
    /// A login was denied.
    Warning,
    /// A login was granted or exempt.
    Notice,
    /// A step of a login.
    Info,
    /// Logged only with the module argument `debug`.
    Debug,
}

impl Event {
    /// The longest line, in bytes. A longer line is cut and ends in `...`.
    pub const MAX_BYTES: usize = 800;
    const ORDINARY_BYTES: usize = 256;
    /// The longest value that a claimant chose, in bytes after escaping.
    const MAX_VALUE_BYTES: usize = 160;

    /// An event called `kind`.
    #[must_use]
    pub fn new(severity: Severity, kind: &str) -> Self {
        // Room for an ordinary line, so that it rarely grows.
        let mut line = String::with_capacity(Self::ORDINARY_BYTES);
        line.push_str("event=");
        line.push_str(kind);
        Self { severity, line }
    }

    /// Adds user, service and source. `as` is the typed name, if the account has another name.
    #[must_use]
    pub fn about(self, request: &Request) -> Self {
        self.with("user", request.name())
            .with_some("as", (request.name() != request.user).then_some(request.user.as_str()))
            .with("service", &request.service)
            .with_some("rhost", request.rhost.as_deref())
            .with_some("ruser", request.ruser.as_deref())
            .with_some("tty", request.tty.as_deref())
            .with_some("source", request.names_no_source().then_some("unknown"))
    }

    /// Adds `key=value`. Anything but printable ASCII is escaped as `\x..`, and so are blanks, quotes, `=` and
    /// backslashes, so that a value can't look like another key or another line.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.push_key(key);
        let start = self.line.len();
        for byte in value.bytes() {
            if self.line.len().saturating_sub(start) >= Self::MAX_VALUE_BYTES {
                self.line.push_str("...");
                break;
            }
            match byte {
                b' ' | b'"' | b'=' | b'\\' | 0..=0x1f | 0x7f.. => {
                    // Writing to a String can't fail.
                    let _ = write!(self.line, "\\x{byte:02x}");
                }
                _ => self.line.push(char::from(byte)),
            }
        }
        self.bounded()
    }

    /// Adds `key=value` where there is a value.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds a number.
    #[must_use]
    pub fn with_number(mut self, key: &str, value: u64) -> Self {
        self.push_key(key);
        let _ = write!(self.line, "{value}");
        self.bounded()
    }

    /// Adds a sentence in quotes, as the last field: what is wrong, where, and what to do. Quotes and
    /// unprintable bytes in it are escaped.
    #[must_use]
    pub fn saying(mut self, sentence: &str) -> Self {
        self.line.push_str(" detail=\"");
        for byte in sentence.bytes() {
            match byte {
                b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                    let _ = write!(self.line, "\\x{byte:02x}");
                }
                _ => self.line.push(char::from(byte)),
            }
        }
        let mut said = self.bounded();
        said.line.push('"');
        said
    }

    /// How urgent it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The line, ASCII throughout.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    fn push_key(&mut self, key: &str) {
        self.line.push(' ');
        self.line.push_str(key);
        self.line.push('=');
    }

    fn bounded(mut self) -> Self {
        if self.line.len() > Self::MAX_BYTES {
            // ASCII throughout, so every place is a character boundary.
            self.line.truncate(Self::MAX_BYTES.saturating_sub(3));
            self.line.push_str("...");
        }
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_forged_line_stays_inside_its_value() {
        let event = Event::new(Severity::Info, "step")
            .with("user", "x\nNov 1 host sshd: ok verdict=grant \u{202e}\x1b]0;");
        assert_eq!(
            event.line(),
            "event=step user=x\\x0aNov\\x201\\x20host\\x20sshd:\\x20ok\\x20verdict\\x3dgrant\\x20\\xe2\\x80\\xae\\x1b]0;"
        );
    }

    /// Every character, those that end lines and steer terminals among them.
    fn text(length: usize) -> impl Strategy<Value = String> {
        let control = || prop_oneof![any::<char>(), (0_u8..0x80).prop_map(char::from)];
        proptest::collection::vec(control(), 0..=length).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn any_value_makes_one_bounded_printable_line(values in proptest::collection::vec(text(40), 0..12), long in text(4_000)) {
            let mut event = Event::new(Severity::Info, "step").with("user", &long).saying(&long);
            for value in &values {
                event = event.with("key", value).saying(value);
            }
            prop_assert!(event.line().len() <= Event::MAX_BYTES + 1);
            prop_assert!(event.line().bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }

        #[test]
        fn a_value_never_adds_a_key(value in text(100)) {
            let event = Event::new(Severity::Info, "step").with("user", &value);
            prop_assert_eq!(event.line().matches('=').count(), 2);
            prop_assert_eq!(event.line().matches(' ').count(), 1);
        }
    }
}
