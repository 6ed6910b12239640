//! A scratch folder of PAM service files, so that a login touches nothing of the system.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::{StoreError, TrustedDir};

/// A folder with one PAM service. The stack of the service has only this module. Dropping the value removes the folder.
#[derive(Debug)]
pub struct ServiceFolder {
    path: PathBuf,
    service: String,
}

impl ServiceFolder {
    /// Makes the folder in the system's folder for temporary files; only the owner can read it. The stack loads
    /// `module` with `policy` and `store`. All three are absolute paths.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder can't be made, or `service` is not a valid name of a service.
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
            "rehearsal".to_owned(),
        ];
        folder.write(service, &format!("auth required {}\n", stack.join(" ")))?;
        // libpam also reads the service `other`, and logs an error if it is missing.
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
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| StoreError::io(&path, "write", error))
    }
}

impl Drop for ServiceFolder {
    fn drop(&mut self) {
        // The result is ignored: a leftover folder does no harm.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Makes a folder with a random name and mode 0700 in the system's folder for temporary files. Uses `/tmp` instead if
/// another user could replace files in that folder: libpam would load the module that a replaced service file names.
///
/// # Errors
///
/// [`StoreError`] when neither place is usable.
pub fn scratch_folder(prefix: &str) -> Result<PathBuf, StoreError> {
    let first = std::env::temp_dir();
    // The module takes only absolute paths, and TMPDIR may be relative.
    let first = std::path::absolute(&first).unwrap_or(first);
    scratch_folder_below(&[first, PathBuf::from("/tmp")], prefix)
}

/// Makes such a folder in the first of `places` in which no other user can replace it.
///
/// # Errors
///
/// The [`StoreError`] of the last place.
pub fn scratch_folder_below(places: &[PathBuf], prefix: &str) -> Result<PathBuf, StoreError> {
    let mut failure = StoreError::invalid(Path::new(prefix), "no place for it");
    for place in places {
        let number = getrandom::u64();
        let number = number.map_err(|_| StoreError::invalid(place, "the kernel gave no random bytes"))?;
        let path = place.join(format!("{prefix}-{number:016x}"));
        let result = DirBuilder::new().mode(0o700).create(&path);
        let result = result.map_err(|error| StoreError::io(&path, "make the folder", error));
        match result.and_then(|()| TrustedDir::open(&path)) {
            Ok(_) => return Ok(path),
            Err(error) => failure = error,
        }
        // The result is ignored: the folder may not exist, and another user may have replaced it.
        let _ = std::fs::remove_dir(&path);
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// In a folder that mallory owns, mallory could replace our service file with one that names another module.
    #[test]
    fn a_scratch_folder_lies_where_nobody_else_can_exchange_it() {
        assert!(nix::unistd::geteuid().is_root(), "only root can give a folder away: run the tests as root");
        let (own, open, foreign) = (folder(), folder(), folder());
        std::fs::set_permissions(open.path(), Permissions::from_mode(0o777)).expect("chmod");
        let mallory = Some(nix::unistd::Uid::from_raw(65_534));
        nix::unistd::chown(foreign.path(), mallory, None).expect("given away");
        let make = |places: &[&tempfile::TempDir]| {
            let places: Vec<PathBuf> = places.iter().map(|place| place.path().to_owned()).collect();
            scratch_folder_below(&places, "scratch")
        };
        for hostile in [&open, &foreign] {
            assert!(make(&[hostile, &own]).expect("a folder").starts_with(own.path()));
            let refused = make(&[hostile]).expect_err("nowhere").to_string();
            assert!(refused.contains("others may write") || refused.contains("belongs to uid"), "{refused}");
            assert_eq!(std::fs::read_dir(hostile.path()).expect("the folder").count(), 0);
        }
        std::fs::set_permissions(open.path(), Permissions::from_mode(0o1777)).expect("chmod");
        assert!(make(&[&open, &own]).expect("a folder").starts_with(open.path()), "as /tmp is");
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }
}
