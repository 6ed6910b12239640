//! The engine: policy, chain, one-time codes, verdict. Pure, so that every decision can be tested without a
//! file, a clock or libpam.
//!
//! As a library: make an [`Orchestrator`](attempt::Orchestrator) of a [`Policy`](policy::Policy) and the ports,
//! [`begin`](attempt::Orchestrator::begin) an attempt, [`submit`](attempt::Orchestrator::submit) answers by factor.
//! `examples/orchestrator.rs` does it.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod attempt;
pub mod attempt_id;
pub mod chain;
pub mod enrolling;
pub mod enrollment;
pub mod event;
pub mod login;
pub mod memory_store;
pub mod otp;
pub mod policy;
pub mod ports;
pub mod reason;
pub mod request;
pub mod shell_word;
pub mod state;
pub mod time;
pub mod username;
pub mod verdict;
