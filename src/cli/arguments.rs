//! What can be typed: the commands, their options and their help.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::completions::names;
use super::enable::arguments::{ConfirmArguments, DisableArguments, EnableArguments, RollbackArguments};
use super::import::arguments::ImportArguments;
use super::policy::arguments::PolicyAction;
use super::qr::QrOutput;
use crate::store::{DEFAULT_POLICY, DEFAULT_STORE};
use crate::verifier::username::Username;

/// Enroll users, check policies and rehearse logins for the PAM module `pam_mfa_chain.so`.
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
    /// The folder of enrollments and login states
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
/// change nothing, and the administrator who typed it expects that it does.
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
const IGNORED: [(&str, &[&str]); 4] = [
    ("completions", &["policy", "store", "json"]),
    ("demo", &["policy", "store", "json"]),
    ("metrics", &["json"]),
    ("odds", &["store"]),
];

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the store and what it lacks, so that logins are judged before the first enrollment
    Init(InitArguments),
    /// Enroll an authenticator of a user for a factor of the policy
    #[command(visible_alias = "enrol")]
    Enroll(EnrollArguments),
    /// Bring over the authenticators of another system: all of a file, or none
    Import(ImportArguments),
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
    /// Look at this host: stacks, module, sshd, accounts, store; say what is wrong and what cures it
    Doctor(DoctorArguments),
    /// Tell how likely a guesser is to pass each chain, in an hour, a day and a year
    Odds(OddsArguments),
    /// Tell which rule and chain of the policy apply to a login, and why
    Explain(ExplainArguments),
    /// List every account that can log in: what a login asks it, what it has enrolled and when it was used
    Report(ReportArguments),
    /// Print figures for Prometheus: whether logins can be judged, how many users lack something or have to wait
    Metrics(MetricsArguments),
    /// Show the last refusals and grants of a user, and what to do
    Why(WhyArguments),
    /// Say of which authenticator a code is that a user reads out, and how far its clock is off; uses nothing up
    Verify(VerifyArguments),
    /// Change the policy as a whole: look at what changes, put it in force, confirm it or get the old one back
    Policy(PolicyArguments),
    /// Switch codes on in services; stays only if it is confirmed after a login
    Enable(EnableArguments),
    /// Take out what `enable` wrote
    Disable(DisableArguments),
    /// Make the change stay that waits; counts only if a chain was passed since
    Confirm(ConfirmArguments),
    /// Put everything back as it was before the change that waits
    Rollback(RollbackArguments),
    /// Run a true login of a user through the module, outside the system's stacks; codes are used up
    Try(TryArguments),
    /// Show the module at work in a scratch folder, from enrollment to a refused replay
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
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::people))]
    pub user: Username,
    /// A factor of the policy
    #[arg(add = ArgValueCandidates::new(names::factors))]
    pub factor: String,
    /// Take the secret from FILE, or from standard input (-): base32, or a whole otpauth:// URI
    #[arg(long, value_name = "FILE|-")]
    pub secret_file: Option<PathBuf>,
    /// Where a counter token (HOTP) stands, if not where its secret or the store says
    #[arg(long, value_name = "N")]
    pub counter: Option<u64>,
    /// Enroll a name that the system does not list
    #[arg(long)]
    pub unknown_user: bool,
    /// Enroll without asking for a code of the authenticator first
    #[arg(long)]
    pub no_confirm: bool,
    /// How to show the QR code: utf8, ascii, none, png=FILE or svg=FILE [default: utf8 on a terminal]
    #[arg(long, value_name = "FORM", value_parser = QrOutput::parse, add = ArgValueCandidates::new(names::forms_of_qr))]
    pub qr: Option<QrOutput>,
}

/// `status [USER]`
#[derive(Args, Debug)]
pub struct StatusArguments {
    /// Show this user in detail; all users without it
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::enrolled))]
    pub user: Option<Username>,
}

/// `revoke USER [FACTOR]`
#[derive(Args, Debug)]
pub struct RevokeArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::enrolled))]
    pub user: Username,
    /// The factor to remove; all factors and the recovery codes without it
    #[arg(add = ArgValueCandidates::new(names::factors))]
    pub factor: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `unlock USER`
#[derive(Args, Debug)]
pub struct UnlockArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::enrolled))]
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
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::enrolled))]
    pub user: Username,
    /// The factor of the token
    #[arg(add = ArgValueCandidates::new(names::factors))]
    pub factor: String,
    /// Search from counter N on, further than the 10,000 that are searched without it
    #[arg(long, value_name = "N")]
    pub counter: Option<u64>,
}

