//! The QR codes that Google Authenticator exports: `otpauth-migration://offline?data=` and a message of protobuf.
//!
//! The format is not published. Aegis and others read these fields.

use std::collections::BTreeMap;
use std::fmt;

use base64ct::{Base64, Encoding as _};
use prost::Message;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::token::{MovesBy, Place, Reading, Token};
use crate::verifier::otp::{Algorithm, Digits, Period, SharedSecret};

/// Reads the URIs, one a line, as a QR scanner prints them. Blank lines and lines that begin with `#` are passed over.
#[must_use]
pub fn parse(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut sets: BTreeMap<i32, Set> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = Place::Line(number);
        match read_payload(line) {
            Ok(mut payload) => {
                let set = sets.entry(payload.batch_id).or_insert_with(|| Set::of(&payload));
                match set.add(&payload) {
                    Ok(true) => read_accounts(payload, &place, &mut reading),
                    Ok(false) => payload.wipe(),
                    Err(what) => {
                        payload.wipe();
                        reading.complain(place, what);
                    }
                }
            }
            Err(what) => reading.complain(place, what),
        }
    }
    for set in sets.values() {
        if let Some(missing) = set.missing() {
            reading.complain(Place::File, missing);
        }
    }
    if reading.tokens.is_empty() && reading.complaints.is_empty() {
        reading.complain(
            Place::File,
            "has no account; it holds what a scanner reads in the QR codes, a URI a line",
        );
    }
    reading
}

/// The QR codes of one export.
struct Set {
    size: i32,
    /// A digest of each by its index, so that another code of the same number is noticed.
    read: BTreeMap<i32, [u8; 32]>,
}

impl Set {
    fn of(payload: &Payload) -> Self {
        Self { size: payload.batch_size.clamp(1, LARGEST_SET), read: BTreeMap::new() }
    }

    /// Whether the code is a new one; the same one may have been scanned twice.
    ///
    /// # Errors
    ///
    /// A code of another export with the same number: its accounts would be lost without a word.
    fn add(&mut self, payload: &Payload) -> Result<bool, &'static str> {
        let bytes = Zeroizing::new(payload.encode_to_vec());
        let digest: [u8; 32] = Sha256::digest(bytes.as_slice()).into();
        match self.read.insert(payload.batch_index, digest) {
            None => Ok(true),
            Some(first) if first == digest => Ok(false),
            Some(_) => Err(
                "is a QR code of another export with the same number; import the two from files of their own",
            ),
        }
    }

    fn missing(&self) -> Option<String> {
        let missing: Vec<String> = (0..self.size)
            .filter(|index| !self.read.contains_key(index))
            .map(|index| index.saturating_add(1).to_string())
            .collect();
        (!missing.is_empty()).then(|| {
            let (size, which) = (self.size, missing.join(", "));
            format!("the export has {size} QR codes, and number {which} is missing; scan each into a line of the file")
        })
    }
}

fn read_payload(line: &str) -> Result<Payload, String> {
    let (scheme, rest) = line.split_once("://").unwrap_or(("", line));
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err("not a URI that begins with otpauth-migration://offline".to_owned());
    }
    let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let data = query.split('&').find_map(|pair| pair.strip_prefix("data=")).ok_or("the URI has no data=")?;
    let base64 = unescape(data);
    let bytes = Base64::decode_vec(&base64).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| "the data is not whole; scan the QR code again")?;
    Payload::decode(bytes.as_slice())
        .map_err(|_| "the data is not an export of Google Authenticator".to_owned())
}

/// Undoes percent-encoding, puts a `+` where a form made a blank of it, and restores padding that was lost.
fn unescape(data: &str) -> Zeroizing<String> {
    let mut base64 = Zeroizing::new(String::with_capacity(data.len().saturating_add(4)));
    let mut rest = data;
    while let Some(letter) = rest.chars().next() {
        let code =
            rest.get(1..3).filter(|_| letter == '%').and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => base64.push(char::from(byte)),
            None if letter == ' ' => base64.push('+'),
            None => base64.push(letter),
        }
        rest = rest.get(if code.is_some() { 3 } else { letter.len_utf8() }..).unwrap_or_default();
    }
    let unpadded = base64.trim_end_matches('=').len();
    base64.truncate(unpadded);
    while !base64.len().is_multiple_of(4) {
        base64.push('=');
    }
    base64
}

