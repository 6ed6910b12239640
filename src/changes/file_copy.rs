//! A copy of a file: its bytes, mode, owner and extended attributes, or the fact that it was missing.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, XattrFlags, fgetxattr, flistxattr, fsetxattr, renameat_with};
use serde::{Deserialize, Serialize};

use super::ChangeError;

/// A copy of a file as it was before a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopy {
    path: PathBuf,
    /// `None` where there was no file.
    was: Option<Contents>,
    /// What the change writes there; `None` to remove the file.
    written: Option<Hex>,
    /// Whether a program that the change runs writes the file, instead of the change itself.
    #[serde(default)]
    by_program: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    /// The bytes in hexadecimal, because they need not be valid text.
    bytes: Hex,
    mode: u32,
    owner: u32,
    group: u32,
    /// Extended attributes: access lists, labels of `SELinux`, capabilities.
    attributes: Vec<(String, Hex)>,
}

/// Bytes as JSON can hold them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(Vec<u8>);

impl FileCopy {
    /// Copies the file at `path`, which may be missing.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the path is a link or not a regular file, or the file can't be read as a whole.
    pub fn of(path: &Path) -> Result<Self, ChangeError> {
        let absolute = std::path::absolute(path).map_err(|error| ChangeError::io(path, "find", error))?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { path: absolute, was: None, written: None, by_program: false })
            }
            Err(error) => Err(ChangeError::io(path, "look at", error)),
            Ok(found) if !found.is_file() => Err(ChangeError::Refused(format!(
                "{}: it is a link or no regular file, so another program keeps it; change it there",
                path.display()
            ))),
            Ok(_) => {
                let was = Contents::of(path).map_err(|error| ChangeError::io(path, "read", error))?;
                Ok(Self { path: absolute, was: Some(was), written: None, by_program: false })
            }
        }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the file; `None` where there was no file.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.was.as_ref().map(|was| was.bytes.0.as_slice())
    }

    /// This copy, for a change that writes `bytes` there, or removes the file where `bytes` is `None`.
    #[must_use]
    pub fn before(self, bytes: Option<&[u8]>) -> Self {
        Self { written: bytes.map(|bytes| Hex(bytes.to_owned())), ..self }
    }

    /// This copy, for a change that lets another program write the file.
    #[must_use]
    pub fn before_program(self) -> Self {
        Self { by_program: true, ..self }
    }

    /// Makes the change that the copy was made for. Owner, mode and attributes stay; a new file belongs to root, and
    /// everybody can read it. At any moment the path holds either the old file or the new one. Where the
    /// file system can exchange two names, the old file stays beside the new one until [`forget`](Self::forget), so a
    /// full disk can't prevent the rollback.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the change fails; the old file stays in that case.
    pub fn change(&self) -> Result<(), ChangeError> {
        if self.by_program {
            return Ok(());
        }
        let new = self.written.as_ref().map(|bytes| {
            let fresh = || Contents {
                bytes: Hex(Vec::new()),
                mode: 0o644,
                owner: 0,
                group: 0,
                attributes: Vec::new(),
            };
            Contents { bytes: bytes.clone(), ..self.was.clone().unwrap_or_else(fresh) }
        });
        self.put(new.as_ref(), self.was.is_some()).map_err(|error| self.failed(error))
    }

    /// Puts the file back as it was.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the file can't be put back; the path keeps its current content in that case.
    pub fn restore(&self) -> Result<(), ChangeError> {
        let restore = || {
            let old = self.beside("old")?;
            // The old file was kept; renaming it back needs no room on the disk.
            if self.was.is_some() && Contents::of(&old).ok() == self.was {
                fs::rename(&old, &self.path)?;
                remove_if_there(&self.beside("new")?)?;
                return self.sync();
            }
            self.put(self.was.as_ref(), false)
        };
        restore().map_err(|error| self.failed(error))
    }

    /// Removes the old file that lies beside the new one.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the old file can't be removed.
    pub fn forget(&self) -> Result<(), ChangeError> {
        self.beside("old").and_then(|old| remove_if_there(&old)).map_err(|error| self.failed(error))
    }

    /// What the file holds now, if somebody else wrote the file since the change.
    #[must_use]
    pub fn foreign(&self) -> Option<Vec<u8>> {
        let now = fs::read(&self.path).ok().filter(|_| !self.by_program)?;
        let known = [self.bytes(), self.written.as_ref().map(|bytes| bytes.0.as_slice())];
        (!known.contains(&Some(now.as_slice()))).then_some(now)
    }

    fn put(&self, contents: Option<&Contents>, keeps_old: bool) -> io::Result<()> {
        let (beside, old) = (self.beside("new")?, self.beside("old")?);
        // A command that was killed may have left this name behind.
        remove_if_there(&beside)?;
        match contents {
            None if keeps_old => fs::rename(&self.path, &old)?,
            None => remove_if_there(&self.path)?,
            Some(contents) => {
                let swap = || {
                    contents.write(&beside)?;
                    // Exchange both names in one step; not every file system supports that.
                    if keeps_old
                        && renameat_with(CWD, &beside, CWD, &self.path, RenameFlags::EXCHANGE).is_ok()
                    {
                        return fs::rename(&beside, &old);
                    }
                    fs::rename(&beside, &self.path)
                };
                swap().inspect_err(|_| drop(remove_if_there(&beside)))?;
            }
        }
        self.sync()
    }

    /// A hidden name in the folder of the file; no service has such a name.
    fn beside(&self, what: &str) -> io::Result<PathBuf> {
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.path.with_file_name(format!(".{}.mfa-chain-{what}", name.display())))
    }

    fn sync(&self) -> io::Result<()> {
        sync_folder(self.path.parent().unwrap_or(Path::new("/")))
    }

    fn failed(&self, error: io::Error) -> ChangeError {
        ChangeError::io(&self.path, "replace", error)
    }
}

