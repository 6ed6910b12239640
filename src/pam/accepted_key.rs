//! The public key that sshd accepted in this connection, as sshd reports it.

use std::ffi::{CStr, c_char};
use std::path::Path;

use ::pam::module::PamHandle;

/// Proof that sshd accepted a public key before it called PAM. Only [`Self::shown_by_sshd`] makes one, from
/// what sshd put into the PAM environment. An exempt login succeeds only with this proof.
#[derive(Debug)]
pub struct AcceptedKey {
    // Private, so that no other module can make one.
    _made_here: (),
}

impl AcceptedKey {
    /// Looks for the key in `SSH_AUTH_INFO_0` of the PAM environment.
    ///
    /// # Errors
    ///
    /// [`NoAcceptedKey`]: the process is not sshd, so any program may have set the variable, or sshd names no
    /// key.
    pub fn shown_by_sshd(handle: &mut PamHandle) -> Result<Self, NoAcceptedKey> {
        if !runs_in_sshd() {
            return Err(NoAcceptedKey::NotSshd);
        }
        let methods = pam_environment(handle, AUTH_INFO).unwrap_or_default();
        if names_a_key(&methods) { Ok(Self { _made_here: () }) } else { Err(NoAcceptedKey::NotNamed) }
    }
}

/// Why there is no proof of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAcceptedKey {
    /// The process is not an sshd that root started.
    NotSshd,
    /// sshd accepted no public key in this connection so far.
    NotNamed,
}

impl NoAcceptedKey {
    /// What is missing and what the administrator can do, for the log.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::NotSshd => {
                "exempt=publickey counts only in sshd, and this program is not sshd; the other lines of the \
                 stack decide; take the argument out of this line"
            }
            Self::NotNamed => {
                "sshd accepted no public key before this line; the other lines of the stack decide; put publickey \
                 before keyboard-interactive in AuthenticationMethods"
            }
        }
    }
}

/// Whether this process is an sshd that root started.
///
/// The service name proves nothing, because every program chooses its own. This function checks two facts that
/// only root can fake. First, all three user ids are 0; this does not hold in a set-user-id program that another
/// user started. Second, the kernel names sshd as the running file.
///
/// sshd overwrites `SSH_AUTH_INFO_0` before it calls PAM, so only earlier modules of the same stage could have
/// changed the variable, and root wrote that stack.
#[must_use]
pub fn runs_in_sshd() -> bool {
    let ids = nix::unistd::getresuid();
    let is_root = ids.is_ok_and(|ids| ids.real.is_root() && ids.effective.is_root() && ids.saved.is_root());
    is_root && std::fs::read_link("/proc/self/exe").is_ok_and(|program| is_sshd(&program))
}

/// OpenSSH up to 9.7 calls PAM in `sshd`, later versions in `sshd-session`. If an upgrade replaces the file of a
/// running sshd, the kernel appends " (deleted)" to the name.
fn is_sshd(program: &Path) -> bool {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    matches!(name.strip_suffix(" (deleted)").unwrap_or(name), "sshd" | "sshd-session")
}

/// Whether one line of the accepted methods is a public key: `publickey ssh-ed25519 AAAA...`.
fn names_a_key(methods: &str) -> bool {
    methods.lines().any(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words.as_slice(), ["publickey", kind, key, ..] if !kind.is_empty() && !key.is_empty())
    })
}

/// The variable in which sshd lists the accepted methods, one per line (`expose_authinfo` in auth-pam.c of OpenSSH).
const AUTH_INFO: &CStr = c"SSH_AUTH_INFO_0";

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
}

/// A copy of a variable of the PAM environment, which is separate from the environment of the process.
fn pam_environment(handle: &mut PamHandle, name: &CStr) -> Option<String> {
    // SAFETY: pam_getenv(3) takes the handle that libpam passed to this hook, and a NUL-terminated name.
    let value = unsafe { pam_getenv(handle, name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: not null and NUL-terminated; libpam keeps the text until the next pam_putenv(3), after this copy.
    Some(unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_method_kind_and_blob() {
        for (methods, expected) in [
            ("publickey ssh-ed25519 AAAAC3Nz", true),
            ("publickey ssh-ed25519 AAAAC3Nz\n", true),
            ("password\npublickey rsa-sha2-512 AAAAB3Nz\n", true),
            ("publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNz ID alice", true),
            ("", false),
            ("\n", false),
            ("publickey", false),
            ("publickey ", false),
            ("publickey ssh-ed25519", false),
            ("publickey ssh-ed25519 ", false),
            ("publickey  AAAAC3Nz", false),
            (" publickey ssh-ed25519 AAAAC3Nz", false),
            ("Publickey ssh-ed25519 AAAAC3Nz", false),
            ("hostbased ssh-ed25519 AAAAC3Nz", false),
            ("keyboard-interactive/pam", false),
            ("password publickey ssh-ed25519 AAAAC3Nz", false),
        ] {
            assert_eq!(names_a_key(methods), expected, "{methods:?}");
        }
    }

    #[test]
    fn sshd_is_known_by_the_name_of_its_program() {
        for (program, expected) in [
            ("/usr/sbin/sshd", true),
            ("/usr/lib/openssh/sshd-session", true),
            ("/usr/sbin/sshd (deleted)", true),
            ("/usr/sbin/sshd-auth", false),
            ("/usr/bin/sudo", false),
            ("/usr/sbin/sshd/x", false),
            ("/usr/bin/mysshd", false),
            ("/", false),
        ] {
            assert_eq!(is_sshd(Path::new(program)), expected, "{program}");
        }
    }

    #[test]
    fn this_program_is_not_sshd() {
        assert!(!runs_in_sshd());
    }
}
