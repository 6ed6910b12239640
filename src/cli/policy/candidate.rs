//! A policy that is not in force: a file, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::super::failure::Failure;
use crate::changes::policy_files::PolicyFiles;
use crate::verifier::policy::Policy;

/// A valid policy and its texts.
pub struct Candidate {
    /// What was written.
    pub files: PolicyFiles,
    /// What it says.
    pub policy: Policy,
}

impl Candidate {
    /// Reads `path`, or standard input if it is `-`, for the place of `in_force`, where the same files are included.
    ///
    /// # Errors
    ///
    /// [`Failure`] for what can't be read, and with every mistake of what is no policy.
    pub fn read_file(path: &Path, in_force: &Path) -> Result<Self, Failure> {
        let files = PolicyFiles::beside(in_force, Self::text_of(path)?)?;
        Self::of(files, &shown(path), in_force)
    }

    /// What `files` say in the place of `in_force`; errors name the policy itself `shown`.
    ///
    /// # Errors
    ///
    /// [`Failure`] with every mistake.
    pub fn of(files: PolicyFiles, shown: &str, in_force: &Path) -> Result<Self, Failure> {
        let policy = files.parse(shown, in_force).map_err(|error| Failure::in_full(&error))?;
        Ok(Self { files, policy })
    }

    /// The text in `path`, or on standard input if it is `-`. Who may write to the file is not looked at: it decides
    /// nothing yet.
    ///
    /// # Errors
    ///
    /// [`Failure`] for what can't be read, or is no text.
    pub fn text_of(path: &Path) -> Result<String, Failure> {
        let is_stdin = path == Path::new("-");
        let content = if is_stdin { bounded(io::stdin().lock()) } else { File::open(path).and_then(bounded) };
        let shown = shown(path);
        let content = content.map_err(|error| Failure::refused(format!("cannot read {shown}: {error}")))?;
        String::from_utf8(content).map_err(|error| Failure::files(format!("{shown}: is not UTF-8: {error}")))
    }
}

/// The file in words.
#[must_use]
pub fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// A policy that is longer is refused by its length, so no more is read.
fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = u64::try_from(Policy::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most).read_to_end(&mut content)?;
    Ok(content)
}
