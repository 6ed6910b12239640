//! Forms of secrets that this host does not take, told by name.

use crate::verifier::enrollment::otpauth::{Refusal, SCHEME};

/// Refuses a line that is no key of its own, as far as it can be told.
///
/// # Errors
///
/// [`Refusal`] with what it is and the cure.
pub fn refuse_foreign(line: &str) -> Result<(), Refusal> {
    let refuse = |at: usize, message: &str| Err(Refusal::at(line, at, message));
    if let Some((scheme, _)) = line.split_once("://") {
        let known = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        if let Some((_, what)) = known {
            return refuse(0, what);
        }
        if let Some(at) = position_of_uri(line) {
            return refuse(at, "the otpauth URI begins here; delete what stands in front of it");
        }
        return refuse(0, "an unknown scheme; known: otpauth (Key Uri Format); compare its letters");
    }
    let lower = line.to_ascii_lowercase();
    if lower.contains("otpauth%3a") {
        return refuse(
            0,
            "a URI that is percent-encoded as a whole; decode it, so that it begins with `otpauth://`",
        );
    }
    if lower.starts_with("otpauth:") {
        return refuse(SCHEME.len(), "an otpauth URI begins with `otpauth://`; write both slashes");
    }
    if let Some((_, what)) = STARTS.iter().find(|(start, _)| lower.starts_with(start)) {
        return refuse(0, what);
    }
    let at = line.find(['=', ':']).unwrap_or(line.len());
    let word = lower.get(..at).unwrap_or_default().trim();
    if line.get(at..).is_some_and(|rest| !rest.trim_matches('=').is_empty()) && LABELS.contains(&word) {
        if word == "key" && (lower.contains("&size=") || lower.contains("&step=")) {
            return refuse(
                0,
                "KeeOtp's form; write it as `otpauth://totp/x?secret=KEY&digits=SIZE&period=STEP` with its values",
            );
        }
        return refuse(at.saturating_add(1), "the secret begins here; delete the word in front of it");
    }
    Ok(())
}

/// What a text of several lines is, by its first two.
#[must_use]
pub fn explain_lines(first: &str, second: &str) -> String {
    let more = "the secret file holds more than one line";
    let first = first.trim();
    let lower = first.to_ascii_lowercase();
    if second.starts_with("\" ") {
        return format!("{more}: it is a .google_authenticator; give only its first line: `head -n 1 FILE`");
    }
    if first.starts_with(['#', ';']) || first.starts_with("//") {
        return format!("{more}; delete the comment in front of the secret");
    }
    if let Some((_, what)) = STARTS.iter().find(|(start, _)| lower.starts_with(start)) {
        return format!("{more}: {what}");
    }
    let is_uri = |line: &str| position_of_uri(line) == Some(0);
    if is_uri(first) && !is_uri(second.trim()) {
        return format!("{more}; if the URI goes on here, join its lines: `tr -d '\\r\\n' < FILE`");
    }
    format!("{more}; give only the line of the secret")
}

/// What bytes are that are no text, by how they begin.
#[must_use]
pub fn explain_bytes(content: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 7] = [
        (b"\xff\xfe", UTF_16),
        (b"\xfe\xff", UTF_16),
        (b"\x89PNG", PICTURE),
        (b"\xff\xd8\xff", PICTURE),
        (b"GIF8", PICTURE),
        (b"%PDF", "a PDF; give the text of the secret"),
        (b"PK\x03\x04", "an archive; give the text of the secret"),
    ];
    let by_start = known.iter().find(|(start, _)| content.starts_with(start)).map(|(_, what)| *what);
    let every_second_is_nul = content.len() >= 4 && content.iter().skip(1).step_by(2).all(|byte| *byte == 0);
    by_start.or(every_second_is_nul.then_some(UTF_16))
}

fn position_of_uri(line: &str) -> Option<usize> {
    line.to_ascii_lowercase().find("otpauth://")
}

const UTF_16: &str = "the secret is text in UTF-16; write it as UTF-8: `iconv -f UTF-16 -t UTF-8 FILE`";
const PICTURE: &str = "the secret file is a picture; read its code: `zbarimg -q --raw FILE`";
const MIGRATION: &str = "an export of Google Authenticator, which holds one or more accounts; give the secret or the otpauth URI \
                         of a single one";

const SCHEMES: [(&str, &str); 16] = [
    ("otpauth-migration", MIGRATION),
    ("apple-otpauth", "Apple's name for an otpauth URI; write `otpauth://` in place of `apple-otpauth://`"),
    ("optauth", "the scheme is misspelt; write `otpauth://`"),
    ("otpath", "the scheme is misspelt; write `otpauth://`"),
    ("otauth", "the scheme is misspelt; write `otpauth://`"),
    ("totp", "the scheme is `otpauth`; write `otpauth://totp/`, then the account, `?secret=` and the key"),
    ("hotp", "the scheme is `otpauth`; write `otpauth://hotp/`, then the account, `?secret=` and the key"),
    ("steam", "a secret of Steam, whose codes are letters; this host takes TOTP and HOTP"),
    (
        "phonefactor",
        "an activation of Microsoft Authenticator for sign-in without codes; ask for a TOTP secret",
    ),
    ("msauth", "an activation of Microsoft Authenticator for sign-in without codes; ask for a TOTP secret"),
    ("motp", "a secret of Mobile-OTP; this host takes TOTP and HOTP"),
    ("oktaverify", "an activation of Okta Verify; ask for a TOTP secret"),
    ("duo", "an activation of Duo Mobile; ask for a TOTP secret"),
    ("http", "a link; open it and give the secret or the otpauth URI that it shows"),
    ("https", "a link; open it and give the secret or the otpauth URI that it shows"),
    ("file", "a link; give the file that it names"),
];

const STARTS: [(&str, &str); 14] = [
    ("{", "JSON, such as an app's export; give the secret of a single account"),
    ("[", "JSON, such as an app's export; give the secret of a single account"),
    ("<", "XML, such as PSKC or a page; give the secret of a single account"),
    ("-----begin", "an encrypted or armoured file; decrypt it and give only the secret"),
    ("data:", "a picture in a link; read its code: `zbarimg -q --raw FILE`"),
    ("base64:", "base64, which is converted by `base64 -d FILE | base32`"),
    ("otpauth-migration:", MIGRATION),
    ("hotp ", "a line of pam_oath's users.oath; give only its key, with `hex:` in front"),
    ("hotp/", "a line of pam_oath's users.oath; give only its key, with `hex:` in front"),
    ("hotp\t", "a line of pam_oath's users.oath; give only its key, with `hex:` in front"),
    ("#", "a comment; give only the line of the secret"),
    ("//", "a comment; give only the line of the secret"),
    ("totp ", "a word in front of the secret; give only the secret"),
    ("age-encryption", "an encrypted file; decrypt it and give only the secret"),
];

/// Words that people and programs write in front of a secret.
const LABELS: [&str; 12] = [
    "secret",
    "secret key",
    "key",
    "seed",
    "totp",
    "hotp",
    "uri",
    "url",
    "otp",
    "totp secret",
    "shared secret",
    "token",
];
