//! Walks part by part to a folder whose path has links. A link decides which folder is used, so the walk follows it
//! only if root or the effective user made it and no other user can replace it.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::error::StoreError;
use super::trusted::{S_IFLNK, S_IFMT, beside, check_folder, is_trusted, linked_folder, unsafe_above};

/// Opens the folder at `path`, following no link that others could have made.
///
/// # Errors
///
/// [`StoreError`] when it is missing or a link, or others could write to it or replace any part of the path.
pub fn open_by_parts(path: &Path) -> Result<(OwnedFd, FileStat), StoreError> {
    let failed = |error| StoreError::io(path, "open the folder", error);
    // The kernel knows the current folder by its own path, without links.
    let whole = std::path::absolute(path).map_err(failed)?;
    let folder = open_root().map_err(|error| failed(error.into()))?;
    let mut walk = Walk { path, folder, reached: PathBuf::from("/"), rest: whole, links: 0 };
    while walk.goes_on()? {}
    walk.end()
}

/// A walk in progress.
struct Walk<'a> {
    /// The requested path, for error messages.
    path: &'a Path,
    folder: OwnedFd,
    /// The path of `folder`, without links.
    reached: PathBuf,
    /// The remaining parts.
    rest: PathBuf,
    /// How many links were followed.
    links: usize,
}

/// The limit of the kernel.
const MAX_LINKS: usize = 40;
/// `O_DIRECTORY` makes the kernel mount what an automounter provides.
const STEP: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const LINK: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const END: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

fn open_root() -> nix::Result<OwnedFd> {
    open("/", STEP, Mode::empty())
}

impl Walk<'_> {
    /// Takes one of the remaining parts; `false` at the end.
    fn goes_on(&mut self) -> Result<bool, StoreError> {
        let rest = std::mem::take(&mut self.rest);
        let mut parts = rest.components();
        let part = parts.next();
        let after = parts.as_path();
        match part {
            None => return Ok(false),
            Some(Component::Normal(name)) => self.enter(name, after)?,
            Some(Component::RootDir) => {
                self.folder = open_root().map_err(|error| self.failed(error))?;
                self.reached = PathBuf::from("/");
                self.rest = PathBuf::from(after);
            }
            // Opens the parent by its path from the root. If the owner of the folder has moved it meanwhile, `..`
            // leads elsewhere.
            Some(Component::ParentDir) => {
                self.rest = self.reached.parent().unwrap_or(Path::new("/")).join(after);
            }
            Some(Component::CurDir | Component::Prefix(_)) => self.rest = PathBuf::from(after),
        }
        Ok(true)
    }

    fn enter(&mut self, name: &OsStr, after: &Path) -> Result<(), StoreError> {
        match openat(&self.folder, name, STEP, Mode::empty()) {
            Ok(folder) => {
                if let Some(what) = self.unsafe_here()? {
                    return Err(StoreError::untrusted(&self.reached, what));
                }
                self.folder = folder;
                self.reached.push(name);
                self.rest = PathBuf::from(after);
                Ok(())
            }
            Err(Errno::ENOTDIR | Errno::ELOOP) => self.follow(name, after),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Continues at the target of the link `name`.
    fn follow(&mut self, name: &OsStr, after: &Path) -> Result<(), StoreError> {
        // The checks below use this descriptor, so they hold for this link even if its name changes.
        let link = openat(&self.folder, name, LINK, Mode::empty()).map_err(|error| self.failed(error))?;
        let status = fstat(&link).map_err(|error| self.failed(error))?;
        if status.st_mode & S_IFMT != S_IFLNK {
            return Err(self.failed(Errno::ENOTDIR));
        }
        self.check_link(name, &link, &status)?;
        let target = PathBuf::from(readlinkat(&link, "").map_err(|error| self.failed(error))?);
        if after.as_os_str().is_empty() {
            let shown = self.reached.join(name);
            return Err(StoreError::untrusted(&shown, linked_folder(&beside(&shown, &target))));
        }
        self.links = self.links.saturating_add(1);
        if self.links > MAX_LINKS {
            return Err(self.failed(Errno::ELOOP));
        }
        self.rest = target.join(after);
        Ok(())
    }

    /// Checks that no other user could have made the link `name` or can replace it. The error does not show
    /// the target, because another user may have chosen it.
    fn check_link(&self, name: &OsStr, link: &OwnedFd, status: &FileStat) -> Result<(), StoreError> {
        let shown = self.reached.join(name);
        if let Some(what) = self.unsafe_here()? {
            let what = format!("{what}, or name the folder itself in place of the link {}", shown.display());
            return Err(StoreError::untrusted(&self.reached, what));
        }
        // Every user can make a link in a sticky folder such as /tmp.
        if !is_trusted(status.st_uid) {
            let what = format!(
                "it is a symbolic link of uid {}, not of root, which others can replace; name the folder itself in its place",
                status.st_uid
            );
            return Err(StoreError::untrusted(&shown, what));
        }
        // The caller of sudo chooses the target of a link such as /proc/self/cwd.
        let system = fstatfs(link).map_err(|error| self.failed(error))?;
        if system.filesystem_type() == PROC_SUPER_MAGIC {
            let what = "it is a symbolic link of the kernel, which leads each process elsewhere; name the folder itself";
            return Err(StoreError::untrusted(&shown, what));
        }
        Ok(())
    }

    /// The reason why other users could replace files in the current folder; `None` if they can't.
    fn unsafe_here(&self) -> Result<Option<String>, StoreError> {
        let status = fstat(&self.folder).map_err(|error| self.failed(error))?;
        Ok(unsafe_above(&self.reached, &status))
    }

    /// The current folder, opened for reading.
    fn end(self) -> Result<(OwnedFd, FileStat), StoreError> {
        let folder = openat(&self.folder, ".", END, Mode::empty()).map_err(|error| self.failed(error))?;
        let status = fstat(&folder).map_err(|error| self.failed(error))?;
        check_folder(&self.reached, &status)?;
        Ok((folder, status))
    }

    fn failed(&self, error: Errno) -> StoreError {
        StoreError::io(self.path, "open the folder", error)
    }
}
