//! `mfa-chain odds`: how likely a guesser is to pass each chain of the policy in force.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Context;
use super::arguments::OddsArguments;
use super::failure::{Exit, Failure};
use super::output::{print, print_json};
use crate::store::load_policy;
use crate::verifier::odds::{chance_of_any, chance_of_one_try, tries_within};
use crate::verifier::policy::{ChainSpec, Policy};

const TIMES: [(&str, u64); 3] = [("hour", 3600), ("day", 86_400), ("year", 365 * 86_400)];

/// Prints a table: chains down, times across.
///
/// # Errors
///
/// [`Failure`] when the policy is not valid.
pub fn run(context: &Context, _: &OddsArguments) -> Result<Exit, Failure> {
    let policy = load_policy(&context.policy)?;
    if context.json {
        print_json(&facts(&policy))?;
    } else {
        print(&table(&policy))?;
    }
    Ok(Exit::Done)
}

fn chains(policy: &Policy) -> impl Iterator<Item = &ChainSpec> {
    std::iter::once(policy.default_chain()).chain(policy.named_chains())
}

fn facts(policy: &Policy) -> Value {
    let chains = chains(policy).map(|chain| {
        let one = chance_of_one_try(chain);
        let within = |(name, seconds): (&str, u64)| {
            (name.to_owned(), json!(chance_of_any(one, tries_within(seconds, policy.throttle()))))
        };
        json!({
            "chain": chain.name(),
            "steps": chain.required_steps(),
            "one_try": one,
            "within": TIMES.map(within).into_iter().collect::<serde_json::Map<_, _>>(),
        })
    });
    let tries =
        TIMES.map(|(name, seconds)| (name.to_owned(), json!(tries_within(seconds, policy.throttle()))));
    json!({
        "tries": tries.into_iter().collect::<serde_json::Map<_, _>>(),
        "chains": chains.collect::<Vec<_>>(),
    })
}

fn table(policy: &Policy) -> String {
    let mut text = format!("{:<20} {:>5} {:>10}", "", "steps", "one try");
    for (name, _) in TIMES {
        let _ = write!(text, " {:>10}", format!("1 {name}"));
    }
    let _ = write!(text, "\n{:<20} {:>5} {:>10}", "tries judged", "", 1);
    for (_, seconds) in TIMES {
        let _ = write!(text, " {:>10}", tries_within(seconds, policy.throttle()));
    }
    for chain in chains(policy) {
        let one = chance_of_one_try(chain);
        let _ = write!(text, "\n{:<20} {:>5} {one:>10.1e}", chain.name(), chain.required_steps());
        for (_, seconds) in TIMES {
            let _ = write!(text, " {:>10.1e}", chance_of_any(one, tries_within(seconds, policy.throttle())));
        }
    }
    text.push_str(
        "\n\nThe probability that somebody who knows nothing of a user's secrets passes the user's chain by guessing \
         without a pause,\nfrom sources the user never logged in from. Multiply by the users attacked, and by the \
         hosts that share a secret.\nCodes of users who enrolled with other digits than the policy says differ.\n",
    );
    text
}
