//! Opening files that decide who gets in. Everything goes through a directory descriptor that was checked,
//! nothing follows a link, nothing waits for a FIFO.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{Uid, geteuid};
use zeroize::Zeroizing;

use super::error::StoreError;

/// A folder that only root (or, in a rehearsal, the effective user) can change, and all folders above it.
#[derive(Debug)]
pub struct TrustedDir {
    descriptor: OwnedFd,
    path: PathBuf,
    checked_folders: RefCell<Vec<String>>,
}

/// Who may read a trusted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Anybody: a policy holds no secret.
    Anybody,
    /// The owner alone.
    Owner,
}

const S_IFMT: u32 = nix::libc::S_IFMT;
const S_IFREG: u32 = nix::libc::S_IFREG;
const S_IFDIR: u32 = nix::libc::S_IFDIR;
const STICKY: u32 = nix::libc::S_ISVTX;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const OPEN_TO_OTHERS: u32 = 0o077;
/// Deeper than any sensible path; ends a walk that something odd would make endless.
const MAX_DEPTH: usize = 64;

impl TrustedDir {
    /// Opens the folder at `path` and checks it and every folder above it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, a link, or others could write to it or exchange it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let without_links = open_without_links(path, flags);
        let depth = without_links.as_ref().map(|(_, depth)| *depth);
        let opened = without_links.map_or_else(|| open(path, flags, Mode::empty()), |(opened, _)| Ok(opened));
        let descriptor = opened.map_err(|error| match std::fs::read_link(path) {
            Ok(target) => StoreError::untrusted(path, linked_folder(&beside(path, &target))),
            Err(_) => StoreError::io(path, "open the folder", error),
        })?;
        let dir = Self { descriptor, path: path.to_owned(), checked_folders: RefCell::default() };
        dir.check_up_to_root(depth)?;
        Ok(dir)
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

    /// Opens the regular file `name` in it. `flags` say how, beside what is always set.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is missing, no regular file, has several names, another owner, or is open to
    /// others.
    pub fn open_file(&self, name: &str, flags: OFlag, readers: Readers) -> Result<TrustedFile, StoreError> {
        if let Some((folder, _)) = name.split_once('/') {
            self.check_folder_within(folder)?;
        }
        let path = self.path_of(name);
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = openat(&self.descriptor, name, flags, Mode::empty());
        let descriptor = opened.map_err(|error| {
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

    /// The refusal of `name` where it is a symbolic link.
    #[cold]
    fn refuse_link(&self, name: &str) -> Option<StoreError> {
        let path = self.path_of(name);
        let target = beside(&path, Path::new(&readlinkat(&self.descriptor, name).ok()?));
        Some(StoreError::untrusted(&path, linked_file(&path, &target)))
    }

    /// Whether the name of `file` still leads to it, and it is as safe as when it was opened.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when what has the name now is not safe.
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

    /// Checks once that the folder `name` of this one is as safe as it. Nobody but its owner can exchange it then.
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

    /// Reads the whole of `name`, at most `limit` bytes. What was read is wiped when dropped.
    ///
    /// # Errors
    ///
    /// As [`Self::open_file`], and when it is larger.
    pub fn read(&self, name: &str, limit: usize, readers: Readers) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.open_file(name, OFlag::O_RDONLY, readers)?.read(limit)
    }

    /// Whether anything is called `name` in it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when that can't be told; "not there" is no error.
    pub fn has(&self, name: &str) -> Result<bool, StoreError> {
        match fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(StoreError::io(&self.path_of(name), "look at", error)),
        }
    }

    /// `depth` is how many folders lie above it, where that is known.
    fn check_up_to_root(&self, depth: Option<usize>) -> Result<(), StoreError> {
        let look = |error| StoreError::io(&self.path, "look at the folder", error);
        let mut status = fstat(&self.descriptor).map_err(look)?;
        check_folder(&self.path, &status)?;
        let mut above = PathBuf::new();
        for _ in 0..depth.unwrap_or(MAX_DEPTH) {
            above.push("..");
            let parent = fstatat(&self.descriptor, &above, AtFlags::empty()).map_err(look)?;
            if (parent.st_dev, parent.st_ino) == (status.st_dev, status.st_ino) {
                return Ok(());
            }
            let shown = self.path.join(&above);
            check_owner(&shown, parent.st_uid)?;
            // In a sticky folder nobody can exchange what belongs to another.
            if parent.st_mode & WRITABLE_BY_OTHERS != 0 && parent.st_mode & STICKY == 0 {
                return Err(StoreError::untrusted(&shown, writable(&shown, parent.st_mode)));
            }
            status = parent;
        }
        match depth {
            Some(_) => Ok(()),
            None => Err(StoreError::untrusted(&self.path, "it lies too deep")),
        }
    }
}

/// Opens the folder where no part of `path` is a link, and counts the folders above it: the root needs no look of
/// its own then. `None` where there are links, the kernel is older than 5.6, or anything else is in the way.
fn open_without_links(path: &Path, flags: OFlag) -> Option<(OwnedFd, usize)> {
    let mut parts = path.components();
    let absolute = parts.next() == Some(Component::RootDir);
    let depth = parts.clone().count();
    if !absolute || depth > MAX_DEPTH || !parts.all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    Some((openat2(AT_FDCWD, path, how).ok()?, depth))
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
    /// Its size when it was opened. Files of a store are replaced whole, so it stays.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.identity.bytes
    }

    /// Reads the whole of it, at most `limit` bytes, whatever was read before. Wiped when dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is larger or can't be read.
    pub fn read(&self, limit: usize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        if self.bytes() > limit {
            return Err(StoreError::invalid(&self.path, format!("larger than {limit} bytes")));
        }
        let mut content = Zeroizing::new(vec![0; self.bytes()]);
        let read = self.file.read_exact_at(&mut content, 0);
        read.map_err(|error| StoreError::io(&self.path, "read", error))?;
        Ok(content)
    }
}

/// Which file it is, and its size: what was opened is no longer what has the name where one of them differs.
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

fn check_folder(path: &Path, status: &FileStat) -> Result<(), StoreError> {
    check_owner(path, status.st_uid)?;
    if status.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(StoreError::untrusted(path, writable(path, status.st_mode)));
    }
    Ok(())
}

/// What the link at `path` leads to, as seen from everywhere.
fn beside(path: &Path, target: &Path) -> PathBuf {
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

fn linked_folder(target: &Path) -> String {
    let target = target.display();
    format!("it is a symbolic link to {target}, which can be exchanged; name the folder itself: {target}")
}

fn check_owner(path: &Path, owner: u32) -> Result<(), StoreError> {
    let owner = Uid::from_raw(owner);
    if owner.is_root() || owner == geteuid() {
        return Ok(());
    }
    let shown = path.display();
    let what =
        format!("it belongs to uid {owner}, not to root; look at its content, then run `chown root {shown}`");
    Err(StoreError::untrusted(path, what))
}

fn writable(path: &Path, mode: u32) -> String {
    let (mode, path) = (mode & 0o7777, path.display());
    format!("others may write to it (mode {mode:04o}); look at its content, then run `chmod go-w {path}`")
}
