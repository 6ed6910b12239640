//! The files of an import: opened without following links, bounded, and taken as text.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::secret_input::STDIN;

/// A file of an import.
pub struct Input {
    /// The user id of its owner; `None` for standard input.
    pub owner: Option<u32>,
    /// Its text.
    pub text: Zeroizing<String>,
}

/// Reads `path`, or standard input where it is `-`.
///
/// # Errors
///
/// [`Failure`] for a link, anything but a regular file, a file that is too large, or one that is not text in UTF-8.
pub fn read(path: &Path) -> Result<Input, Failure> {
    if path == Path::new(STDIN) {
        let stdin = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| cannot_read("standard input", &error))?;
        let text = text_of(File::from(stdin), "standard input")?;
        return Ok(Input { owner: None, text });
    }
    let name = path.display().to_string();
    // O_NONBLOCK: a FIFO in a user's home would hold the command up.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(|error| {
        if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) {
            return Failure::refused(format!("{name} is a symbolic link; give the file that it leads to"));
        }
        cannot_read(&name, &error)
    })?;
    let status = file.metadata().map_err(|error| cannot_read(&name, &error))?;
    if !status.is_file() {
        return Err(Failure::refused(format!("{name} is not a regular file")));
    }
    if status.mode() & 0o044 != 0 {
        output::warn(&format!("others can read {name}, which holds secrets; `shred -u` it after the import"));
    }
    let text = text_of(file, &name)?;
    Ok(Input { owner: Some(status.uid()), text })
}

/// Reads the first line of a file that holds a password or a key.
///
/// # Errors
///
/// As [`read`].
pub fn read_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let input = read(path)?;
    Ok(Zeroizing::new(input.text.lines().next().unwrap_or_default().to_owned()))
}

fn text_of(file: File, name: &str) -> Result<Zeroizing<String>, Failure> {
    // The room is made before, so that growing leaves no copy of a secret behind.
    let length = file.metadata().map_or(0, |status| status.len()).min(LARGEST);
    let room = usize::try_from(length).unwrap_or(0).saturating_add(64 * 1024);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LARGEST.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(name, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(Failure::refused(format!("{name} is larger than 16 MiB; is it the export?")));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || looks_like_utf_16(&bytes) {
        let line = format!("{name} is text in UTF-16; convert it: `iconv -f UTF-16 -t UTF-8 FILE`");
        return Err(Failure::refused(line));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        Failure::refused(format!("{name}, line {line}: not text in UTF-8"))
    })?;
    Ok(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()))
}

/// UTF-16 without a mark has a zero in every second byte of plain text.
fn looks_like_utf_16(bytes: &[u8]) -> bool {
    bytes.len() > 3 && bytes.iter().take(64).filter(|byte| **byte == 0).count() >= bytes.len().min(64) / 3
}

fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::refused(format!("cannot read {name}: {error}"))
}

const LARGEST: u64 = 16 * 1024 * 1024;
