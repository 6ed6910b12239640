//! `otpauth://` URIs, as authenticator apps read and write them (Key Uri Format of Google Authenticator).

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::authenticator::Authenticator;
use super::credential::{Credential, OtpType};
use crate::verifier::otp::{Algorithm, Digits, Period, SharedSecret};
use crate::verifier::policy::{CodeParameters, Factor, FactorKind};

impl Authenticator {
    /// Reads an `otpauth://` URI for `factor`. Missing parameters get the defaults of the apps, not those of
    /// the policy, because the URI describes an existing token.
    ///
    /// # Errors
    ///
    /// What is wrong with the URI, and where; without any text of the URI.
    pub fn parse(text: &str, factor: &Factor) -> Result<Self, Refusal> {
        let uri = Uri::split(text)?;
        check_kind(uri.kind, factor).map_err(|message| Refusal::at(text, SCHEME.len(), message))?;
        read_parameters(&uri, factor)
    }
}

/// The URI that an authenticator app reads for `credential`, a HOTP one at `counter`. Wiped when dropped.
#[must_use]
pub fn to_uri(credential: &Credential, issuer: &str, user: &str, counter: u64) -> Zeroizing<String> {
    // A colon would part issuer and account.
    let issuer = percent_encode(&issuer.replace(':', " "));
    let otp_type = match credential.otp_type {
        OtpType::Totp(period) => format!("period={}", period.seconds()),
        OtpType::Hotp => format!("counter={counter}"),
    };
    let mut uri = Zeroizing::new(String::with_capacity(LONGEST_URI));
    for part in [
        "otpauth://",
        credential.otp_type.name(),
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
        &otp_type,
    ] {
        uri.push_str(part);
    }
    uri
}

/// What an `otpauth://` URI says before its parameters: the type as it is written, and the account, which is the label
/// behind its last colon.
///
/// # Errors
///
/// A text that is no such URI.
pub fn type_and_account(text: &str) -> Result<(&str, String), Refusal> {
    let uri = Uri::split(text)?;
    let label_at = SCHEME.len().saturating_add("://".len()).saturating_add(uri.kind.len());
    let label = text.get(label_at..uri.query_at).unwrap_or_default();
    let label = decoded(label.trim_start_matches('/').trim_end_matches('?'));
    let account = label.rsplit(':').next().unwrap_or_default().trim();
    Ok((uri.kind, account.to_owned()))
}

fn read_parameters(uri: &Uri<'_>, factor: &Factor) -> Result<Authenticator, Refusal> {
    let secret = uri.parameter("secret")?.ok_or_else(|| uri.refusal("the otpauth URI holds no secret"))?;
    for foreign in FOREIGN {
        if let Some(given) =
            uri.parameter(foreign)?.filter(|given| !["", "0"].contains(&given.value.as_str()))
        {
            return Err(
                given.refusal(format!("`{foreign}` makes other codes than this host takes, as Steam's are"))
            );
        }
    }
    let algorithm = uri.given("algorithm")?.map_or(Ok(Algorithm::default()), |name| {
        let known = Algorithm::from_spelling(&name.value);
        known.ok_or_else(|| name.refusal("the algorithm is not known; known: SHA1, SHA256, SHA512"))
    })?;
    let digits = uri.number("digits")?.map_or(Ok(Digits::default()), |(count, given)| {
        Digits::new(count).ok_or_else(|| given.refusal("`digits` is not 6, 7 or 8"))
    })?;
    let (period, counter) = match factor.kind {
        FactorKind::Totp { .. } => (uri.number("period")?, None),
        FactorKind::Hotp { .. } => (None, Some(read_counter(uri)?)),
    };
    let period = period.map_or(Ok(Period::default()), |(seconds, given)| {
        Period::from_seconds(seconds).ok_or_else(|| given.refusal("`period` is not 15 to 120 seconds"))
    })?;
    Ok(Authenticator {
        secret: read_secret(&secret)?,
        parameters: CodeParameters { algorithm, digits, period },
        counter: counter.unwrap_or_default(),
    })
}

fn read_secret(given: &Parameter<'_>) -> Result<SharedSecret, Refusal> {
    let mut letters = Zeroizing::new(String::with_capacity(given.value.len()));
    letters.extend(given.value.chars().filter(|letter| !letter.is_whitespace() && *letter != '-'));
    SharedSecret::from_letters(&letters).map_err(|error| given.refusal(error.to_string()))
}

