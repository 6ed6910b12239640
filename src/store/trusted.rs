//! Opens the files that decide who gets in. Every access uses a checked directory descriptor, follows no link that
//! other users could have made, and never waits for a FIFO.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, fsync, geteuid, unlinkat};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::walk::open_by_parts;

/// A folder that only root (or, in a rehearsal, the effective user) can change. The same holds for all
/// folders above it and all links on the way to it.
#[derive(Debug)]
pub struct TrustedDir {
    descriptor: OwnedFd,
    path: PathBuf,
    identity: Identity,
    checked_folders: RefCell<Vec<String>>,
}

/// Who may read a trusted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// All users: a policy holds no secret.
    Anybody,
    /// Only the owner.
    Owner,
}

pub(super) const S_IFMT: u32 = nix::libc::S_IFMT;
pub(super) const S_IFLNK: u32 = nix::libc::S_IFLNK;
const S_IFREG: u32 = nix::libc::S_IFREG;
const S_IFDIR: u32 = nix::libc::S_IFDIR;
const STICKY: u32 = nix::libc::S_ISVTX;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const OPEN_TO_OTHERS: u32 = 0o077;

impl TrustedDir {
    /// Opens the folder at `path`. Checks this folder, every folder above it and every link on the way.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, a link, or others could write to it or replace it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (descriptor, status) = match open_without_links(path) {
            Some(descriptor) => {
                let status = check_up_to_root(&descriptor, path)?;
                (descriptor, status)
            }
            None => open_by_parts(path)?,
        };
        let (path, identity) = (path.to_owned(), identity(&status));
        Ok(Self { descriptor, path, identity, checked_folders: RefCell::default() })
    }

    /// Whether the path still leads to this folder. Another folder, such as a restored backup, may have replaced it.
    #[must_use]
    pub fn has_its_path(&self) -> bool {
        let status = fstatat(AT_FDCWD, &self.path, AtFlags::empty());
        status
            .is_ok_and(|status| (status.st_dev, status.st_ino) == (self.identity.device, self.identity.inode))
    }

    /// Its path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in it, for messages.
    #[must_use]
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens the regular file `name` in it. `flags` are added to those that are always set.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, is not a regular file, has several names or another owner, or is
    /// open to others.
    pub fn open_file(&self, name: &str, flags: OFlag, readers: Readers) -> Result<TrustedFile, StoreError> {
        if let Some((folder, _)) = name.split_once('/') {
            self.check_folder_within(folder)?;
        }
        let path = self.path_of(name);
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let descriptor = openat(&self.descriptor, name, flags, Mode::empty()).map_err(|error| {
            self.refuse_link(name).unwrap_or_else(|| StoreError::io(&path, "open", error))
        })?;
        let status = fstat(&descriptor).map_err(|error| StoreError::io(&path, "look at", error))?;
        check_file(&path, &status, readers)?;
        Ok(TrustedFile {
            file: File::from(descriptor),
            name: name.to_owned(),
            path,
            identity: identity(&status),
        })
    }

    /// Makes the new file `name`, only for its owner, and passes it to `write`. Removes the file again if
    /// `write` fails.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it can't be made or written.
    pub fn create_file(
        &self,
        name: &str,
        write: impl FnOnce(&File) -> std::io::Result<()>,
    ) -> Result<TrustedFile, StoreError> {
        let path = self.path_of(name);
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let descriptor = openat(&self.descriptor, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|error| StoreError::io(&path, "make", error))?;
        let file = File::from(descriptor);
        let status = write(&file).and_then(|()| Ok(fstat(&file)?)).map_err(|error| {
            let _ = self.remove(name);
            StoreError::io(&path, "write", error)
        })?;
        Ok(TrustedFile { file, name: name.to_owned(), path, identity: identity(&status) })
    }

    /// Removes the file `name`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when that can't be done; a missing file is not an error.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        match unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(StoreError::io(&self.path_of(name), "remove", error)),
        }
    }

    /// Makes the names in the subfolder `name` durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when that can't be done.
    pub fn sync_folder(&self, name: &str) -> Result<(), StoreError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&self.descriptor, name, flags, Mode::empty())
            .and_then(fsync)
            .map_err(|error| StoreError::io(&self.path_of(name), "sync the folder", error))
    }

    /// The error for `name` if it is a symbolic link.
    #[cold]
    fn refuse_link(&self, name: &str) -> Option<StoreError> {
        let path = self.path_of(name);
        let target = beside(&path, Path::new(&readlinkat(&self.descriptor, name).ok()?));
        Some(StoreError::untrusted(&path, linked_file(&path, &target)))
    }

    /// Whether the name of `file` still leads to it and the file is as safe as when it was opened.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file that has the name now is not safe.
    pub fn still_has(&self, file: &TrustedFile, readers: Readers) -> Result<bool, StoreError> {
        match fstatat(&self.descriptor, file.name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => {
                check_file(&file.path, &status, readers)?;
                Ok(identity(&status) == file.identity)
            }
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(StoreError::io(&file.path, "look at", error)),
        }
    }

    /// Checks once that the subfolder `name` is as safe as this folder. After that only the owner can replace
    /// it.
    fn check_folder_within(&self, name: &str) -> Result<(), StoreError> {
        let mut checked = self.checked_folders.borrow_mut();
        if checked.iter().any(|folder| folder == name) {
            return Ok(());
        }
        let path = self.path_of(name);
        let status = fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|error| StoreError::io(&path, "look at the folder", error))?;
        if status.st_mode & S_IFMT != S_IFDIR {
            return Err(StoreError::untrusted(&path, "it is no folder"));
        }
        check_folder(&path, &status)?;
        checked.push(name.to_owned());
        Ok(())
    }

    /// Reads the whole of `name`, at most `limit` bytes. The bytes are wiped when dropped.
    ///
    /// # Errors
    ///
    /// As [`Self::open_file`], and when it is larger.
    pub fn read_file(
        &self,
        name: &str,
        limit: usize,
        readers: Readers,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.open_file(name, OFlag::O_RDONLY, readers)?.read_whole(limit)
    }

    /// Whether the folder has an entry `name`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the system can't look it up; a missing entry is not an error.
    pub fn has(&self, name: &str) -> Result<bool, StoreError> {
        match fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(StoreError::io(&self.path_of(name), "look at", error)),
        }
    }
}

