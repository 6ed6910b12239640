//! Where the module is that a rehearsal loads.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::rehearsal::Outcome;

/// The module as an absolute path: the one that was given, or the first of [`candidates`] that is a file.
///
/// # Errors
///
/// [`Failure`] that lists where it was looked for.
pub fn find(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let places = match given {
        Some(given) => vec![given.to_owned()],
        None => candidates(std::env::current_exe().ok().as_deref(), &triplet(std::env::consts::ARCH)),
    };
    let found = places.iter().find(|place| place.is_file());
    found
        .and_then(|found| std::path::absolute(found).ok())
        .ok_or_else(|| Failure::files(not_found(given.is_some(), &places)))
}

/// Tells a module that libpam could not load from a login that was denied.
///
/// # Errors
///
/// [`Failure`] when it could not.
pub fn check_loaded(module: &Path, outcome: &Outcome) -> Result<(), Failure> {
    match outcome.code {
        PAM_OPEN_ERR | PAM_SYMBOL_ERR | PAM_MODULE_UNKNOWN => {
            let shown = module.display();
            Err(Failure::files(format!(
                "{shown}: libpam cannot load this module: {}; see the log",
                outcome.text
            )))
        }
        _ => Ok(()),
    }
}

/// Where to look, in this order: beside the command, as `make` and cargo leave it, so that a build is rehearsed
/// with its own module; then where distributions keep PAM modules.
fn candidates(command: Option<&Path>, triplet: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(folder) = command.and_then(Path::parent) {
        places.push(folder.join(INSTALLED));
        places.push(folder.join(BUILT));
        places.push(folder.join("deps").join(BUILT));
        places.extend(folder.parent().filter(|_| folder.ends_with("deps")).map(|above| above.join(BUILT)));
    }
    let multiarch = [format!("/usr/lib/{triplet}/security"), format!("/lib/{triplet}/security")];
    let folders = multiarch.iter().map(String::as_str).chain(FOLDERS);
    places.extend(folders.map(|folder| Path::new(folder).join(INSTALLED)));
    places
}

/// The name of this architecture in the folders of Debian.
fn triplet(architecture: &str) -> String {
    match architecture {
        "x86" => "i386-linux-gnu".to_owned(),
        "arm" => "arm-linux-gnueabihf".to_owned(),
        "powerpc64" => "powerpc64le-linux-gnu".to_owned(),
        other => format!("{other}-linux-gnu"),
    }
}

fn not_found(given: bool, places: &[PathBuf]) -> String {
    let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    if given {
        return format!("{}: not a file; --module takes the path of the PAM module", places.join(", "));
    }
    format!("the PAM module was not found; name it with --module FILE. Looked for: {}", places.join(", "))
}

// security/_pam_types.h
const PAM_OPEN_ERR: i32 = 1;
const PAM_SYMBOL_ERR: i32 = 2;
const PAM_MODULE_UNKNOWN: i32 = 28;

const INSTALLED: &str = "pam_mfa_chain.so";
const BUILT: &str = "libmfa_chain.so";
const FOLDERS: [&str; 5] = [
    "/usr/lib64/security",
    "/lib64/security",
    "/usr/lib/security",
    "/lib/security",
    "/usr/local/lib/security",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_rehearsed_with_its_own_module() {
        let places = candidates(Some(Path::new("/b/mfa-chain")), "x86_64-linux-gnu");
        let shown: Vec<_> = places.iter().map(|place| place.to_str().expect("text")).collect();
        assert_eq!(
            shown,
            [
                "/b/pam_mfa_chain.so",
                "/b/libmfa_chain.so",
                "/b/deps/libmfa_chain.so",
                "/usr/lib/x86_64-linux-gnu/security/pam_mfa_chain.so",
                "/lib/x86_64-linux-gnu/security/pam_mfa_chain.so",
                "/usr/lib64/security/pam_mfa_chain.so",
                "/lib64/security/pam_mfa_chain.so",
                "/usr/lib/security/pam_mfa_chain.so",
                "/lib/security/pam_mfa_chain.so",
                "/usr/local/lib/security/pam_mfa_chain.so",
            ]
        );
    }

    #[test]
    fn a_command_among_the_dependencies_finds_the_module_above() {
        let places = candidates(Some(Path::new("/t/debug/deps/mfa-chain")), "x");
        assert!(places.contains(&PathBuf::from("/t/debug/libmfa_chain.so")), "{places:?}");
    }

    #[test]
    fn architectures_have_the_names_of_debian() {
        for (architecture, expected) in [
            ("x86_64", "x86_64-linux-gnu"),
            ("aarch64", "aarch64-linux-gnu"),
            ("x86", "i386-linux-gnu"),
            ("arm", "arm-linux-gnueabihf"),
        ] {
            assert_eq!(triplet(architecture), expected);
        }
    }
}
