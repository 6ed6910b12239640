//! A key of a container, read into a token.

use base64ct::{Base64, Encoding as _};
use roxmltree::Node;
use zeroize::Zeroizing;

use super::Wrong;
use super::dates::parse_date;
use super::encryption::Encryption;
use super::xml::{child, children, compact, last_word, words};
use crate::import::token::{MovesBy, Place, Reading, Token};
use crate::verifier::otp::{Algorithm, Digits, Period, SharedSecret};
use crate::verifier::time::UnixTime;

/// Reads the keys of a package: a device has one, or one for each slot.
///
/// # Errors
///
/// What makes the whole file unfit: a MAC that is missing or does not fit.
pub fn read_package(
    package: Node<'_, '_>,
    encryption: Option<&Encryption>,
    today: UnixTime,
    reading: &mut Reading,
) -> Result<(), String> {
    let device = child(package, "DeviceInfo");
    for node in children(package, "Key") {
        let serial = device.and_then(|it| child(it, "SerialNo")).and_then(words);
        let id = serial.clone().or_else(|| node.attribute("Id").map(str::to_owned));
        let row = package.document().text_pos_at(node.range().start).row;
        let line = Place::Line(usize::try_from(row).unwrap_or(usize::MAX));
        let place = id.map_or(line, Place::Serial);
        let key = Key { node, device, encryption, today, place };
        match key.read(serial, reading) {
            Ok(token) => reading.tokens.push(token),
            Err(Wrong::Token(what)) => reading.complain(key.place, what),
            Err(Wrong::File(what)) => return Err(what),
        }
    }
    Ok(())
}

struct Key<'a, 'input> {
    node: Node<'a, 'input>,
    device: Option<Node<'a, 'input>>,
    encryption: Option<&'a Encryption>,
    today: UnixTime,
    place: Place,
}

impl Key<'_, '_> {
    fn read(&self, serial: Option<String>, reading: &mut Reading) -> Result<Token, Wrong> {
        let is_counter = self.is_counter()?;
        self.check_policy(reading)?;
        let (algorithm, digits) = (self.algorithm()?, self.digits(reading)?);
        let secret = self.secret()?;
        let moves_by =
            if is_counter { MovesBy::Counter { next: self.number("Counter")? } } else { self.time(reading)? };
        let user = child(self.node, "UserId").or_else(|| child(self.device?, "UserId")).and_then(words);
        let user = user.and_then(|name| user_of(&name));
        Ok(Token { place: self.place.clone(), user, serial, moves_by, algorithm, digits, secret })
    }

    fn is_counter(&self) -> Result<bool, Wrong> {
        let identifier = self.node.attribute("Algorithm").unwrap_or_default();
        let word = last_word(identifier);
        match word.as_str() {
            "hotp" => Ok(true),
            "totp" => Ok(false),
            "ocra" | "pin" | "yubikey-aes" => refuse(format!("its type is {word}; HOTP and TOTP are taken")),
            _ if identifier.to_ascii_lowercase().contains("securid") => {
                refuse("its type is SecurID; HOTP and TOTP are taken")
            }
            "" => refuse("its type is not given; HOTP and TOTP are taken"),
            _ => refuse("its type is not known; HOTP and TOTP are taken"),
        }
    }

    fn parameters(&self, name: &'static str) -> Option<Node<'_, '_>> {
        child(child(self.node, "AlgorithmParameters")?, name)
    }

    /// The hash is the text of Suite, or its attribute `hashalgo`, as privacyIDEA writes it.
    fn algorithm(&self) -> Result<Algorithm, Wrong> {
        let Some(suite) = self.parameters("Suite") else { return Ok(Algorithm::default()) };
        let Some(name) = words(suite).or_else(|| suite.attribute("hashalgo").map(str::to_owned)) else {
            return Ok(Algorithm::default());
        };
        let known = Algorithm::from_spelling(&name);
        known.ok_or_else(|| Wrong::Token("its Suite is not SHA1, SHA256 or SHA512".to_owned()))
    }

    fn digits(&self, reading: &mut Reading) -> Result<Digits, Wrong> {
        let format = self.parameters("ResponseFormat");
        let attribute = |name: &str| format.and_then(|it| it.attribute(name)).map(str::trim);
        if attribute("Encoding").is_some_and(|it| !it.eq_ignore_ascii_case("DECIMAL")) {
            return refuse("its codes are not decimal");
        }
        let check = attribute("CheckDigits").or_else(|| attribute("CheckDigit")).unwrap_or("false");
        if !matches!(check.to_ascii_lowercase().as_str(), "false" | "0") {
            return refuse("its codes have a check digit, which is not taken");
        }
        let Some(length) = attribute("Length") else {
            reading.remark(self.place.clone(), "has no ResponseFormat Length; 6 digits are assumed");
            return Ok(Digits::default());
        };
        let digits = length.parse().ok().and_then(Digits::new);
        digits.ok_or_else(|| Wrong::Token("its codes do not have 6, 7 or 8 digits".to_owned()))
    }