/// The counter of the token. The format requires it, and the counter of a used token can't be guessed.
fn read_counter(uri: &Uri<'_>) -> Result<u64, Refusal> {
    let missing = "the otpauth URI holds no counter, which HOTP needs; add `&counter=` and where the token stands, 0 for a \
                   new one";
    let (counter, given) = uri.number("counter")?.ok_or_else(|| uri.refusal(missing))?;
    if counter > LARGEST_COUNTER {
        return Err(given.refusal("`counter` is larger than any token counts; give where the token stands"));
    }
    Ok(counter)
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

/// A URI, parsed as the apps do. Not by RFC 3986: apps put `#` and `?` into labels unencoded.
struct Uri<'t> {
    text: &'t str,
    kind: &'t str,
    /// Where the parameters begin, in bytes.
    query_at: usize,
    query: &'t str,
}

impl<'t> Uri<'t> {
    fn split(text: &'t str) -> Result<Self, Refusal> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Refusal::at(text, 0, "the URI is not of the scheme otpauth"));
        }
        let kind = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let begins = text.match_indices('?').map(|(at, _)| at.saturating_add(1));
        let with_query =
            begins.filter_map(|at| Some(Self { text, kind, query_at: at, query: text.get(at..)? }));
        let mut with_secret = with_query.filter(|uri| uri.pairs().any(|pair| pair.is("secret")));
        Ok(with_secret.next().unwrap_or(Self { text, kind, query_at: text.len(), query: "" }))
    }

    /// The parameters. They are separated by `&`, or by `&amp;` if the URI was copied from HTML.
    fn pairs(&self) -> impl Iterator<Item = Pair<'t>> {
        let mut at = self.query_at;
        self.query.split('&').map(move |whole| {
            let begin = at;
            at = at.saturating_add(whole.len()).saturating_add(1);
            let pair = whole.strip_prefix("amp;").unwrap_or(whole);
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Pair { at: begin.saturating_add(whole.len().saturating_sub(pair.len())), name, value }
        })
    }

    /// The value of a parameter. A second value is refused: apps differ in which one they take.
    fn parameter(&self, name: &str) -> Result<Option<Parameter<'t>>, Refusal> {
        let mut pairs = self.pairs().filter(|pair| pair.is(name));
        let first = pairs.next();
        if let Some(again) = pairs.next() {
            return Err(Refusal::at(self.text, again.at, format!("the otpauth URI holds `{name}` twice")));
        }
        Ok(first.map(|pair| Parameter { text: self.text, at: pair.at, value: decoded(pair.value) }))
    }

    /// The value of a parameter that must not be empty.
    fn given(&self, name: &str) -> Result<Option<Parameter<'t>>, Refusal> {
        let parameter = self.parameter(name)?;
        match parameter {
            Some(empty) if empty.value.trim().is_empty() => {
                Err(empty.refusal(format!("`{name}` is empty; write its value, or delete `{name}=`")))
            }
            parameter => Ok(parameter),
        }
    }

    fn number(&self, name: &str) -> Result<Option<(u64, Parameter<'t>)>, Refusal> {
        let Some(given) = self.given(name)? else { return Ok(None) };
        match given.value.trim().parse() {
            Ok(number) => Ok(Some((number, given))),
            Err(_) => Err(given.refusal(format!("`{name}` is not a number"))),
        }
    }

    fn refusal(&self, message: impl Into<String>) -> Refusal {
        Refusal::at(self.text, self.text.len(), message)
    }
}

struct Pair<'t> {
    at: usize,
    name: &'t str,
    value: &'t str,
}

impl Pair<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.trim().eq_ignore_ascii_case(name)
    }
}

/// A parameter, decoded.
struct Parameter<'t> {
    text: &'t str,
    at: usize,
    value: Zeroizing<String>,
}

impl Parameter<'_> {
    fn refusal(&self, message: impl Into<String>) -> Refusal {
        Refusal::at(self.text, self.at, message)
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1), with `+` for a blank as forms write it.
fn decoded(value: &str) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().and_then(|two| std::str::from_utf8(two).ok());
        let byte = code.filter(|_| *first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = after.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why a URI is refused for a factor. Holds no text of the URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The column, in characters from 1.
    pub column: usize,
    /// What is wrong, and the cure.
    pub message: String,
}

