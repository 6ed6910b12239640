//! The PAM stacks in the folders of service files, as far as this module stands in them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where libpam looks for the files of services: the host's own first, then those of packages (pam(8)).
pub const SERVICE_FOLDERS: [&str; 4] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d", "/usr/etc/pam.d"];

const MODULE: &str = "pam_mfa_chain.so";
/// libpam's own limit of nested files.
const MAX_DEPTH: usize = 32;

/// Where this module stands in the stack of one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// In an `auth` line: the service asks for codes.
    pub auth: bool,
    /// In an `account` line: the service refuses who came around the codes.
    pub account: bool,
}

/// Folders of service files.
#[derive(Clone, Debug)]
pub struct Stacks(Vec<PathBuf>);

impl Stacks {
    /// Those of libpam.
    #[must_use]
    pub fn of_system() -> Self {
        Self::below(&SERVICE_FOLDERS)
    }

    /// Others, in the order in which they are looked into.
    #[must_use]
    pub fn below(folders: &[impl AsRef<Path>]) -> Self {
        Self(folders.iter().map(|folder| folder.as_ref().to_owned()).collect())
    }

    /// The services that have a file, in the order of names.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let folders = self.0.iter().filter_map(|folder| fs::read_dir(folder).ok());
        let names = folders.flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Where the module stands in the stack of `service`; `None` where the service has no file.
    #[must_use]
    pub fn standing(&self, service: &str) -> Option<Standing> {
        let text = self.read(service)?;
        let mut standing = Standing::default();
        self.walk(&text, None, &mut standing, 0);
        Some(standing)
    }

    fn read(&self, service: &str) -> Option<String> {
        self.0.iter().find_map(|folder| fs::read(folder.join(service)).ok()).map(lossy)
    }

    /// Looks at each line of `text`; of a file that one stage includes, at the lines of that stage alone.
    fn walk(&self, text: &str, stage: Option<&str>, standing: &mut Standing, depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        for line in text.replace("\\\n", " ").lines() {
            match Line::read(line) {
                Some(Line::Module { stage: own, module }) if stage.is_none_or(|stage| stage == own) => {
                    let is_ours = module.rsplit('/').next() == Some(MODULE);
                    standing.auth |= is_ours && own == "auth";
                    standing.account |= is_ours && own == "account";
                }
                Some(Line::Include { stage: own, file })
                    if own.is_none() || stage.is_none() || own == stage =>
                {
                    let next = own.or(stage);
                    if let Some(text) = self.read(file) {
                        self.walk(&text, next, standing, depth.saturating_add(1));
                    }
                }
                _ => {}
            }
        }
    }
}

enum Line<'t> {
    Module { stage: &'t str, module: &'t str },
    Include { stage: Option<&'t str>, file: &'t str },
}

impl<'t> Line<'t> {
    /// Reads a line as libpam does; `None` for one that says nothing.
    fn read(line: &'t str) -> Option<Self> {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (first, rest) = line.split_once([' ', '\t'])?;
        if first == "@include" {
            return Some(Self::Include { stage: None, file: rest.trim() });
        }
        let stage = first.trim_start_matches('-');
        let rest = rest.trim_start();
        let (control, rest) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => rest.split_once([' ', '\t'])?,
        };
        let module = rest.trim_start().trim_start_matches('[').split([' ', '\t', ']']).next()?;
        match control {
            "include" | "substack" => Some(Self::Include { stage: Some(stage), file: module }),
            _ => Some(Self::Module { stage, module }),
        }
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(files: &[(&str, &str)]) -> (bool, bool) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a service");
        }
        let found = Stacks::below(&[folder.path()]).standing("sshd").expect("a file");
        (found.auth, found.account)
    }

    #[test]
    fn the_module_is_found_in_lines_of_every_form() {
        for line in [
            "auth required pam_mfa_chain.so",
            "auth\trequisite\t/usr/lib/security/pam_mfa_chain.so exempt=publickey",
            "-auth [success=ok default=die] pam_mfa_chain.so policy=/x # why",
            "auth required \\\n  pam_mfa_chain.so",
        ] {
            assert_eq!(standing(&[("sshd", line)]), (true, false), "{line}");
        }
        assert_eq!(standing(&[("sshd", "account required pam_mfa_chain.so")]), (false, true));
    }

    #[test]
    fn remarks_and_other_modules_are_not_ours() {
        for line in [
            "",
            "#auth required pam_mfa_chain.so",
            "auth required pam_unix.so",
            "auth",
            "session optional pam_mfa_chain.so.x",
        ] {
            assert_eq!(standing(&[("sshd", line)]), (false, false), "{line}");
        }
    }

    #[test]
    fn included_files_are_followed_for_the_stage_that_includes_them() {
        let common = ("common-auth", "auth required pam_mfa_chain.so\naccount required pam_mfa_chain.so\n");
        for (include, expected) in [
            ("@include common-auth", (true, true)),
            ("auth include common-auth", (true, false)),
            ("account substack common-auth", (false, true)),
            ("session include common-auth", (false, false)),
            ("@include missing", (false, false)),
        ] {
            assert_eq!(standing(&[("sshd", include), common]), expected, "{include}");
        }
        assert_eq!(standing(&[("sshd", "@include sshd")]), (false, false), "a circle ends");
    }
}