/// Opens the folder if no part of `path` is a link. `None` if there is a link, the kernel is older than 5.6, or any
/// other error occurs. The slower walk then handles links and finds the cause of the error.
fn open_without_links(path: &Path) -> Option<OwnedFd> {
    let mut parts = path.components();
    let absolute = parts.next() == Some(Component::RootDir);
    if !absolute || !parts.all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(AT_FDCWD, path, how).ok()
}

/// Checks a folder and all folders above it, each once; no part of `path` is a link.
fn check_up_to_root(folder: &OwnedFd, path: &Path) -> Result<FileStat, StoreError> {
    let look = |error| StoreError::io(path, "look at the folder", error);
    let folder_status = fstat(folder).map_err(look)?;
    check_folder(path, &folder_status)?;
    let mut above = PathBuf::new();
    for shown in path.ancestors().skip(1) {
        above.push("..");
        let status = fstatat(folder, &above, AtFlags::empty()).map_err(look)?;
        if let Some(what) = unsafe_above(shown, &status) {
            return Err(StoreError::untrusted(shown, what));
        }
    }
    Ok(folder_status)
}

impl AsFd for TrustedDir {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A file that was checked when it was opened.
#[derive(Debug)]
pub struct TrustedFile {
    /// The open file.
    pub file: File,
    /// Its path, for messages.
    pub path: PathBuf,
    name: String,
    identity: Identity,
}

impl TrustedFile {
    /// Its size when it was opened. Files of a store are replaced as a whole, so the size stays.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.identity.bytes
    }

    /// The same file after it got the name `name` in `dir`.
    #[must_use]
    pub fn renamed(self, dir: &TrustedDir, name: &str) -> Self {
        Self { name: name.to_owned(), path: dir.path_of(name), ..self }
    }

