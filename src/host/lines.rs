//! The lines of a service that name this module, one by one, and what libpam can't read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::finding::Finding;
use super::order;
use super::service_file::{Entry, Kind, entries};
use super::stacks::{MAX_DEPTH, Stacks};

/// The arguments that the module takes; those that end in `=` have a value.
pub const ARGUMENTS: [&str; 5] = ["debug", "exempt=publickey", "policy=", "rehearsal", "store="];

/// A line that names the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurLine {
    /// `auth`, `account` and so on.
    pub stage: String,
    /// File and line.
    pub place: String,
    /// The module as it is written: a path, or a name that libpam looks for in its own folder.
    pub module: String,
    /// Its arguments, without brackets.
    pub arguments: Vec<String>,
}

/// What the files of a service hold.
#[derive(Debug, Default)]
pub struct ServiceLines {
    /// Lines that name the module.
    pub ours: Vec<OurLine>,
    /// What libpam stumbles over: it refuses every login of the service then.
    pub findings: Vec<Finding>,
}

impl Stacks {
    /// The lines of `service` that name the module, and the lines that libpam can't follow.
    #[must_use]
    pub fn lines_of_ours(&self, service: &str) -> ServiceLines {
        let mut found = ServiceLines::default();
        self.collect(service, service, &mut found, 0);
        found
    }

    fn collect(&self, service: &str, file: &str, found: &mut ServiceLines, depth: usize) {
        let Some((path, text)) = self.find(file).filter(|_| depth < MAX_DEPTH) else { return };
        for Entry { line, stage, kind } in entries(&text) {
            let place = format!("{}:{line}", path.display());
            match kind {
                Kind::Module { path: module, arguments, .. } if order::names_ours(&module) => {
                    let stage = stage.unwrap_or_default().to_owned();
                    let ours = OurLine { stage, place, module, arguments };
                    found.findings.extend(on_arguments(service, &ours));
                    found.ours.push(ours);
                }
                Kind::Include { file, .. } if self.find(&file).is_none() => {
                    let what = format!(
                        "{service}: the file `{}` that {place} includes is not there, so libpam refuses every login",
                        file.escape_debug()
                    );
                    let cure = "install the package that brings it, or take the line out";
                    found.findings.push(Finding::error("stack-include-missing", what, cure).at(place));
                }
                Kind::Include { file, .. } => {
                    self.collect(service, &file, found, depth.saturating_add(1));
                }
                Kind::Invalid(why) if matches!(stage, Some("auth" | "account")) => {
                    let what = format!(
                        "{service}: libpam refuses every login, for it can't use the line {place}: {why}"
                    );
                    found
                        .findings
                        .push(Finding::error("stack-line-invalid", what, "correct the line").at(place));
                }
                Kind::Module { .. } | Kind::Invalid(_) => {}
            }
        }
    }
}

/// Arguments with which the module denies every login of the service.
fn on_arguments(service: &str, line: &OurLine) -> Option<Finding> {
    let wrong = line.arguments.iter().enumerate().find_map(|(place, argument)| {
        let key = argument.split('=').next().unwrap_or_default();
        let value = argument.split_once('=').map(|(_, value)| value);
        let is_twice = value.is_some()
            && line.arguments.iter().take(place).any(|earlier| earlier.split('=').next() == Some(key));
        let path = value.filter(|_| matches!(key, "policy" | "store"));
        match path {
            _ if is_twice => Some((argument, "is given twice")),
            Some(path) if path.ends_with('\r') => {
                Some((argument, "ends with a carriage return; give the file Unix line ends"))
            }
            Some(path) if !Path::new(path).is_absolute() => Some((argument, "needs an absolute path")),
            Some(_) => None,
            None if ARGUMENTS.contains(&argument.as_str()) => None,
            None => Some((argument, "is not known")),
        }
    })?;
    let (argument, what) = wrong;
    let what = format!(
        "{service}: the module refuses every login, for the argument `{}` {what}",
        argument.escape_debug()
    );
    Some(
        Finding::error("stack-argument", what, "correct the line; pam_mfa_chain(8) has the arguments")
            .at(&line.place),
    )
}

