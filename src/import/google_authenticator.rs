//! `~/.google_authenticator` of google-authenticator-libpam (its `FILEFORMAT`, `pam_google_authenticator.c` and
//! `base32.c`).

use zeroize::Zeroizing;

use super::token::{MovesBy, Place, Reading, Token};
use crate::verifier::otp::{Algorithm, Digits, InvalidSecret, Period, SharedSecret};

/// Reads the file of one user. The file names nobody; its owner is the user.
#[must_use]
pub fn parse(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut lines = (1..).zip(text.lines().map(|line| line.trim_end_matches('\r')));
    let secret = match lines.next() {
        Some((_, line)) if !line.trim().is_empty() => read_secret(line),
        _ => Err("the first line is empty; the secret stands there".to_owned()),
    };
    let mut options = Options::default();
    for (number, line) in lines {
        match line.strip_prefix("\" ") {
            Some(option) => options.read(option, Place::Line(number), &mut reading),
            None if is_scratch_code(line) => options.scratch_codes = options.scratch_codes.saturating_add(1),
            None if line.trim().is_empty() => {}
            None => {
                let what = "neither an option (`\" NAME ...`) nor a scratch code of 8 digits; is this a whole \
                            .google_authenticator?";
                reading.complain(Place::Line(number), what);
            }
        }
    }
    options.report(&mut reading);
    let moves_by = options.moves_by().and_then(|moves_by| {
        let what = "has neither `\" TOTP_AUTH` nor `\" HOTP_COUNTER`, so it takes scratch codes only";
        moves_by.ok_or_else(|| (Place::File, what.to_owned()))
    });
    match (secret, moves_by) {
        (Ok(secret), Ok(moves_by)) => reading.tokens.push(token(secret, moves_by)),
        (secret, moves_by) => {
            let of_secret = secret.err().map(|what| (Place::Line(1), what));
            for (place, what) in of_secret.into_iter().chain(moves_by.err()) {
                reading.complain(place, what);
            }
        }
    }
    reading
}

fn token(secret: SharedSecret, moves_by: MovesBy) -> Token {
    let (place, algorithm, digits) = (Place::Line(1), Algorithm::Sha1, Digits::default());
    Token { place, user: None, serial: None, moves_by, algorithm, digits, secret }
}

/// Base32 as that module reads it: 0, 1 and 8 stand for O, L and B, and the bits left over of the last letter are dropped.
fn read_secret(line: &str) -> Result<SharedSecret, String> {
    let mut letters = Zeroizing::new(String::with_capacity(line.len()));
    letters.extend(line.chars().filter(|letter| !matches!(letter, ' ' | '\t' | '-')).map(
        |letter| match letter {
            '0' => 'O',
            '1' => 'L',
            '8' => 'B',
            other => other.to_ascii_uppercase(),
        },
    ));
    SharedSecret::from_letters_cut_off(&letters).map_err(|error| match error {
        InvalidSecret::Base32 => {
            "the secret is not base32; the first line of the file holds it, and only it".to_owned()
        }
        other => other.to_string(),
    })
}

