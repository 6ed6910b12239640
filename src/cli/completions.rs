//! `mfa-chain completions`: a script for the shell.

use clap::CommandFactory;
use clap_complete::Shell as Generator;

use super::arguments::{Arguments, CompletionsArguments, Shell};
use super::failure::{Exit, Failure};
use super::output;

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when the script can't be written.
pub fn run(arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    let generator = match arguments.shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut Arguments::command(), "mfa-chain", &mut script);
    output::print(&String::from_utf8_lossy(&script)).map(|()| Exit::Done)
}
