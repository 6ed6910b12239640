//! The command line of `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;

use crate::cli::completions::names;
use crate::import::Encoding;
use crate::import::oath::OldSystem;
use crate::verifier::username::Username;

/// `import FORMAT FILE`
#[derive(Args, Debug)]
#[command(
    after_help = "The whole file is read and a plan is shown before anything changes. Either every authenticator of the plan \
                  is enrolled or none. Until the old system is switched off, each code is good once on each of the two."
)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
pub struct ImportArguments {
    /// What wrote the file
    pub format: Format,
    /// The file, or - for standard input
    #[arg(value_name = "FILE|-", required_unless_present = "glob")]
    pub file: Option<PathBuf>,
    /// Read each file that the pattern leads to; its owner is the user (google-authenticator)
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["file", "user"])]
    pub glob: Option<String>,
    /// A factor of the policy; give it again for the second token of a user [default: the only one of the token's type]
    #[arg(long, value_name = "FACTOR", add = ArgValueCandidates::new(names::factors))]
    pub factor: Vec<String>,
    /// Whose the tokens are that name no user
    #[arg(long, value_parser = Username::parse, add = ArgValueCandidates::new(names::people))]
    pub user: Option<Username>,
    /// Lines of `SERIAL-OR-NAME,USER[,FACTOR]` that say whose a token is
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Leave out what follows an @ in the names of users
    #[arg(long)]
    pub strip_domain: bool,
    /// Where counter tokens stand whose file does not say; without it they wait for `resync`
    #[arg(long, value_name = "N")]
    pub counter: Option<u64>,
    /// How the seeds of a CSV file are written [default: what all seeds together show]
    #[arg(long, value_name = "ENCODING")]
    pub encoding: Option<SeedEncoding>,
    /// The `window=` of the line of `pam_oath`, in time steps
    #[arg(long, value_name = "STEPS", default_value_t = OldSystem::USUAL_WINDOW, value_parser = clap::value_parser!(u64).range(0..=50))]
    pub window: u64,
    /// The password of an encrypted PSKC file, in a file of its own
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    pub password_file: Option<PathBuf>,
    /// The pre-shared key of an encrypted PSKC file, in hexadecimal, in a file of its own
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Bring what is right and leave out what is wrong
    #[arg(long)]
    pub skip_bad: bool,
    /// Put the new authenticator in the place of one that a user has for the same factor
    #[arg(long)]
    pub replace: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// What wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `~/.google_authenticator` of google-authenticator-libpam
    GoogleAuthenticator,
    /// users.oath of `pam_oath`
    Oath,
    /// A list of seeds as vendors send it
    Csv,
    /// PSKC, the XML of RFC 6030, plain or encrypted
    Pskc,
    /// One otpauth:// URI a line
    Otpauth,
    /// The log of Yubico's tools, traditional or flexible
    Yubico,
    /// The QR codes that Google Authenticator exports, a URI a line
    OtpauthMigration,
}

/// How seeds are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeedEncoding {
    /// Hexadecimal
    Hex,
    /// Base32
    Base32,
}

impl From<SeedEncoding> for Encoding {
    fn from(encoding: SeedEncoding) -> Self {
        match encoding {
            SeedEncoding::Hex => Self::Hex,
            SeedEncoding::Base32 => Self::Base32,
        }
    }
}