/// Where libpam looks for modules without a path.
const MODULE_FOLDERS: [&str; 8] = [
    "/lib/x86_64-linux-gnu/security",
    "/usr/lib/x86_64-linux-gnu/security",
    "/lib/aarch64-linux-gnu/security",
    "/usr/lib/aarch64-linux-gnu/security",
    "/lib64/security",
    "/usr/lib64/security",
    "/lib/security",
    "/usr/lib/security",
];

/// What is wrong with the file of the module that a line names, so that libpam can't load it or somebody else could
/// exchange it. `version` is that of this command.
#[must_use]
pub fn on_module(service: &str, line: &OurLine, version: &str) -> Vec<Finding> {
    let Some(path) = module_file(&line.module) else {
        let what =
            format!("{service}: libpam refuses every login, for the module `{}` is not there", line.module);
        let cure = "install it again, or take its lines out";
        return vec![Finding::error("module-missing", what, cure).at(&line.place)];
    };
    let shown = path.display().to_string();
    let Ok(content) = fs::read(&path) else {
        let what = format!("{service}: the module {shown} can't be read");
        return vec![Finding::error("module-missing", what, "install it again").at(shown)];
    };
    let mut findings = Vec::new();
    // Class and machine of an ELF file (elf(5)); this command runs here, so its own are right.
    let own = fs::read("/proc/self/exe").unwrap_or_default();
    let kind =
        |content: &[u8]| (content.get(..5).map(<[u8]>::to_vec), content.get(18..20).map(<[u8]>::to_vec));
    if kind(&content) != kind(&own) {
        let what = format!("{service}: libpam can't load {shown}, which is no module for this machine");
        findings.push(
            Finding::error("module-other-machine", what, "install the package of this architecture")
                .at(&shown),
        );
        return findings;
    }
    let marker = format!("pam_mfa_chain.shown {version}");
    if !content.windows(marker.len()).any(|bytes| bytes == marker.as_bytes()) {
        let what = format!("{shown} is of another version than this command ({version})");
        findings
            .push(Finding::warning("module-other-version", what, "install both from one package").at(&shown));
    }
    findings.extend(not_loadable(service, &path));
    findings.extend(others_may_write(&path));
    findings
}

/// Loads the module in a child process, as libpam would, with all of its symbols: ld.so(8) says on standard error what it
/// could not preload.
fn not_loadable(service: &str, path: &Path) -> Option<Finding> {
    // Both divide the paths of LD_PRELOAD.
    let shown = path.to_str().filter(|path| !path.contains([' ', ':']))?;
    let tried = Command::new("/bin/true")
        .env_clear()
        .envs([("LD_PRELOAD", shown), ("LD_BIND_NOW", "1")])
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&tried.stderr);
    let first = told.lines().next()?;
    let what = format!("{service}: libpam can't load {shown}, so it refuses every login: {first}");
    Some(
        Finding::error("module-not-loadable", what, "install the package that was built for this system")
            .at(shown),
    )
}

fn module_file(module: &str) -> Option<PathBuf> {
    let path = Path::new(module);
    if path.is_absolute() {
        return path.is_file().then(|| path.to_owned());
    }
    MODULE_FOLDERS.iter().map(|folder| Path::new(folder).join(module)).find(|path| path.is_file())
}

