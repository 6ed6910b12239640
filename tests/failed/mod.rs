//! A lane in which so many chains have failed.
#![allow(dead_code)] // each test binary uses its part

use mfa_chain::verifier::state::{ChainFailures, ChainMark, Lane};
use mfa_chain::verifier::time::UnixTime;

/// `count` failures of some chain, the last one at `last_at`.
pub fn failed(count: u32, last_at: UnixTime) -> Lane {
    let chain = ChainMark { key: 1, hardness: 18 };
    let chains = vec![ChainFailures { chain, count }];
    Lane { chains, last_at, day: last_at.seconds() / 86_400, ..Lane::default() }
}