fn is_scratch_code(line: &str) -> bool {
    let line = line.trim_end();
    line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// What the options of a file say.
#[derive(Debug, Default)]
struct Options {
    is_totp: bool,
    counter: Option<u64>,
    period: Option<(Place, u64)>,
    last_used: Option<u64>,
    window: Option<u64>,
    skew: Option<(Place, i64)>,
    scratch_codes: usize,
    /// Names of options that have no counterpart in a record.
    dropped: Vec<&'static str>,
}

impl Options {
    fn read(&mut self, option: &str, place: Place, reading: &mut Reading) {
        let mut words = option.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
        let mut wrong = |what: &str| reading.complain(place.clone(), what);
        match name {
            "TOTP_AUTH" => self.is_totp = true,
            "HOTP_COUNTER" => match number(words.next()) {
                Some(counter) => self.counter = Some(counter).filter(|counter| *counter > 0),
                None => wrong("HOTP_COUNTER has no number"),
            },
            "STEP_SIZE" => match number(words.next()) {
                Some(seconds) => self.period = Some((place, seconds)),
                None => wrong("STEP_SIZE has no number"),
            },
            "DISALLOW_REUSE" => {
                for word in words {
                    match word.parse() {
                        Ok(step) => self.last_used = self.last_used.max(Some(step)),
                        Err(_) => wrong("DISALLOW_REUSE holds something else than numbers of time steps"),
                    }
                }
            }
            "WINDOW_SIZE" => match number(words.next()) {
                Some(window) => self.window = Some(window),
                None => wrong("WINDOW_SIZE has no number"),
            },
            "TIME_SKEW" => match words.next().and_then(|word| word.parse().ok()) {
                Some(skew) => self.skew = Some((place, skew)),
                None => wrong("TIME_SKEW has no number"),
            },
            "RATE_LIMIT" => self.dropped.push("RATE_LIMIT"),
            "RESETTING_TIME_SKEW" => self.dropped.push("RESETTING_TIME_SKEW"),
            name if name.strip_prefix("LAST").is_some_and(|rest| rest.len() == 1) => {
                self.dropped.push("LAST");
            }
            _ => wrong("an option that is not known; known are those of google-authenticator-libpam 1.11"),
        }
    }

    fn moves_by(&self) -> Result<Option<MovesBy>, (Place, String)> {
        // The counter wins where both options stand, as it does in that module.
        if let Some(counter) = self.counter {
            return Ok(Some(MovesBy::Counter { next: Some(counter) }));
        }
        if !self.is_totp {
            return Ok(None);
        }
        let period = match &self.period {
            None => Period::default(),
            Some((place, seconds)) => Period::from_seconds(*seconds).ok_or_else(|| {
                (place.clone(), format!("STEP_SIZE is {seconds} seconds; 15 to 120 are taken"))
            })?,
        };
        let half = self.window.unwrap_or(DEFAULT_WINDOW) / 2;
        match &self.skew {
            Some((place, skew)) if skew.unsigned_abs() > half.max(1) => Err((
                place.clone(),
                format!(
                    "TIME_SKEW is {skew} time steps: the clock of this phone is off; set it right, log in once with the old \
                     module, and import again"
                ),
            )),
            _ => Ok(Some(MovesBy::Time { period, last_used: self.last_used })),
        }
    }

    fn report(&self, reading: &mut Reading) {
        if self.scratch_codes > 0 {
            let count = self.scratch_codes;
            reading.remark(
                Place::File,
                format!(
                    "{count} scratch codes were not brought; `mfa-chain recovery USER` makes recovery codes"
                ),
            );
        }
        if let Some(window) = self.window.filter(|window| *window != DEFAULT_WINDOW) {
            let half = window / 2;
            reading.remark(
                Place::File,
                format!(
                    "WINDOW_SIZE was {window}; here the window is the policy's, not the user's: `window = {half}` (TOTP) or \
                     `look_ahead = {window}` (HOTP) is as wide"
                ),
            );
        }
        if !self.dropped.is_empty() {
            let mut names = self.dropped.clone();
            names.dedup();
            let what = format!("not taken over, since the policy decides that here: {}", names.join(", "));
            reading.remark(Place::File, what);
        }
    }
}

/// The window of that module, in codes, where its file says nothing.
const DEFAULT_WINDOW: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn only_token(text: &str) -> Token {
        let mut reading = parse(text);
        assert_eq!(reading.complaints, [], "{text}");
        reading.tokens.pop().expect("a token")
    }

    #[test]
    fn a_file_of_a_user_with_a_clock_is_read() {
        let text = format!(
            "{SECRET}\n\" RATE_LIMIT 3 30 1700000000\n\" WINDOW_SIZE 17\n\" DISALLOW_REUSE 56666666 56666668 56666667\n\
             \" TOTP_AUTH\n12345678\n87654321\n"
        );
        let reading = parse(&text);
        let [token] = reading.tokens.as_slice() else { panic!("{reading:?}") };
        assert_eq!(*token.secret.to_base32(), SECRET);
        let last_used = Some(56_666_668);
        assert_eq!(token.moves_by, MovesBy::Time { period: Period::default(), last_used });
        let remarks: Vec<&str> = reading.remarks.iter().map(|remark| remark.what.as_str()).collect();
        let [codes, window, dropped] = remarks[..] else { panic!("{remarks:?}") };
        assert!(codes.starts_with("2 scratch codes were not brought"), "{codes}");
        assert!(window.contains("`window = 8`"), "{window}");
        assert!(dropped.ends_with(": RATE_LIMIT"), "{dropped}");
    }

    #[test]
    fn a_counter_is_read_and_wins_over_the_time() {
        let next = Some(42);
        assert_eq!(
            only_token(&format!("{SECRET}\n\" HOTP_COUNTER 42\n")).moves_by,
            MovesBy::Counter { next }
        );
        let both = format!("{SECRET}\n\" TOTP_AUTH\n\" HOTP_COUNTER 42\n");
        assert_eq!(only_token(&both).moves_by, MovesBy::Counter { next });
        let zero = format!("{SECRET}\n\" TOTP_AUTH\n\" HOTP_COUNTER 0\n");
        assert!(matches!(only_token(&zero).moves_by, MovesBy::Time { .. }));
    }

    /// python3: the letters of base32.c with 0, 1 and 8 exchanged, decoded by `base64.b32decode`.
    #[test]
    fn letters_are_read_as_that_module_reads_them() {
        let plain = only_token("OLBDGNBVGY3TQOJQGEZDGNBVGY\n\" TOTP_AUTH\n").secret;
        for first in
            ["01bd-gnbv gy3t qojq gezd gnbv gy", "0l8DGNBVGY3TQOJQGEZDGNBVGY\r", "OLBDGNBVGY3TQOJQGEZDGNBVGZ"]
        {
            assert_eq!(only_token(&format!("{first}\n\" TOTP_AUTH\n")).secret, plain, "{first}");
        }
    }

    #[test]
    fn each_mistake_has_its_line_and_no_word_of_the_secret() {
        for (lines, place, word) in [
            ("\" TOTP_AUTH\n\" STEP_SIZE 5", Place::Line(3), "15 to 120"),
            ("\" TOTP_AUTH\n\" STEP_SIZE x", Place::Line(3), "no number"),
            ("\" HOTP_COUNTER x", Place::Line(2), "no number"),
            ("\" TOTP_AUTH\n\" TIME_SKEW 9", Place::Line(3), "clock of this phone"),
            ("\" TOTP_AUTH\n\" DISALLOW_REUSE 1 x", Place::Line(3), "time steps"),
            ("\" TOTP_AUTH\n\" MAGIC", Place::Line(3), "not known"),
            ("\" TOTP_AUTH\n1234", Place::Line(3), "scratch code"),
            ("12345678", Place::File, "neither"),
        ] {
            let reading = parse(&format!("{SECRET}\n{lines}\n"));
            let complaint = reading.complaints.first().unwrap_or_else(|| panic!("{lines}"));
            assert!(complaint.place == place && complaint.what.contains(word), "{lines}: {complaint:?}");
        }
        for first in ["", "GEZDGNBVGY3TQ", "GEZDGNBVGY3TQOJQ9", "not base32!"] {
            let reading = parse(&format!("{first}\n\" TOTP_AUTH\n"));
            assert_eq!(reading.complaints.first().map(|it| &it.place), Some(&Place::Line(1)), "{first}");
            assert!(
                reading.tokens.is_empty() && (first.is_empty() || !format!("{reading:?}").contains(first))
            );
        }
    }
}
