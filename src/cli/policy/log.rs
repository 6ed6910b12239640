//! `mfa-chain policy log`: the last policies, who put them in force, and what became weaker.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::failure::{Exit, Failure};
use super::super::output::one_line;
use super::super::{Context, output};
use super::arguments::PolicyLogArguments;
use crate::changes::ChangesFolder;
use crate::changes::history::{self, Entry};

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when the store can't be read, or no policy of that number is kept.
pub fn run(context: &Context, arguments: &PolicyLogArguments) -> Result<Exit, Failure> {
    let entries = history::entries(&ChangesFolder::open(&context.store)?)?;
    if let Some(number) = arguments.number {
        let entry = entries.into_iter().find(|entry| entry.number == number);
        let entry = entry.ok_or_else(|| {
            Failure::refused(format!(
                "policy {number} is not kept; `mfa-chain policy log` lists those that are"
            ))
        })?;
        output::print(&entry.files.text)?;
        for (name, text) in &entry.files.included {
            output::print(&format!("\n# {name}\n{text}"))?;
        }
        return Ok(Exit::Done);
    }
    if context.json {
        output::print_json(&json!({ "policies": entries.iter().rev().map(to_json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for entry in entries.iter().rev() {
        // Writing to a String can't fail.
        let _ =
            writeln!(text, "{}  {}  {} by {}", entry.number, entry.at(), entry.action, one_line(&entry.by));
        if let Some(weaker) = &entry.weaker {
            let _ = writeln!(text, "    weaker: {}", one_line(weaker));
        }
    }
    if text.is_empty() {
        text.push_str("No policy was put in force by this command yet.\n");
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

fn to_json(entry: &Entry) -> Value {
    json!({
        "number": entry.number, "at": entry.at().seconds(), "by": entry.by, "action": entry.action,
        "weaker": entry.weaker,
    })
}
