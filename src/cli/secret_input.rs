//! Where the secret of an enrollment comes from: the kernel, a file or standard input, never the command line.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::failure::Failure;
use super::{output, secret_forms, secret_text};
use crate::verifier::enrollment::Authenticator;
use crate::verifier::enrollment::otpauth::SCHEME;
use crate::verifier::policy::Factor;

/// Reads the secret from `path`, or from standard input where it is `-`.
///
/// # Errors
///
/// [`Failure`] saying what is wrong with the content, never a word of it.
pub fn read_secret(path: &Path, factor: &Factor) -> Result<Authenticator, Failure> {
    let content = if path == Path::new(STDIN) { read_stdin()? } else { read_file(path)? };
    decode(&content).and_then(|text| secret_text::parse(&text, factor)).map_err(Failure::refused)
}

/// The path that stands for standard input.
pub const STDIN: &str = "-";

/// The content as text. In the label of a URI, which is not looked at, any bytes may stand.
fn decode(content: &[u8]) -> Result<Zeroizing<String>, String> {
    if let Some(what) = secret_forms::explain_bytes(content) {
        return Err(what.to_owned());
    }
    match std::str::from_utf8(content) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_)
            if content
                .get(..SCHEME.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(SCHEME.as_bytes())) =>
        {
            // Twice the room, so that growing leaves no copy behind.
            let mut text = Zeroizing::new(String::with_capacity(content.len().saturating_mul(2)));
            text.extend(content.iter().map(|byte| char::from(*byte)));
            Ok(text)
        }
        Err(error) => {
            let whole = content.get(..error.valid_up_to()).unwrap_or_default();
            let line = whole.split(|byte| *byte == b'\n').count();
            let start = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
            let before = String::from_utf8_lossy(whole.get(start..).unwrap_or_default()).chars().count();
            let column = before.saturating_add(1);
            Err(format!("line {line}, column {column}: the secret is not text in UTF-8; copy it again"))
        }
    }
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
        output::warn("others can read the secret file; remove it after the enrollment");
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
    use super::secret_text::parse;
    use super::*;
    use crate::verifier::otp::Digits;
    use crate::verifier::policy::{CodeParameters, FactorId, FactorKind, Label};

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn factor() -> Factor {
        let id = FactorId::parse("phone").expect("id");
        let digits = Digits::new(8).expect("digits");
        let enrollment = CodeParameters { digits, ..CodeParameters::default() };
        Factor { label: Label::from(&id), id, kind: FactorKind::Totp { window: 1 }, enrollment }
    }

    #[test]
    fn base32_gets_the_parameters_of_the_policy_and_a_uri_brings_its_own() {
        let base32 = parse(&format!("\n gezd gnbv {}\r\n", &SECRET[8..]), &factor()).expect("base32");
        assert_eq!(base32.parameters.digits.count(), 8);
        let uri = parse(&format!("OTPAUTH://totp/a?secret={SECRET}\n"), &factor()).expect("uri");
        assert_eq!(uri.parameters.digits.count(), 6);
        assert_eq!(base32.secret, uri.secret);
    }

    /// The key `12345678901234567890`, but for hexadecimal: its digits could be anything.
    const BYTES: &str = "3a32333435363738393031323334353637383930";

    #[test]
    fn secrets_are_taken_as_apps_tokens_and_pages_write_them() {
        let spaced = |group: usize, between: &str| {
            let letters: Vec<char> = BYTES.chars().collect();
            letters.chunks(group).map(String::from_iter).collect::<Vec<_>>().join(between)
        };
        let plain = parse(BYTES, &factor()).expect("hex").secret;
        assert_eq!(*plain.to_base32(), "HIZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for text in [
            BYTES.to_ascii_uppercase(),
            format!("hex:{BYTES}"),
            format!("HEX: {BYTES}"),
            format!("0x{BYTES}"),
            spaced(2, " "),
            spaced(2, ":"),
            spaced(2, "-"),
            spaced(2, ", 0x"),
            format!("\\x{}", spaced(2, "\\x")),
            spaced(4, "\u{a0}"),
            "HIZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
            "HIZD\u{a0}GNBV\u{2009}GY3T\u{2011}QOJQ\u{2013}GEZDGNBV\u{200b}GY3TQOJQ\u{200b}\n".to_owned(),
            "\u{feff}HIZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\r\n".to_owned(),
            "\"HIZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"".to_owned(),
            "\u{201c}HIZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\u{201d}".to_owned(),
            "base32:hizdgnbvgy3tqojqgezdgnbvgy3tqojq".to_owned(),
            "\"otpauth://totp/a?secret=HIZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"".to_owned(),
        ] {
            let read = parse(&text, &factor()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(read.secret == plain, "{text}");
        }
        let modhex = parse("modhex:cbdefghijklnrtuvcbde", &factor()).expect("modhex").secret;
        assert!(modhex == parse("hex:0123456789abcdef0123", &factor()).expect("hex").secret);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (text, cure) in [
            ("d57f46cd6d24bd7bbea7ca575aa43625d6526ba2", "`hex:` or `base32:`"),
            ("jtltevtvviffcrjjgfeblduiihlkngeukfrbflnr", "`modhex:` or `base32:`"),
            ("12345678901234567890", "write `hex:` in front"),
        ] {
            let error = parse(text, &factor()).map(|_| ()).expect_err(text);
            assert!(error.starts_with("line 1, column 1: ") && error.contains(cure), "{text}: {error}");
            let word = cure.split('`').nth(1).expect("a word");
            let chosen = parse(&format!("{word}{text}"), &factor());
            assert!(chosen.is_ok(), "{word}: {chosen:?}");
        }
    }

    #[test]
    fn content_that_is_no_secret_is_refused_with_its_place_and_without_a_word_of_it() {
        for (text, word) in no_secrets() {
            if word.is_empty() {
                assert!(parse(&text, &factor()).is_ok(), "{text}");
                continue;
            }
            let error = parse(&text, &factor()).map(|_| ()).expect_err(&text);
            assert!(error.contains(word), "{text}: {error}");
            for part in ["GEZD", "3a32", "35GT"] {
                assert!(!error.contains(part), "{error}");
            }
        }
    }

    /// Each with a word of its refusal; the empty word where it is taken.
    fn no_secrets() -> Vec<(String, &'static str)> {
        let uri = format!("otpauth://totp/a?secret={SECRET}");
        vec![
            (String::new(), "empty"),
            (" \n\u{200b}".to_owned(), "empty"),
            (format!("{SECRET}\n{SECRET}\n"), "line 2, column 1: the secret file holds more than one line"),
            (
                format!("# mine\n{SECRET}\n"),
                "line 2, column 1: the secret file holds more than one line; delete the comment",
            ),
            (format!("{SECRET}\n\" RATE_LIMIT 3 30\n"), "head -n 1"),
            (format!("{}\n{}", &uri[..40], &uri[40..]), "tr -d"),
            (format!("secret={SECRET}"), "line 1, column 8: the secret begins here"),
            (format!("secret: {SECRET}"), "line 1, column 8: the secret begins here"),
            (format!("URI: {uri}"), "line 1, column 6: the otpauth URI begins here"),
            (format!("\n  \"{uri}&digits=9\""), "line 2, column 61: `digits` is not"),
            (format!("key={SECRET}&size=8&step=60"), "KeeOtp"),
            (format!("{SECRET}\0"), "line 1, column 33: a control character, U+0000"),
            (format!("{SECRET}="), ""),
            ("GEZDGNBVGY3TQ".to_owned(), "64 bits"),
            ("35GTMLIZVNXQK553DSBAPHTMB".to_owned(), "line 1, column 26: 25 letters"),
            (format!("{}0", &SECRET[..31]), "line 1, column 32: not base32: it has no 0, 1, 8 or 9"),
            (format!("steam://{SECRET}"), "Steam"),
            ("otpauth-migration://offline?data=CjEKFA%3D%3D".to_owned(), "export of Google Authenticator"),
            ("phonefactor://activate_account?code=1".to_owned(), "Microsoft"),
            (format!("totp://{SECRET}"), "`otpauth://totp/`"),
            (format!("apple-{uri}"), "`otpauth://`"),
            (format!("optauth://totp/a?secret={SECRET}"), "misspelt"),
            (format!("otpauth:totp/a?secret={SECRET}"), "both slashes"),
            (format!("{{\"secret\":\"{SECRET}\"}}"), "JSON"),
            ("hex:3a3233343536373839303132333435363738393".to_owned(), "39 digits are no whole bytes"),
            ("hex:3a32333435363738393031323334353637383g30".to_owned(), "line 1, column 42: not hexadecimal"),
        ]
    }

    #[test]
    fn bytes_that_are_no_text_are_told_by_what_they_are() {
        let utf_16: Vec<u8> = SECRET.bytes().flat_map(|byte| [byte, 0]).collect();
        for (content, word) in [
            (&b"\xff\xfeA\0"[..], "iconv -f UTF-16"),
            (&utf_16, "iconv -f UTF-16"),
            (b"\x89PNG\r\n", "zbarimg"),
            (b"AB\nA\xfc", "line 2, column 2: the secret is not text"),
        ] {
            let error = decode(content).expect_err(word);
            assert!(error.contains(word), "{error}");
        }
        let latin_1 = [b"otpauth://totp/M\xfcller?secret=", SECRET.as_bytes()].concat();
        let text = decode(&latin_1).expect("a URI");
        assert_eq!(*parse(&text, &factor()).expect("read").secret.to_base32(), SECRET);
    }
}
