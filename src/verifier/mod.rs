//! The engine: policy, chain, one-time codes, verdict. Pure, so that everything it decides can be
//! tested without a file, a clock or libpam.
//!
//! As a library: make an [`Orchestrator`](attempt::Orchestrator) of a [`Policy`](policy::Policy) and the ports,
//! [`begin`](attempt::Orchestrator::begin) an attempt, [`submit`](attempt::Attempt::submit) answers by factor.
//! `examples/orchestrator.rs` does it.
#![forbid(unsafe_code)]

pub mod attempt;
pub mod chain;
pub mod credential;
pub mod draw;
pub mod event;
pub mod failures;
pub mod judge;
pub(crate) mod keyed_hash;
pub mod login;
pub mod login_state;
pub mod memory_store;
pub mod odds;
pub mod otp;
pub mod past_outcome;
pub mod policy;
pub mod ports;
pub mod record;
pub mod recovery;
pub mod request;
pub mod response;
pub mod secret;
pub mod shell_word;
pub mod time;
pub(crate) mod toml_values;
pub mod username;
pub mod verdict;
