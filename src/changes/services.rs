//! Switching codes on and off in the services of this host.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::pending::Write;
use super::stack::{self, Switch};
use super::{ChangeError, ChangesFolder, FileCopy, sshd};
use crate::host::order::Oddity;
use crate::host::stacks::{SERVICE_FOLDERS, Stacks};

/// What has to be written to switch the codes on in `services`; nothing for those that have them.
///
/// # Errors
///
/// [`ChangeError::Refused`] for a service without a file, or whose lines have no sure place.
pub fn enable(services: &[String], switch: Switch) -> Result<Vec<Write>, ChangeError> {
    let mut writes = Vec::new();
    for service in services {
        let (path, old) = find(service)?;
        let included = |name: &str| find(name).ok().map(|(_, text)| text);
        let new = stack::enable(service, &old, included, switch.first)
            .map_err(|why| ChangeError::Refused(format!("{}: {why}", path.display())))?;
        if service == "sshd" {
            // Before the stack: sshd reads its settings later, and is asked what it makes of them.
            writes.extend(sshd::enable(switch)?);
        }
        if new != old {
            // The host's own file counts before one of a package.
            let path = Path::new(OWN_FOLDER).join(service);
            writes.push(Write { path, bytes: Some(new.into_bytes()) });
        }
    }
    Ok(writes)
}

/// What has to be written to switch them off again.
///
/// # Errors
///
/// [`ChangeError::Refused`] for a service that was not switched on by this command.
pub fn disable(services: &[String]) -> Result<Vec<Write>, ChangeError> {
    let mut writes = Vec::new();
    for service in services {
        let (path, text) = find(service)?;
        let settings = if service == "sshd" { sshd::disable()? } else { Vec::new() };
        if !stack::is_enabled(&text) && settings.is_empty() {
            return Err(ChangeError::Refused(format!(
                "{}: `mfa-chain enable` wrote nothing there; lines that were written by hand are taken out by hand",
                path.display()
            )));
        }
        writes.extend(settings);
        if stack::is_enabled(&text) {
            let plain = stack::disable(&text);
            // A file that is as the package's was made only to hold our lines.
            let of_package = SERVICE_FOLDERS.iter().filter(|folder| **folder != OWN_FOLDER);
            let mut of_package =
                of_package.filter_map(|folder| fs::read_to_string(Path::new(folder).join(service)).ok());
            let bytes = (of_package.next().as_ref() != Some(&plain)).then(|| plain.into_bytes());
            writes.push(Write { path, bytes });
        }
    }
    Ok(writes)
}

/// Checks that what was `planned` is what would be planned `now`: files may have been edited while a question was
/// asked.
///
/// # Errors
///
/// [`ChangeError::Refused`] when it is not.
pub fn check_unchanged(planned: &[Write], now: &[Write]) -> Result<(), ChangeError> {
    if planned == now {
        return Ok(());
    }
    Err(ChangeError::Refused(
        "the files were changed by somebody else meanwhile; look at it again".to_owned(),
    ))
}

/// What is wrong with the stacks as they would be after `writes`, read by the rules of libpam.
///
/// # Errors
///
/// [`ChangeError`] when the preview can't be written.
pub fn objections(
    folder: &ChangesFolder,
    services: &[String],
    writes: &[Write],
) -> Result<Vec<String>, ChangeError> {
    // Another administrator may look at this moment too.
    let _lock = folder.lock()?;
    let preview = folder.path_of("preview");
    let failed = |error| ChangeError::io(&preview, "write", error);
    match fs::remove_dir_all(&preview) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => DirBuilder::new().mode(0o700).create(&preview).map_err(failed)?,
    }
    for write in writes.iter().filter(|write| write.path.starts_with(OWN_FOLDER)) {
        let (Some(name), Some(bytes)) = (write.path.file_name(), &write.bytes) else { continue };
        fs::write(preview.join(name), bytes).map_err(failed)?;
    }
    let folders: Vec<PathBuf> =
        std::iter::once(preview.clone()).chain(SERVICE_FOLDERS.iter().map(PathBuf::from)).collect();
    let stacks = Stacks::below(&folders);
    let mut found = Vec::new();
    for service in services {
        if stacks.standing(service).is_none_or(|standing| !standing.auth) {
            found.push(format!("{service}: its stack would not ask for codes"));
        }
        found.extend(stacks.oddities(service).iter().filter_map(|oddity| in_words(service, oddity)));
    }
    fs::remove_dir_all(&preview).map_err(failed)?;
    Ok(found)
}

