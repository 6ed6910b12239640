//! `mfa-chain completions`: a script for the shell, and the answers to it.
//!
//! The script asks the command itself, so that it knows users, factors and services. It is installed with the command
//! that wrote it, as what they say to each other may change from version to version.

pub mod names;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::arguments::{Arguments, CompletionsArguments, Shell};
use super::failure::{Exit, Failure};
use super::output;

/// Where the script says that it asks, and for which shell.
const VARIABLE: &str = "MFA_CHAIN_COMPLETE";
const COMMAND: &str = "mfa-chain";

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] when the script can't be written.
pub fn run(arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    let shell: &dyn EnvCompleter = match arguments.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, COMMAND, COMMAND, COMMAND, &mut script)
        .map_err(|error| Failure::refused(format!("cannot write the script: {error}")))?;
    if arguments.shell == Shell::Zsh {
        script.extend_from_slice(AUTOLOADED.as_bytes());
    }
    output::print(&String::from_utf8_lossy(&script)).map(|()| Exit::Done)
}

/// In a folder of zsh's functions the file is loaded by the first TAB, which wants its answer too.
const AUTOLOADED: &str = r#"
if [[ $funcstack[1] == _mfa-chain ]]; then
    _clap_dynamic_completer_mfa_chain "$@"
fi
"#;

/// Whether a script asked, and was answered.
///
/// # Errors
///
/// [`clap::Error`] for a shell that is not known.
pub fn answered() -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(Arguments::command)
        .var(VARIABLE)
        .bin(COMMAND)
        .completer(COMMAND)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref())
}
