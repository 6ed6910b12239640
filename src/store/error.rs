//! Errors of the files: the path, the problem and the remedy.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::batch::BATCHES;
use super::file_store::{DEFAULT_STORE, SECRETS, UIDS};
use super::owner::{DECOYS, STATE};

use crate::verifier::policy::PolicyError;
use crate::verifier::ports::StoreFailure;
use crate::verifier::shell_word::shell_word;

/// A file of the policy or the store can't be used.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Problem {
    /// The file is missing.
    Missing {
        /// What to do.
        remedy: &'static str,
    },
    /// Other users could have written or read it.
    Unsafe {
        /// What is unsafe.
        what: String,
    },
    /// A system call failed.
    Io {
        /// What the call was for.
        action: &'static str,
        /// The error of the system.
        error: io::Error,
    },
    /// The content is wrong.
    Invalid {
        /// What is wrong, with line and column for a text file.
        what: String,
    },
    /// The file is not a valid policy.
    Policy {
        /// Where and why. The message of this error already names the file.
        error: Box<PolicyError>,
    },
    /// Another login of this user held the lock for too long.
    Busy,
    /// The login or command was frozen while it held the lock, and another one took the state over.
    Overtaken,
}

impl StoreError {
    /// An error about `path`.
    #[must_use]
    pub fn new(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// The system call for `action` on `path` failed.
    #[must_use]
    pub fn io(path: &Path, action: &'static str, error: impl Into<io::Error>) -> Self {
        Self::new(path, Problem::Io { action, error: error.into() })
    }

    /// The content of `path` is wrong.
    #[must_use]
    pub fn invalid(path: &Path, what: impl Into<String>) -> Self {
        Self::new(path, Problem::Invalid { what: what.into() })
    }

    /// `path` is not safe to use.
    #[must_use]
    pub fn untrusted(path: &Path, what: impl Into<String>) -> Self {
        Self::new(path, Problem::Unsafe { what: what.into() })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The mistakes of a policy after the first, which is in the error itself.
    #[must_use]
    pub fn further_mistakes(&self) -> &[PolicyError] {
        match &self.problem {
            Problem::Policy { error } => error.further(),
            _ => &[],
        }
    }

    /// Whether the file is missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match &self.problem {
            Problem::Missing { .. } => true,
            Problem::Io { error, .. } => error.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Adds `remedy` to the error if the file is missing.
    #[must_use]
    pub fn or_missing(self, remedy: &'static str) -> Self {
        if self.is_missing() { Self { problem: Problem::Missing { remedy }, ..self } } else { self }
    }
}

/// The store at or above `path`.
fn store_of(path: &Path) -> &Path {
    let is_folder =
        |name: &std::ffi::OsStr| [SECRETS, STATE, DECOYS, UIDS, BATCHES].iter().any(|folder| name == *folder);
    let folder = path.ancestors().find(|folder| folder.file_name().is_some_and(is_folder));
    folder.and_then(Path::parent).unwrap_or(path)
}

/// Adds the option for this store to each command in `text`, so that the commands work as printed.
fn with_store(text: &str, store: &Path) -> String {
    if store == Path::new(DEFAULT_STORE) {
        return text.to_owned();
    }
    let word = store.display().to_string();
    text.replace("`mfa-chain ", &format!("`mfa-chain --store {} ", shell_word(&word)))
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = store_of(&self.path);
        let path = self.path.display();
        match &self.problem {
            Problem::Missing { remedy } => {
                write!(formatter, "{path}: not there; {}", with_store(remedy, store))
            }
            Problem::Unsafe { what } => write!(formatter, "{path}: not safe to use: {what}"),
            Problem::Io { action, error } => {
                write!(formatter, "{path}: cannot {action}: {error}")?;
                write_remedy(formatter, &self.path, error.kind())
            }
            Problem::Invalid { what } => write!(formatter, "{path}: {}", with_store(what, store)),
            Problem::Policy { error } => {
                write!(formatter, "{error}")?;
                match error.further().len() {
                    0 => Ok(()),
                    more => write!(formatter, "; and {more} more"),
                }
            }
            Problem::Busy => {
                write!(formatter, "{path}: locked by another login or command for too long; try again")
            }
            Problem::Overtaken => write!(
                formatter,
                "{path}: this login or command was held up for seconds, and another one took over; try again"
            ),
        }
    }
}

/// Appends a remedy for errors whose cause is clear from the errno.
fn write_remedy(formatter: &mut fmt::Formatter<'_>, path: &Path, kind: io::ErrorKind) -> fmt::Result {
    let store = store_of(path);
    let path = path.display();
    match kind {
        // The command shows this. A screen locker that runs as its user logs it.
        io::ErrorKind::PermissionDenied if !geteuid().is_root() => {
            formatter.write_str("; only root may use it")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            write!(formatter, "; make room on the file system that `df {path}` names")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            let place = format_args!("$(findmnt -no TARGET -T {path})");
            write!(
                formatter,
                "; if the disk itself is read-only find the cause with dmesg, then run `mount -o remount,rw {place}`; if \
                 it is not, this service runs in a sandbox of systemd: add ReadWritePaths={} to its unit",
                store.display()
            )
        }
        _ => Ok(()),
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for StoreFailure {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