impl Refusal {
    /// Something wrong at a byte of `text`.
    #[must_use]
    pub fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        Self { column: before.chars().count().saturating_add(1), message: message.into() }
    }
}

/// RFC 3986 §2.1; blanks become `%20`, because apps show a `+` as a plus sign.
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
/// Parameters of apps that make other codes: `encoder` for Steam, and another start of the time steps.
const FOREIGN: [&str; 4] = ["encoder", "t0", "epoch", "offset"];
/// The largest counter in a secret file (TOML's whole numbers).
const LARGEST_COUNTER: u64 = i64::MAX as u64;
/// Room for every URI, so that growing never leaves a copy behind.
const LONGEST_URI: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::policy::{FactorId, Label};
    use crate::verifier::time::UnixTime;

    #[test]
    fn the_account_of_a_uri_is_its_label_behind_the_last_colon() {
        for (label, account) in [
            ("alice", "alice"),
            ("A%20Co:alice%40example.org", "alice@example.org"),
            ("A:B%3A%20bob", "bob"),
            ("a?b#c", "a?b#c"),
            ("", ""),
        ] {
            let text = format!("otpauth://totp/{label}?secret={SECRET}");
            assert_eq!(type_and_account(&text), Ok(("totp", account.to_owned())), "{label}");
        }
        assert!(type_and_account("https://totp/alice?secret=x").is_err());
    }

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn factor(kind: FactorKind) -> Factor {
        let id = FactorId::parse("phone").expect("id");
        Factor { label: Label::from(&id), id, kind, enrollment: CodeParameters::default() }
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
            (format!("otpauth://hotp/a?secret={SECRET}"), "of type hotp"),
            (format!("otpauth://totp/a?secret={SECRET}&algorithm="), "`algorithm` is empty"),
            (format!("otpauth://totp/a?secret={SECRET}&period="), "`period` is empty"),
            (format!("otpauth://totp/a?secret={SECRET}&encoder=steam"), "Steam"),
            ("otpauth://totp/a?secret=GEZDGNB0".to_owned(), "not base32"),
            ("otpauth://totp/a?secret=GEZDGNBVGY3TQ".to_owned(), "64 bits"),
            (format!("otpauth://[{SECRET}"), "type of the otpauth URI is not known"),
        ];
        for (text, word) in cases {
            let error = Authenticator::parse(&text, &totp()).map(|_| ()).expect_err(&text).message;
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("GEZD"), "{error}");
        }
    }

    #[test]
    fn labels_and_separators_are_taken_as_apps_write_them() {
        for text in [
            format!("otpauth://totp/Team #1:anna?secret={SECRET}&digits=8&period=60"),
            format!("otpauth://totp/Who?:anna?secret={SECRET}&digits=8&period=60"),
            format!("otpauth://totp/a?image=https://x.example/?y=1&secret={SECRET}&digits=8&period=60"),
            format!("otpauth://totp/a?secret={SECRET}&amp;digits=8&amp;period=60"),
            format!("otpauth://totp?digits=+8&SECRET={}%20{}&Period=60", &SECRET[..16], &SECRET[16..]),
        ] {
            let read = Authenticator::parse(&text, &totp()).expect(&text);
            assert_eq!((read.parameters.digits.count(), read.parameters.period.seconds()), (8, 60), "{text}");
            assert_eq!(*read.secret.to_base32(), SECRET, "{text}");
        }
    }

    #[test]
    fn a_counter_is_needed_and_within_reach() {
        let refused = |more: &str| {
            let text = format!("otpauth://hotp/a?secret={SECRET}{more}");
            Authenticator::parse(&text, &hotp()).map(|_| ()).expect_err(more)
        };
        assert!(refused("").message.contains("add `&counter=`"));
        assert!(refused("&counter=").message.contains("`counter` is empty"));
        let beyond = refused("&counter=18446744073709551615");
        assert!(beyond.message.contains("larger than any token counts"));
        assert_eq!(beyond.column, format!("otpauth://hotp/a?secret={SECRET}&").len() + 1);
    }

    #[test]
    fn a_written_uri_is_percent_encoded_and_reads_back() {
        let text = format!("otpauth://hotp/a?secret={SECRET}&algorithm=SHA256&digits=7&counter=0");
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
