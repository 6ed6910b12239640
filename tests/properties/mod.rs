//! What holds for any bytes at all: one function for each door that bytes come in by. `tests/fuzzed_input.rs` calls
//! them with made-up input and with the corpus, `fuzz/` with what libFuzzer finds.
#![allow(dead_code, missing_docs)] // the fuzz targets use their part
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends the test

pub mod answer;
pub mod log_line;
pub mod login;
mod moves;
pub mod oracle;
pub mod otpauth;
pub mod policy;
pub mod secret_file;
pub mod state_slot;

#[path = "../engine_fixture/mod.rs"]
mod engine_fixture;
#[path = "../scratch_store/mod.rs"]
mod scratch_store;
mod scripted_ports;