fn others_may_write(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt as _;
    let status = fs::metadata(path).ok()?;
    let is_open =
        status.mode() & 0o022 != 0 || status.uid() != 0 && !nix::unistd::geteuid().as_raw().eq(&status.uid());
    is_open.then(|| {
        let shown = path.display();
        let cure = format!("run `chown root:root {shown} && chmod 644 {shown}`, and find out who changed it");
        Finding::error("module-unsafe", format!("others than root may write to {shown}"), cure).at(shown)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> ServiceLines {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a service");
        }
        Stacks::below(&[folder.path()]).lines_of_ours("sshd")
    }

    fn ids(lines: &ServiceLines) -> Vec<&'static str> {
        lines.findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn our_lines_are_found_with_their_words_wherever_they_stand() {
        let lines = found(&[
            ("sshd", "auth include codes\naccount required /x/pam_mfa_chain.so\nauth required pam_unix.so\n"),
            (
                "codes",
                "auth [success=ok default=die] pam_mfa_chain.so \\\n [policy=/a b/p.toml] debug # why\n",
            ),
        ]);
        let told: Vec<(&str, &str, Vec<&str>)> = lines
            .ours
            .iter()
            .map(|it| {
                (it.stage.as_str(), it.module.as_str(), it.arguments.iter().map(String::as_str).collect())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("auth", "pam_mfa_chain.so", vec!["policy=/a b/p.toml", "debug"]),
                ("account", "/x/pam_mfa_chain.so", vec![])
            ]
        );
        assert!(lines.ours[0].place.ends_with("codes:1") && lines.ours[1].place.ends_with("sshd:2"));
        assert_eq!(ids(&lines), [""; 0]);
    }

    #[test]
    fn arguments_that_deny_every_login_are_told() {
        for arguments in
            ["nullok", "policy=x.toml", "store=/a store=/b", "exempt=all", "debug=1", "policy=/p\r"]
        {
            let line = format!("auth required pam_mfa_chain.so {arguments}\n");
            assert_eq!(ids(&found(&[("sshd", &line)])), ["stack-argument"], "{arguments:?}");
        }
        let line = "auth required pam_mfa_chain.so policy=/p store=/s debug exempt=publickey\n";
        assert_eq!(ids(&found(&[("sshd", line)])), [""; 0]);
    }

    #[test]
    fn a_line_that_libpam_cannot_use_is_told() {
        for line in ["auth requird pam_unix.so\n", "auht required pam_unix.so\n", "account required\n"] {
            assert_eq!(ids(&found(&[("sshd", line)])), ["stack-line-invalid"], "{line}");
        }
    }

    #[test]
    fn a_file_that_is_included_and_not_there_is_told() {
        for line in ["@include gone\n", "auth include gone\n", "account substack gone\n"] {
            assert_eq!(ids(&found(&[("sshd", line)])), ["stack-include-missing"], "{line}");
        }
        assert_eq!(ids(&found(&[("sshd", "@include there\n"), ("there", "")])), [""; 0]);
    }

    #[test]
    fn a_module_that_libpam_cannot_load_or_others_may_change_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pam_mfa_chain.so");
        let line = OurLine {
            stage: "auth".to_owned(),
            place: "x:1".to_owned(),
            module: path.display().to_string(),
            arguments: Vec::new(),
        };
        // One that stands in this program by no accident.
        let version = format!("0.{}", std::process::id());
        let told = || on_module("sshd", &line, &version).iter().map(|finding| finding.id).collect::<Vec<_>>();
        assert_eq!(told(), ["module-missing"]);
        fs::write(&path, b"\x7fELF\x01 of another machine").expect("written");
        assert_eq!(told(), ["module-other-machine"]);
        // The C library is one of this machine, and of no version of the module.
        let maps = fs::read_to_string("/proc/self/maps").expect("maps");
        let library = maps.split_whitespace().find(|word| word.contains("libc.so")).expect("the C library");
        let mut own = fs::read(library).expect("a library");
        fs::write(&path, &own).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        assert_eq!(told(), ["module-other-version"]);
        own.extend(format!("pam_mfa_chain.shown {version}").bytes());
        fs::write(&path, &own).expect("written");
        assert_eq!(told(), [""; 0]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("a mode");
        assert_eq!(told(), ["module-unsafe"]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        // A name of a library that is nowhere.
        let name = own.windows(8).position(|bytes| bytes == b"ld-linux").expect("what the library needs");
        own[name..name + 8].copy_from_slice(b"no-linux");
        fs::write(&path, &own).expect("written");
        assert_eq!(told(), ["module-not-loadable"]);
    }
}
