//! Runs libpam as sshd and sudo do, with service files from a scratch folder.

mod service_folder;
#[cfg(feature = "pam")]
mod system_libpam;

use std::fmt;

use zeroize::Zeroizing;

pub use self::service_folder::{ServiceFolder, scratch_folder};
#[cfg(feature = "pam")]
pub use self::system_libpam::SystemLibpam;

/// The application's side of libpam.
pub trait Libpam {
    /// Runs `pam_start_confdir`, `pam_authenticate` and `pam_end`, as sshd and sudo would.
    ///
    /// # Errors
    ///
    /// [`LibpamError`] if libpam could not run the login. A denial is an [`Outcome`], not an error.
    fn authenticate(&self, login: &Login<'_>, applicant: &mut dyn Applicant) -> Result<Outcome, LibpamError>;
}

/// Answers the prompts of a rehearsal.
pub trait Applicant {
    /// Answers a prompt; `None` ends the conversation. The caller passes the answer to libpam and wipes its own copy.
    fn answer(&mut self, prompt: &str, echo: bool) -> Option<Zeroizing<String>>;

    /// Receives a message that needs no answer.
    fn notice(&mut self, message: &str);
}

/// A login to rehearse.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// Where the service file is.
    pub services: &'a ServiceFolder,
    /// The claimant.
    pub user: &'a str,
    /// `PAM_RHOST`, if any.
    pub rhost: Option<&'a str>,
    /// `PAM_TTY`, if any.
    pub tty: Option<&'a str>,
}

/// A code that libpam returned, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number in `security/_pam_types.h`; 0 lets the claimant in.
    pub code: i32,
    /// The text of `pam_strerror(3)` for this code.
    pub text: String,
}

impl Outcome {
    /// Whether libpam let the claimant in.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.code == 0
    }
}

/// libpam could not run the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibpamError(pub String);

impl fmt::Display for LibpamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LibpamError {}
