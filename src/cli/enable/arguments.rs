//! What can be typed behind `enable`, `disable`, `confirm` and `rollback`.

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::super::completions::names;
use super::super::policy::arguments::seconds;

/// `enable SERVICE...`
#[derive(Args, Debug)]
#[command(
    after_help = "Writes a marked block into the file of each service, and for sshd a drop-in with the settings that it needs."
)]
pub struct EnableArguments {
    /// PAM services, as in /etc/pam.d: sshd, sudo
    #[arg(value_name = "SERVICE", required_unless_present = "all_logins", add = ArgValueCandidates::new(names::services))]
    pub services: Vec<String>,
    /// Every login at once, where pam-auth-update keeps the stacks
    #[arg(long, conflicts_with = "services")]
    pub all_logins: bool,
    /// What sshd asks for before the codes
    #[arg(long, value_name = "PROOF", default_value = "key")]
    pub first: FirstProof,
    /// Leave root its key over ssh, without codes
    #[arg(long)]
    pub root_key: bool,
    /// Undo it after this time unless it is confirmed: 90s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = seconds)]
    pub within: u64,
    /// Refuse if this user could not pass, and take their login for the confirmation too; may be repeated
    #[arg(long = "must-pass", value_name = "USER", add = ArgValueCandidates::new(names::enrolled))]
    pub must_pass: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// What sshd asks for before the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FirstProof {
    /// The key.
    Key,
    /// The password.
    Password,
}

/// `disable SERVICE...`
#[derive(Args, Debug)]
pub struct DisableArguments {
    /// PAM services that `enable` switched on
    #[arg(value_name = "SERVICE", required_unless_present = "all_logins", add = ArgValueCandidates::new(names::services))]
    pub services: Vec<String>,
    /// Take out what `enable --all-logins` did
    #[arg(long, conflicts_with = "services")]
    pub all_logins: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `confirm`
#[derive(Args, Debug)]
pub struct ConfirmArguments {}

/// `rollback`
#[derive(Args, Debug)]
pub struct RollbackArguments {
    /// Only where its time is over, or the host was booted since
    #[arg(long)]
    pub due: bool,
    /// Only the change of this name, as its timer does
    #[arg(long, value_name = "ID")]
    pub change: Option<String>,
    /// Wait so long first, without a terminal, as its timer does
    #[arg(long, value_name = "TIME", value_parser = seconds, requires = "change")]
    pub after: Option<u64>,
}
