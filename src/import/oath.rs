//! `users.oath` of `pam_oath` (oath-toolkit, `liboath/usersfile.c`).

use super::seed::read_seed;
use super::token::{Encoding, MovesBy, Place, Reading, Token};
use crate::verifier::enrollment::{Credential, OtpType};
use crate::verifier::otp::{Algorithm, Digits, Period, Response, SharedSecret};
use crate::verifier::policy::FactorId;
use crate::verifier::time::UnixTime;

/// What the file does not say of the system that it comes from.
#[derive(Clone, Copy, Debug)]
pub struct OldSystem {
    /// The `window=` of the line in pam.d: how many time steps around the present one `pam_oath` accepts.
    pub window: u64,
    /// When the file was read.
    pub now: UnixTime,
}

impl OldSystem {
    /// The window of `pam_oath` in most how-tos.
    pub const USUAL_WINDOW: u64 = 5;
}

/// Reads the file of all users.
#[must_use]
pub fn parse(text: &str, old: &OldSystem) -> Reading {
    let mut reading = Reading::default();
    for (number, line) in (1..).zip(text.lines()) {
        let fields: Vec<&str> = line.split([' ', '\t', '\r']).filter(|field| !field.is_empty()).collect();
        let Some(kind) = fields.first().filter(|kind| !kind.starts_with('#')) else { continue };
        let place = Place::Line(number);
        match read_kind(kind) {
            Ok(Some(kind)) => match read_token(&kind, &fields, place.clone(), old) {
                Ok(token) => {
                    // A word in place of `-` (none) and `+` (checked elsewhere) is the PIN itself.
                    if fields.get(2).is_some_and(|pin| !matches!(*pin, "-" | "+")) {
                        let user = token.user.as_deref().unwrap_or_default().escape_debug();
                        reading.remark(
                            place,
                            format!("the PIN of {user} is not taken over; a chain has no PINs"),
                        );
                    }
                    reading.tokens.push(token);
                }
                Err(what) => reading.complain(place, what),
            },
            Ok(None) => reading
                .remark(place, "a line of another kind than HOTP and HOTP/T, which pam_oath passes over too"),
            Err(what) => reading.complain(place, what),
        }
    }
    if reading.tokens.is_empty() && reading.complaints.is_empty() {
        reading.complain(Place::File, "has no line of a user (`HOTP USER ...` or `HOTP/T30 USER ...`)");
    }
    reading
}

/// The first field of a line.
struct Kind {
    period: Option<Period>,
    digits: Digits,
}

fn read_kind(kind: &str) -> Result<Option<Kind>, String> {
    let mut parts = kind.split('/');
    match parts.next() {
        Some("HOTP") => {}
        Some(name) if name.starts_with("MOTP") => {
            return Err(
                "mOTP makes other codes than RFC 4226 and RFC 6238, so it can't be enrolled".to_owned()
            );
        }
        _ => return Ok(None),
    }
    let (mut period, mut digits) = (None, Digits::default());
    for part in parts {
        match part {
            "E" => {}
            "T30" => period = Some(Period::default()),
            "T60" => period = Period::from_seconds(60),
            "6" | "7" | "8" => digits = part.parse().ok().and_then(Digits::new).unwrap_or(digits),
            _ => {
                return Err(format!(
                    "the type ends in `/{}`; /E, /T30, /T60, /6, /7 and /8 are known",
                    part.escape_debug()
                ));
            }
        }
    }
    Ok(Some(Kind { period, digits }))
}

fn read_token(kind: &Kind, fields: &[&str], place: Place, old: &OldSystem) -> Result<Token, String> {
    let user = fields.get(1).ok_or("names no user")?;
    if fields.len() > 7 {
        return Err("has more than seven fields".to_owned());
    }
    let secret =
        read_seed(fields.get(3).copied().ok_or("has no secret, which is the fourth field")?, Encoding::Hex)?;
    let last_use = LastUse {
        counter: fields.get(4).map(|field| number(field)).transpose()?,
        code: fields.get(5).copied(),
    };
    fields.get(6).map(|field| check_time(field)).transpose()?;
    let moves_by = match kind.period {
        None => MovesBy::Counter { next: Some(last_use.next_counter()?) },
        Some(period) => {
            let last_used = last_use.last_step(&secret, kind, period, old)?;
            MovesBy::Time { period, last_used }
        }
    };
    Ok(Token {
        place,
        user: Some((*user).to_owned()),
        serial: None,
        moves_by,
        algorithm: Algorithm::Sha1,
        digits: kind.digits,
        secret,
    })
}

/// What the last three fields say.
struct LastUse<'t> {
    counter: Option<u64>,
    code: Option<&'t str>,
}

impl LastUse<'_> {
    fn next_counter(&self) -> Result<u64, String> {
        match (self.counter, self.code) {
            // The counter is that of the last code where there was one, else the next one.
            (Some(counter), Some(_)) => {
                counter.checked_add(1).ok_or_else(|| "the counter is at its end".to_owned())
            }
            (counter, _) => Ok(counter.unwrap_or(0)),
        }
    }

    /// The step of the last code, if it is near the present one. Earlier steps are used up by the import itself, so
    /// the time of the last use, which the file has in the zone of its host, is not needed.
    fn last_step(
        &self,
        secret: &SharedSecret,
        kind: &Kind,
        period: Period,
        old: &OldSystem,
    ) -> Result<Option<u64>, String> {
        let Some(code) = self.code else { return Ok(None) };
        let factor = FactorId::parse("oath").map_err(|error| error.to_string())?;
        let digits = kind.digits;
        let credential =
            Credential { digits, ..Credential::new(factor, OtpType::Totp(period), secret.copied()) };
        let step = credential.step_at(old.now).unwrap_or_default();
        let near = step.saturating_sub(old.window)..=step.saturating_add(old.window);
        Ok(credential.matching(&Response::from_bytes(code.as_bytes()), near))
    }
}

