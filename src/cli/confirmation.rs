//! The proof that a new authenticator makes the codes that this host expects.

use zeroize::Zeroizing;

use crate::verifier::credential::{Credential, MovingFactor};
use crate::verifier::otp::{Algorithm, Digits, Period};
use crate::verifier::policy::{Factor, FactorKind};
use crate::verifier::ports::Clock;
use crate::verifier::response::Response;
use crate::verifier::secret::SharedSecret;
use crate::verifier::time::UnixTime;

use super::failure::Failure;
use super::output;
use super::terminal::Terminal;

/// Asks for a code of `credential`, or for two consecutive ones of a HOTP token that stands at `counter` or up to
/// [`COUNTERS`] further. Returns the lowest time step or counter that was not used for it.
///
/// # Errors
///
/// [`Failure`] after [`TRIES`] wrong answers or at the end of input.
pub fn confirm(
    credential: &Credential,
    factor: &Factor,
    counter: u64,
    terminal: Terminal,
    clock: &impl Clock,
) -> Result<u64, Failure> {
    for left in (0..TRIES).rev() {
        let proven = match factor.kind {
            FactorKind::Totp { .. } => {
                let code = ask(terminal, &format!("{} code: ", factor.label))?;
                let now = clock.now();
                let proven = credential.matching(&code, credential.candidates(factor.kind, now, 0));
                if let (None, Some(what)) = (proven, misfit(credential, &code, now)) {
                    output::warn(&what);
                }
                proven
            }
            FactorKind::Hotp { .. } => {
                let first = ask(terminal, &format!("{} code: ", factor.label))?;
                let second = ask(terminal, &format!("{} next code: ", factor.label))?;
                consecutive(credential, &first, &second, counter)
            }
        };
        match proven {
            Some(used) => return Ok(used.saturating_add(1)),
            None if left > 0 => output::warn(&format!("that was not right; tries left: {left}")),
            None => {}
        }
    }
    Err(Failure::refused(format!(
        "no right code in {TRIES} tries, so nothing was changed; compare the clocks (TOTP) or counters (HOTP), \
         algorithm and digits of the authenticator and this host"
    )))
}

/// What a code that is not right is instead: of another moment, hash, length or time step.
fn misfit(credential: &Credential, code: &Response, now: UnixTime) -> Option<String> {
    let MovingFactor::Totp(period) = credential.moving else { return None };
    let step = credential.step_at(now)?;
    let reach = DAY_SECONDS.checked_div(period.seconds())?;
    if let Some(found) = credential.matching(code, step.saturating_sub(reach)..=step.saturating_add(reach)) {
        let (seconds, side) = (found.abs_diff(step).saturating_mul(period.seconds()), found < step);
        let side = if side { "behind" } else { "ahead of" };
        return Some(format!(
            "that is a code of a clock about {seconds} s {side} this host's; set the clocks right, `timedatectl` shows this one"
        ));
    }
    let periods = [period.seconds(), 30, 60].into_iter().filter_map(Period::from_seconds);
    let lengths = || (6..=8).filter_map(Digits::new);
    let variants = periods.flat_map(|period| {
        Algorithm::NAMES
            .into_iter()
            .flat_map(move |named| lengths().map(move |digits| (period, named, digits)))
    });
    variants.into_iter().find_map(|(period, (name, algorithm), digits)| {
        let secret = SharedSecret::from_bytes(Zeroizing::new(credential.secret.expose().to_vec())).ok()?;
        let (factor, moving) = (credential.factor.clone(), MovingFactor::Totp(period));
        let variant = Credential { factor, moving, algorithm, digits, secret, ..*credential };
        let step = variant.step_at(now)?;
        variant.matching(code, step.saturating_sub(1)..=step.saturating_add(1))?;
        Some(format!(
            "that is a code of {name}, {} digits, {} s: the authenticator goes by these, whatever it was told; say so in the \
             factor's `algorithm`, `digits` and `period`, or use another app",
            digits.count(),
            period.seconds()
        ))
    })
}

/// How far a clock is looked for, either way.
const DAY_SECONDS: u64 = 86_400;

/// How often a code may be wrong.
pub const TRIES: u32 = 3;

fn ask(terminal: Terminal, prompt: &str) -> Result<Response, Failure> {
    terminal.ask_unseen(prompt).map(|answer| Response::from_bytes(answer.as_bytes()))
}

/// How many counters are searched for a token that was pressed often since it was last in step. Two codes of six
/// digits in a row stand there by chance once in 10^8 searches.
const COUNTERS: u64 = 10_000;

/// The counter of `second`, where `first` is the code before it: resynchronisation as in RFC 4226 §7.4.
fn consecutive(credential: &Credential, first: &Response, second: &Response, counter: u64) -> Option<u64> {
    let mut proven = (counter..counter.saturating_add(COUNTERS)).filter_map(|candidate| {
        credential.matching(first, candidate..=candidate)?;
        let next = candidate.checked_add(1)?;
        credential.matching(second, next..=next)
    });
    proven.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::policy::FactorId;

    fn token() -> Credential {
        Credential {
            factor: FactorId::parse("token").expect("id"),
            moving: MovingFactor::Hotp,
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            secret: SharedSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()))
                .expect("secret"),
            first: 0,
            enrolled_at: UnixTime::default(),
        }
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
            moving: MovingFactor::Totp(Period::from_seconds(period).expect("a period")),
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
            let what = misfit(&ours, &Response::from_bytes(code.as_bytes()), now).expect(told);
            assert!(what.contains(told), "{what}");
        }
        assert_eq!(misfit(&ours, &Response::from_bytes(b"000000"), now), None);
    }
}
