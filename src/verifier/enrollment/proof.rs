//! The proof that a new authenticator makes the codes that this host expects.

use std::fmt;

use super::credential::{Credential, OtpType};
use crate::verifier::otp::{Algorithm, Digits, Period, Response};
use crate::verifier::policy::FactorKind;
use crate::verifier::time::UnixTime;

/// The result of the codes of an enrollment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The codes are right. The number is the lowest time step or counter that the proof did not use.
    Proven(u64),
    /// The codes are wrong. Holds the likely cause, if one was found.
    Wrong(Option<Misfit>),
}

/// Judges the codes of an authenticator that is being enrolled as `kind`: one code of TOTP, two consecutive ones of
/// HOTP whose counter stands at `counter` or up to 10,000 further (RFC 4226 §7.4).
#[must_use]
pub fn proof(
    credential: &Credential,
    kind: FactorKind,
    answers: &[Response],
    counter: u64,
    now: UnixTime,
) -> Proof {
    let used = match (kind, answers) {
        (FactorKind::Totp { .. }, [code]) => credential
            .matching(code, credential.candidates(kind, now, 0))
            .ok_or_else(|| misfit(credential, code, now)),
        (FactorKind::Hotp { .. }, [first, second]) => {
            consecutive(credential, first, second, counter).ok_or(None)
        }
        _ => Err(None),
    };
    match used {
        Ok(used) => Proof::Proven(used.saturating_add(1)),
        Err(misfit) => Proof::Wrong(misfit),
    }
}

/// The likely cause of a wrong code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// A code of this authenticator for another time: one of the two clocks is wrong.
    Clock {
        /// How far the two are apart, in seconds.
        seconds: u64,
        /// Whether the authenticator's clock is behind the host's.
        behind: bool,
    },
    /// A code of the same secret with other parameters: the authenticator ignores the parameters of the URI.
    Parameters {
        /// The hash function that it uses.
        algorithm: Algorithm,
        /// The digits it shows.
        digits: Digits,
        /// The length of its time steps.
        period: Period,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock { seconds, behind } => {
                let side = if *behind { "behind" } else { "ahead of" };
                write!(
                    formatter,
                    "that is a code of a clock about {seconds} s {side} this host's; set the clocks right, `timedatectl` shows this one"
                )
            }
            Self::Parameters { algorithm, digits, period } => write!(
                formatter,
                "that is a code of {algorithm}, {} digits, {} s: the authenticator uses these parameters; write them into the \
                 factor's `algorithm`, `digits` and `period`, or use another app",
                digits.count(),
                period.seconds()
            ),
        }
    }
}

/// Looks for the cause of a wrong code: another time, hash, length or time step.
fn misfit(credential: &Credential, code: &Response, now: UnixTime) -> Option<Misfit> {
    let OtpType::Totp(period) = credential.otp_type else { return None };
    let step = credential.step_at(now)?;
    let reach = DAY_SECONDS.checked_div(period.seconds())?;
    if let Some(found) = credential.matching(code, step.saturating_sub(reach)..=step.saturating_add(reach)) {
        let seconds = found.abs_diff(step).saturating_mul(period.seconds());
        return Some(Misfit::Clock { seconds, behind: found < step });
    }
    let periods = [period.seconds(), 30, 60].into_iter().filter_map(Period::from_seconds);
    let lengths = || (6..=8).filter_map(Digits::new);
    let variants = periods.flat_map(|period| {
        Algorithm::NAMES
            .into_iter()
            .flat_map(move |(_, algorithm)| lengths().map(move |digits| (period, algorithm, digits)))
    });
    variants.into_iter().find_map(|(period, algorithm, digits)| {
        let variant =
            Credential { otp_type: OtpType::Totp(period), algorithm, digits, ..credential.copied() };
        let step = variant.step_at(now)?;
        variant.matching(code, step.saturating_sub(1)..=step.saturating_add(1))?;
        Some(Misfit::Parameters { algorithm, digits, period })
    })
}

