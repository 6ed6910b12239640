//! The properties that the targets check; `tests/fuzzed_input.rs` checks the same ones.

use pam_mfa_chain::verifier; // src/cli/otpauth.rs names it

#[path = "../../tests/properties/mod.rs"]
pub mod properties;
