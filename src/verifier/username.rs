//! The name of a user, and the name of the files that are kept for it.

use std::fmt::{self, Write as _};

use super::otp::keyed_hash;

/// A name that an account can have: any text but the empty one, without NUL. Capitals,
/// accents, blanks and `EXAMPLE\\alice` are all taken, as directories use them.
///
/// U+FFFD, which stands for bytes that are not UTF-8, is not taken, because two names could look the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

impl Username {
    /// The longest name, in bytes: as much as libpam passes on.
    pub const MAX_BYTES: usize = 1_024;
    /// The longest file name that shows the whole name. File names end at 255 bytes and the store adds to them.
    const MAX_PLAIN_BYTES: usize = 200;

    /// Takes a name as the application or the account databases gave it.
    ///
    /// # Errors
    ///
    /// [`InvalidUsername`] when no account can have it.
    pub fn parse(name: &str) -> Result<Self, InvalidUsername> {
        if name.is_empty() || name.len() > Self::MAX_BYTES || name.contains(['\0', '\u{fffd}']) {
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

    /// The name as one file name. Ordinary names are their own; `/`, `%`, control characters, a dot, dash or
    /// blank in front and a blank at the end are written as `%` and two hex digits for each byte. No two names
    /// have one file name.
    ///
    /// A long one is cut, and `%%` and a hash of the whole name stand for the rest.
    #[must_use]
    pub fn to_file_name(&self) -> String {
        let mut file_name = String::with_capacity(self.0.len());
        let last = self.0.len().saturating_sub(1);
        for (place, letter) in self.0.char_indices() {
            let escaped = matches!(letter, '/' | '%')
                || letter.is_control()
                || place == 0 && matches!(letter, '.' | '-')
                || (place == 0 || place == last) && letter == ' ';
            if !escaped {
                file_name.push(letter);
                continue;
            }
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String can't fail.
                let _ = write!(file_name, "%{byte:02x}");
            }
        }
        if file_name.len() > Self::MAX_PLAIN_BYTES { self.short_file_name(&file_name) } else { file_name }
    }

    /// The name that has this file name. `None` for one that [`Self::to_file_name`] never gives, and for one that
    /// was cut, whose whole name stands only in the record.
    #[must_use]
    pub fn from_file_name(file_name: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(file_name.len());
        let mut rest = file_name.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'%' {
                bytes.push(byte);
                continue;
            }
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        }
        let name = Self::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
        (name.to_file_name() == file_name).then_some(name)
    }

    fn short_file_name(&self, escaped: &str) -> String {
        let cut = (0..=Self::MAX_CUT_BYTES).rev().find(|place| escaped.is_char_boundary(*place));
        let mut file_name = escaped.get(..cut.unwrap_or(0)).unwrap_or_default().to_owned();
        file_name.push_str("%%");
        for byte in keyed_hash(b"mfa-chain file name v2", &[self.0.as_bytes()]) {
            let _ = write!(file_name, "{byte:02x}");
        }
        file_name
    }

    /// What a cut file name shows of the name, in bytes.
    const MAX_CUT_BYTES: usize = 120;
}

/// The name on one line, whatever is in it: control characters are escaped.
impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if letter.is_control() {
                write!(formatter, "{}", letter.escape_default())?;
            } else {
                formatter.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// The text can't be a [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUsername;

impl fmt::Display for InvalidUsername {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a user name: 1 to {} bytes of UTF-8 without NUL", Username::MAX_BYTES)
    }
}

impl std::error::Error for InvalidUsername {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file_name(name: &str) -> String {
        Username::parse(name).expect(name).to_file_name()
    }

    #[test]
    fn names_of_local_and_directory_accounts_are_their_own_file_names() {
        for name in ["a", "alice", "alice@example.org", "EXAMPLE\\alice", "john smith", "svc$", "Zoë", "佐藤"]
        {
            assert_eq!(file_name(name), name);
        }
    }

    #[test]
    fn a_name_never_leaves_the_store() {
        for (name, expected) in [
            (".", "%2e"),
            ("..", "%2e."),
            ("../x", "%2e.%2fx"),
            ("/etc/passwd", "%2fetc%2fpasswd"),
            (".alice.toml.new", "%2ealice.toml.new"),
            ("-rf", "%2drf"),
            (" a ", "%20a%20"),
            ("50%", "50%25"),
            ("a\n\u{9b}", "a%0a%c2%9b"),
        ] {
            assert_eq!(file_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn what_no_account_can_have_is_refused() {
        let long = "a".repeat(Username::MAX_BYTES + 1);
        for name in ["", "a\0b", "\u{fffd}", &long] {
            assert_eq!(Username::parse(name), Err(InvalidUsername), "{name:?}");
        }
    }

    #[test]
    fn long_names_have_short_file_names_of_their_own() {
        let names = ["a", "b"].map(|end| format!("{}{end}", "ü".repeat(300)));
        let [one, other] = names.each_ref().map(|name| file_name(name));
        assert!(one.len() <= 200 && one.starts_with("üü"), "{one}");
        assert_ne!(one, other);
        assert_eq!(Username::from_file_name(&one), None);
    }

    #[test]
    fn a_name_is_shown_on_one_line() {
        assert_eq!(Username::parse("a\n\u{1b}b\u{85}").expect("a name").to_string(), "a\\n\\u{1b}b\\u{85}");
    }

    proptest! {
        #[test]
        fn a_file_name_leads_back_to_its_name_and_to_no_other(name in "\\PC{1,40}|[ -~\n\t]{1,60}") {
            let name = name.replace('\u{fffd}', "x");
            let user = Username::parse(&name).unwrap();
            let file_name = user.to_file_name();
            prop_assert!(!file_name.contains(['/', '\0']) && !file_name.starts_with('.'));
            prop_assert_eq!(Username::from_file_name(&file_name), Some(user));
        }

        #[test]
        fn a_file_name_that_was_not_made_is_nobodys(file_name in "[%./a-c0-3 -]{1,12}") {
            if let Some(user) = Username::from_file_name(&file_name) {
                prop_assert_eq!(user.to_file_name(), file_name);
            }
        }
    }
}