/// `recovery USER`
#[derive(Args, Debug)]
pub struct RecoveryArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::enrolled))]
    pub user: Username,
    /// How many codes to make, 1 to 64
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=MAX_CODES))]
    pub count: u8,
}

/// `adopt USER...`
#[derive(Args, Debug)]
#[command(
    after_help = "A record holds the user id of the account that enrolled. Where an account was made again under an \
                  old name its logins are denied: adopt the account if it is the same person's, revoke the enrollment \
                  if not. Records of earlier versions hold no user id; --all gives them the one of today."
)]
pub struct AdoptArguments {
    /// Login names of users whose accounts are the ones that enrolled
    #[arg(value_parser = Username::parse, required_unless_present = "all", add = ArgValueCandidates::new(names::enrolled))]
    pub users: Vec<Username>,
    /// Adopt for every record that holds no user id yet; records that hold another one stay as they are
    #[arg(long, conflicts_with = "users")]
    pub all: bool,
}

/// `init`
#[derive(Args, Debug)]
pub struct InitArguments {}

/// `check [FILE|-]`
#[derive(Args, Debug)]
pub struct CheckArguments {
    /// Check the policy in FILE, or on standard input (-), in place of the one in force
    #[arg(value_name = "FILE|-")]
    pub file: Option<PathBuf>,
}

/// `policy ACTION`
#[derive(Args, Debug)]
pub struct PolicyArguments {
    /// What to do with the policy
    #[command(subcommand)]
    pub action: PolicyAction,
}

/// `odds`
#[derive(Args, Debug)]
pub struct OddsArguments {}

/// `explain USER`
#[derive(Args, Debug)]
pub struct ExplainArguments {
    /// Login name of the user
    #[arg(add = ArgValueCandidates::new(names::people))]
    pub user: String,
    /// The PAM service, as in /etc/pam.d: sshd, sudo, login
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(names::services))]
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

/// `report`
#[derive(Args, Debug)]
#[command(
    after_help = "Accounts are those that `getent passwd` lists with a shell for people, and all that have enrolled. A directory \
                  may not list its accounts; name them in a file then."
)]
pub struct ReportArguments {
    /// Report on the users in FILE, one a line
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// The service whose logins the policy is asked about, without an address
    #[arg(long, value_name = "NAME", default_value = "sshd", add = ArgValueCandidates::new(names::services))]
    pub service: String,
    /// How to print
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub form: ReportForm,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// A line for each user.
    Text,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

/// `doctor`
#[derive(Args, Debug)]
#[command(
    after_help = "Reads as root would and writes nothing. Ends with 3 where something is wrong that lets somebody in without a \
                  code, or keeps users out."
)]
pub struct DoctorArguments {
    /// A service that has to ask for codes; may be repeated
    #[arg(long = "service", value_name = "NAME", add = ArgValueCandidates::new(names::services))]
    pub services: Vec<String>,
    /// A user who has to be able to pass now; may be repeated
    #[arg(long = "user", value_name = "USER", add = ArgValueCandidates::new(names::people))]
    pub users: Vec<String>,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

/// `metrics`
#[derive(Args, Debug)]
#[command(
    after_help = "No figure tells a user by name. With --output the file is exchanged as a whole, for the textfile collector of \
                  the node exporter."
)]
pub struct MetricsArguments {
    /// Write to FILE, readable by everybody
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `why USER`
#[derive(Args, Debug)]
#[command(
    after_help = "The last 16 judged steps of a user are kept with the login state, so this works without a log. Names of \
                  services and factors are kept as hashes: those that this host knows are shown."
)]
pub struct WhyArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::people))]
    pub user: Username,
    /// How many steps to show, at most 16
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub last: usize,
}

/// `verify USER [FACTOR]`
#[derive(Args, Debug)]
#[command(
    after_help = "The code is asked for, so that no list of processes shows it. It is looked for within an hour of this \
                  host's clock, or 1,000 counters of where a token stands. No login is judged by it."
)]
pub struct VerifyArguments {
    /// Login name of the user
    #[arg(value_parser = Username::parse, add = ArgValueCandidates::new(names::enrolled))]
    pub user: Username,
    /// Look at this factor only
    #[arg(add = ArgValueCandidates::new(names::factors))]
    pub factor: Option<String>,
}

/// `try USER`
#[derive(Args, Debug)]
pub struct TryArguments {
    /// Login name of the user
    #[arg(add = ArgValueCandidates::new(names::people))]
    pub user: String,
    /// The PAM service to pass for, as in /etc/pam.d: sshd, sudo, login
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(names::services))]
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
  4  not confirmed or cancelled: no `yes`, end of input
  5  a new policy is weaker somewhere";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::otp::RecoverySet;

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
