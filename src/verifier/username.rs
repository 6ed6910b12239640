//! The name of a claimant, safe as a file name by construction.

use std::fmt;

/// A login name that can name a file: printable ASCII without `/`, no leading dot or dash, no blank at
/// either end, at most 128 bytes.
///
/// Names of directory services (`alice@example.org`, `EXAMPLE\alice`) are allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

impl Username {
    /// The longest name, in bytes. File names end at 255 and the store adds a suffix.
    pub const MAX_BYTES: usize = 128;

    /// Takes a name as the application gave it.
    ///
    /// # Errors
    ///
    /// [`InvalidUsername`] when it can't be a file name, so nobody of that name can be enrolled.
    pub fn parse(name: &str) -> Result<Self, InvalidUsername> {
        let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'/');
        let framed = name.starts_with(['.', '-', ' ']) || name.ends_with(' ');
        if name.is_empty() || name.len() > Self::MAX_BYTES || !printable || framed {
            return Err(InvalidUsername);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name in the record that is read where there is none.
    pub(crate) fn nobody() -> Self {
        Self("nobody".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The text is no [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUsername;

impl fmt::Display for InvalidUsername {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "not a user name: 1 to {} printable ASCII characters, no `/`, no leading dot, dash or blank",
            Username::MAX_BYTES
        )
    }
}

impl std::error::Error for InvalidUsername {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_local_and_directory_accounts_are_taken() {
        for name in ["a", "alice", "alice@example.org", "EXAMPLE\\alice", "john smith", "svc$", "a.b-c_d+e"] {
            assert_eq!(Username::parse(name).expect(name).as_str(), name);
        }
    }

    #[test]
    fn a_name_that_leaves_the_store_is_refused() {
        let long = "a".repeat(Username::MAX_BYTES + 1);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc/passwd",
            ".hidden",
            "-rf",
            " a",
            "a ",
            "a\n",
            "a\0b",
            "é",
            &long,
        ] {
            assert_eq!(Username::parse(name), Err(InvalidUsername), "{name:?}");
        }
    }
}
