//! A login that touches nothing of the system: a scratch folder of PAM service files, and the port to libpam
//! that runs a transaction against it.

use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::StoreError;

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

/// A folder with one PAM service whose stack is this module alone. It is removed when dropped.
#[derive(Debug)]
pub struct ServiceFolder {
    path: PathBuf,
    service: String,
}

impl ServiceFolder {
    /// Makes the folder below the system's one for temporary files, readable by its owner alone. The stack asks
    /// `module` with the policy and store given, all as absolute paths.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be made, or `service` is no file name.
    pub fn create(service: &str, module: &Path, policy: &Path, store: &Path) -> Result<Self, StoreError> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if service.is_empty() || service.starts_with('.') || service == "other" || !service.chars().all(plain)
        {
            let what = "not a PAM service: letters, digits, `-`, `_` and `.`, as in /etc/pam.d";
            return Err(StoreError::invalid(Path::new(service), what));
        }
        let path = scratch_folder("mfa-chain-service")?;
        let folder = Self { path, service: service.to_owned() };
        // Brackets keep blanks inside one word (pam.conf(5)).
        let word = |text: String| format!("[{}]", text.replace(']', "\\]"));
        let stack = [
            word(module.display().to_string()),
            word(format!("policy={}", policy.display())),
            word(format!("store={}", store.display())),
        ];
        folder.write(service, &format!("auth required {}\n", stack.join(" ")))?;
        // libpam looks for it and complains in the log where it is missing.
        folder.write("other", "auth required pam_deny.so\n")?;
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The service in it.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    fn write(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| StoreError::io(&path, "write", error))
    }
}

impl Drop for ServiceFolder {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Makes a folder of a random name, mode 0700, below the system's one for temporary files.
///
/// # Errors
///
/// [`StoreError`] when it can't be made.
pub fn scratch_folder(prefix: &str) -> Result<PathBuf, StoreError> {
    let mut random = [0; 8];
    let path = std::env::temp_dir();
    // The module takes absolute paths alone, and TMPDIR may be relative.
    let path = std::path::absolute(&path).unwrap_or(path);
    getrandom::fill(&mut random)
        .map_err(|_| StoreError::invalid(&path, "the kernel gave no random bytes"))?;
    let path = path.join(format!("{prefix}-{:016x}", u64::from_le_bytes(random)));
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.map_err(|error| StoreError::io(&path, "make the folder", error)).map(|()| path)
}
