//! The properties that the targets check; `tests/fuzzed_input.rs` checks the same ones.

#[path = "../../tests/properties/mod.rs"]
pub mod properties;
