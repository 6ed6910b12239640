//! `mfa-chain odds`: how likely a guesser is to pass each chain of the policy in force.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Context;
use super::arguments::OddsArguments;
use super::failure::{Exit, Failure};
use super::output::{print, print_json};
use crate::store::load_policy;
use crate::verifier::policy::{ChainSpec, Policy};
use crate::verifier::state::odds::{
    Seat, chance_of_any, chance_of_one_try, chance_with_one_key, tries_within,
};

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

/// Who guesses.
struct Guesser {
    /// The name in JSON.
    key: &'static str,
    words: &'static str,
    seat: Seat,
    chance: fn(&ChainSpec) -> f64,
}

const GUESSERS: [Guesser; 3] = [
    Guesser {
        key: "elsewhere",
        words: "from elsewhere, knowing nothing",
        seat: Seat::Elsewhere,
        chance: chance_of_one_try,
    },
    Guesser {
        key: "same_place",
        words: "from where the user logs in",
        seat: Seat::SamePlace,
        chance: chance_of_one_try,
    },
    Guesser {
        key: "one_key_stolen",
        words: "from elsewhere, with one key",
        seat: Seat::Elsewhere,
        chance: chance_with_one_key,
    },
];

fn tries(policy: &Policy, guesser: &Guesser) -> [u64; 3] {
    TIMES.map(|(_, seconds)| tries_within(seconds, policy.throttle(), guesser.seat))
}

fn by_time<T: Into<Value>>(values: [T; 3]) -> Value {
    let names = TIMES.iter().map(|(name, _)| (*name).to_owned());
    Value::Object(names.zip(values.map(Into::into)).collect())
}

fn facts(policy: &Policy) -> Value {
    let guessers = GUESSERS.map(|guesser| {
        let tries = tries(policy, &guesser);
        let chains = chains(policy).map(|chain| {
            let one = (guesser.chance)(chain);
            json!({
                "chain": chain.name(),
                "steps": chain.required_steps(),
                "one_try": one,
                "within": by_time(tries.map(|tries| chance_of_any(one, tries))),
            })
        });
        json!({ "guesser": guesser.key, "tries": by_time(tries), "chains": chains.collect::<Vec<_>>() })
    });
    json!({ "guessers": guessers })
}

fn table(policy: &Policy) -> String {
    let mut text = format!("{:<32} {:>5} {:>8}", "", "steps", "one try");
    for (name, _) in TIMES {
        let _ = write!(text, " {:>8}", format!("1 {name}"));
    }
    for guesser in GUESSERS {
        let tries = tries(policy, &guesser);
        let _ = write!(text, "\n{:<32} {:>5} {:>8}", guesser.words, "", "tries:");
        for tries in tries {
            let _ = write!(text, " {tries:>8}");
        }
        for chain in chains(policy) {
            let one = (guesser.chance)(chain);
            let _ = write!(text, "\n  {:<30} {:>5} {:>8}", chain.name(), chain.required_steps(), chance(one));
            for tries in tries {
                let _ = write!(text, " {:>8}", chance(chance_of_any(one, tries)));
            }
        }
    }
    text.push_str(
        "\n\nThe probability that somebody who guesses without a pause passes a user's chain, whatever the user does\n\
         meanwhile. Multiply by the users attacked, and by the hosts that share a secret. Codes of users who enrolled\n\
         with other digits than the policy says differ.\n",
    );
    text
}

/// Nobody has to guess what is known.
fn chance(chance: f64) -> String {
    if chance >= 1.0 { "passes".to_owned() } else { format!("{chance:.1e}") }
}
