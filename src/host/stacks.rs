//! The PAM stacks in the folders of service files, as far as this module stands in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::order::{self, Item, Oddity, Place};
use super::service_file::{self, Entry, Kind};

/// Where libpam looks for the files of services: the host's own first, then those of packages (pam(8)).
pub const SERVICE_FOLDERS: [&str; 4] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d", "/usr/etc/pam.d"];

/// libpam's own limit of nested files.
pub(super) const MAX_DEPTH: usize = 32;

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
pub struct Stacks {
    folders: Vec<PathBuf>,
    /// `/etc/pam.conf`
    conf: Option<PathBuf>,
}

impl Stacks {
    /// Those of libpam.
    #[must_use]
    pub fn of_system() -> Self {
        Self { conf: Some(PathBuf::from("/etc/pam.conf")), ..Self::below(&SERVICE_FOLDERS) }
    }

    /// Others, in the order in which they are looked into.
    #[must_use]
    pub fn below(folders: &[impl AsRef<Path>]) -> Self {
        let folders = folders.iter().map(|folder| folder.as_ref().to_owned()).collect();
        Self { folders, conf: None }
    }

    /// The services that have a file, in the order of names.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        if let Some(conf) = self.conf_in_force() {
            return services_of(&fs::read(conf).map(lossy).unwrap_or_default());
        }
        let folders = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok());
        let names = folders.flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Where the module stands in the stack of `service`; `None` where the service has no file.
    #[must_use]
    pub fn standing(&self, service: &str) -> Option<Standing> {
        self.find(service)?;
        let holds = |stage| self.items(service, stage).iter().any(Item::holds_ours);
        Some(Standing { auth: holds("auth"), account: holds("account") })
    }

    /// What is odd about the place of our `auth` line in the stack of `service`.
    #[must_use]
    pub fn oddities(&self, service: &str) -> Vec<Oddity> {
        order::oddities(&self.items(service, "auth"))
    }

    /// The lines of `stage` in the order in which they are asked. A service without lines of a stage has those of
    /// `other` (pam.conf(5)).
    #[must_use]
    pub fn items(&self, service: &str, stage: &str) -> Vec<Item> {
        let mut items = Vec::new();
        self.lay_out(service, stage, &mut items, 0);
        if items.is_empty() && service != "other" {
            self.lay_out("other", stage, &mut items, 0);
        }
        items
    }

    fn lay_out(&self, file: &str, stage: &str, into: &mut Vec<Item>, depth: usize) {
        let Some((found, text)) = self.find(file).filter(|_| depth < MAX_DEPTH) else { return };
        let deeper = depth.saturating_add(1);
        for Entry { line, kind, .. } in of_stage(&text, stage) {
            match kind {
                Kind::Module { control, path, arguments } => {
                    let module = path.rsplit('/').next().unwrap_or(&path).to_owned();
                    let file = found.display().to_string();
                    into.push(Item::Module(Place { control, module, arguments, file, line }));
                }
                Kind::Include { file, substack: true } => {
                    let mut inner = Vec::new();
                    self.lay_out(&file, stage, &mut inner, deeper);
                    into.push(Item::Substack(inner));
                }
                Kind::Include { file, .. } => self.lay_out(&file, stage, into, deeper),
                Kind::Invalid(_) => {}
            }
        }
    }

    /// The file of `service` with its text. libpam reads `/etc/pam.conf` only where no folder is there (pam(8)).
    pub(super) fn find(&self, service: &str) -> Option<(PathBuf, String)> {
        if let Some(conf) = self.conf_in_force() {
            let text = fs::read(conf).ok().map(lossy)?;
            let own = lines_of(&text, service);
            return own.lines().any(|line| !line.is_empty()).then(|| (conf.to_owned(), own));
        }
        self.folders.iter().map(|folder| folder.join(service)).find_map(|path| {
            let text = fs::read(&path).ok().map(lossy)?;
            Some((path, text))
        })
    }

    fn conf_in_force(&self) -> Option<&Path> {
        let conf = self.conf.as_deref().filter(|conf| conf.is_file())?;
        (!self.folders.iter().any(|folder| folder.is_dir())).then_some(conf)
    }
}

