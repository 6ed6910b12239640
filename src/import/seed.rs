//! A secret as lists write it.

use base16ct::mixed as hex;
use zeroize::Zeroizing;

use super::token::Encoding;
use crate::verifier::otp::SharedSecret;

/// Reads a secret.
///
/// # Errors
///
/// What is wrong with it; no word of it.
pub fn read_seed(text: &str, encoding: Encoding) -> Result<SharedSecret, String> {
    match encoding {
        Encoding::Base32 => SharedSecret::from_base32(text).map_err(|error| error.to_string()),
        Encoding::Hex => read_hex(text),
    }
}

fn read_hex(text: &str) -> Result<SharedSecret, String> {
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    digits.extend(without_mark(text).chars().filter(|letter| !matches!(letter, ' ' | ':' | '-')));
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the secret is not hexadecimal".to_owned());
    }
    let count = digits.len();
    if !count.is_multiple_of(2) {
        return Err(format!(
            "the secret has {count} hexadecimal digits, which are no whole bytes; one is missing"
        ));
    }
    let mut bytes = Zeroizing::new(vec![0; count / 2]);
    hex::decode(digits.as_bytes(), &mut bytes).map_err(|_| "the secret is not hexadecimal")?;
    SharedSecret::from_bytes(bytes).map_err(|error| error.to_string())
}

/// The digits without the `0x` in front of them.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}
