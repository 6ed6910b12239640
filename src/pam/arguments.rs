//! The arguments of the module in a line of /etc/pam.d.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::store::{DEFAULT_POLICY, DEFAULT_STORE};

/// What the line says: `policy=FILE store=DIR exempt=publickey debug rehearsal`, each optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// `policy=`: the policy file.
    pub policy: PathBuf,
    /// `store=`: the folder of enrollments.
    pub store: PathBuf,
    /// `exempt=publickey`: an exempt login succeeds where sshd accepted a public key.
    pub exempt_by_key: bool,
    /// `debug`: more log lines, still without secrets.
    pub debug: bool,
    /// `rehearsal`: marks each log line. `mfa-chain try` sets it, so that its lines can't be taken for logins.
    pub rehearsal: bool,
}

impl Arguments {
    /// Every argument, for messages and for the check of the manual.
    pub const KNOWN: [&'static str; 5] = ["debug", "exempt=publickey", "policy=", "rehearsal", "store="];

    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`] for an unknown argument or a path that is not absolute: a typing mistake must
    /// neither open nor close a login silently.
    pub fn parse(arguments: &[&CStr]) -> Result<Self, InvalidArgument> {
        let mut parsed = Self {
            policy: PathBuf::from(DEFAULT_POLICY),
            store: PathBuf::from(DEFAULT_STORE),
            exempt_by_key: false,
            debug: false,
            rehearsal: false,
        };
        for (place, argument) in arguments.iter().enumerate() {
            let key =
                |argument: &CStr| argument.to_bytes().split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
            if argument.to_bytes().contains(&b'=')
                && arguments.iter().take(place).any(|earlier| key(earlier) == key(argument))
            {
                return Err(InvalidArgument::new(argument, "is given twice"));
            }
            let bytes = argument.to_bytes();
            if bytes == b"debug" {
                parsed.debug = true;
            } else if bytes == b"rehearsal" {
                parsed.rehearsal = true;
            } else if bytes == b"exempt=publickey" {
                parsed.exempt_by_key = true;
            } else if let Some(path) = bytes.strip_prefix(b"policy=") {
                parsed.policy = absolute(path, argument)?;
            } else if let Some(path) = bytes.strip_prefix(b"store=") {
                parsed.store = absolute(path, argument)?;
            } else {
                return Err(InvalidArgument::new(argument, "is not known"));
            }
        }
        Ok(parsed)
    }
}

fn absolute(path: &[u8], argument: &CStr) -> Result<PathBuf, InvalidArgument> {
    if path.starts_with(b"\"") || path.starts_with(b"'") {
        return Err(InvalidArgument::new(
            argument,
            "has quotes, which libpam does not know: write it without, with a blank in it as [policy=/a b]",
        ));
    }
    if path.ends_with(b"\r") {
        return Err(InvalidArgument::new(
            argument,
            "ends with a carriage return: give the file Unix line ends",
        ));
    }
    let path = Path::new(OsStr::from_bytes(path));
    if path.is_absolute() {
        Ok(path.to_owned())
    } else {
        Err(InvalidArgument::new(argument, "needs an absolute path"))
    }
}

/// An argument that the module does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidArgument {
    argument: String,
    problem: &'static str,
}

impl InvalidArgument {
    fn new(argument: &CStr, problem: &'static str) -> Self {
        Self { argument: argument.to_string_lossy().into_owned(), problem }
    }
}

impl fmt::Display for InvalidArgument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { argument, problem } = self;
        let known = Arguments::KNOWN.join(", ");
        write!(
            formatter,
            "module argument `{argument}` {problem}; known: {known}; correct the line in /etc/pam.d"
        )
    }
}

impl std::error::Error for InvalidArgument {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_argument_is_taken_and_each_has_a_default() {
        let defaults = Arguments::parse(&[]).expect("none");
        assert_eq!(defaults.policy, Path::new("/etc/mfa-chain/policy.toml"));
        assert_eq!(defaults.store, Path::new("/var/lib/mfa-chain"));
        assert!(!defaults.debug && !defaults.exempt_by_key && !defaults.rehearsal);
        let line = [c"policy=/p/x.toml", c"debug", c"exempt=publickey", c"rehearsal", c"store=/s"];
        let parsed = Arguments::parse(&line).expect("all");
        let expected = Arguments {
            policy: "/p/x.toml".into(),
            store: "/s".into(),
            exempt_by_key: true,
            debug: true,
            rehearsal: true,
        };
        assert_eq!(parsed, expected);
    }

    #[test]
    fn an_unknown_or_relative_argument_is_refused_by_name() {
        for (argument, message) in [
            (
                c"nullok",
                "module argument `nullok` is not known; known: debug, exempt=publickey, policy=, rehearsal, store=",
            ),
            (c"exempt=", "module argument `exempt=` is not known"),
            (c"exempt=password", "module argument `exempt=password` is not known"),
            (c"Debug", "module argument `Debug` is not known"),
            (c"policy=", "module argument `policy=` needs an absolute path"),
            (c"store=x/y", "module argument `store=x/y` needs an absolute path"),
            (c"", "module argument `` is not known"),
            (c"policy=\"/p\"", "module argument `policy=\"/p\"` has quotes"),
            (c"policy=/p\r", "module argument `policy=/p\r` ends with a carriage return"),
        ] {
            let error = Arguments::parse(&[argument]).expect_err("refused").to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let twice = Arguments::parse(&[c"policy=/a", c"policy=/b"]).expect_err("refused").to_string();
        assert!(twice.starts_with("module argument `policy=/b` is given twice"), "{twice}");
    }
}
