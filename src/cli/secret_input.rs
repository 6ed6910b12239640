//! Where the secret of an enrolment comes from: the kernel, a file or standard input, never the command line.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::failure::Failure;
use super::otpauth::{Authenticator, SCHEME};
use super::output;
use crate::verifier::policy::Factor;
use crate::verifier::secret::SharedSecret;

/// Makes a secret of 160 bits with the parameters that the policy enrols.
///
/// # Errors
///
/// [`Failure`] when the kernel gives no random bytes.
pub fn make(factor: &Factor) -> Result<Authenticator, Failure> {
    let mut bytes = Zeroizing::new(vec![0; SharedSecret::RECOMMENDED_BYTES]);
    fill(&mut bytes)?;
    let secret = SharedSecret::from_bytes(bytes).map_err(|error| Failure::refused(error.to_string()))?;
    Ok(Authenticator { secret, parameters: factor.enrolment, counter: 0 })
}

/// Reads the secret from `path`, or from standard input where it is `-`.
///
/// # Errors
///
/// [`Failure`] saying what is wrong with the content, never a word of it.
pub fn read(path: &Path, factor: &Factor) -> Result<Authenticator, Failure> {
    let content = if path == Path::new(STDIN) { read_stdin()? } else { read_file(path)? };
    let text = std::str::from_utf8(&content).map_err(|_| Failure::refused("the secret is not text"))?;
    parse(text, factor).map_err(Failure::refused)
}

/// Fills `bytes` from the kernel.
///
/// # Errors
///
/// [`Failure`] when it gives none.
pub fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|_| Failure::refused("the kernel gave no random bytes; try again"))
}

/// The path that stands for standard input.
pub const STDIN: &str = "-";

fn parse(text: &str, factor: &Factor) -> Result<Authenticator, String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().ok_or("the secret file is empty")?;
    if lines.next().is_some() {
        return Err("the secret file holds more than one line; give the line of the secret alone".to_owned());
    }
    let scheme = line.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) {
        return Authenticator::parse(line, factor);
    }
    let secret = SharedSecret::from_base32(line).map_err(|error| error.to_string())?;
    Ok(Authenticator { secret, parameters: factor.enrolment, counter: 0 })
}

fn read_stdin() -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Past the buffer of std, which is never wiped.
    let stdin = io::stdin().as_fd().try_clone_to_owned();
    read_all(File::from(stdin.map_err(|error| cannot_read(&error))?))
}

/// The path is not named in errors: who gives a secret in its place shall not see it in a log.
fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let file = File::open(path).map_err(|error| cannot_read(&error))?;
    let status = file.metadata().map_err(|error| cannot_read(&error))?;
    if status.is_file() && status.permissions().mode() & 0o077 != 0 {
        output::warn("others can read the secret file; remove it after the enrolment");
    }
    read_all(file)
}

fn read_all(mut file: File) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(vec![0; MAX_BYTES.saturating_add(1)]);
    let mut length = 0_usize;
    while let Some(rest) = content.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length = length.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot_read(&error)),
        }
    }
    if length > MAX_BYTES {
        return Err(Failure::refused(format!("the secret file is larger than {MAX_BYTES} bytes")));
    }
    content.truncate(length);
    Ok(content)
}

fn cannot_read(error: &io::Error) -> Failure {
    Failure::refused(format!("cannot read the secret file: {error}"))
}

const MAX_BYTES: usize = 4 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::otp::Digits;
    use crate::verifier::policy::{CodeParameters, FactorId, FactorKind, Label};

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn factor() -> Factor {
        let id = FactorId::parse("phone").expect("id");
        let digits = Digits::new(8).expect("digits");
        let enrolment = CodeParameters { digits, ..CodeParameters::default() };
        Factor { label: Label::from(&id), id, kind: FactorKind::Totp { window: 1 }, enrolment }
    }

    #[test]
    fn base32_gets_the_parameters_of_the_policy_and_a_uri_brings_its_own() {
        let base32 = parse(&format!("\n gezd gnbv {}\r\n", &SECRET[8..]), &factor()).expect("base32");
        assert_eq!(base32.parameters.digits.count(), 8);
        let uri = parse(&format!("OTPAUTH://totp/a?secret={SECRET}\n"), &factor()).expect("uri");
        assert_eq!(uri.parameters.digits.count(), 6);
        assert_eq!(base32.secret, uri.secret);
    }

    #[test]
    fn content_that_is_no_secret_is_refused_without_a_word_of_it() {
        let cases = [
            (String::new(), "empty"),
            (" \n".to_owned(), "empty"),
            (format!("{SECRET}\n{SECRET}\n"), "more than one line"),
            (format!("secret={SECRET}"), "not base32"),
            ("GEZDGNBVGY3TQ".to_owned(), "64 bits"),
        ];
        for (text, word) in cases {
            let error = parse(&text, &factor()).map(|_| ()).expect_err(&text);
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("GEZD"), "{error}");
        }
    }

    #[test]
    fn made_secrets_have_160_bits_and_differ() {
        let (one, other) = (make(&factor()).expect("one"), make(&factor()).expect("other"));
        assert_eq!(one.secret.bits(), 160);
        assert_ne!(one.secret, other.secret);
        assert_eq!(one.parameters, factor().enrolment);
    }
}
