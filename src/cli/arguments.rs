//! What can be typed: the commands, their options and their help.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::qr::QrOutput;
use crate::store::{DEFAULT_POLICY, DEFAULT_STORE};
use crate::verifier::username::Username;

/// Enrol users, check policies and rehearse logins for the PAM module `pam_mfa_chain.so`.
#[derive(Debug, Parser)]
#[command(name = "mfa-chain", version, after_help = EXIT_CODES, subcommand_required = true, propagate_version = true)]
pub struct Arguments {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that may stand before or after the command.
#[derive(Args, Debug)]
pub struct GlobalArguments {
    /// The policy to go by
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_POLICY)]
    pub policy: PathBuf,
    /// The folder of enrolments and login states
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_STORE)]
    pub store: PathBuf,
    /// Print facts as JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
}

/// Reads a command line.
///
/// # Errors
///
/// [`clap::Error`] for one that is wrong, or asks for help; also for a global option that the command ignores: it would
/// change nothing, and whoever typed it expects that it does.
pub fn parse(line: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Arguments, clap::Error> {
    let mut definition = Arguments::command();
    let matches = definition.try_get_matches_from_mut(line)?;
    if let Some((name, inner)) = matches.subcommand() {
        let typed = |option: &str| {
            [&matches, inner]
                .iter()
                .any(|matches| matches.value_source(option) == Some(ValueSource::CommandLine))
        };
        let ignored =
            IGNORED.iter().filter(|(command, _)| *command == name).flat_map(|(_, options)| *options);
        if let Some(option) = ignored.copied().find(|option| typed(option)) {
            let message = format!("`mfa-chain {name}` goes by no --{option}, so it would change nothing");
            return Err(definition.error(ErrorKind::ArgumentConflict, message));
        }
    }
    Arguments::from_arg_matches(&matches)
}

/// What a command has no use for. Those that work on a store take `--policy` too: advised commands name both.
const IGNORED: [(&str, &[&str]); 3] = [
    ("completions", &["policy", "store", "json"]),
    ("demo", &["policy", "store", "json"]),
    ("odds", &["store"]),
];

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the store and what it lacks, so that logins are judged before the first enrolment
    Init(InitArguments),
    /// Enrol an authenticator of a user for a factor of the policy
    #[command(visible_alias = "enrol")]
    Enroll(EnrollArguments),
    /// Show who has enrolled what, how many recovery codes are left, and who has to wait
    Status(StatusArguments),
    /// Remove one authenticator of a user, or all of them with the recovery codes
    Revoke(RevokeArguments),
    /// Lift the wait that failures brought upon a user
    Unlock(UnlockArguments),
    /// Say where the counter of a token stands, by two codes in a row
    Resync(ResyncArguments),
    /// Make new recovery codes for a user; the old ones are void
    Recovery(RecoveryArguments),
    /// Say that the account that has a name today is the one that enrolled under it
    Adopt(AdoptArguments),
    /// Check the policy and the store, and warn of what will surprise somebody
    Check(CheckArguments),
    /// Tell how likely a guesser is to pass each chain, in an hour, a day and a year
    Odds(OddsArguments),
    /// Tell which rule and chain of the policy apply to a login, and why
    Explain(ExplainArguments),
    /// Run a true login of a user through the module, outside the system's stacks; codes are used up
    Try(TryArguments),
    /// Show the module at work in a scratch folder, from enrolment to a refused replay
    Demo(DemoArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
}

/// `enroll USER FACTOR`
#[derive(Args, Debug)]
#[command(
    after_help = "Without --secret-file a new secret of 160 bits is made and shown. A secret is never \
                        taken from the command line, where every user of the host could read it."
)]
pub struct EnrollArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse)]
    pub user: Username,
    /// A factor of the policy
    pub factor: String,
    /// Take the secret from FILE, or from standard input (-): base32, or a whole otpauth:// URI
    #[arg(long, value_name = "FILE|-")]
    pub secret_file: Option<PathBuf>,
    /// Where a counter token (HOTP) stands, if not where its secret or the store says
    #[arg(long, value_name = "N")]
    pub counter: Option<u64>,
    /// Enrol a name that the system does not list
    #[arg(long)]
    pub unknown_user: bool,
    /// Enrol without asking for a code of the authenticator first
    #[arg(long)]
    pub no_confirm: bool,
    /// How to show the QR code: utf8, ascii, none, png=FILE or svg=FILE [default: utf8 on a terminal]
    #[arg(long, value_name = "FORM", value_parser = QrOutput::parse)]
    pub qr: Option<QrOutput>,
}

/// `status [USER]`
#[derive(Args, Debug)]
pub struct StatusArguments {
    /// Show this user in detail; all users without it
    #[arg(value_parser = Username::parse)]
    pub user: Option<Username>,
}

/// `revoke USER [FACTOR]`
#[derive(Args, Debug)]
pub struct RevokeArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse)]
    pub user: Username,
    /// The factor to remove; all factors and the recovery codes without it
    pub factor: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `unlock USER`
