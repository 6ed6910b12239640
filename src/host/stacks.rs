//! The PAM stacks in the folders of service files, as far as this module stands in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::order::{self, Item, Oddity, Place};

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

    /// What is odd about the place of our `auth` line in the stack of `service`.
    #[must_use]
    pub fn oddities(&self, service: &str) -> Vec<Oddity> {
        let mut items = Vec::new();
        self.lay_out(service, &mut items, 0);
        order::oddities(&items)
    }

    /// The `auth` lines of `file` in the order in which they are asked.
    fn lay_out(&self, file: &str, into: &mut Vec<Item>, depth: usize) {
        let Some((path, text)) = self.find(file).filter(|_| depth < MAX_DEPTH) else { return };
        for (number, line) in numbered(&text) {
            match Line::read(&line) {
                Some(Line::Module { stage: "auth", control, module }) => {
                    let module = module.rsplit('/').next().unwrap_or(module).to_owned();
                    let (control, file) = (control.to_owned(), path.display().to_string());
                    into.push(Item::Module(Place { control, module, file, line: number }));
                }
                Some(Line::Include { stage: Some("auth"), file, substack: true }) => {
                    let mut inner = Vec::new();
                    self.lay_out(file, &mut inner, depth.saturating_add(1));
                    into.push(Item::Substack(inner));
                }
                Some(Line::Include { stage: None | Some("auth"), file, .. }) => {
                    self.lay_out(file, into, depth.saturating_add(1));
                }
                _ => {}
            }
        }
    }

    fn read(&self, service: &str) -> Option<String> {
        self.find(service).map(|(_, text)| text)
    }

    fn find(&self, service: &str) -> Option<(PathBuf, String)> {
        self.0.iter().map(|folder| folder.join(service)).find_map(|path| {
            let text = fs::read(&path).ok().map(lossy)?;
            Some((path, text))
        })
    }

    /// Looks at each line of `text`; of a file that one stage includes, at the lines of that stage alone.
    fn walk(&self, text: &str, stage: Option<&str>, standing: &mut Standing, depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        for (_, line) in numbered(text) {
            match Line::read(&line) {
                Some(Line::Module { stage: own, module, .. }) if stage.is_none_or(|stage| stage == own) => {
                    let is_ours = module.rsplit('/').next() == Some(MODULE);
                    standing.auth |= is_ours && own == "auth";
                    standing.account |= is_ours && own == "account";
                }
                Some(Line::Include { stage: own, file, .. })
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
    Module { stage: &'t str, control: &'t str, module: &'t str },
    Include { stage: Option<&'t str>, file: &'t str, substack: bool },
}

impl<'t> Line<'t> {
    /// Reads a line as libpam does; `None` for one that says nothing.
    fn read(line: &'t str) -> Option<Self> {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (first, rest) = line.split_once([' ', '\t'])?;
        if first == "@include" {
            return Some(Self::Include { stage: None, file: rest.trim(), substack: false });
        }
        let stage = first.trim_start_matches('-');
        let rest = rest.trim_start();
        let (control, rest) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => rest.split_once([' ', '\t'])?,
        };
        let module = rest.trim_start().trim_start_matches('[').split([' ', '\t', ']']).next()?;
        match control {
            "include" | "substack" => {
                Some(Self::Include { stage: Some(stage), file: module, substack: control == "substack" })
            }
            _ => Some(Self::Module { stage, control, module }),
        }
    }
}

/// Each line with its number; one that goes on behind a backslash counts where it begins.
fn numbered(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, more) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, before)) => before.extend([" ", line]),
            None => lines.push((number, line.to_owned())),
        }
        goes_on = more;
    }
    lines
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

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a service");
        }
        let name = |place: &Place| {
            let file = Path::new(&place.file).file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!("{file}:{}", place.line)
        };
        let oddities = Stacks::below(&[folder.path()]).oddities("sshd");
        let told = oddities.iter().map(|oddity| match oddity {
            Oddity::Ends(place) => format!("ends {}", name(place)),
            Oddity::Jumps(place) => format!("jumps {}", name(place)),
            Oddity::IsIgnored(place) => format!("ignored {}", name(place)),
            Oddity::PasswordBehind(place) => format!("password behind {}", name(place)),
        });
        told.collect()
    }

    const OURS: &str = "auth required pam_mfa_chain.so\n";

    /// Debian's common-auth and Fedora's system-auth, as they come.
    const DEBIAN: &str = "auth [success=2 default=ignore] pam_unix.so nullok\nauth [success=1 default=ignore] pam_sss.so\n\
                          auth requisite pam_deny.so\nauth required pam_permit.so\n";
    const FEDORA: &str = "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n\
                          auth sufficient pam_unix.so nullok\nauth required pam_deny.so\n";

    #[test]
    fn stacks_in_which_ours_is_always_asked_are_not_odd() {
        for stack in [
            format!("@include common-auth\n{OURS}"),
            format!("auth substack system-auth\n{OURS}"),
            format!("auth sufficient pam_rootok.so\n@include common-auth\n{OURS}"),
            format!(
                "auth [success=1 default=ignore] pam_succeed_if.so user = x\nauth required pam_env.so\n{OURS}"
            ),
            format!("account sufficient pam_localuser.so\n{OURS}"),
            "auth required pam_unix.so\n".to_owned(),
        ] {
            let files = [("sshd", stack.as_str()), ("common-auth", DEBIAN), ("system-auth", FEDORA)];
            assert_eq!(told(&files), [""; 0], "{stack}");
        }
    }

    #[test]
    fn what_keeps_ours_from_being_asked_is_told_by_file_and_line() {
        let common = format!("{DEBIAN}{OURS}");
        for (stack, expected) in [
            (format!("auth include system-auth\n{OURS}"), "ends system-auth:3"),
            (format!("auth sufficient pam_unix.so\n{OURS}"), "ends sshd:1"),
            (format!("auth [success=done default=bad] \\\n pam_sss.so\n{OURS}"), "ends sshd:1"),
            (format!("#\n-auth [success=1 default=ignore] pam_u2f.so\n{OURS}"), "jumps sshd:2"),
            (
                format!("auth [success=5 default=ignore] pam_u2f.so\n@include common-auth\n{OURS}"),
                "jumps sshd:1",
            ),
            ("auth optional pam_mfa_chain.so\n".to_owned(), "ignored sshd:1"),
            (format!("{OURS}@include common-auth\n"), "password behind common-auth:1"),
            (format!("{OURS}auth substack system-auth\n"), "password behind system-auth:3"),
            ("auth sufficient pam_fprintd.so\n@include all\n".to_owned(), "ends sshd:1"),
        ] {
            let files = [
                ("sshd", stack.as_str()),
                ("common-auth", DEBIAN),
                ("system-auth", FEDORA),
                ("all", common.as_str()),
            ];
            assert_eq!(told(&files), [expected], "{stack}");
        }
    }
}
