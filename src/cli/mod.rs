//! The command `mfa-chain`.
//!
//! Exit codes: 0 done; 1 what was asked failed or is denied; 2 the command line is wrong; 3 the policy or the
//! store is missing, unsafe or invalid; 4 not confirmed or cancelled; 5 a new policy is weaker somewhere.
#![forbid(unsafe_code)]

mod administration;
mod adopt;
mod arguments;
mod check;
mod colour;
mod completions;
mod confirm;
mod confirmation;
mod demo;
mod disable;
mod doctor;
mod enable;
mod enroll;
mod enrolled;
mod explain;
mod failure;
mod import;
mod init;
mod metrics;
mod module_path;
mod odds;
mod outcomes;
mod output;
mod policy;
mod qr;
mod readiness;
mod recovery;
mod rehearse;
mod report;
mod resync;
mod revoke;
mod rollback;
mod secret_forms;
mod secret_input;
mod secret_text;
mod status;
mod terminal;
mod unlock;
mod verify;
mod who;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use nix::sys::stat::{Mode, umask};

use self::arguments::{Arguments, Command};
use self::failure::{Exit, Failure};
use crate::rehearsal::Libpam;
use crate::verifier::accounts::Accounts;
use crate::verifier::ports::Audit;

/// What every command is told.
#[derive(Clone)]
pub struct Context {
    /// The policy.
    pub policy: PathBuf,
    /// The folder of enrollments and login states.
    pub store: PathBuf,
    /// Whether facts are printed as JSON.
    pub json: bool,
    /// The accounts and groups of this host.
    pub accounts: &'static dyn Accounts,
    /// Where administration is logged.
    pub audit: &'static dyn Audit,
}

/// Runs the command. `libpam` is the application's side of libpam, `accounts` asks libc, and `audit` writes to the log;
/// this room may name neither.
#[must_use]
pub fn main(libpam: &dyn Libpam, accounts: &'static dyn Accounts, audit: &'static dyn Audit) -> ExitCode {
    match completions::answered() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return usage(&error),
    }
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let is_json = arguments.global.json;
    ExitCode::from(match prepare().and_then(|()| run(arguments, libpam, accounts, audit)) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            if let Some(line) = failure.line() {
                if is_json {
                    output::print_failure(&failure.facts());
                }
                output::complain(&line);
            }
            failure.code()
        }
    })
}

/// A core file or a debugger of the same user must not show a secret, and what is written belongs to nobody
/// else.
fn prepare() -> Result<(), Failure> {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    nix::sys::prctl::set_dumpable(false)
        .map_err(|error| Failure::refused(format!("cannot switch off core files: {}", error.desc())))
}

/// Help and version go to standard output with 0, a wrong command line to standard error with 2.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(
    arguments: Arguments,
    libpam: &dyn Libpam,
    accounts: &'static dyn Accounts,
    audit: &'static dyn Audit,
) -> Result<Exit, Failure> {
    let Arguments { global, command } = arguments;
    let context = Context { policy: global.policy, store: global.store, json: global.json, accounts, audit };
    output::go_by(&context);
    if !matches!(command, Command::Rollback(_) | Command::Metrics(_) | Command::Doctor(_)) {
        // A rollback may be the cure itself, and what looks at a host changes nothing.
        rollback::settle(&context).unwrap_or_else(|failure| output::warn(&failure.to_string()));
    }
    match command {
        Command::Import(arguments) => import::run(&context, &arguments),
        Command::Init(arguments) => init::run(&context, &arguments),
        Command::Enroll(arguments) => enroll::run(&context, &arguments),
        Command::Status(arguments) => status::run(&context, &arguments),
        Command::Revoke(arguments) => revoke::run(&context, &arguments),
        Command::Unlock(arguments) => unlock::run(&context, &arguments),
        Command::Resync(arguments) => resync::run(&context, &arguments),
        Command::Recovery(arguments) => recovery::run(&context, &arguments),
        Command::Adopt(arguments) => adopt::run(&context, &arguments),
        Command::Check(arguments) => check::run(&context, &arguments),
        Command::Doctor(arguments) => doctor::run(&context, &arguments),
        Command::Odds(arguments) => odds::run(&context, &arguments),
        Command::Explain(arguments) => explain::run(&context, &arguments),
        Command::Report(arguments) => report::run(&context, &arguments),
        Command::Metrics(arguments) => metrics::run(&context, &arguments),
        Command::Why(arguments) => why::run(&context, &arguments),
        Command::Verify(arguments) => verify::run(&context, &arguments),
        Command::Policy(arguments) => policy::run(&context, &arguments),
        Command::Enable(arguments) => enable::run(&context, &arguments),
        Command::Disable(arguments) => disable::run(&context, &arguments),
        Command::Confirm(arguments) => confirm::run(&context, &arguments),
        Command::Rollback(arguments) => rollback::run(&context, &arguments),
        Command::Try(arguments) => rehearse::run(&context, &arguments, libpam),
        Command::Demo(arguments) => demo::run(&context, &arguments, libpam),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
