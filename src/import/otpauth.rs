//! A list of `otpauth://` URIs, one a line: what scripts make of the exports of apps and password managers.

use super::token::{MovesBy, Place, Reading, Token};
use crate::verifier::enrollment::Authenticator;
use crate::verifier::enrollment::otpauth::{Refusal, type_and_account};
use crate::verifier::policy::{Factor, InvalidFactorId};

/// Reads the list. Blank lines and lines that begin with `#` are passed over.
#[must_use]
pub fn parse(text: &str) -> Reading {
    let mut reading = Reading::default();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_uri(line, Place::Line(number)) {
            Ok(token) => reading.tokens.push(token),
            Err(refusal) => {
                reading
                    .complain(Place::Line(number), format!("column {}: {}", refusal.column, refusal.message));
            }
        }
    }
    if reading.tokens.is_empty() && reading.complaints.is_empty() {
        reading.complain(Place::File, "has no otpauth URI");
    }
    reading
}

fn read_uri(line: &str, place: Place) -> Result<Token, Refusal> {
    let (kind, account) = type_and_account(line)?;
    let is_counter = kind.eq_ignore_ascii_case("hotp");
    let any = any_factor(is_counter).map_err(|error| Refusal::at(line, 0, error.to_string()))?;
    let Authenticator { secret, parameters, counter } = Authenticator::parse(line, &any)?;
    Ok(Token {
        place,
        user: Some(account).filter(|account| !account.is_empty()),
        serial: None,
        moves_by: if is_counter {
            MovesBy::Counter { next: Some(counter) }
        } else {
            MovesBy::Time { period: parameters.period, last_used: None }
        },
        algorithm: parameters.algorithm,
        digits: parameters.digits,
        secret,
    })
}

/// The reader of URIs checks them against a factor; which one it will be is not known yet.
fn any_factor(is_counter: bool) -> Result<Factor, InvalidFactorId> {
    if is_counter { Factor::hotp("imported") } else { Factor::totp("imported") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_list_is_read_with_its_users() {
        let text = format!(
            "\u{23} from the app\n\notpauth://totp/Example:alice@example.org?secret={SECRET}&issuer=Example\r\n\
             otpauth://hotp/bob?secret={SECRET}A&counter=9&digits=8\nOTPAUTH://TOTP/?secret={SECRET}&period=60\n"
        )
        .replace(&format!("{SECRET}A"), "GEZDGNBVGY3TQOJQ");
        let reading = parse(&text);
        assert_eq!(reading.complaints, []);
        let read: Vec<_> =
            reading.tokens.iter().map(|it| (it.place.clone(), it.user.as_deref(), it.moves_by)).collect();
        let time = |seconds| MovesBy::Time {
            period: crate::verifier::otp::Period::from_seconds(seconds).expect("a period"),
            last_used: None,
        };
        assert_eq!(
            read,
            [
                (Place::Line(3), Some("alice@example.org"), time(30)),
                (Place::Line(4), Some("bob"), MovesBy::Counter { next: Some(9) }),
                (Place::Line(5), None, time(60)),
            ]
        );
    }

    #[test]
    fn every_wrong_line_is_told_without_a_word_of_it() {
        let text = format!(
            "otpauth://totp/a?secret={SECRET}&digits=9\nnonsense\notpauth://steam/a?secret={SECRET}\n\
             otpauth://hotp/a?secret={SECRET}\notpauth-migration://offline?data={SECRET}\n"
        );
        let reading = parse(&text);
        let lines: Vec<&Place> = reading.complaints.iter().map(|it| &it.place).collect();
        assert_eq!(lines, (1..=5).map(Place::Line).collect::<Vec<_>>().iter().collect::<Vec<_>>());
        assert!(!format!("{reading:?}").contains("GEZD"), "{reading:?}");
        assert_eq!(parse("# nothing\n").complaints.len(), 1);
    }
}