/// How far a clock may be off, either way, to be recognized.
const DAY_SECONDS: u64 = 86_400;

/// How many counters are searched for a token that was pressed often without a login. Two consecutive codes
/// of six digits match by chance in one of 10^8 searches.
const COUNTERS: u64 = 10_000;

/// The counter of `second`, where `first` is the code before it: resynchronisation as in RFC 4226 §7.4.
#[must_use]
pub fn consecutive(
    credential: &Credential,
    first: &Response,
    second: &Response,
    counter: u64,
) -> Option<u64> {
    let mut proven = (counter..counter.saturating_add(COUNTERS)).filter_map(|candidate| {
        credential.matching(first, candidate..=candidate)?;
        let next = candidate.checked_add(1)?;
        credential.matching(second, next..=next)
    });
    proven.next_back()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::verifier::otp::SharedSecret;
    use crate::verifier::policy::FactorId;

    fn token() -> Credential {
        let secret = SharedSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()));
        Credential::new(FactorId::parse("token").expect("id"), OtpType::Hotp, secret.expect("secret"))
    }

    /// The codes of RFC 4226 appendix D.
    const CODES: [&str; 10] =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];

    fn proven(first: &str, second: &str, counter: u64) -> Option<u64> {
        let [first, second] = [first, second].map(|text| Response::from_bytes(text.as_bytes()));
        consecutive(&token(), &first, &second, counter)
    }

    #[test]
    fn two_consecutive_codes_prove_a_token_that_was_pressed_up_to_10_000_times() {
        assert_eq!(proven(CODES[0], CODES[1], 0), Some(1));
        assert_eq!(proven(CODES[8], CODES[9], 0), Some(9));
        let far = |counter: u64| [counter, counter + 1].map(|at| token().code(at).to_string());
        let [first, second] = far(9_999);
        assert_eq!(proven(&first, &second, 0), Some(10_000));
        let [first, second] = far(10_000);
        assert_eq!(proven(&first, &second, 0), None);
        assert_eq!(proven(&first, &second, 1), Some(10_001));
    }

    #[test]
    fn codes_that_do_not_follow_each_other_prove_nothing() {
        for (first, second) in [(0, 0), (1, 0), (0, 2)] {
            assert_eq!(proven(CODES[first], CODES[second], 0), None, "{first} {second}");
        }
        assert_eq!(proven(CODES[0], "abc", 0), None);
    }

    #[test]
    fn a_counter_at_the_end_of_its_range_is_no_panic() {
        assert_eq!(proven(CODES[0], CODES[1], u64::MAX), None);
    }

    #[test]
    fn a_code_that_does_not_fit_is_told_by_what_it_is() {
        let now = UnixTime::from_seconds(1_790_000_010);
        let made = |algorithm, digits, period| Credential {
            otp_type: OtpType::Totp(Period::from_seconds(period).expect("a period")),
            algorithm,
            digits: Digits::new(digits).expect("digits"),
            ..token()
        };
        let ours = made(Algorithm::Sha256, 6, 30);
        for (theirs, shift, told) in [
            (made(Algorithm::Sha256, 6, 30), -120_i64, "about 120 s behind"),
            (made(Algorithm::Sha256, 6, 30), 3_600, "about 3600 s ahead of"),
            (made(Algorithm::Sha1, 6, 30), 0, "a code of SHA1, 6 digits, 30 s"),
            (made(Algorithm::Sha256, 8, 30), 0, "a code of SHA256, 8 digits, 30 s"),
            (made(Algorithm::Sha256, 6, 60), 0, "a code of SHA256, 6 digits, 60 s"),
        ] {
            let at = UnixTime::from_seconds(now.seconds().saturating_add_signed(shift));
            let code = theirs.code(theirs.step_at(at).expect("a step"));
            let what = misfit(&ours, &Response::from_bytes(code.as_bytes()), now).expect(told).to_string();
            assert!(what.contains(told), "{what}");
        }
        assert_eq!(misfit(&ours, &Response::from_bytes(b"000000"), now), None);
    }
}