/// The changes of `writes` line by line, as diff(1) shows them.
///
/// # Errors
///
/// [`ChangeError`] when a file can't be read.
pub fn shown(writes: &[Write]) -> Result<String, ChangeError> {
    let mut text = String::new();
    for write in writes {
        let old = FileCopy::of(&write.path)?;
        let old = String::from_utf8_lossy(old.bytes().unwrap_or_default()).into_owned();
        let new = String::from_utf8_lossy(write.bytes.as_deref().unwrap_or_default()).into_owned();
        text.extend([&write.path.display().to_string(), "\n"]);
        for line in changed_lines(&old, &new) {
            text.extend(["  ", &line, "\n"]);
        }
    }
    Ok(text)
}

/// Lines that are gone and lines that are new, in their order. Ours are whole blocks, so the next line that is the same
/// ends one.
fn changed_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut changed = Vec::new();
    let (mut at_old, mut at_new) = (0_usize, 0_usize);
    while at_old < old.len() || at_new < new.len() {
        let (left, right) = (old.get(at_old), new.get(at_new));
        if left == right {
            (at_old, at_new) = (at_old.saturating_add(1), at_new.saturating_add(1));
            continue;
        }
        let rest = |lines: &[&str], from: usize, line: Option<&&str>| {
            line.is_some_and(|line| lines.iter().skip(from).any(|other| other == line))
        };
        match (left, right) {
            // A new line where the old one still comes.
            (_, Some(right)) if left.is_none() || rest(&new, at_new, left) => {
                changed.push(format!("+{right}"));
                at_new = at_new.saturating_add(1);
            }
            (Some(left), _) => {
                changed.push(format!("-{left}"));
                at_old = at_old.saturating_add(1);
            }
            _ => return changed,
        }
    }
    changed
}

fn find(service: &str) -> Result<(PathBuf, String), ChangeError> {
    if service.contains('/') || service.starts_with('.') {
        return Err(ChangeError::Refused(format!("`{service}` is no name of a service")));
    }
    let places = SERVICE_FOLDERS.iter().map(|folder| Path::new(folder).join(service));
    let found = places.into_iter().find(|path| path.exists()).ok_or_else(|| {
        ChangeError::Refused(format!(
            "there is no file /etc/pam.d/{service}, so nothing starts PAM under that name"
        ))
    })?;
    let text = fs::read_to_string(&found).map_err(|error| ChangeError::io(&found, "read", error))?;
    Ok((found, text))
}

fn in_words(service: &str, oddity: &Oddity) -> Option<String> {
    let (place, what) = match oddity {
        Oddity::Ends(place) => (place, "ends the stack before the codes where it succeeds"),
        Oddity::Jumps(place) => (place, "jumps over the codes"),
        Oddity::IsIgnored(place) => (place, "does not deny after a wrong code"),
        Oddity::AsksAfterWrongPassword(place) => (place, "asks for codes after a wrong password too"),
        // Of consequence for exempt users only.
        Oddity::PasswordBehind(_) => return None,
    };
    Some(format!("{service}: the line {place} {what}"))
}

const OWN_FOLDER: &str = "/etc/pam.d";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_come_and_go_are_shown() {
        let old = "a\n@include common-auth\nb\nb\n";
        let new = "a\n# BEGIN\n#off# @include common-auth\nours\n# END\nb\nb\n";
        let expected =
            ["-@include common-auth", "+# BEGIN", "+#off# @include common-auth", "+ours", "+# END"];
        assert_eq!(changed_lines(old, new), expected);
        assert_eq!(changed_lines("", "x\n"), ["+x"]);
        assert_eq!(changed_lines("x\n", ""), ["-x"]);
        assert_eq!(changed_lines("x\n", "x\n"), [""; 0]);
    }
}
