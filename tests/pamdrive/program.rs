//! Plays any PAM application against a module file: real libpam, a scratch folder of services, scripted
//! answers, hostile where asked. Prints what came back as JSON lines.
//!
//! ```text
//! pamdrive --module FILE --policy FILE --store DIR [--argument TEXT]...   the stack: this module alone
//!          --services DIR [--service NAME]                                or a folder of service files
//!          --user NAME|hex:BYTES | --no-user   --rhost TEXT --ruser TEXT --tty TEXT --silent
//!          --answer SPEC ...                   one per prompt; after the last one the conversation fails
//!          --jobs                              a transaction per line of standard input: USER [TAB rhost=ADDR] [TAB SPEC]...
//!          --calls N                           pam_authenticate so often on one handle, answers going on
//!          --no-auth --acct --setcred          what else is called, in this order
//!          --account-user NAME                 sets PAM_USER between authenticate and what else is called
//!          --repeat N                          whole transactions in one process, answers starting again
//!          --sessions N                        so many processes at once, let go when all wait at a `gate`
//!          --restore FROM:TO                   before each transaction, the bytes of FROM are put over TO
//!          --brief                             one line of sums in place of a line per transaction
//!          --limit RESOURCE:MOST                a resource limit from authenticate on, by its number
//!          --tell                              a line for each prompt and message at once, before its answer
//!          --no-times                          with --brief: codes alone are kept, and memory now and then
//!          --allow-calls N,N...                from authenticate on, other system calls end the process
//!          --deny-call N,N...                  ... or these fail with EPERM
//!          --linger                            stays after the report until standard input ends
//! ```
//!
//! SPEC is `text:CODE`, `hex:BYTES`, `empty`, `big:BYTES`, `fd:N` (a line read from that descriptor),
//! `null-array`, `null-answer`, `code:N`, `code-with:N:TEXT` (an error and an answer), `hang`, `exit`; before it
//! may stand `gate+` (wait for the other sessions), `user=NAME+` (change `PAM_USER`) and `mark+` (a system call
//! that a trace can find).
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)] // what goes wrong ends it

mod answer;
mod conversation;
mod filter;
mod gate;
mod libpam;
mod options;
mod report;
mod run;
mod services;
mod snapshot;

fn main() {
    let options = options::Options::parse(std::env::args().skip(1)).unwrap_or_else(|what| {
        panic!("{what}; tests/pamdrive/program.rs lists the options");
    });
    run::run(&options);
}