fn number(field: &str) -> Result<u64, String> {
    field.parse().map_err(|_| "the counter, the fifth field, is not a number".to_owned())
}

/// `2009-12-07T17:14:45L`
fn check_time(field: &str) -> Result<(), String> {
    let shape: String =
        field.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    if shape == "0000-00-00T00:00:00L" {
        return Ok(());
    }
    Err("the time of the last use, the seventh field, is not like 2009-12-07T17:14:45L".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "3132333435363738393031323334353637383930";
    /// RFC 6238, Appendix B: the code of eight digits at this time is 14050471.
    const NOW: OldSystem = OldSystem { window: 5, now: UnixTime::from_seconds(1_111_111_111) };

    fn token(line: &str) -> Token {
        let mut reading = parse(line, &NOW);
        assert_eq!(reading.complaints, [], "{line}");
        reading.tokens.pop().expect("a token")
    }

    #[test]
    fn counters_go_on_behind_the_last_use() {
        for (line, next) in [
            (format!("HOTP alice - {HEX}"), 0),
            (format!("HOTP\talice\t-\t{HEX}\t7"), 7),
            (format!("HOTP/E/6 alice + {HEX} 7 287082 2009-12-07T17:14:45L\r"), 8),
        ] {
            let token = token(&line);
            assert_eq!(token.moves_by, MovesBy::Counter { next: Some(next) }, "{line}");
            assert_eq!((token.user.as_deref(), token.digits.count()), (Some("alice"), 6));
            assert_eq!(*token.secret.to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        }
    }

    #[test]
    fn the_last_code_of_a_clock_is_used_also_where_the_phone_was_ahead() {
        let step = 1_111_111_111 / 30;
        let period = Period::default();
        let of = |line: &str| token(line).moves_by;
        assert_eq!(of(&format!("HOTP/T30/8 bob - {HEX}")), MovesBy::Time { period, last_used: None });
        let used = format!("HOTP/T30/8 bob - {HEX} 0 14050471 2005-03-18T01:58:31L");
        assert_eq!(of(&used), MovesBy::Time { period, last_used: Some(step) });
        // The code of 1,111,111,109 is of the step before.
        let before = format!("HOTP/T30/8 bob - {HEX} 0 07081804 2005-03-18T01:58:29L");
        assert_eq!(of(&before), MovesBy::Time { period, last_used: Some(step - 1) });
        let old = format!("HOTP/T30/8 bob - {HEX} 0 89005924 2009-02-13T23:31:30L");
        assert_eq!(of(&old), MovesBy::Time { period, last_used: None });
        let sixty = Period::from_seconds(60).expect("a period");
        assert_eq!(of(&format!("HOTP/T60 bob - {HEX}")), MovesBy::Time { period: sixty, last_used: None });
    }

    #[test]
    fn pins_and_lines_that_pam_oath_passes_over_are_told() {
        let reading = parse(&format!("# a comment\n\nHOTP alice 1234 {HEX}\nFOO alice\n"), &NOW);
        assert_eq!((reading.tokens.len(), reading.complaints.len()), (1, 0));
        let remarks: Vec<String> =
            reading.remarks.iter().map(|it| format!("{}: {}", it.place, it.what)).collect();
        assert!(
            remarks[0].starts_with("line 3: the PIN of alice") && !remarks[0].contains("1234"),
            "{remarks:?}"
        );
        assert!(remarks[1].starts_with("line 4: "), "{remarks:?}");
    }

    #[test]
    fn each_mistake_has_its_line_and_no_word_of_the_secret() {
        for (line, word) in [
            (format!("HOTP alice - {}", &HEX[1..]), "39 hexadecimal digits"),
            (format!("HOTP alice - {}w", &HEX[1..]), "not hexadecimal"),
            ("HOTP alice - 3132".to_owned(), "16 bits"),
            ("HOTP alice -".to_owned(), "no secret"),
            ("HOTP".to_owned(), "no user"),
            (format!("HOTP alice - {HEX} x"), "not a number"),
            (format!("HOTP alice - {HEX} 1 287082 yesterday"), "seventh field"),
            (format!("HOTP alice - {HEX} 1 287082 2009-12-07T17:14:45L more"), "seven fields"),
            (format!("HOTP/T45 alice - {HEX}"), "`/T45`"),
            (format!("HOTP/9 alice - {HEX}"), "`/9`"),
            (format!("MOTP alice 1234 {HEX}"), "mOTP"),
        ] {
            let reading = parse(&format!("# first\n{line}\n"), &NOW);
            let [complaint] = reading.complaints.as_slice() else { panic!("{line}: {reading:?}") };
            assert!(
                complaint.place == Place::Line(2) && complaint.what.contains(word),
                "{line}: {complaint:?}"
            );
            assert!(!complaint.what.contains(&HEX[1..9]) && reading.tokens.is_empty(), "{complaint:?}");
        }
        assert_eq!(parse("# nothing\n", &NOW).complaints.len(), 1);
    }
}
