//! Lists of seeds as vendors and servers write them: Microsoft's upload, Token2, Feitian, Deepnet, `privacyIDEA`,
//! `LinOTP`.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::fields::{OPEN_QUOTATION, Row, rows};
use super::seed::{read_seed, without_mark};
use super::token::{Encoding, MovesBy, Place, Reading, Token};
use crate::verifier::otp::{Algorithm, Digits, Period, SharedSecret};

/// Reads a list. With a header, columns go by their names; without one, by their order: serial, seed, type, digits,
/// counter or seconds, hash. `encoding` is how the seeds are written, where all of them together do not show it.
#[must_use]
pub fn parse(text: &str, encoding: Option<Encoding>) -> Reading {
    let mut reading = Reading::default();
    let has_users = text.lines().next().is_some_and(is_version_2);
    let mut rows = match rows(text) {
        Ok(rows) => rows,
        Err(line) => {
            reading.complain(Place::Line(line), OPEN_QUOTATION);
            return reading;
        }
    };
    let columns = match rows.first().map(Columns::of_header) {
        Some(Some(columns)) => {
            rows.remove(0);
            columns
        }
        _ => Columns::in_order(has_users),
    };
    for (number, what) in &columns.passed_over {
        // By its number: where an end of line is lost, a seed stands in the header.
        reading.remark(Place::File, format!("column {number}{what} is not taken over"));
    }
    let Some(encoding) = encoding.or_else(|| decide_encoding(&rows, columns.seed, &mut reading)) else {
        return reading;
    };
    if rows.is_empty() {
        reading.complain(Place::File, "has no row with a seed");
    }
    let twice = serials_that_repeat(&rows, columns.serial);
    for row in &rows {
        let place = Place::Line(row.line);
        let lines = row.field(columns.serial).and_then(|serial| twice.get(serial));
        if let Some(lines) = lines {
            // Which of them is right can't be told, so none is taken.
            let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
            reading.complain(place, format!("lines {} have the same serial number", lines.join(" and ")));
            continue;
        }
        match read_row(row, &columns, encoding) {
            Ok(token) => reading.tokens.push(token),
            Err(what) => reading.complain(place, what),
        }
    }
    reading
}

/// `# version: 2`, which `privacyIDEA` writes above rows that begin with user, resolver and realm.
fn is_version_2(line: &str) -> bool {
    let words = line.trim().strip_prefix('#').map(str::trim).and_then(|line| line.strip_prefix("version:"));
    words.is_some_and(|version| version.trim() == "2")
}

fn serials_that_repeat(rows: &[Row], column: usize) -> HashMap<&str, Vec<usize>> {
    let mut lines: HashMap<&str, Vec<usize>> = HashMap::new();
    for row in rows {
        if let Some(serial) = row.field(column) {
            lines.entry(serial).or_default().push(row.line);
        }
    }
    lines.retain(|_, lines| lines.len() > 1);
    lines
}

/// Which field holds what. A place past every row stands for a column that the list does not have.
struct Columns {
    serial: usize,
    seed: usize,
    user: usize,
    kind: usize,
    digits: usize,
    /// Counter of HOTP or seconds of TOTP, where one column holds both.
    either: usize,
    counter: usize,
    seconds: usize,
    hash: usize,
    /// Whether a row without a type is of a clock: a list with a column of seconds is.
    is_time: bool,
    /// Whether the hash follows from the length of the seed where no column says it.
    hash_by_length: bool,
    /// Columns of a header that are not read, counted from 1, and what they are as far as is known.
    passed_over: Vec<(usize, &'static str)>,
}

const NONE: usize = usize::MAX;

impl Columns {
    fn in_order(has_users: bool) -> Self {
        let skip = if has_users { 3 } else { 0 };
        let at = |place: usize| place.saturating_add(skip);
        Self {
            user: if has_users { 0 } else { NONE },
            serial: at(0),
            seed: at(1),
            kind: at(2),
            digits: at(3),
            either: at(4),
            hash: at(5),
            counter: NONE,
            seconds: NONE,
            is_time: false,
            hash_by_length: true,
            passed_over: Vec::new(),
        }
    }

