//! Times PAM transactions of several stacks in turn, A B A B, in one process, and prints one line for each:
//! `STACK CODE AUTHENTICATE_NS WHOLE_NS`. Whole is `pam_start_confdir` to `pam_end`.
//!
//! ```text
//! pamtimer transactions COUNT FOLDER [fork] [no-delay] [mark] [remote] [quiet] [floor=FILE] < STACKS
//! pamtimer parallel PROCESSES SECONDS FOLDER < STACKS
//! pamtimer load COUNT MODULE...
//! pamtimer fill STORE PREFIX USERS SECRET...
//! ```
//!
//! `FOLDER` holds the services. Each line of `STACKS` is `NAME SERVICE USER USERS ANSWER...`: a `%` in the user
//! becomes a number below `USERS`, and an answer is `totp:SECRET`, the code of a secret in base32, or
//! `text:ANSWER`. Time stands still in a transaction and moves by a time step between two, so that every code
//! is fresh: this program's clock is the one that the modules in it read.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // what goes wrong ends the measurement

mod clock;
mod floor;
mod libpam;
mod modes;
mod populate;
mod stacks;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["transactions", count, folder, flags @ ..] => modes::transactions(number(count), folder, flags),
        ["parallel", processes, seconds, folder] => {
            modes::parallel(number(processes), number(seconds), folder);
        }
        ["load", count, modules @ ..] => modes::load(number(count), modules),
        ["fill", store, prefix, users, secrets @ ..] => {
            populate::fill(store, prefix, u64::from(number(users)), secrets);
        }
        _ => panic!("the source of this program says how it is called"),
    }
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}
