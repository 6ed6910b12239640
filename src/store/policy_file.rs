//! Loading the policy.

use std::path::Path;

use super::error::{Problem, StoreError};
use super::trusted::{Readers, TrustedDir};
use crate::verifier::policy::Policy;

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
    let text = std::str::from_utf8(&text).map_err(|_| StoreError::invalid(path, "is not UTF-8"))?;
    Policy::parse(text, &path.display().to_string())
        .map_err(|error| StoreError::new(path, Problem::Policy { error: Box::new(error) }))
}