    fn of_header(row: &Row) -> Option<Self> {
        let names: Vec<Zeroizing<String>> = row.fields.iter().map(|field| plain(field)).collect();
        let at =
            |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str())).unwrap_or(NONE);
        let seed = at(&["secretkey", "secret", "seed", "key", "secretseed", "otpseed", "sharedsecret"]);
        if seed == NONE {
            return None;
        }
        let seconds = at(&["timeinterval", "timestep", "period", "interval", "step"]);
        let counter = at(&["counter", "movingfactor", "hotpcounter"]);
        let mut columns = Self {
            serial: at(&["serialnumber", "serial", "tokenserial", "sn", "tokenid"]),
            seed,
            user: at(&["upn", "user", "username", "userprincipalname", "login", "account", "owner"]),
            kind: at(&["type", "tokentype", "otptype"]),
            digits: at(&["digits", "otplength", "otplen", "length"]),
            either: NONE,
            counter,
            seconds,
            hash: at(&["algorithm", "hashfunction", "hash", "hashlib", "hmac"]),
            // Lists with a header are of clocks, unless a column says otherwise.
            is_time: counter == NONE,
            hash_by_length: false,
            passed_over: Vec::new(),
        };
        columns.pass_over(&names);
        Some(columns)
    }

    fn pass_over(&mut self, names: &[Zeroizing<String>]) {
        let taken = [
            self.serial,
            self.seed,
            self.user,
            self.kind,
            self.digits,
            self.counter,
            self.seconds,
            self.hash,
        ];
        for (place, name) in names.iter().enumerate() {
            let what = match name.as_str() {
                "" | "manufacturer" | "model" | "vendor" => continue,
                _ if taken.contains(&place) => continue,
                name if name.contains("pin") => " (PINs)",
                name if ["expir", "enabled", "valid"].iter().any(|word| name.contains(word)) => {
                    " (which tokens are still to be used)"
                }
                _ => "",
            };
            self.passed_over.push((place.saturating_add(1), what));
        }
    }
}

/// A name without case, blanks and signs. Wiped, since a field of a list without a header may be a seed.
fn plain(name: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(name.len()));
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    plain.extend(letters.map(|letter| letter.to_ascii_lowercase()));
    plain
}

fn read_row(row: &Row, columns: &Columns, encoding: Encoding) -> Result<Token, String> {
    let seed = row.field(columns.seed).ok_or("has no seed")?;
    let secret = read_seed(seed, encoding)?;
    let is_time = match row.field(columns.kind).map(plain).as_ref().map(|kind| kind.as_str()) {
        None => columns.is_time,
        Some("hotp" | "oathhotp" | "event" | "counter") => false,
        Some("totp" | "oathtotp" | "time") => true,
        Some(_) => {
            return Err("its type is neither hotp nor totp, so its codes can't be made here".to_owned());
        }
    };
    let digits = number(row, columns.digits, "digits")?.map_or(Ok(Digits::default()), |count| {
        Digits::new(count).ok_or_else(|| format!("has codes of {count} digits; 6 to 8 are taken"))
    })?;
    let moves_by = read_moves_by(row, columns, is_time)?;
    let algorithm = match row.field(columns.hash) {
        Some(name) => Algorithm::from_spelling(name)
            .ok_or("its hash function is not known; SHA1, SHA256 and SHA512 are taken")?,
        None if columns.hash_by_length && encoding == Encoding::Hex => by_length(&secret)?,
        None => Algorithm::default(),
    };
    Ok(Token {
        place: Place::Line(row.line),
        user: row.field(columns.user).map(str::to_owned),
        serial: row.field(columns.serial).map(str::to_owned),
        moves_by,
        algorithm,
        digits,
        secret,
    })
}

fn read_moves_by(row: &Row, columns: &Columns, is_time: bool) -> Result<MovesBy, String> {
    let (column, what) = if is_time { (columns.seconds, "time step") } else { (columns.counter, "counter") };
    let told = number(row, column, what)?.or(number(row, columns.either, what)?);
    if !is_time {
        return Ok(MovesBy::Counter { next: told });
    }
    let period = told.map_or(Ok(Period::default()), |seconds| {
        let wrong = || format!("has a time step of {seconds} seconds; 15 to 120 are taken");
        Period::from_seconds(seconds).ok_or_else(wrong)
    })?;
    Ok(MovesBy::Time { period, last_used: None })
}

/// `privacyIDEA` and `LinOTP` take the hash from the length of the seed.
fn by_length(secret: &SharedSecret) -> Result<Algorithm, String> {
    match secret.bits() {
        256 => Ok(Algorithm::Sha256),
        512 => Ok(Algorithm::Sha512),
        bits @ (224 | 384) => Err(format!(
            "its seed has {bits} bits, which some servers take for SHA{bits}; that is not made here, and if it is SHA1, a sixth \
             column says so"
        )),
        _ => Ok(Algorithm::Sha1),
    }
}

fn number(row: &Row, place: usize, what: &str) -> Result<Option<u64>, String> {
    let Some(field) = row.field(place) else { return Ok(None) };
    field.parse().map(Some).map_err(|_| format!("its {what} is not a whole number"))
}

