//! Sends audit lines to the system's log, facility AUTHPRIV, in the format of `pam_syslog(3)`.

use std::cell::RefCell;
use std::io::Write;
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use syslog::{Facility, LogFormat, Logger, LoggerBackend};

use crate::verifier::event::{Event, Severity};
use crate::verifier::ports::Audit;

/// Sends each event as one datagram to /dev/log. Never blocks and never fails a login: if no daemon listens,
/// or the log is stalled, the line is lost.
pub struct SyslogAudit {
    prefix: String,
    suffix: &'static str,
    debug: bool,
    log: RefCell<Option<Logger<LoggerBackend, Plain>>>,
}

impl SyslogAudit {
    /// A log for lines of `service`; `stage` is `auth` or `account`.
    #[must_use]
    pub fn new(service: &str, stage: &str) -> Self {
        // The process id stays the same during a hook, because sshd forks before it calls one.
        let process = std::process::id();
        let service: String =
            service.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).take(32).collect();
        let ident = if service.is_empty() { "pam".to_owned() } else { service.clone() };
        let prefix = format!("{ident}[{process}]: pam_mfa_chain({service}:{stage}): ");
        Self { prefix, suffix: "", debug: false, log: RefCell::new(None) }
    }

    /// The same log, which also takes debug lines if `debug` is true and marks each line if `rehearsal` is true.
    #[must_use]
    pub fn with(self, debug: bool, rehearsal: bool) -> Self {
        Self { debug, suffix: if rehearsal { " rehearsal=yes" } else { "" }, ..self }
    }

    /// A log for lines of the command, under the name `mfa-chain`.
    #[must_use]
    pub fn of_the_command() -> Self {
        let prefix = format!("mfa-chain[{}]: ", std::process::id());
        Self { prefix, suffix: "", debug: false, log: RefCell::new(None) }
    }

    fn send(&self, severity: Severity, line: &str) -> Option<()> {
        let mut log = self.log.borrow_mut();
        let message = format!("{}{line}{}", self.prefix, self.suffix);
        if log.as_mut().is_some_and(|open| write(open, severity, &message).is_some()) {
            return Some(());
        }
        // No socket yet, or the log daemon was restarted while the claimant was at the prompt.
        write(log.insert(connect()?), severity, &message)
    }
}

impl Audit for SyslogAudit {
    fn record(&self, event: &Event) {
        if event.severity() != Severity::Debug || self.debug {
            // A line that can't be sent is lost; the outcome stands.
            let _ = self.send(event.severity(), event.line());
        }
    }
}

const fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

fn connect() -> Option<Logger<LoggerBackend, Plain>> {
    // The crate's own socket would block on a full /dev/log.
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = UnixDatagram::from(socket(AddressFamily::Unix, SockType::Datagram, flags, None).ok()?);
    socket.connect("/dev/log").ok()?;
    Some(Logger::new(LoggerBackend::Unix(socket), Plain))
}

fn write(log: &mut Logger<LoggerBackend, Plain>, severity: Severity, message: &str) -> Option<()> {
    match severity {
        Severity::Error => log.err(message),
        Severity::Warning => log.warning(message),
        Severity::Notice => log.notice(message),
        Severity::Info => log.info(message),
        Severity::Debug => log.debug(message),
    }
    .ok()
}

/// Priority and message without the time: the daemon adds the missing time (RFC 3164 §4.3.2), and local time
/// would depend on the caller's environment.
struct Plain;

impl LogFormat<&str> for Plain {
    fn format<W: Write>(&self, to: &mut W, severity: syslog::Severity, message: &str) -> syslog::Result<()> {
        let priority = Facility::LOG_AUTHPRIV as u8 | severity as u8;
        write!(to, "<{priority}>{message}").map_err(syslog::Error::Write)
    }
}