impl Contents {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let status = file.metadata()?;
        let mut bytes = Vec::new();
        (&mut file).take(MOST_BYTES).read_to_end(&mut bytes)?;
        if bytes.len() >= usize::try_from(MOST_BYTES).unwrap_or(usize::MAX) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let attributes = attributes_of(&file)?;
        let (mode, owner, group) = (status.mode() & 0o7777, status.uid(), status.gid());
        Ok(Self { bytes: Hex(bytes), mode, owner, group, attributes })
    }

    /// Writes a new file at `path`.
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&self.bytes.0)?;
        if nix::unistd::geteuid().is_root() {
            fchown(&file, Some(self.owner), Some(self.group))?;
        }
        file.set_permissions(Permissions::from_mode(self.mode))?;
        for (name, value) in &self.attributes {
            fsetxattr(&file, name.as_str(), &value.0, XattrFlags::empty())?;
        }
        file.sync_all()
    }
}

/// The extended attributes of a file; none on a file system that has none.
fn attributes_of(file: &File) -> io::Result<Vec<(String, Hex)>> {
    let mut names = vec![0; MOST_ATTRIBUTES];
    let length = match flistxattr(file, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = names.get(..length).unwrap_or_default();
    let mut attributes = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0; MOST_ATTRIBUTES];
        let length = fgetxattr(file, name.as_str(), &mut value[..])?;
        value.truncate(length);
        attributes.push((name, Hex(value)));
    }
    Ok(attributes)
}

/// Removes a file that may be missing.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl From<Hex> for String {
    fn from(bytes: Hex) -> Self {
        base16ct::lower::encode_string(&bytes.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = base16ct::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        base16ct::lower::decode_vec(text).map(Self)
    }
}

/// Policies and service files are far shorter.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// The kernel's own limits for all names together, and for one value.
const MOST_ATTRIBUTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_with_bytes_mode_and_attributes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sshd");
        fs::write(&path, b"old\xff\0").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("mode");
        let label = |path: &Path| -> Option<Vec<u8>> {
            let mut value = vec![0; 64];
            let length = fgetxattr(File::open(path).ok()?, "user.label", &mut value[..]).ok()?;
            value.truncate(length);
            Some(value)
        };
        let file = File::open(&path).expect("open");
        let has_attributes = fsetxattr(&file, "user.label", b"kept", XattrFlags::empty()).is_ok();
        let copy = FileCopy::of(&path).expect("a copy").before(Some(b"new"));
        copy.change().expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::metadata(&path).expect("status").mode() & 0o777, 0o640);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
        let read_back: FileCopy =
            serde_json::from_str(&serde_json::to_string(&copy).expect("JSON")).expect("read back");
        assert_eq!(read_back, copy);
        read_back.restore().expect("restored");
        assert_eq!(fs::read(&path).expect("read"), b"old\xff\0");
        assert_eq!(fs::metadata(&path).expect("status").mode() & 0o777, 0o640);
        assert_eq!(label(&path), has_attributes.then(|| b"kept".to_vec()));
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1, "something was left behind");
    }

    #[test]
    fn the_old_file_itself_comes_back_and_what_others_wrote_is_told() {
        for new in [Some(&b"new"[..]), None] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("sshd");
            fs::write(&path, "old").expect("written");
            let inode = fs::metadata(&path).expect("status").ino();
            let copy = FileCopy::of(&path).expect("a copy").before(new);
            copy.change().expect("changed");
            assert_eq!(copy.foreign(), None);
            fs::write(&path, "by hand").expect("written");
            assert_eq!(copy.foreign().as_deref(), Some(&b"by hand"[..]));
            copy.restore().expect("restored");
            assert_eq!(fs::read(&path).expect("read"), b"old");
            assert_eq!(fs::metadata(&path).expect("status").ino(), inode);
            // Without the old file beside the new one, the bytes are written again.
            copy.change().expect("changed");
            copy.forget().expect("forgotten");
            copy.restore().expect("restored");
            assert_eq!(fs::read(&path).expect("read"), b"old");
            assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1, "something was left behind");
        }
    }

    #[test]
    fn a_file_that_was_not_there_is_gone_again_and_a_link_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("drop-in");
        let copy = FileCopy::of(&path).expect("a copy").before(Some(b"new"));
        copy.change().expect("made");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        copy.restore().expect("restored");
        copy.restore().expect("restored once more");
        assert!(!path.exists());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
        assert!(matches!(FileCopy::of(&link), Err(ChangeError::Refused(_))));
    }
}
