//! A chain of one-time codes for Linux login: the PAM module `pam_mfa_chain.so` and the engine
//! behind it, which programs that are no PAM module can use as a library.
//!
//! # One login
//!
//! ```text
//! sshd / sudo ──► pam_sm_authenticate                pam::hooks
//!    load the policy                                 store::policy_file
//!    build the Request                               pam::items
//!    authenticate(policy, request, ports)            verifier::login
//!      decide(request)      Deny | Exempt | Require  verifier::policy
//!      begin the attempt    fixed order, or the draw verifier::attempt, verifier::chain
//!      ┌ ask the next step, no lock held             Conversation
//!      │ judge under the user's lock, write, sync    verifier::judge inside Store::update
//!      └ advance: next step, or the verdict          verifier::chain
//!    one audit line per step and verdict             Audit
//!    the verdict becomes a PAM code                  pam::code
//! ```
//!
//! # Rooms
//!
//! - [`verifier`] is pure: no files, clock, environment, syslog or libpam.
//! - [`store`] keeps the files and implements the ports `Store`, `Clock` and `Accounts`.
//! - [`pam`] is the edge to libpam, and the only room with `unsafe`.
//! - `host` reads what this host will do: PAM stacks, the settings of sshd.
//! - `cli` is the command; it and `host` sit behind the feature `cli`.
//!
//! `pam` and `cli` name `store` and `verifier`, `cli` names `host`, `store` names `verifier`, `verifier` names nobody, and
//! `pam` and `cli` never name each other. `tests/architecture.rs` keeps this.

#[cfg(panic = "abort")]
compile_error!("a panic must become PAM_ABORT: build with panic = \"unwind\"");

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod host;
pub mod pam;
pub mod store;
pub mod verifier;
