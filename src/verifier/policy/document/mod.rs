//! From the text of `policy.toml` to the [`Policy`], or to the places where it isn't one.

mod chains;
mod coverage;
mod deadline;
mod factors;
mod marks;
mod mistakes;
mod names;
mod position;
mod prompt;
mod raw;
mod reword;
mod rules;
mod statements;
mod throttle;
mod words;

use self::chains::Settings;
use self::position::{Problem, Source};
use self::raw::RawPolicy;
use super::{ChainSpec, Policy, PolicyError};

/// Reads a policy; see [`Policy::parse`].
pub(super) fn read(text: &str, file: &str) -> Result<Policy, PolicyError> {
    // Some editors begin a file with a byte order mark; columns shall not count it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(text, file);
    read_source(&source).map_err(|first| source.errors(first))
}

fn read_source(source: &Source<'_>) -> Result<Policy, Problem> {
    let table = raw::parse(source.text())?;
    let raw = RawPolicy::of(&table)?;
    let factors = factors::read(raw.factors.as_ref())?;
    let settings = Settings::read(raw.settings())?;
    let (default_chain, named_chains) = read_chains(&raw, &settings, &factors)?;
    let rules = rules::read(&raw.rules, &named_chains, source)?;
    let prompt = prompt::read(raw.prompt.as_ref(), &factors)?;
    let throttle = throttle::read(raw.throttle.as_ref())?;
    let factors = factors.into_iter().map(|read| read.factor).collect();
    Ok(Policy { default_chain, named_chains, rules, factors, throttle, prompt })
}

fn read_chains(
    raw: &RawPolicy<'_>,
    settings: &Settings,
    factors: &[factors::ReadFactor],
) -> Result<(ChainSpec, Vec<ChainSpec>), Problem> {
    let default_chain = chains::read_default(settings, factors)?;
    let mut named_chains = Vec::with_capacity(raw.chains.len());
    for (name, chain) in &raw.chains {
        named_chains.push(chains::read_named(name, chain, settings, factors)?);
    }
    Ok((default_chain, named_chains))
}

const KNOWN_VERSION: &str = "1";

#[cfg(test)]
mod tests;