    fn time(&self, reading: &mut Reading) -> Result<MovesBy, Wrong> {
        if self.number("Time")?.is_some_and(|start| start != 0) {
            return refuse("its time steps do not begin at 0 (its Time)");
        }
        let period = match self.number("TimeInterval")? {
            None => Period::default(),
            Some(seconds) => Period::from_seconds(seconds).ok_or_else(|| {
                Wrong::Token(format!("its TimeInterval is {seconds} seconds; 15 to 120 are taken"))
            })?,
        };
        if self.data("TimeDrift").is_some_and(|it| compact(it).as_str() != "0") {
            reading.remark(self.place.clone(), "its clock drifts (its TimeDrift), which is not taken over");
        }
        Ok(MovesBy::Time { period, last_used: None })
    }

    fn data(&self, name: &'static str) -> Option<Node<'_, '_>> {
        child(child(self.node, "Data")?, name)
    }

    fn secret(&self) -> Result<SharedSecret, Wrong> {
        let data = self.data("Secret").ok_or_else(|| Wrong::Token("it has no Secret".to_owned()))?;
        let bytes = match self.decrypted(data)? {
            Some(bytes) => bytes,
            None => match child(data, "PlainValue").map(|it| Base64::decode_vec(&compact(it))) {
                Some(Ok(bytes)) => Zeroizing::new(bytes),
                Some(Err(_)) => return refuse("its Secret is not base64"),
                None => return refuse("its Secret has no value"),
            },
        };
        SharedSecret::from_bytes(bytes).map_err(|error| Wrong::Token(error.to_string()))
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, Wrong> {
        let Some(data) = self.data(name) else { return Ok(None) };
        let number = match self.decrypted(data)? {
            Some(bytes) => decrypted_number(&bytes),
            None => child(data, "PlainValue").and_then(|it| compact(it).parse().ok()),
        };
        number.map(Some).ok_or_else(|| Wrong::Token(format!("its {name} is not a whole number")))
    }

    fn decrypted(&self, data: Node<'_, '_>) -> Result<Option<Zeroizing<Vec<u8>>>, Wrong> {
        match (child(data, "EncryptedValue"), self.encryption) {
            (Some(_), _) if child(data, "PlainValue").is_some() => {
                refuse("it has both a plain and an encrypted value")
            }
            (Some(encrypted), Some(encryption)) => encryption.decrypt_value(data, encrypted).map(Some),
            (Some(_), None) => refuse("its value is encrypted"),
            (None, _) => Ok(None),
        }
    }

    fn check_policy(&self, reading: &mut Reading) -> Result<(), Wrong> {
        let policy = child(self.node, "Policy");
        for holder in [policy, self.device].into_iter().flatten() {
            self.check_dates(holder, reading)?;
        }
        let Some(policy) = policy else { return Ok(()) };
        let mut usages = children(policy, "KeyUsage").map(compact).peekable();
        if usages.peek().is_some() && !usages.any(|usage| usage.as_str() == "OTP") {
            return refuse("its KeyUsage is not OTP");
        }
        if let Some(pin) = child(policy, "PINPolicy") {
            // RFC 6030 §5: Local, the token itself asks for the PIN; else the PIN changes what is typed.
            if pin.attribute("PINUsageMode").is_some_and(|mode| mode != "Local") {
                return refuse("its codes hold a PIN (its PINPolicy), which is not taken");
            }
            reading.remark(self.place.clone(), "has a PINPolicy, which is not taken over");
        }
        if child(policy, "NumberOfTransactions").is_some() {
            reading.remark(self.place.clone(), "has a NumberOfTransactions, which is not taken over");
        }
        // RFC 6030 §5: a policy that is not understood forbids the use of the key.
        let known = ["StartDate", "ExpiryDate", "KeyUsage", "PINPolicy", "NumberOfTransactions"];
        let mut names = policy.children().filter(Node::is_element).map(|it| it.tag_name().name());
        if names.all(|name| known.contains(&name)) {
            Ok(())
        } else {
            refuse("its Policy has a rule that is not known")
        }
    }

    fn check_dates(&self, holder: Node<'_, '_>, reading: &mut Reading) -> Result<(), Wrong> {
        let date = |name: &'static str| {
            let text = child(holder, name).map(compact);
            let wrong = || Wrong::Token(format!("its {name} is not a date"));
            text.map(|text| parse_date(&text).ok_or_else(wrong)).transpose()
        };
        if let Some(start) = date("StartDate")?.filter(|start| *start > self.today) {
            return refuse(format!("it is not valid before {start}"));
        }
        match date("ExpiryDate")? {
            Some(end) if end <= self.today => refuse(format!("it expired at {end}")),
            Some(end) => {
                reading.remark(self.place.clone(), format!("expires at {end}, which is not taken over"));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Decimal digits, or a number with its highest byte first; both are written.
fn decrypted_number(bytes: &[u8]) -> Option<u64> {
    if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(bytes).ok()?.parse().ok();
    }
    let start = 8_usize.checked_sub(bytes.len()).filter(|start| *start < 8)?;
    let mut whole = [0; 8];
    whole.get_mut(start..)?.copy_from_slice(bytes);
    Some(u64::from_be_bytes(whole))
}

/// UID of a distinguished name, else its CN; a text without `=` is the name itself.
fn user_of(name: &str) -> Option<String> {
    if !name.contains('=') {
        return Some(name.to_owned());
    }
    let part = |wanted: &str| {
        let mut parts = name.split(',').filter_map(|part| part.split_once('='));
        parts
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().to_owned())
    };
    part("UID").or_else(|| part("CN")).filter(|user| !user.is_empty())
}

fn refuse<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Token(what.into()))
}