/// What all seeds together show: one line alone can't tell.
fn decide_encoding(rows: &[Row], column: usize, reading: &mut Reading) -> Option<Encoding> {
    let line_with = |is_sign: fn(char) -> bool| {
        rows.iter().find(|row| row.field(column).is_some_and(|seed| without_mark(seed).chars().any(is_sign)))
    };
    let hex = line_with(|letter| matches!(letter, '0' | '1' | '8' | '9'));
    let base32 = line_with(|letter| letter.is_ascii_alphabetic() && !letter.is_ascii_hexdigit());
    match (hex, base32) {
        (Some(_), None) => Some(Encoding::Hex),
        (None, Some(_)) => Some(Encoding::Base32),
        (Some(hex), Some(base32)) => {
            let (hex, base32) = (hex.line, base32.line);
            let what = format!(
                "the seed of line {hex} is no base32 and the one of line {base32} no hexadecimal; correct one, or say which with \
                 --encoding"
            );
            reading.complain(Place::File, what);
            None
        }
        (None, None) if rows.is_empty() => {
            reading.complain(Place::File, "has no row with a seed");
            None
        }
        (None, None) => {
            let what = "the seeds can be hexadecimal as well as base32; say which with --encoding";
            reading.complain(Place::File, what);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "3132333435363738393031323334353637383930";
    const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn tokens(text: &str) -> Vec<Token> {
        let reading = parse(text, None);
        assert_eq!(reading.complaints, [], "{text}");
        reading.tokens
    }

    fn time(seconds: u64) -> MovesBy {
        MovesBy::Time { period: Period::from_seconds(seconds).expect("a period"), last_used: None }
    }

    #[test]
    fn the_upload_of_microsoft_is_read_by_its_header() {
        let text = format!(
            "upn,serial number,secret key,time interval,manufacturer,model\n\
             alice@example.org,2300000001,{BASE32},30,Token2,c202\r\nbob@example.org,2300000002,{BASE32},60,Token2,c202\n"
        );
        let [first, second] = &tokens(&text)[..] else { panic!("two tokens") };
        assert_eq!(
            (first.user.as_deref(), first.serial.as_deref()),
            (Some("alice@example.org"), Some("2300000001"))
        );
        assert_eq!((first.moves_by, second.moves_by), (time(30), time(60)));
        assert_eq!((*first.secret.to_base32()).as_str(), BASE32);
        assert_eq!(
            (first.place.clone(), first.digits.count(), first.algorithm),
            (Place::Line(2), 6, Algorithm::Sha1)
        );
    }

    #[test]
    fn columns_of_any_order_and_separator_are_read() {
        let text = format!("Hash Function;Digits;Counter;SECRET_KEY;User\nSHA-256;8;41;{HEX};alice\n");
        let [token] = &tokens(&text)[..] else { panic!("a token") };
        assert_eq!(
            (token.moves_by, token.algorithm),
            (MovesBy::Counter { next: Some(41) }, Algorithm::Sha256)
        );
        assert_eq!(
            (token.digits.count(), token.user.as_deref(), token.serial.as_deref()),
            (8, Some("alice"), None)
        );
    }

    #[test]
    fn rows_without_a_header_are_read_by_their_order() {
        let long = HEX.repeat(2);
        let sha256 = &long[..64];
        for (row, moves_by, digits, algorithm) in [
            (format!("S1,{HEX}"), MovesBy::Counter { next: None }, 6, Algorithm::Sha1),
            (format!("S1, {HEX}, hotp, 8, 7"), MovesBy::Counter { next: Some(7) }, 8, Algorithm::Sha1),
            (format!("S1,{HEX},TOTP,6,60"), time(60), 6, Algorithm::Sha1),
            (format!("S1,{sha256},totp,6,30"), time(30), 6, Algorithm::Sha256),
            (format!("S1,0x{sha256},totp"), time(30), 6, Algorithm::Sha256),
            (format!("S1,{HEX},totp,6,30,sha512"), time(30), 6, Algorithm::Sha512),
            (format!("\"S1\",\"0x{HEX}\",\"totp\""), time(30), 6, Algorithm::Sha1),
        ] {
            let [token] = &tokens(&row)[..] else { panic!("{row}") };
            assert_eq!(
                (token.moves_by, token.digits.count(), token.algorithm),
                (moves_by, digits, algorithm),
                "{row}"
            );
            assert_eq!((token.serial.as_deref(), token.user.as_deref()), (Some("S1"), None), "{row}");
        }
        let users = format!("#version:2\nalice,resolver,realm,S1,{HEX},totp,6,30\n");
        let [token] = &tokens(&users)[..] else { panic!("a token") };
        assert_eq!(
            (token.user.as_deref(), token.serial.as_deref(), token.moves_by),
            (Some("alice"), Some("S1"), time(30))
        );
    }

    #[test]
    fn all_seeds_together_show_how_they_are_written() {
        // The first alone could be either.
        let both = "S1,ABCDEF234567ABCDEF234567ABCDEF23\nS2,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n";
        assert_eq!(tokens(both).first().map(|it| it.secret.bits()), Some(160));
        let alone = "S1,ABCDEF234567ABCDEF234567ABCDEF23\n";
        let undecided = parse(alone, None);
        assert!(
            undecided.complaints.first().is_some_and(|it| it.what.contains("--encoding")),
            "{undecided:?}"
        );
        let said = |encoding| parse(alone, Some(encoding)).tokens.first().map(|it| it.secret.bits());
        assert_eq!((said(Encoding::Hex), said(Encoding::Base32)), (Some(128), Some(160)));
    }

    #[test]
    fn each_mistake_has_its_line_and_no_word_of_the_seed() {
        for (row, word) in [
            (format!("S2,{}", &HEX[1..]), "39 hexadecimal digits"),
            (format!("S2,{}g", &HEX[1..]), "not hexadecimal"),
            ("S2,3132".to_owned(), "16 bits"),
            (format!("S2,{HEX},ocra"), "neither hotp nor totp"),
            (format!("S2,{HEX},hotp,9"), "9 digits"),
            (format!("S2,{HEX},hotp,x"), "digits is not a whole number"),
            (format!("S2,{HEX},hotp,6,x"), "counter is not a whole number"),
            (format!("S2,{HEX},totp,6,5"), "5 seconds"),
            (format!("S2,{HEX},totp,6,30,md5"), "hash function"),
            ("S2".to_owned(), "no seed"),
            (format!("S2,{}", &HEX.repeat(2)[..56]), "224 bits"),
        ] {
            let reading = parse(&format!("S1,{}\n{row}\n", HEX.replace("31", "41")), Some(Encoding::Hex));
            let [complaint] = reading.complaints.as_slice() else { panic!("{row}: {reading:?}") };
            assert!(
                complaint.place == Place::Line(2) && complaint.what.contains(word),
                "{row}: {complaint:?}"
            );
            assert!(!complaint.what.contains(&HEX[1..9]) && reading.tokens.len() == 1, "{complaint:?}");
        }
        for empty in ["", "upn,secret key\n"] {
            assert_eq!(parse(empty, None).complaints.len(), 1);
            assert_eq!(parse(empty, Some(Encoding::Hex)).complaints.len(), 1);
        }
    }

    #[test]
    fn of_two_rows_with_one_serial_number_neither_is_taken() {
        let reading = parse(
            &format!("S1,{HEX}\nS2,{}\nS1,{}\n", HEX.replace("31", "41"), HEX.replace("31", "42")),
            None,
        );
        let told: Vec<_> = reading.complaints.iter().map(|it| (it.place.clone(), it.what.as_str())).collect();
        let what = "lines 1 and 3 have the same serial number";
        assert_eq!(told, [(Place::Line(1), what), (Place::Line(3), what)]);
        assert_eq!(reading.tokens.first().map(|it| it.place.clone()), Some(Place::Line(2)));
    }

    #[test]
    fn columns_that_are_not_read_are_told() {
        let text = format!(
            "serial number,secret key,model,PIN,expiry date,remark\nS1,{BASE32},c202,1234,2030-01-01,x\n"
        );
        let reading = parse(&text, None);
        let remarks: Vec<&str> = reading.remarks.iter().map(|it| it.what.as_str()).collect();
        assert!(
            remarks[0].starts_with("column 4 (PINs)") && remarks[1].starts_with("column 5 (which"),
            "{remarks:?}"
        );
        assert_eq!((remarks.len(), reading.tokens.first().map(|it| it.moves_by)), (3, Some(time(30))));
        assert!(!format!("{reading:?}").contains("1234"));
    }

    #[test]
    fn one_wrong_sign_is_told_with_its_line() {
        let reading = parse(&format!("S1,{BASE32}\nS2,{}0\n", &BASE32[1..]), None);
        let [complaint] = reading.complaints.as_slice() else { panic!("{reading:?}") };
        assert!(
            complaint.what.starts_with("the seed of line 2 is no base32 and the one of line 1"),
            "{complaint:?}"
        );
    }
}
