//! The one place that writes to the standard streams.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::Context;
use super::failure::Failure;
use crate::store::{DEFAULT_POLICY, DEFAULT_STORE};
use crate::verifier::shell_word::shell_word;

/// Writes `text` to standard output. Control characters that a name or a path holds are escaped, but for ends of lines.
///
/// # Errors
///
/// [`Failure`] when it can't be written; without a word when the reader went away (`| head`).
pub fn print(text: &str) -> Result<(), Failure> {
    write(&as_it_works(&without_controls(text, |letter| letter.is_control() && letter != '\n'), options()))
}

/// Writes `text` with the colours in it. The caller has escaped the rest.
///
/// # Errors
///
/// As [`print`].
pub fn print_painted(text: &str) -> Result<(), Failure> {
    write(&as_it_works(text, options()))
}

/// What came from elsewhere, as a part of a line: a name, a path, an error.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    without_controls(text, char::is_control)
}

/// A text without such letters is not copied: it may hold a secret.
fn without_controls(text: &str, is_meant: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_meant) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_meant(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

fn write(text: &str) -> Result<(), Failure> {
    let stdout = io::stdout().lock();
    // Past the buffer of std, which is never wiped.
    stdout
        .as_fd()
        .try_clone_to_owned()
        .map(File::from)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::output_closed(),
            _ => Failure::refused(format!("cannot write to standard output: {error}")),
        })
}

/// The version of everything that is printed as JSON; `docs/json.md` is the contract. New keys may come with the same
/// version; a key that goes, or means something else, makes another one.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'v, T> {
    schema_version: u32,
    #[serde(flatten)]
    facts: &'v T,
}

/// Whether this run printed its object: there is one, also where the command failed after it.
static HAS_OBJECT: AtomicBool = AtomicBool::new(false);

/// Writes why a command failed, unless its facts were printed and say it. Standard error has it in words, too.
pub fn print_failure(facts: &Value) {
    if !HAS_OBJECT.load(Ordering::Relaxed) {
        let _ = print_json(&json!({ "error": facts }));
    }
}

/// Writes `facts`, an object, as one line of JSON to standard output.
///
/// # Errors
///
/// As [`print`].
pub fn print_json(facts: &impl Serialize) -> Result<(), Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
    serde_json::to_writer(&mut *line, &Versioned { schema_version: SCHEMA_VERSION, facts })
        .map_err(|error| Failure::refused(format!("cannot write JSON: {error}")))?;
    line.push(b'\n');
    HAS_OBJECT.store(true, Ordering::Relaxed);
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
    let shown = without_controls(line, |letter| letter.is_control() && letter != '\n');
    let _ = writeln!(io::stderr().lock(), "{}", as_it_works(&shown, options()));
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
