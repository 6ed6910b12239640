//! `otpauth://` URIs, as authenticator apps read and write them (Key Uri Format of Google Authenticator).

use std::borrow::Cow;
use std::fmt::Write as _;

use url::Url;
use zeroize::Zeroizing;

use crate::verifier::credential::{Credential, MovingFactor};
use crate::verifier::otp::{Algorithm, Digits, Period};
use crate::verifier::policy::{CodeParameters, Factor, FactorKind};
use crate::verifier::secret::SharedSecret;
use crate::verifier::time::UnixTime;

/// A secret with all that is needed to make codes of it.
#[derive(Debug)]
pub struct Authenticator {
    /// The key.
    pub secret: SharedSecret,
    /// How codes are made.
    pub parameters: CodeParameters,
    /// Where the counter stands; without meaning for TOTP.
    pub counter: u64,
}

impl Authenticator {
    /// Reads an `otpauth://` URI for `factor`. What the URI does not say is as every app assumes, not as the
    /// policy enrols, because the URI speaks for a token that exists already.
    ///
    /// # Errors
    ///
    /// What is wrong with the URI; never a word of it.
    pub fn parse(text: &str, factor: &Factor) -> Result<Self, String> {
        // An error of the parser quotes nothing.
        let url = Url::parse(text).map_err(|error| format!("the otpauth URI is not valid: {error}"))?;
        let read = read(&url, factor);
        drop(Zeroizing::new(String::from(url)));
        read
    }

    /// The credential for `factor`, accepting whatever `first` and later is.
    #[must_use]
    pub fn into_credential(self, factor: &Factor, first: u64, now: UnixTime) -> Credential {
        Credential {
            factor: factor.id.clone(),
            moving: match factor.kind {
                FactorKind::Totp { .. } => MovingFactor::Totp(self.parameters.period),
                FactorKind::Hotp { .. } => MovingFactor::Hotp,
            },
            algorithm: self.parameters.algorithm,
            digits: self.parameters.digits,
            secret: self.secret,
            first,
            enrolled_at: now,
        }
    }
}

/// The URI that an authenticator app reads for `credential`, a HOTP one at `counter`. Wiped when dropped.
#[must_use]
pub fn to_uri(credential: &Credential, issuer: &str, user: &str, counter: u64) -> Zeroizing<String> {
    // A colon would part issuer and account.
    let issuer = percent_encode(&issuer.replace(':', " "));
    let moving = match credential.moving {
        MovingFactor::Totp(period) => format!("period={}", period.seconds()),
        MovingFactor::Hotp => format!("counter={counter}"),
    };
    let mut uri = Zeroizing::new(String::with_capacity(LONGEST_URI));
    for part in [
        "otpauth://",
        credential.moving.name(),
        "/",
        &issuer,
        ":",
        &percent_encode(user),
        "?secret=",
        &credential.secret.to_base32(),
        "&issuer=",
        &issuer,
        "&algorithm=",
        credential.algorithm.name(),
        "&digits=",
        &credential.digits.count().to_string(),
        "&",
        &moving,
    ] {
        uri.push_str(part);
    }
    uri
}

fn read(url: &Url, factor: &Factor) -> Result<Authenticator, String> {
    if url.scheme() != SCHEME {
        return Err("the URI is not of the scheme otpauth".to_owned());
    }
    check_kind(url.host_str().unwrap_or_default(), factor)?;
    let secret = parameter(url, "secret")?.ok_or("the otpauth URI holds no secret")?;
    let algorithm = parameter(url, "algorithm")?.map_or(Ok(Algorithm::default()), |name| {
        let known = Algorithm::from_name(&name.to_ascii_uppercase());
        known.ok_or("the algorithm of the otpauth URI is not known; known: SHA1, SHA256, SHA512")
    })?;
    let digits = number(url, "digits")?.map_or(Ok(Digits::default()), |count| {
        Digits::new(count).ok_or("digits of the otpauth URI is not 6, 7 or 8")
    })?;
    let period = match factor.kind {
        FactorKind::Totp { .. } => number(url, "period")?,
        FactorKind::Hotp { .. } => None,
    };
    let period = period.map_or(Ok(Period::default()), |seconds| {
        Period::from_seconds(seconds).ok_or("period of the otpauth URI is not 15 to 120 seconds")
    })?;
    let counter = match factor.kind {
        FactorKind::Totp { .. } => 0,
        FactorKind::Hotp { .. } => number(url, "counter")?.unwrap_or_default(),
    };
    Ok(Authenticator {
        secret: SharedSecret::from_base32(&secret).map_err(|error| error.to_string())?,
        parameters: CodeParameters { algorithm, digits, period },
        counter,
    })
}

fn check_kind(kind: &str, factor: &Factor) -> Result<(), String> {
    let wanted = factor.kind.name();
    match ["hotp", "totp"].into_iter().find(|known| kind.eq_ignore_ascii_case(known)) {
        Some(known) if known == wanted => Ok(()),
        Some(known) => {
            Err(format!("the otpauth URI is of type {known}, but factor `{}` is {wanted}", factor.id))
        }
        None => Err("the type of the otpauth URI is not known; known: hotp, totp".to_owned()),
    }
}

