//! The one place that writes to the standard streams.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;

use serde::Serialize;
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::Context;
use super::failure::Failure;
use crate::store::{DEFAULT_POLICY, DEFAULT_STORE};
use crate::verifier::shell_word::shell_word;

/// Writes `text` to standard output.
///
/// # Errors
///
/// [`Failure`] when it can't be written; without a word when the reader went away (`| head`).
pub fn print(text: &str) -> Result<(), Failure> {
    write(&as_it_works(text, options()))
}

fn write(text: &str) -> Result<(), Failure> {
    let stdout = io::stdout().lock();
    // Past the buffer of std, which is never wiped.
    let unbuffered = stdout.as_fd().try_clone_to_owned().map(File::from);
    let written = unbuffered.and_then(|mut file| file.write_all(text.as_bytes()));
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
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
    let encoded = serde_json::to_writer(&mut *line, value);
    encoded.map_err(|error| Failure::refused(format!("cannot write JSON: {error}")))?;
    line.push(b'\n');
    write(&String::from_utf8_lossy(&line))
}

/// Writes `value` as [`print_json`] does and wipes every text in it.
///
/// # Errors
///
/// As [`print`].
pub fn print_secret_json(mut value: Value) -> Result<(), Failure> {
    let printed = print_json(&value);
    wipe(&mut value);
    printed
}

/// Writes `mfa-chain: TEXT` to standard error, where warnings and failures go.
pub fn warn(text: &str) {
    complain(&format!("mfa-chain: {text}"));
}

/// Writes a line to standard error. Where even that fails, there is nobody to tell.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", as_it_works(line, options()));
}

/// Remembers which policy and store this command goes by: commands that are advised have to go by the same ones.
pub fn go_by(context: &Context) {
    let option = |name: &str, path: &Path, default: &str| {
        if path == Path::new(default) {
            String::new()
        } else {
            format!("--{name} {} ", shell_word(&path.display().to_string()))
        }
    };
    let policy = option("policy", &context.policy, DEFAULT_POLICY);
    let _ = OPTIONS.set(policy + &option("store", &context.store, DEFAULT_STORE));
}

static OPTIONS: OnceLock<String> = OnceLock::new();

fn options() -> &'static str {
    OPTIONS.get().map_or("", String::as_str)
}

/// `text` with `options` in each command that it advises, unless the command has options already. A text that advises
/// none is not copied: it may hold a secret.
fn as_it_works<'t>(text: &'t str, options: &str) -> Cow<'t, str> {
    const COMMAND: &str = "`mfa-chain ";
    if options.is_empty() || !text.contains(COMMAND) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(COMMAND);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole.push_str(COMMAND);
        if !part.starts_with('-') {
            whole.push_str(options);
        }
        whole.push_str(part);
    }
    Cow::Owned(whole)
}

/// Whether standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Room for the longest line with a secret, so that growing never leaves a copy behind.
const LINE_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn advised_commands_go_by_the_same_files() {
        let text = "run `mfa-chain unlock al`, or `mfa-chain --store /x check`; mfa-chain is fine";
        let told = "run `mfa-chain --store /s unlock al`, or `mfa-chain --store /x check`; mfa-chain is fine";
        assert_eq!(as_it_works(text, "--store /s "), told);
        assert!(matches!(as_it_works(text, ""), Cow::Borrowed(_)));
        assert!(matches!(as_it_works("a secret", "--store /s "), Cow::Borrowed(_)));
    }

    #[test]
    fn every_text_of_a_secret_value_is_wiped() {
        let mut value = json!({"codes": ["a", {"deep": "b"}], "count": 1});
        wipe(&mut value);
        assert_eq!(value, json!({"codes": ["", {"deep": ""}], "count": 1}));
    }
}
