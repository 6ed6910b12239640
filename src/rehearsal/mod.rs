//! A login from the application's side: what sshd and sudo run, against a scratch folder of service files.

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
    /// [`LibpamError`] when libpam could not be asked. A denial is an [`Outcome`].
    fn authenticate(&self, login: &Login<'_>, applicant: &mut dyn Applicant) -> Result<Outcome, LibpamError>;
}

/// Who answers in a rehearsal.
pub trait Applicant {
    /// Answers a prompt; `None` hangs up. The answer is wiped after it was passed on.
    fn answer(&mut self, prompt: &str, echo: bool) -> Option<Zeroizing<String>>;

    /// Takes a message that wants no answer.
    fn notice(&mut self, message: &str);
}

/// What to run.
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

/// A code that libpam returned, with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number in `security/_pam_types.h`; 0 lets the claimant in.
    pub code: i32,
    /// What `pam_strerror(3)` calls it.
    pub text: String,
}

impl Outcome {
    /// Whether libpam let the claimant in.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.code == 0
    }
}

/// libpam could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibpamError(pub String);

impl fmt::Display for LibpamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LibpamError {}
