//! The folder `changes` of the store, which keeps what changes replace. Only root can read it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::ChangeError;
use super::file_copy::sync_folder;
use crate::store::TrustedDir;

/// The folder of changes in a store.
#[derive(Clone, Debug)]
pub struct ChangesFolder {
    path: PathBuf,
    store: PathBuf,
}

/// The lock that a command holds while it changes files. The kernel releases it when the process ends.
#[derive(Debug)]
pub struct ChangeLock(#[expect(dead_code, reason = "held for as long as it lives")] File);

impl ChangesFolder {
    /// Opens the folder of the store at `store`, and makes the folder if it is missing.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store is missing or others could replace it, or the folder can't be made.
    pub fn open(store: &Path) -> Result<Self, ChangeError> {
        let found = Self::at(store);
        // The check covers all paths below: only the owner of the store can change what they lead to.
        TrustedDir::open(&found.store)?;
        for folder in [found.path.clone(), found.path.join(POLICIES)] {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(ChangeError::io(&folder, "make the folder", error));
                }
                _ => {}
            }
        }
        TrustedDir::open(&found.path)?;
        Ok(found)
    }

    /// The folder of the store at `store`; the folder may be missing.
    #[must_use]
    pub fn at(store: &Path) -> Self {
        let store = std::path::absolute(store).unwrap_or_else(|_| store.to_owned());
        Self { path: store.join("changes"), store }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// The path of `name` in the folder.
    #[must_use]
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of the folder that keeps earlier policies.
    #[must_use]
    pub fn policies(&self) -> PathBuf {
        self.path.join(POLICIES)
    }

    /// Waits until no other command changes files. A command that holds the lock asks no question, so the wait
    /// depends on no person.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the lock can't be made.
    pub fn lock(&self) -> Result<ChangeLock, ChangeError> {
        let (path, file) = self.lock_file("lock")?;
        file.lock().map_err(|error| ChangeError::io(&path, "lock", error))?;
        Ok(ChangeLock(file))
    }

    /// Whether no command makes or undoes a change now; true also where the folder is gone.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.lock_file("lock").map_or(true, |(_, file)| file.try_lock().is_ok())
    }

    /// Takes the lock of those who edit the policy by hand.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Refused`] while somebody else holds it.
    pub fn lock_editing(&self, by: &str) -> Result<ChangeLock, ChangeError> {
        let (path, mut file) = self.lock_file("editing")?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                let _ = file.take(MOST_NAME).read_to_string(&mut who);
                let who = if who.is_empty() { "somebody".to_owned() } else { who };
                return Err(ChangeError::Refused(format!(
                    "{who} edits the policy now; wait until that ends"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(ChangeError::io(&path, "lock", error)),
        }
        file.set_len(0)
            .and_then(|()| file.write_all(by.as_bytes()))
            .map_err(|error| ChangeError::io(&path, "write", error))?;
        Ok(ChangeLock(file))
    }

    fn lock_file(&self, name: &str) -> Result<(PathBuf, File), ChangeError> {
        let path = self.path_of(name);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        file.map(|file| (path.clone(), file)).map_err(|error| ChangeError::io(&path, "open", error))
    }

    /// Reads the file `name`; `None` where it is missing.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when it can't be read.
    pub fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, ChangeError> {
        let path = self.path_of(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ChangeError::io(&path, "read", error)),
        }
    }

    /// Writes the file `name` durably, and replaces an old one in one step.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the file can't be written; an old file stays in that case.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ChangeError> {
        let (path, beside) = (self.path_of(name), self.path_of(&format!("{name}.new")));
        let folder = path.parent().unwrap_or(&self.path);
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            sync_folder(folder)
        };
        write().map_err(|error| ChangeError::io(&path, "write", error))
    }

    /// Removes the file `name` durably; the file may be missing.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the file can't be removed.
    pub fn remove(&self, name: &str) -> Result<(), ChangeError> {
        let path = self.path_of(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed
                .and_then(|()| sync_folder(path.parent().unwrap_or(&self.path)))
                .map_err(|error| ChangeError::io(&path, "remove", error)),
        }
    }
}

const POLICIES: &str = "policies";
/// Of a name in the lock.
const MOST_NAME: u64 = 200;
