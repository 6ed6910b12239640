//! The authenticators of the demonstration's user, and the codes that they show.

use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::scratch::Scratch;
use crate::verifier::enrollment::{Credential, OtpType};
use crate::verifier::otp::SharedSecret;
use crate::verifier::policy::{Factor, FactorKind};
use crate::verifier::state::LoginState;
use crate::verifier::time::UnixTime;

/// A new authenticator for `factor`, with the parameters that its policy gives to enrollments.
///
/// # Errors
///
/// [`Failure`] when the kernel gives no random bytes.
pub fn make(factor: &Factor, now: UnixTime) -> Result<Credential, Failure> {
    let mut bytes = Zeroizing::new(vec![0; SharedSecret::RECOMMENDED_BYTES]);
    getrandom::fill(&mut bytes).map_err(|_| Failure::refused("the kernel gave no random bytes"))?;
    let secret = SharedSecret::from_bytes(bytes).map_err(|error| Failure::refused(error.to_string()))?;
    let parameters = factor.enrollment;
    Ok(Credential {
        algorithm: parameters.algorithm,
        digits: parameters.digits,
        enrolled_at: now,
        ..Credential::new(
            factor.id.clone(),
            match factor.kind {
                FactorKind::Totp { .. } => OtpType::Totp(parameters.period),
                FactorKind::Hotp { .. } => OtpType::Hotp,
            },
            secret,
        )
    })
}

/// A code of the authenticator of `factor` that was never used and is good now. A demonstration would have to wait
/// half a minute between two logins; instead it takes the earliest code of the window that is left.
///
/// # Errors
///
/// [`Failure`] when nothing is enrolled for the factor.
pub fn fresh_code(scratch: &Scratch, factor: &Factor, now: UnixTime) -> Result<Zeroizing<String>, Failure> {
    let (record, state) = scratch.enrollment()?;
    let credential = record.credential(factor).ok_or_else(|| Failure::refused("nothing is enrolled"))?;
    Ok(credential.code(fresh_place(credential, &state, now)))
}

/// A text of digits that is no code of the authenticator of `factor` for minutes around `now`.
///
/// # Errors
///
/// [`Failure`] when nothing is enrolled for the factor.
pub fn wrong_code(scratch: &Scratch, factor: &Factor, now: UnixTime) -> Result<Zeroizing<String>, Failure> {
    let (record, state) = scratch.enrollment()?;
    let credential = record.credential(factor).ok_or_else(|| Failure::refused("nothing is enrolled"))?;
    let codes = codes_near(credential, &state, now);
    let length = usize::from(credential.digits.count());
    let guesses = (0..).map(|guess: u32| Zeroizing::new(format!("{:0length$}", guess.wrapping_mul(111_111))));
    let mut guesses = guesses.take(codes.len().saturating_add(1));
    let wrong = guesses.find(|guess| codes.iter().all(|code| code.as_str() != guess.as_str()));
    wrong.ok_or_else(|| Failure::refused("no wrong code was found"))
}

/// A fresh code of `held` that is, by no chance, one of `asked` too.
///
/// # Errors
///
/// [`Failure`] when nothing is enrolled for a factor.
pub fn code_of_another(
    scratch: &Scratch,
    held: &Factor,
    asked: &Factor,
    now: UnixTime,
) -> Result<Zeroizing<String>, Failure> {
    let (record, state) = scratch.enrollment()?;
    let missing = || Failure::refused("nothing is enrolled");
    let (held, asked) = (record.credential(held), record.credential(asked));
    let (held, asked) = (held.ok_or_else(missing)?, asked.ok_or_else(missing)?);
    let near = codes_near(asked, &state, now);
    let place = fresh_place(held, &state, now);
    // Two places are within every window; both being codes of the other is past believing.
    let mut codes = [place, place.saturating_add(1)].map(|place| held.code(place)).into_iter();
    let foreign = codes.find(|code| near.iter().all(|other| other.as_str() != code.as_str()));
    foreign.ok_or_else(|| Failure::refused("two authenticators show the same codes"))
}

/// The codes that an authenticator shows for minutes around `now`.
fn codes_near(credential: &Credential, state: &LoginState, now: UnixTime) -> Vec<Zeroizing<String>> {
    let place = fresh_place(credential, state, now);
    let near = place.saturating_sub(NEAR)..=place.saturating_add(NEAR);
    near.map(|place| credential.code(place)).collect()
}

fn fresh_place(credential: &Credential, state: &LoginState, now: UnixTime) -> u64 {
    let next = state.next_acceptable(credential);
    credential.step_at(now).map_or(next, |step| next.max(step.saturating_sub(1)))
}

/// Further than any window of the demonstration reaches.
const NEAR: u64 = 12;
