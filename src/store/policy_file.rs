//! Loads the policy.

use std::path::{Path, PathBuf};

use super::error::{Problem, StoreError};
use super::trusted::{Readers, TrustedDir};
use crate::verifier::policy::Policy;
use crate::verifier::policy::misread::line_and_column;

/// The policy file if no module argument or option names another.
pub const DEFAULT_POLICY: &str = "/etc/mfa-chain/policy.toml";
const MAX_BYTES: usize = 256 * 1024;

/// Reads and validates the policy at `path` and the files in the folder beside it. The folder of `policy.toml` is
/// `policy.d`. Files whose names end in `.toml` are included, in the order of their names.
///
/// # Errors
///
/// [`StoreError`] when one of these files is unreadable, writable by others, or wrong, or the policy is missing. The
/// module then denies every login, because there is no built-in policy.
pub fn load(path: &Path) -> Result<Policy, StoreError> {
    let (dir, name) = folder_of(path)?;
    let remedy = "write a policy there; conf/policy.toml in the documentation has every option";
    let mut text =
        dir.read_file(name, MAX_BYTES, Readers::Anybody).map_err(|error| error.or_missing(remedy))?;
    // Takes the text out of its wiping wrapper: a policy holds no secret, and wiping costs time for each byte.
    let text = std::mem::take(&mut *text);
    let text = text_of(path, &text)?;
    let included = included_in(&dir, name)?;
    Policy::parse_with(text, &path.display().to_string(), &included)
        .map_err(|error| StoreError::new(path, Problem::Policy { error: Box::new(error) }))
}

/// The files that the policy at `path` includes, each with its path and its text.
///
/// # Errors
///
/// As [`load`].
pub fn included(path: &Path) -> Result<Vec<(String, String)>, StoreError> {
    let (dir, name) = folder_of(path)?;
    included_in(&dir, name)
}

/// The folder whose files the policy at `path` includes.
#[must_use]
pub fn folder_of_included(path: &Path) -> PathBuf {
    path.with_file_name(name_of_included(
        path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default(),
    ))
}

fn name_of_included(policy: &str) -> String {
    format!("{}.d", policy.strip_suffix(".toml").unwrap_or(policy))
}

fn folder_of(path: &Path) -> Result<(TrustedDir, &str), StoreError> {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str);
    let name = name.ok_or_else(|| StoreError::invalid(path, "is not the path of a file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let remedy = "write a policy there; conf/policy.toml in the documentation has every option";
    Ok((TrustedDir::open(parent).map_err(|error| error.or_missing(remedy))?, name))
}

fn text_of<'b>(path: &Path, content: &'b [u8]) -> Result<&'b str, StoreError> {
    std::str::from_utf8(content).map_err(|error| StoreError::invalid(path, not_utf_8(content, error)))
}

/// The included files, each with its path and its text. Without the folder this costs only one system call.
fn included_in(dir: &TrustedDir, policy: &str) -> Result<Vec<(String, String)>, StoreError> {
    let folder = name_of_included(policy);
    if !dir.has(&folder)? {
        return Ok(Vec::new());
    }
    let path = dir.path_of(&folder);
    // An empty folder is checked too: another user who can write to it could have removed a deny rule.
    let folder = TrustedDir::open(&path)?;
    let failed = |error| StoreError::io(&path, "list the folder", error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // Editors and package managers leave files with other names there.
        let is_meant = |name: &&std::ffi::OsStr| {
            let bytes = name.as_encoded_bytes();
            bytes.ends_with(b".toml") && !bytes.starts_with(b".")
        };
        if let Some(name) = Some(name.as_os_str()).filter(is_meant) {
            let name =
                name.to_str().ok_or_else(|| StoreError::invalid(&path, "a name in it is not UTF-8"))?;
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    let mut left = MAX_BYTES;
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let content = folder.read_file(&name, left, Readers::Anybody)?;
        left = left.saturating_sub(content.len());
        let path = folder.path_of(&name);
        files.push((path.display().to_string(), text_of(&path, &content)?.to_owned()));
    }
    Ok(files)
}

/// The message for a text that is not UTF-8: a guess of the encoding, or the place of the first wrong byte.
#[cold]
fn not_utf_8(content: &[u8], error: std::str::Utf8Error) -> String {
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        return "1:1: is text in UTF-16; write it as UTF-8: `iconv -f UTF-16 -t UTF-8 FILE`".to_owned();
    }
    let before =
        content.get(..error.valid_up_to()).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default();
    let (line, column) = line_and_column(before, before.len());
    format!("{line}:{column}: is not UTF-8; if it is Latin-1, convert it: `iconv -f LATIN1 -t UTF-8 FILE`")
}
