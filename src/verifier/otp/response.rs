//! The answer of a claimant, and its shape.

use std::fmt;

use zeroize::Zeroizing;

use super::parameters::Digits;
use super::recovery::RecoveryCode;

/// One answer of a claimant: raw bytes, wiped on drop, never printed.
pub struct Response(Zeroizing<Vec<u8>>);

impl Response {
    /// The longest valid answer, in bytes. Recovery codes with blanks take 29.
    pub const MAX_BYTES: usize = 64;

    /// Takes an answer unchanged. A longer one is cut to one byte over [`Self::MAX_BYTES`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let kept = bytes.get(..=Self::MAX_BYTES).unwrap_or(bytes);
        Self(Zeroizing::new(kept.to_vec()))
    }

    /// Reads the shape of the answer before any arithmetic on secrets.
    #[must_use]
    pub(crate) fn shape(&self, digits: Digits) -> Shape {
        // For a short answer sshd sends only the beginning of its filler. No code begins like the filler, so
        // no guess is free.
        if !self.0.is_empty() && self.0.iter().zip(SSHD_JUNK).all(|(byte, junk)| byte == junk) {
            return Shape::SshdJunk;
        }
        if self.0.len() > Self::MAX_BYTES {
            return Shape::Malformed;
        }
        let kept = self.0.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        let text = Zeroizing::new(kept.collect::<Vec<u8>>());
        if text.len() == usize::from(digits.count()) && text.iter().all(u8::is_ascii_digit) {
            return Shape::Code(Code(text));
        }
        RecoveryCode::parse(&text).map_or(Shape::Malformed, Shape::Recovery)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Response([redacted])")
    }
}

/// The filler that sshd sends instead of the answers of a user whom it bars (`fake_password` in its
/// auth-pam.c), repeated or cut to the typed length.
const SSHD_JUNK: &[u8] = b"\x08\n\r\x7f";

/// The shape of an answer.
pub(crate) enum Shape {
    /// As many digits as the credential has.
    Code(Code),
    /// 24 characters of base32.
    Recovery(RecoveryCode),
    /// The filler of sshd, which bars this user.
    SshdJunk,
    /// Anything else.
    Malformed,
}

/// Digits only, as many as asked for. Wiped on drop.
pub(crate) struct Code(Zeroizing<Vec<u8>>);

impl Code {
    /// The digits as text.
    pub(crate) fn as_str(&self) -> &str {
        // Holds only ASCII digits, so this never fails; the empty text matches no code.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_name(text: &[u8], digits: u64) -> &'static str {
        match Response::from_bytes(text).shape(Digits::new(digits).expect("digits")) {
            Shape::Code(_) => "code",
            Shape::Recovery(_) => "recovery",
            Shape::SshdJunk => "junk",
            Shape::Malformed => "malformed",
        }
    }

    #[test]
    fn a_code_may_have_blanks_inside_and_around() {
        for text in ["123456", " 123 456 ", "1 2 3 4 5 6", "123456\r\n", "\t123456"] {
            assert_eq!(shape_name(text.as_bytes(), 6), "code", "{text:?}");
        }
        assert_eq!(shape_name(b"1234 5678", 8), "code");
    }

    #[test]
    fn an_answer_that_is_no_code_is_malformed() {
        let full_width = "１２３４５６".as_bytes();
        let long = vec![b'1'; 1 << 20];
        for text in [
            b"".as_slice(),
            b" ",
            b"12345",
            b"1234567",
            b"12345a",
            b"+12345",
            b"-12345",
            b"123-456",
            b"123456\0",
            b"\xff\xfe123456",
            full_width,
            &long,
        ] {
            assert_eq!(shape_name(text, 6), "malformed", "{:?}", text.get(..12.min(text.len())));
        }
        assert_eq!(shape_name(b"123456", 8), "malformed");
    }

    #[test]
    fn a_recovery_code_is_known_in_groups_and_any_case() {
        for text in
            ["ABCD-EFGH-IJKL-MNOP-QRST-UVWX", "abcd efgh ijkl mnop qrst uvwx", "ABCDEFGHIJKLMNOPQRSTUVWX"]
        {
            assert_eq!(shape_name(text.as_bytes(), 6), "recovery", "{text}");
        }
        assert_eq!(shape_name(b"ABCD-EFGH-IJKL-MNOP-QRST-UVW", 6), "malformed");
        assert_eq!(shape_name(b"ABCD-EFGH-IJKL-MNOP-QRST-UVW1", 6), "malformed");
    }

    #[test]
    fn the_filler_of_sshd_is_known_also_where_little_was_typed() {
        for text in
            [b"\x08\n\r\x7fIN".as_slice(), b"\x08", b"\x08\n", b"\x08\n\r", b"\x08\n\r\x7fINCORRECT\x08\n"]
        {
            assert_eq!(shape_name(text, 6), "junk", "{text:?}");
        }
        for text in [b"INCORRECT".as_slice(), b"\n", b"\r\x7f", b"\x08123456", b"1\x08"] {
            assert_eq!(shape_name(text, 6), "malformed", "{text:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_an_answer() {
        assert_eq!(format!("{:?}", Response::from_bytes(b"123456")), "Response([redacted])");
    }
}
