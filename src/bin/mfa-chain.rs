//! The command `mfa-chain`.
fn main() {}
