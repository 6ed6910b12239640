//! What Yubico's tools log when they write keys: the traditional CSV and the flexible one.

use super::fields::{OPEN_QUOTATION, Row, rows};
use super::seed::read_seed;
use super::token::{Encoding, MovesBy, Place, Reading, Token};
use crate::verifier::otp::{Algorithm, Digits};

/// Reads a log of either form. It names no users. The counter of a key begins at 0 when it is written; the file does
/// not tell how often it was pressed since.
#[must_use]
pub fn parse(text: &str) -> Reading {
    let mut reading = Reading::default();
    let rows = rows(text).unwrap_or_else(|line| {
        reading.complain(Place::Line(line), OPEN_QUOTATION);
        Vec::new()
    });
    for row in rows {
        let place = Place::Line(row.line);
        let form = Form::of(&row);
        match form.and_then(|form| Ok((form, read_token(&row, form)?))) {
            Ok((form, Some(token))) => {
                remark_on(&row, form, &place, &mut reading);
                reading.tokens.push(token);
            }
            Ok((_, None)) => {}
            Err(what) => reading.complain(place, what),
        }
    }
    if reading.tokens.is_empty() && reading.complaints.is_empty() {
        reading.complain(Place::File, "has no key that was written for OATH-HOTP");
    }
    reading
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `LOGGING START,time`
    Start,
    /// `OATH-HOTP,time,slot,public id,,secret,...`, with the digits in the twelfth column
    Traditional,
    /// `serial,public id,0,secret,access code,time,`
    Flexible,
}

impl Form {
    fn of(row: &Row) -> Result<Self, String> {
        let first = row.field(0).unwrap_or_default();
        match first {
            _ if first.eq_ignore_ascii_case("LOGGING START") => Ok(Self::Start),
            _ if first.eq_ignore_ascii_case("OATH-HOTP") => Ok(Self::Traditional),
            _ if (1..=10).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Self::Flexible)
            }
            _ => Err(other_kind(first)),
        }
    }

    /// The column of the public id.
    const fn public_id(self) -> usize {
        if matches!(self, Self::Flexible) { 1 } else { 3 }
    }
}

fn read_token(row: &Row, form: Form) -> Result<Option<Token>, String> {
    match form {
        Form::Start => Ok(None),
        Form::Traditional => {
            let seed = row.field(5).ok_or("has no secret, which is the sixth column")?;
            token(row, None, seed, traditional_digits(row)?).map(Some)
        }
        Form::Flexible => {
            // A private id, which Yubico OTP has, is 12 digits of hexadecimal. A key for OATH-HOTP has the start of its
            // counter there, mostly 0.
            let third = row.field(2).unwrap_or_default();
            if third.len() >= 12 || third.is_empty() || !third.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(other_kind("Yubico OTP"));
            }
            if third != "0" {
                return Err("was written with a counter that begins above 0; enroll it alone with --counter"
                    .to_owned());
            }
            let seed = row.field(3).ok_or("has no secret, which is the fourth column")?;
            token(row, row.field(0).map(str::to_owned), seed, Digits::default()).map(Some)
        }
    }
}

fn traditional_digits(row: &Row) -> Result<Digits, String> {
    let count = match (row.field(11), row.field(13)) {
        // Some versions write them two columns further.
        (None | Some("0"), Some(count @ ("6" | "8"))) => count,
        (count, _) => count.unwrap_or("0"),
    };
    match count {
        "0" | "6" => Ok(Digits::default()),
        "8" => Digits::new(8).ok_or_else(|| "eight digits are not taken".to_owned()),
        _ => Err("has a number of digits other than 6 and 8, in the twelfth column".to_owned()),
    }
}

fn remark_on(row: &Row, form: Form, place: &Place, reading: &mut Reading) {
    if let Some(id) = row.field(form.public_id()) {
        // A secret may stand there where columns are shifted; a public id is modhex.
        let is_id = id.len() <= 32 && id.bytes().all(|byte| b"cbdefghijklnrtuv".contains(&byte));
        let shown = if is_id { format!(" `{id}`") } else { String::new() };
        reading.remark(
            place.clone(),
            format!("the key types its public id{shown} in front of each code, and then no code is right; write it without"),
        );
    }
    if form == Form::Flexible {
        let what = "this form tells neither digits nor HOTP from challenge-response; taken as HOTP of 6 digits, so try a code";
        reading.remark(place.clone(), what);
    }
}