fn read_accounts(mut payload: Payload, place: &Place, reading: &mut Reading) {
    for account in &mut payload.accounts {
        let name = account.name.rsplit(':').next().unwrap_or_default().trim().to_owned();
        match read_account(account, &name, place) {
            Ok(token) => reading.tokens.push(token),
            Err(what) => {
                let shown = if name.is_empty() { account.issuer.trim() } else { &name };
                let what = format!("account `{}`: {what}", shown.escape_debug());
                reading.complain(place.clone(), what);
            }
        }
    }
    payload.wipe();
}

fn read_account(account: &mut Account, name: &str, place: &Place) -> Result<Token, String> {
    let algorithm = match account.algorithm {
        0 | 1 => Algorithm::Sha1,
        2 => Algorithm::Sha256,
        3 => Algorithm::Sha512,
        4 => return Err("its algorithm is MD5; SHA1, SHA256 and SHA512 are taken".to_owned()),
        _ => return Err("its algorithm is not known".to_owned()),
    };
    let digits = match account.digits {
        0 | 1 => Digits::default(),
        2 => Digits::new(8).ok_or("eight digits are not taken")?,
        _ => return Err("its number of digits is not known".to_owned()),
    };
    let moves_by = match account.kind {
        0 | 2 => MovesBy::Time { period: Period::default(), last_used: None },
        1 => {
            let next = u64::try_from(account.counter).map_err(|_| "its counter is below 0")?;
            MovesBy::Counter { next: Some(next) }
        }
        _ => return Err("its type is not known; it is neither TOTP nor HOTP".to_owned()),
    };
    let secret = Zeroizing::new(std::mem::take(&mut account.secret));
    let secret = SharedSecret::from_bytes(secret).map_err(|error| error.to_string())?;
    let user = Some(name.to_owned()).filter(|name| !name.is_empty());
    Ok(Token { place: place.clone(), user, serial: None, moves_by, algorithm, digits, secret })
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Payload {
    #[prost(message, repeated, tag = "1")]
    accounts: Vec<Account>,
    #[prost(int32, tag = "2")]
    version: i32,
    #[prost(int32, tag = "3")]
    batch_size: i32,
    #[prost(int32, tag = "4")]
    batch_index: i32,
    #[prost(int32, tag = "5")]
    batch_id: i32,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Account {
    #[prost(bytes = "vec", tag = "1")]
    secret: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    issuer: String,
    #[prost(int32, tag = "4")]
    algorithm: i32,
    #[prost(int32, tag = "5")]
    digits: i32,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(int64, tag = "7")]
    counter: i64,
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Payload([redacted])")
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Account([redacted])")
    }
}

impl Payload {
    fn wipe(&mut self) {
        self.accounts.iter_mut().for_each(|account| account.secret.zeroize());
    }
}

