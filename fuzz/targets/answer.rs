#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mfa_chain_fuzz::properties::answer::check(bytes));