/// The services that a `pam.conf` names.
fn services_of(text: &str) -> Vec<String> {
    let mut goes_on = false;
    let begins = text.lines().filter(|line| !std::mem::replace(&mut goes_on, line.ends_with('\\')));
    let first = begins.filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<String> = first.filter(|name| !name.starts_with('#')).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// The lines of `service` in a `pam.conf`, without its name; empty lines keep the numbers as they are.
fn lines_of(text: &str, service: &str) -> String {
    let (mut lines, mut goes_on, mut is_own) = (String::new(), false, false);
    for line in text.split('\n') {
        let line = line.trim_start_matches([' ', '\t']);
        let rest = if goes_on {
            line
        } else {
            let (name, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            is_own = name.eq_ignore_ascii_case(service);
            rest
        };
        lines.extend([if is_own { rest } else { "" }, "\n"]);
        goes_on = line.ends_with('\\');
    }
    lines
}

/// What a file says about `stage`.
fn of_stage(text: &str, stage: &str) -> impl Iterator<Item = Entry> {
    service_file::entries(text).into_iter().filter(move |entry| entry.stage.is_none_or(|own| own == stage))
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

    #[test]
    fn one_file_for_all_counts_where_there_is_no_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let conf = folder.path().join("pam.conf");
        fs::write(&conf, "sudo auth required \\\n pam_mfa_chain.so\n#\nOTHER auth required pam_deny.so\n")
            .expect("a file");
        let stacks = Stacks { conf: Some(conf), ..Stacks::below(&[folder.path().join("pam.d")]) };
        assert_eq!(stacks.standing("sudo"), Some(Standing { auth: true, account: false }));
        assert_eq!(
            (stacks.standing("sshd"), stacks.services()),
            (None, vec!["OTHER".to_owned(), "sudo".to_owned()])
        );
        assert_eq!(stacks.items("su", "auth").len(), 1, "`other` counts for what has no lines");
        fs::create_dir(folder.path().join("pam.d")).expect("a folder");
        assert_eq!(stacks.standing("sudo"), None);
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
            Oddity::AsksAfterWrongPassword(place) => format!("asks after a wrong password {}", name(place)),
        });
        told.collect()
    }

    const OURS: &str = "auth required pam_mfa_chain.so\n";

    /// Debian's common-auth and Fedora's system-auth, as they come.
    const DEBIAN: &str = "auth [success=2 default=ignore] pam_unix.so nullok\nauth [success=1 default=ignore] pam_sss.so\n\
                          auth requisite pam_deny.so\nauth required pam_permit.so\n";
    const FEDORA: &str = "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n\
                          auth sufficient pam_unix.so nullok\nauth required pam_deny.so\n";

    /// The lines of docs/logins.md in place of system-auth, without and with the count of wrong passwords.
    const FEDORA_WITH_CODES: &str = "auth required pam_env.so\nauth [success=2 default=ignore] pam_unix.so\n\
                                     auth [success=1 default=ignore] pam_sss.so use_first_pass\nauth requisite pam_deny.so\n";
    const WITH_FAILLOCK: &str = "auth [success=2 default=ignore] pam_unix.so\n\
                                 auth [success=1 default=ignore] pam_sss.so use_first_pass\n\
                                 auth [default=die] pam_faillock.so authfail\n\
                                 auth requisite pam_faillock.so preauth silent\n";

    #[test]
    fn stacks_in_which_ours_is_always_asked_are_not_odd() {
        for stack in [
            format!("@include common-auth\n{OURS}"),
            format!("auth requisite pam_unix.so\n{OURS}"),
            format!("auth [success=ok default=die] pam_sss.so\n{OURS}"),
            format!("{FEDORA_WITH_CODES}{OURS}"),
            format!("{WITH_FAILLOCK}{OURS}"),
            format!("auth substack system-auth\nauth requisite pam_unix.so use_first_pass\n{OURS}"),
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
            (
                "auth requisite pam_unix.so\nauth [success=ok default=ignore] pam_mfa_chain.so\n".to_owned(),
                "ignored sshd:2",
            ),
            (
                // A wrong password gets in.
                format!("auth [success=ok default=1] pam_unix.so\n{OURS}auth requisite pam_permit.so\n"),
                "jumps sshd:1",
            ),
            (
                // An end of a substack is no end of the stack, and an unknown code is bad.
                format!("auth substack early\n-auth SUFFICIENT pam_y.so\n{OURS}"),
                "ends sshd:2",
            ),
            (format!("{OURS}@include common-auth\n"), "password behind common-auth:1"),
            (format!("{OURS}auth substack system-auth\n"), "password behind system-auth:3"),
            ("auth sufficient pam_fprintd.so\n@include all\n".to_owned(), "ends sshd:1"),
        ] {
            let files = [
                ("sshd", stack.as_str()),
                ("common-auth", DEBIAN),
                ("system-auth", FEDORA),
                ("all", common.as_str()),
                ("early", "auth sufficient pam_x.so\n"),
            ];
            assert_eq!(told(&files), [expected], "{stack}");
        }
    }

    #[test]
    fn a_stack_that_asks_after_a_wrong_password_is_told_by_the_line_of_the_password() {
        let marked = WITH_FAILLOCK.replace("[default=die]", "required");
        let denied = FEDORA_WITH_CODES.replace("requisite", "required");
        for (before, expected) in [
            ("auth substack system-auth\n", "system-auth:3"),
            ("auth required pam_unix.so\n", "sshd:1"),
            ("auth [success=ok default=bad] pam_unix.so\n", "sshd:1"),
            (marked.as_str(), "sshd:1"),
            (denied.as_str(), "sshd:2"),
        ] {
            for ours in [OURS, "@include codes\n", "auth substack codes\n"] {
                let stack = format!("{before}{ours}");
                let files = [("sshd", stack.as_str()), ("system-auth", FEDORA), ("codes", OURS)];
                assert_eq!(told(&files), [format!("asks after a wrong password {expected}")], "{stack}");
            }
        }
    }
}
