//! The serial number of a hardware token.

use std::fmt;

/// What stands on the back of a token: 1 to 64 printable characters of ASCII, none of them a quotation mark or a
/// backslash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(String);

impl Serial {
    const LONGEST: usize = 64;

    /// Takes `text` without the blanks around it; `None` for any other text than a serial number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let fits = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(is_plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_taken_as_vendors_print_them() {
        for text in ["1", "GALT 11420104", "308-000/7", &"9".repeat(64)] {
            assert_eq!(Serial::parse(text).as_ref().map(Serial::as_str), Some(text));
        }
        assert_eq!(Serial::parse(" 42\t").as_ref().map(Serial::as_str), Some("42"));
        for text in ["", "  ", "a\"b", "a\\b", "a\nb", "ä", &"9".repeat(65)] {
            assert_eq!(Serial::parse(text), None, "{text}");
        }
    }
}