/// A word of the file is not quoted: it may be a secret.
fn other_kind(kind: &str) -> String {
    let known = [
        "Yubico OTP",
        "Static Password",
        "Static Password: Short",
        "Static Password: Scan Code",
        "Challenge-Response: Yubico OTP",
        "Challenge-Response: HMAC-SHA1",
        "Configuration Update",
        "Configuration Swap",
    ];
    match known.into_iter().find(|name| kind.eq_ignore_ascii_case(name)) {
        Some(kind) => {
            format!("was written for {kind}, which makes no codes of RFC 4226; only OATH-HOTP is taken")
        }
        None => "begins neither with a serial number nor with OATH-HOTP".to_owned(),
    }
}

fn token(row: &Row, serial: Option<String>, seed: &str, digits: Digits) -> Result<Token, String> {
    Ok(Token {
        place: Place::Line(row.line),
        user: None,
        serial,
        moves_by: MovesBy::Counter { next: None },
        algorithm: Algorithm::Sha1,
        digits,
        secret: read_seed(seed, Encoding::Hex)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "3132333435363738393031323334353637383930";

    #[test]
    fn both_forms_are_read() {
        let text = format!(
            "LOGGING START,04.12.13 10:12\n\
             OATH-HOTP,04.12.13 18:55,1,,,{HEX},,,0,0,0,8,0,0,0,0,0,0\n\
             OATH-HOTP,04.12.13 18:56,2,,,{},,,0,0,0,0,0,6,0,0,0,0\n\
             1382015,,0,{},000000000000,2013-12-12T11:08:12,\n",
            HEX.replace("31", "41"),
            HEX.replace("31", "42"),
        );
        let reading = parse(&text);
        assert_eq!(reading.complaints, []);
        let [remark] = reading.remarks.as_slice() else { panic!("{reading:?}") };
        assert!(remark.place == Place::Line(4) && remark.what.contains("challenge-response"), "{remark:?}");
        let read: Vec<_> = reading
            .tokens
            .iter()
            .map(|it| (it.place.clone(), it.serial.as_deref(), it.digits.count()))
            .collect();
        let expected =
            [(Place::Line(2), None, 8), (Place::Line(3), None, 6), (Place::Line(4), Some("1382015"), 6)];
        assert_eq!(read, expected);
        assert!(reading.tokens.iter().all(|it| it.moves_by == MovesBy::Counter { next: None }));
    }

    #[test]
    fn a_public_id_is_told_for_no_code_would_be_right() {
        let reading = parse(&format!("1382015,cccccccccccb,0,{HEX},000000000000,2013-12-12T11:08:12,\n"));
        let remark = reading.remarks.first().expect("a remark");
        assert!(remark.place == Place::Line(1) && remark.what.contains("`cccccccccccb`"), "{remark:?}");
        let shifted = parse(&format!("1382015,{HEX},0,{HEX},000000000000,,\n"));
        assert!(!format!("{shifted:?}").contains(HEX), "{shifted:?}");
    }

    #[test]
    fn each_mistake_has_its_line_and_no_word_of_the_secret() {
        for (row, word) in [
            (format!("1382016,,ab86c04de6a3,{HEX},,2013-12-12T11:08:12,"), "Yubico OTP"),
            (format!("Static Password,04.12.13 18:55,1,,,{HEX},,,0,0,0,0,0,0,0,0,0,0"), "Static Password"),
            (format!("{HEX},04.12.13 18:55,1,,,{HEX},,,0,0,0,0,0,0,0,0,0,0"), "neither with a serial"),
            (format!("x,,0,{HEX},,,"), "neither"),
            (format!("1382016,,7,{HEX},,,"), "--counter"),
            (format!("OATH-HOTP,04.12.13 18:55,1,,,{HEX},,,0,0,0,7,0,0,0,0,0,0"), "twelfth column"),
            ("1382016,,0,,,,".to_owned(), "fourth column"),
            (format!("1382016,,0,{},,,", &HEX[1..]), "39 hexadecimal digits"),
            (format!("1382016,,0,{}g,,,", &HEX[1..]), "not hexadecimal"),
            ("1382016,,0,3132,,,".to_owned(), "16 bits"),
        ] {
            let reading = parse(&format!("\n{row}\n"));
            let [complaint] = reading.complaints.as_slice() else { panic!("{row}: {reading:?}") };
            assert!(
                complaint.place == Place::Line(2) && complaint.what.contains(word),
                "{row}: {complaint:?}"
            );
            assert!(!complaint.what.contains(&HEX[1..9]), "{complaint:?}");
        }
        assert_eq!(parse("").complaints.len(), 1);
    }
}
