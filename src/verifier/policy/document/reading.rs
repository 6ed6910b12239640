//! The parts of a policy, read in their order.

use super::chains::{self, Settings};
use super::factors::ReadFactor;
use super::position::{Problem, Source};
use super::raw::{self, RawPolicy};
use super::{factors, prompt, rules, throttle};
use crate::verifier::policy::{ChainSpec, Policy};

pub(super) fn read_source(source: &Source<'_>) -> Result<Policy, Problem> {
    let raw = raw::read_tables(source.text())?;
    let factors = factors::read_factors(raw.factors.as_ref())?;
    let (settings, observed_until) = chains::read_top_level(&raw)?;
    let (default_chain, named_chains) = read_chains(&raw, &settings, &factors)?;
    let rules = rules::read_rules(&raw.rules, &named_chains, source)?;
    let prompt = prompt::read_prompt(raw.prompt.as_ref(), &factors)?;
    let throttle = throttle::read_throttle(raw.throttle.as_ref())?;
    let factors = factors.into_iter().map(|read| read.factor).collect();
    Ok(Policy { default_chain, named_chains, rules, factors, throttle, prompt, observed_until })
}

fn read_chains(
    raw: &RawPolicy,
    settings: &Settings,
    factors: &[ReadFactor],
) -> Result<(ChainSpec, Vec<ChainSpec>), Problem> {
    let default_chain = chains::read_default(settings, factors)?;
    let mut named_chains = Vec::with_capacity(raw.chains.len());
    for (name, chain) in &raw.chains {
        named_chains.push(chains::read_named(name, chain, settings, factors)?);
    }
    Ok((default_chain, named_chains))
}