#[derive(Args, Debug)]
pub struct UnlockArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse)]
    pub user: Username,
    /// Make a new login state where the old one is lost or damaged. Codes of the present and all recovery
    /// codes are void then, counter tokens (HOTP) until `resync`; a bypass code for one login is shown
    #[arg(long)]
    pub reset_state: bool,
}

/// `resync USER FACTOR`
#[derive(Args, Debug)]
#[command(
    after_help = "For a counter token (HOTP) whose button was pressed too often without a login, or whose counter a \
                  reset of the login state made void. The secret that is enrolled stays."
)]
pub struct ResyncArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse)]
    pub user: Username,
    /// The factor of the token
    pub factor: String,
    /// Search from counter N on, further than the 10,000 that are searched without it
    #[arg(long, value_name = "N")]
    pub counter: Option<u64>,
}

/// `recovery USER`
#[derive(Args, Debug)]
pub struct RecoveryArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse)]
    pub user: Username,
    /// How many codes to make, 1 to 64
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=MAX_CODES))]
    pub count: u8,
}

/// `adopt USER...`
#[derive(Args, Debug)]
#[command(
    after_help = "A record holds the user id of the account that enrolled. Where an account was made again under an \
                  old name its logins are denied: adopt the account if it is the same person's, revoke the enrolment \
                  if not. Records of earlier versions hold no user id; --all gives them the one of today."
)]
pub struct AdoptArguments {
    /// Login names of users whose accounts are the ones that enrolled
    #[arg(value_parser = Username::parse, required_unless_present = "all")]
    pub users: Vec<Username>,
    /// Adopt for every record that holds no user id yet; records that hold another one are left alone
    #[arg(long, conflicts_with = "users")]
    pub all: bool,
}

/// `init`
#[derive(Args, Debug)]
pub struct InitArguments {}

/// `check`
#[derive(Args, Debug)]
pub struct CheckArguments {}

/// `odds`
#[derive(Args, Debug)]
pub struct OddsArguments {}

/// `explain USER`
#[derive(Args, Debug)]
pub struct ExplainArguments {
    /// Login name of the user
    pub user: String,
    /// The PAM service, as in /etc/pam.d: sshd, sudo, login
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// Where the login comes from: an address, as sshd gives it
    #[arg(long, value_name = "ADDR")]
    pub rhost: Option<String>,
    /// The terminal, as the service gives it: tty1, pts/0; sshd gives ssh
    #[arg(long, value_name = "TTY")]
    pub tty: Option<String>,
    /// Who runs the program, as sudo and su give it
    #[arg(long, value_name = "NAME")]
    pub ruser: Option<String>,
    /// Take the user for a member of this group, whatever the system says; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<String>,
}

/// `try USER`
#[derive(Args, Debug)]
pub struct TryArguments {
    /// Login name of the user
    pub user: String,
    /// The PAM service to pass for, as in /etc/pam.d: sshd, sudo, login
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// Take the answers from FILE, or from standard input (-), one a line, instead of asking
    #[arg(long, value_name = "FILE|-")]
    pub answers: Option<PathBuf>,
    /// The module to run [default: the installed one]
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// Where the login comes from: an address, as sshd gives it
    #[arg(long, value_name = "ADDR")]
    pub rhost: Option<String>,
    /// The terminal, as the service gives it: tty1, pts/0; sshd gives ssh
    #[arg(long, value_name = "TTY")]
    pub tty: Option<String>,
}

/// `demo`
#[derive(Args, Debug)]
pub struct DemoArguments {
    /// Ask you for the codes instead of computing them
    #[arg(long)]
    pub interactive: bool,
    /// The module to run [default: the installed one]
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
}

/// `completions SHELL`
#[derive(Args, Debug)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: Shell,
}

/// The shells that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

const MAX_CODES: i64 = 64;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  what was asked failed or is denied: a wrong code, a login that would not pass
  2  the command line is wrong
  3  the policy or the store is missing, unsafe or invalid
  4  not confirmed or cancelled: no `yes`, end of input";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::recovery::RecoverySet;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn as_many_recovery_codes_are_taken_as_a_set_holds() {
        assert_eq!(i64::try_from(RecoverySet::MAX_CODES), Ok(MAX_CODES));
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            ["mfa-chain", "--store", "/x", "status", "--json"],
            ["mfa-chain", "--json", "status", "--store", "/x"],
        ] {
            let arguments = Arguments::try_parse_from(line).expect("arguments");
            assert!(arguments.global.json, "{line:?}");
            assert_eq!(arguments.global.store, PathBuf::from("/x"), "{line:?}");
            assert_eq!(arguments.global.policy, PathBuf::from(DEFAULT_POLICY), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_says_too_little_or_too_much_is_refused() {
        for line in [
            "mfa-chain",
            "mfa-chain enroll alice",
            "mfa-chain enroll alice phone JBSWY3DPEHPK3PXP",
            "mfa-chain enroll alice phone --secret JBSWY3DPEHPK3PXP",
            "mfa-chain enroll alice phone --qr gif=x",
            "mfa-chain recovery alice --count 0",
            "mfa-chain recovery alice --count 65",
            "mfa-chain completions tcsh",
            "mfa-chain explain alice",
            "mfa-chain try alice",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
