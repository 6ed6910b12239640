//! JSON lines, without a library: nothing of this program may be in the way of what it measures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use crate::conversation::Shown;

/// A JSON object that grows.
#[derive(Debug, Default)]
pub struct Object(String);

impl Object {
    pub fn raw(&mut self, key: &str, value: &str) -> &mut Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        write!(self.0, "{comma}\"{key}\":{value}").expect("a String grows");
        self
    }

    pub fn number(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        self.raw(key, &value.to_string())
    }

    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.raw(key, &quoted(value))
    }

    pub fn texts(&mut self, key: &str, values: &[String]) -> &mut Self {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.raw(key, &format!("[{}]", values.join(",")))
    }

    pub fn finish(&self) -> String {
        format!("{{{}}}", self.0)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => {
                write!(quoted, "\\u{:04x}", u32::from(control)).expect("a String grows");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

pub fn shown(shown: &[Shown]) -> String {
    let one = |shown: &Shown| {
        let mut object = Object::default();
        object.number("style", shown.style).text("text", &String::from_utf8_lossy(&shown.text));
        object.finish()
    };
    format!("[{}]", shown.iter().map(one).collect::<Vec<_>>().join(","))
}

/// Prints one line, whole, also where several processes write.
pub fn print(line: &str) {
    let line = format!("{line}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("standard output");
}

/// Codes and times of many transactions.
#[derive(Debug, Default)]
pub struct Sums {
    codes: BTreeMap<i32, u64>,
    auth: Vec<u64>,
    whole: Vec<u64>,
    count: u64,
    memory: Vec<u64>,
    without_times: bool,
}

impl Sums {
    pub fn new(without_times: bool) -> Self {
        Self { without_times, ..Self::default() }
    }

    pub fn add(&mut self, code: i32, auth: u64, whole: u64) {
        *self.codes.entry(code).or_default() += 1;
        self.count += 1;
        if self.count.is_multiple_of(1_000) {
            self.memory.push(crate::snapshot::resident_pages());
        }
        if self.without_times {
            return;
        }
        self.auth.push(auth);
        self.whole.push(whole);
    }

    pub fn summed(&mut self) -> Object {
        let mut codes = Object::default();
        for (code, count) in &self.codes {
            codes.number(&code.to_string(), count);
        }
        let mut object = Object::default();
        object.raw("codes", &codes.finish());
        object.raw("auth_ns", &spread(&mut self.auth)).raw("whole_ns", &spread(&mut self.whole));
        let memory: Vec<String> = self.memory.iter().map(u64::to_string).collect();
        object.raw("resident_pages", &format!("[{}]", memory.join(",")));
        object
    }
}

fn spread(values: &mut [u64]) -> String {
    values.sort_unstable();
    let at = |part: usize| values.get((values.len() * part / 100).min(values.len().saturating_sub(1)));
    let mean = values.iter().sum::<u64>().checked_div(values.len() as u64);
    let mut object = Object::default();
    for (key, value) in [
        ("mean", mean),
        ("min", values.first().copied()),
        ("p50", at(50).copied()),
        ("p99", at(99).copied()),
        ("max", values.last().copied()),
    ] {
        object.number(key, value.unwrap_or(0));
    }
    object.finish()
}

pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