    /// Reads all of it from the start, at most `limit` bytes. Wiped when dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is larger or can't be read.
    pub fn read_whole(&self, limit: usize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        if self.bytes() > limit {
            return Err(StoreError::invalid(&self.path, format!("larger than {limit} bytes")));
        }
        let mut content = Zeroizing::new(vec![0; self.bytes()]);
        let result = self.file.read_exact_at(&mut content, 0);
        result.map_err(|error| StoreError::io(&self.path, "read", error))?;
        Ok(content)
    }
}

/// The identity and the size of a file. If one of them changed, the name leads to another file than the open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: nix::libc::dev_t,
    inode: nix::libc::ino_t,
    bytes: usize,
}

fn identity(status: &FileStat) -> Identity {
    let bytes = usize::try_from(status.st_size).unwrap_or(usize::MAX);
    Identity { device: status.st_dev, inode: status.st_ino, bytes }
}

fn check_file(path: &Path, status: &FileStat, readers: Readers) -> Result<(), StoreError> {
    if status.st_mode & S_IFMT != S_IFREG {
        return Err(StoreError::untrusted(path, "it is no regular file"));
    }
    if status.st_nlink != 1 {
        return Err(StoreError::untrusted(path, format!("it has {} names (hard links)", status.st_nlink)));
    }
    check_owner(path, status.st_uid)?;
    if status.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(StoreError::untrusted(path, writable(path, status.st_mode)));
    }
    if readers == Readers::Owner && status.st_mode & OPEN_TO_OTHERS != 0 {
        let (mode, shown) = (status.st_mode & 0o7777, path.display());
        let what = format!("others may read it (mode {mode:04o}); run `chmod 600 {shown}`");
        return Err(StoreError::untrusted(path, what));
    }
    Ok(())
}

pub(super) fn check_folder(path: &Path, status: &FileStat) -> Result<(), StoreError> {
    check_owner(path, status.st_uid)?;
    if status.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(StoreError::untrusted(path, writable(path, status.st_mode)));
    }
    Ok(())
}

/// The reason why other users could replace files in a folder; `None` if they can't.
pub(super) fn unsafe_above(path: &Path, status: &FileStat) -> Option<String> {
    // In a sticky folder a user can't replace the files of another user.
    let writable_by_others = status.st_mode & WRITABLE_BY_OTHERS != 0 && status.st_mode & STICKY == 0;
    foreign(path, status.st_uid).or_else(|| writable_by_others.then(|| writable(path, status.st_mode)))
}

/// The absolute target of the link at `path`.
pub(super) fn beside(path: &Path, target: &Path) -> PathBuf {
    path.parent().map_or_else(|| target.to_owned(), |folder| folder.join(target))
}

fn linked_file(path: &Path, target: &Path) -> String {
    let (exists, path, target) = (target.is_file(), path.display(), target.display());
    let cure = if exists {
        format!("look at its content, then run `cp --remove-destination {target} {path}`")
    } else {
        "delete the link and write the file itself here".to_owned()
    };
    format!("it is a symbolic link to {target}; {cure}")
}

pub(super) fn linked_folder(target: &Path) -> String {
    let target = target.display();
    format!("it is a symbolic link to {target}, which others can replace; name the folder itself: {target}")
}

fn check_owner(path: &Path, owner: u32) -> Result<(), StoreError> {
    foreign(path, owner).map_or(Ok(()), |what| Err(StoreError::untrusted(path, what)))
}

fn foreign(path: &Path, owner: u32) -> Option<String> {
    if is_trusted(owner) {
        return None;
    }
    let shown = path.display();
    Some(format!(
        "it belongs to uid {owner}, not to root; look at its content, then run `chown root {shown}`"
    ))
}

pub(super) fn is_trusted(owner: u32) -> bool {
    let owner = Uid::from_raw(owner);
    owner.is_root() || owner == geteuid()
}

fn writable(path: &Path, mode: u32) -> String {
    let (mode, path) = (mode & 0o7777, path.display());
    format!("others may write to it (mode {mode:04o}); look at its content, then run `chmod go-w {path}`")
}
