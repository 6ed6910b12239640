//! Loading the policy.

use std::path::Path;

use super::error::{Problem, StoreError};
use super::trusted::{Readers, TrustedDir};
use crate::verifier::policy::Policy;
use crate::verifier::toml_values::line_and_column;

/// Where the policy is read from unless a module argument or option names another.
pub const DEFAULT_POLICY: &str = "/etc/mfa-chain/policy.toml";
const MAX_BYTES: usize = 256 * 1024;

/// Reads and validates the policy at `path`.
///
/// # Errors
///
/// [`StoreError`] when it is missing, unreadable, writable by others, or wrong. Nobody logs in then: there is
/// no built-in policy to fall back to.
pub fn load(path: &Path) -> Result<Policy, StoreError> {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str);
    let name = name.ok_or_else(|| StoreError::invalid(path, "is not the path of a file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let remedy = "write a policy there; conf/policy.toml in the documentation has every option";
    let dir = TrustedDir::open(parent).map_err(|error| error.or_missing(remedy))?;
    let text = dir.read(name, MAX_BYTES, Readers::Anybody).map_err(|error| error.or_missing(remedy))?;
    let text =
        std::str::from_utf8(&text).map_err(|error| StoreError::invalid(path, not_utf_8(&text, error)))?;
    Policy::parse(text, &path.display().to_string())
        .map_err(|error| StoreError::new(path, Problem::Policy { error: Box::new(error) }))
}

/// Which encoding the bytes seem to be in, or the place of the first byte that is not UTF-8.
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