/// The value of a parameter. Given twice it is refused: apps differ in which one they take.
fn parameter(url: &Url, name: &str) -> Result<Option<Zeroizing<String>>, String> {
    let mut values = url.query_pairs().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| {
        Zeroizing::new(match value {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        })
    });
    let first = values.next();
    if values.next().is_some() {
        return Err(format!("the otpauth URI holds `{name}` twice"));
    }
    Ok(first)
}

fn number(url: &Url, name: &str) -> Result<Option<u64>, String> {
    let parsed = parameter(url, name)?.map(|text| text.parse());
    parsed.transpose().map_err(|_| format!("{name} of the otpauth URI is not a number"))
}

/// RFC 3986 §2.1; blanks become `%20`, because apps show a `+` as it stands.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                // Writing to a String can't fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// The scheme of the URIs.
pub const SCHEME: &str = "otpauth";
/// Room for every URI, so that growing never leaves a copy behind.
const LONGEST_URI: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::policy::{FactorId, Label};

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn factor(kind: FactorKind) -> Factor {
        let id = FactorId::parse("phone").expect("id");
        Factor { label: Label::from(&id), id, kind, enrolment: CodeParameters::default() }
    }

    fn totp() -> Factor {
        factor(FactorKind::Totp { window: 1 })
    }

    fn hotp() -> Factor {
        factor(FactorKind::Hotp { look_ahead: 10 })
    }

    #[test]
    fn a_whole_uri_is_read() {
        let text = format!(
            "otpauth://TOTP/A%20Co:alice?secret={SECRET}&issuer=A%20Co&algorithm=sha512&digits=8&period=60&image=x"
        );
        let read = Authenticator::parse(&text, &totp()).expect("read");
        assert_eq!(*read.secret.to_base32(), SECRET);
        assert_eq!((read.parameters.algorithm, read.parameters.digits.count()), (Algorithm::Sha512, 8));
        assert_eq!((read.parameters.period.seconds(), read.counter), (60, 0));
    }

    #[test]
    fn what_a_uri_leaves_out_is_as_every_app_assumes() {
        let read = Authenticator::parse(&format!("otpauth://totp/a?secret={SECRET}"), &totp()).expect("read");
        assert_eq!(read.parameters, CodeParameters::default());
        let text = format!("otpauth://hotp/a?secret={SECRET}&counter=41");
        assert_eq!(Authenticator::parse(&text, &hotp()).expect("read").counter, 41);
    }

    #[test]
    fn a_wrong_uri_is_refused_without_a_word_of_it() {
        let cases = [
            (format!("otpauth://hotp/a?secret={SECRET}&counter=0"), "is of type hotp"),
            (format!("otpauth://steam/a?secret={SECRET}"), "type of the otpauth URI is not known"),
            (format!("https://totp/a?secret={SECRET}"), "not of the scheme"),
            ("otpauth://totp/a".to_owned(), "holds no secret"),
            (format!("otpauth://totp/a?secret={SECRET}&secret={SECRET}"), "`secret` twice"),
            (format!("otpauth://totp/a?secret={SECRET}&digits=9"), "6, 7 or 8"),
            (format!("otpauth://totp/a?secret={SECRET}&digits=GEZD"), "not a number"),
            (format!("otpauth://totp/a?secret={SECRET}&period=5"), "15 to 120"),
            (format!("otpauth://totp/a?secret={SECRET}&algorithm=MD5"), "algorithm"),
            ("otpauth://totp/a?secret=GEZDGNB0".to_owned(), "not base32"),
            ("otpauth://totp/a?secret=GEZDGNBVGY3TQ".to_owned(), "64 bits"),
            (format!("otpauth://[{SECRET}"), "not valid"),
        ];
        for (text, word) in cases {
            let error = Authenticator::parse(&text, &totp()).map(|_| ()).expect_err(&text);
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("GEZD"), "{error}");
        }
    }

    #[test]
    fn a_written_uri_is_percent_encoded_and_reads_back() {
        let text = format!("otpauth://hotp/a?secret={SECRET}&algorithm=SHA256&digits=7");
        let read = Authenticator::parse(&text, &hotp()).expect("read");
        let credential = read.into_credential(&hotp(), 0, UnixTime::default());
        let uri = to_uri(&credential, "host.example (My: phone)", "EX\\al ice", 7);
        assert_eq!(
            *uri,
            format!(
                "otpauth://hotp/host.example%20%28My%20%20phone%29:EX%5Cal%20ice?secret={SECRET}\
                 &issuer=host.example%20%28My%20%20phone%29&algorithm=SHA256&digits=7&counter=7"
            )
        );
        assert_eq!(Authenticator::parse(&uri, &hotp()).expect("read").counter, 7);
    }
}