const SCHEME: &str = "otpauth-migration";
/// More QR codes than anybody scans; a number of a broken message must not make a list of millions.
const LARGEST_SET: i32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn account(key: u8, name: &str) -> Account {
        let secret = vec![key; 20];
        Account { secret, name: name.to_owned(), algorithm: 1, digits: 1, kind: 2, ..Account::default() }
    }

    fn uri(accounts: Vec<Account>, batch: (i32, i32)) -> String {
        let (batch_size, batch_index) = batch;
        let payload = Payload { accounts, version: 1, batch_size, batch_index, batch_id: 77 };
        let data = Base64::encode_string(&payload.encode_to_vec());
        format!("otpauth-migration://offline?data={}", data.replace('+', "%2B").replace('=', "%3D"))
    }

    /// The message by hand, so that the reader does not vouch for itself: field 1 of 14 bytes with the secret of ten
    /// letters `A` and the name `bo`, then version, size and index.
    #[test]
    fn a_message_is_read_field_by_field() {
        let inner =
            [&[0x0a, 10][..], &[b'A'; 10], &[0x12, 2], b"bo", &[0x20, 2, 0x28, 2, 0x30, 1, 0x38, 5]].concat();
        let length = u8::try_from(inner.len()).expect("short");
        let message = [&[0x0a, length][..], &inner, &[0x10, 1, 0x18, 1, 0x20, 0, 0x28, 9]].concat();
        let reading = parse(&format!("otpauth-migration://offline?data={}", Base64::encode_string(&message)));
        assert_eq!(reading.complaints, []);
        let token = reading.tokens.first().expect("a token");
        assert_eq!(
            (token.user.as_deref(), token.algorithm, token.digits.count()),
            (Some("bo"), Algorithm::Sha256, 8)
        );
        assert_eq!(token.moves_by, MovesBy::Counter { next: Some(5) });
        assert_eq!(*token.secret.to_base32(), "IFAUCQKBIFAUCQKB");
    }

    #[test]
    fn all_codes_of_a_set_are_needed_and_one_scanned_twice_is_one() {
        let first = uri(vec![account(1, "A:alice"), account(2, "bob")], (2, 0));
        let second = uri(vec![account(3, "carol")], (2, 1));
        let whole = parse(&format!("# scanned\n{first}\n{second}\n{}\n", first.replace("%2B", " ")));
        assert_eq!(whole.complaints, []);
        let users: Vec<_> =
            whole.tokens.iter().map(|token| token.user.as_deref().unwrap_or_default()).collect();
        assert_eq!(users, ["alice", "bob", "carol"]);
        let half = parse(&second);
        let [complaint] = half.complaints.as_slice() else { panic!("{half:?}") };
        assert!(complaint.what.contains("2 QR codes, and number 1 is missing"), "{}", complaint.what);
    }

    #[test]
    fn another_export_with_the_same_number_is_not_lost_without_a_word() {
        let (first, second) = (uri(vec![account(1, "alice")], (1, 0)), uri(vec![account(2, "bob")], (1, 0)));
        let reading = parse(&format!("{first}\n{second}\n"));
        let [complaint] = reading.complaints.as_slice() else { panic!("{reading:?}") };
        assert!(
            complaint.place == Place::Line(2) && complaint.what.contains("another export"),
            "{complaint:?}"
        );
    }

    #[test]
    fn what_makes_other_codes_is_told_by_the_name_of_the_account() {
        for (change, word) in [
            ((|it: &mut Account| it.algorithm = 4) as fn(&mut Account), "MD5"),
            (|it| it.algorithm = 9, "algorithm"),
            (|it| it.digits = 3, "digits"),
            (|it| it.kind = 5, "type"),
            (|it| (it.kind, it.counter) = (1, -1), "below 0"),
            (|it| it.secret = b"short".to_vec(), "40 bits"),
        ] {
            let mut wrong = account(1, "Example:alice");
            change(&mut wrong);
            let reading = parse(&uri(vec![wrong, account(2, "bob")], (1, 0)));
            let [complaint] = reading.complaints.as_slice() else { panic!("{word}: {reading:?}") };
            assert!(
                complaint.what.starts_with("account `alice`: ") && complaint.what.contains(word),
                "{complaint:?}"
            );
            assert_eq!(reading.tokens.len(), 1, "{word}");
        }
    }

    #[test]
    fn broken_lines_are_refused_without_a_word_of_them() {
        let whole = uri(vec![account(1, "alice")], (1, 0));
        let cut = &whole[..whole.len() - 24];
        for line in [
            "nonsense-GEZD",
            "otpauth-migration://offline?GEZD",
            "otpauth-migration://offline?data=GE!D",
            cut,
        ] {
            let reading = parse(line);
            let [complaint] = reading.complaints.as_slice() else { panic!("{line}: {reading:?}") };
            assert!(complaint.place == Place::Line(1) && !complaint.what.contains("GE"), "{complaint:?}");
        }
    }
}
