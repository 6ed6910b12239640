//! The proof that a new authenticator makes the codes that this host expects.

use crate::verifier::credential::Credential;
use crate::verifier::policy::{Factor, FactorKind};
use crate::verifier::ports::Clock;
use crate::verifier::response::Response;

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
                let candidates = credential.candidates(factor.kind, clock.now(), 0);
                credential.matching(&code, candidates)
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
        "no right code in {TRIES} tries, so nothing was enrolled; compare the clocks (TOTP) or counters (HOTP), \
         algorithm and digits of the authenticator and this host"
    )))
}

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
    use zeroize::Zeroizing;

    use super::*;
    use crate::verifier::credential::MovingFactor;
    use crate::verifier::otp::{Algorithm, Digits};
    use crate::verifier::policy::FactorId;
    use crate::verifier::secret::SharedSecret;
    use crate::verifier::time::UnixTime;

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
}
