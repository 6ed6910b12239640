//! Chains of one-time codes (RFC 4226, RFC 6238): the engine behind the PAM module `pam_mfa_chain.so`, for programs
//! that ask their users themselves.
//!
//! ```
//! use mfa_chain::{Confirmation, Factor, MemoryStore, Next, Orchestrator, Policy, Request, Response, SystemClock, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::builder().factor(Factor::totp("phone")?).factor(Factor::totp("tablet")?).build()?;
//! let mfa = Orchestrator::new(policy, MemoryStore::random()?, SystemClock);
//!
//! // Show the URI as a QR code; the app's first code proves it.
//! let enrollment = mfa.begin_enrollment("alice", "phone")?;
//! assert!(enrollment.uri("Example").starts_with("otpauth://totp/Example:alice?secret="));
//! let typed = Response::from_bytes(b"a code");
//! assert!(matches!(mfa.confirm_enrollment(enrollment, &[typed])?, Confirmation::Wrong(..)));
//!
//! // Log in: keep the attempt beside the session, never at the client.
//! let request = Request::from_address("web", "alice", [192, 0, 2, 7].into());
//! let Next::Ask(attempt) = mfa.begin(&request) else { return Ok(()) };
//! assert_eq!(attempt.expected().factor.id.as_str(), "phone");
//! match mfa.submit(attempt, "phone", Response::from_bytes(b"123456"))? {
//!     Next::Ask(_attempt) => { /* right: ask for the next step */ }
//!     Next::Over(Verdict::Grant(proof)) => println!("{} is in", proof.user()),
//!     Next::Over(_) => { /* reset: the next attempt starts at step 1 */ }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - An [`Attempt`] is a plain value. Each answer consumes the attempt. The attempt can be neither copied nor
//!   serialized, because a client could answer each copy.
//! - An answer for another factor than the expected one is [`ChainBreached`]. Any wrong answer ends the attempt.
//! - A user who is not enrolled gets the same prompts and the same denials as an enrolled user. Show every denial in
//!   the same words.
//! - An attempt ends `attempt_seconds` of the policy after it began (300 unless the policy says otherwise).
//! - [`MemoryStore`] loses enrollments and used codes when the process ends. [`FileStore`] keeps both on disk and
//!   shares them with the PAM module. A server may keep one `FileStore` for as long as it runs, because the store
//!   holds no file open and caches nothing. To keep enrollments elsewhere, implement [`ports::Store`] and
//!   [`ports::Enrollments`].
//!
//! `docs/library.md` describes the whole library. `examples/web` is a web app that uses it.
//!
//! # Features
//!
//! - `pam` (default): the module and the account databases of libc. It links libpam.
//! - `cli` (default): the command.
//! - `qr`: QR codes.
//!
//! `default-features = false` builds only the library.
//!
//! # Rooms
//!
//! - `verifier` is pure: no files, clock, environment, syslog or libpam.
//! - `store` keeps the files and implements the ports `Store`, `Enrollments` and `Clock`.
//! - `pam` is the module, which libpam calls.
//! - `rehearsal` calls libpam as an application does, for `mfa-chain try` and `demo`.
//! - `libpam` declares what `pam` and `rehearsal` call. Only these three contain `unsafe`.
//! - `host` reads what this host will do: PAM stacks, the settings of sshd.
//! - `changes` changes a live policy or service. An unconfirmed change is undone after a time.
//! - `import` reads the exports of other systems. It is as pure as `verifier`.
//! - `cli` is the command. The feature `cli` builds it, `changes`, `host`, `import` and `rehearsal`.
//!
//! `pam` and `cli` name `store` and `verifier`. `cli` also names `changes`, `host`, `import` and `rehearsal`, and
//! `changes` names `host`. `store` and `import` name `verifier`, and `verifier` names no other room. `pam` and `cli`
//! never name each other. `tests/architecture` checks these rules.

#[cfg(panic = "abort")]
compile_error!("a panic must become PAM_ABORT: build with panic = \"unwind\"");

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod changes;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod host;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod import;
#[cfg(feature = "pam")]
#[doc(hidden)]
pub mod libpam;
#[cfg(feature = "pam")]
#[doc(hidden)]
pub mod pam;
#[cfg(feature = "qr")]
pub mod qr;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod rehearsal;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod verifier;

/// Runs the examples of docs/library.md as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
pub struct LibraryPage;

pub use store::{FileStore, StoreError, SystemClock, load_policy};
pub use verifier::attempt::{Attempt, Next, Orchestrator};
pub use verifier::chain::{ChainBreached, ChainProof};
pub use verifier::enrolling::{Confirmation, Enrollment, EnrollmentError};
pub use verifier::memory_store::MemoryStore;
pub use verifier::otp::Response;
pub use verifier::policy::{Factor, FactorKind, Policy};
pub use verifier::ports;
pub use verifier::reason::DenyReason;
pub use verifier::request::Request;
pub use verifier::verdict::Verdict;
