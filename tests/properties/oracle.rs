//! What is right, written down a second time and apart from the code under test.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// The code of a counter or a time step (RFC 4226 §5.3).
pub fn code(secret: &[u8], moving_factor: u64, digits: usize) -> String {
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(secret).expect("a key of any length");
    mac.update(&moving_factor.to_be_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    let at = usize::from(hash[19] & 0xf);
    let number = u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]) & 0x7fff_ffff;
    let text = format!("{number:010}");
    text[text.len() - digits..].to_owned()
}

/// What an answer is by its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// These digits.
    Code(String),
    /// These 24 letters, in upper case.
    Recovery(String),
    /// The filler of sshd.
    Junk,
    Malformed,
}

/// The shape of an answer where codes have so many digits.
pub fn shape(answer: &[u8], digits: usize) -> Shape {
    let filler = b"\x08\n\r\x7f";
    if answer.starts_with(filler) || !answer.is_empty() && filler.starts_with(answer) {
        return Shape::Junk;
    }
    if answer.len() > 64 {
        return Shape::Malformed;
    }
    let text: String = answer.iter().map(|byte| char::from(*byte)).collect();
    let text = text.replace([' ', '\t', '\n', '\r', '\x0c'], "");
    if text.len() == digits && text.chars().all(|letter| letter.is_ascii_digit()) {
        return Shape::Code(text);
    }
    let letters = text.replace('-', "").to_ascii_uppercase();
    let base32 = letters.chars().all(|letter| matches!(letter, 'A'..='Z' | '2'..='7'));
    if letters.len() == 24 && base32 { Shape::Recovery(letters) } else { Shape::Malformed }
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// CRC-32C (RFC 3720 appendix B.4), bit by bit.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for byte in bytes {
        register ^= u32::from(*byte);
        for _ in 0..8 {
            register = (register >> 1) ^ if register & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !register
}

/// A run of letters in `text` that could be a secret: 16 or more of base32.
pub fn secret_quoted<'a>(bytes: &'a [u8], text: &str) -> Option<&'a str> {
    let runs = bytes.split(|byte| !matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let runs = runs.filter(|run| run.len() >= 16 && run.iter().any(u8::is_ascii_uppercase));
    let mut texts = runs.filter_map(|run| std::str::from_utf8(run).ok());
    texts.find(|run| text.contains(&run[..16]))
}
