//! What can be typed behind `policy`, and for each change that undoes itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::super::completions::names;

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Tell which logins get another answer from NEW: exempt, weaker, stricter, and who can no longer pass
    Diff(PolicyDiffArguments),
    /// Put NEW in force after a look at what it changes; it stays only if it is confirmed
    Apply(PolicyApplyArguments),
    /// Edit a copy of the policy, check it, look at what it changes, and put it in force
    Edit(PolicyEditArguments),
    /// List the last 20 policies, who put them in force and what became weaker, or print one
    Log(PolicyLogArguments),
    /// Put an earlier policy in force again
    Undo(PolicyUndoArguments),
}

/// `policy diff NEW`
#[derive(Args, Debug)]
#[command(
    after_help = "Ends with 5 where something becomes weaker, else with 0. All logins are compared, not samples of them."
)]
pub struct PolicyDiffArguments {
    /// The new policy, or standard input (-)
    #[arg(value_name = "NEW|-")]
    pub new: PathBuf,
}

/// `policy apply NEW`
#[derive(Args, Debug)]
pub struct PolicyApplyArguments {
    /// The new policy, or standard input (-)
    #[arg(value_name = "NEW|-")]
    pub new: PathBuf,
    /// How it is put in force
    #[command(flatten)]
    pub guard: Guard,
}

/// `policy edit`
#[derive(Args, Debug)]
#[command(
    after_help = "The editor is the one in SUDO_EDITOR, VISUAL or EDITOR. It is started without a shell."
)]
pub struct PolicyEditArguments {
    /// Edit the included file of this name in policy.d in place of the policy itself
    #[arg(value_name = "NAME")]
    pub file: Option<String>,
    /// How it is put in force
    #[command(flatten)]
    pub guard: Guard,
}

/// `policy log [NUMBER]`
#[derive(Args, Debug)]
pub struct PolicyLogArguments {
    /// Print the policy of this number
    pub number: Option<u64>,
}

/// `policy undo [NUMBER]`
#[derive(Args, Debug)]
pub struct PolicyUndoArguments {
    /// The number of a policy that `policy log` lists [default: the one before the newest]
    pub number: Option<u64>,
    /// How it is put in force
    #[command(flatten)]
    pub guard: Guard,
}

/// How a change is put in force.
#[derive(Args, Debug)]
pub struct Guard {
    /// Undo it after this time unless it is confirmed: 90s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = seconds)]
    pub within: u64,
    /// Put it in force for good, without a timer and a confirmation
    #[arg(long, conflicts_with = "within")]
    pub r#final: bool,
    /// Take this user's login for the confirmation too; may be repeated
    #[arg(long = "must-pass", value_name = "USER", add = ArgValueCandidates::new(names::enrolled))]
    pub must_pass: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Reads `90s`, `5m` or `1h`.
///
/// # Errors
///
/// What would be right.
pub fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "write a number and s, m or h, such as 5m; at most 24h".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    seconds.filter(|seconds| (1..=DAY).contains(seconds)).ok_or_else(wrong)
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_an_end() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("25h", None),
            ("0m", None),
            ("5", None),
            ("", None),
            ("m", None),
            ("-5m", None),
            ("5ü", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }
}
