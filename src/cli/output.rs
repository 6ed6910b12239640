//! The one place that writes to the standard streams.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::failure::Failure;

/// Writes `text` to standard output and flushes it.
///
/// # Errors
///
/// [`Failure`] when it can't be written; without a word when the reader went away (`| head`).
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::output_closed(),
        _ => Failure::refused(format!("cannot write to standard output: {error}")),
    })
}

/// Writes `value` as one line of JSON to standard output.
///
/// # Errors
///
/// As [`print`].
pub fn print_json(value: &Value) -> Result<(), Failure> {
    let mut line = zeroize::Zeroizing::new(value.to_string());
    line.push('\n');
    print(&line)
}

/// Writes `mfa-chain: TEXT` to standard error, where warnings and failures go.
pub fn warn(text: &str) {
    complain(&format!("mfa-chain: {text}"));
}

/// Writes a line to standard error. Where even that fails, there is nobody to tell.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
