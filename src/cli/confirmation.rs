//! The codes that prove an authenticator, asked for at the terminal.

use super::failure::Failure;
use super::output;
use super::terminal::Terminal;
use crate::verifier::accounts::Accounts;
use crate::verifier::attempt::Orchestrator;
use crate::verifier::enrolling::{Confirmation, Enrollment};
use crate::verifier::otp::Response;
use crate::verifier::policy::{Factor, FactorKind};
use crate::verifier::ports::{Clock, Enrollments};

/// Asks for the codes of `enrollment` until they prove it.
///
/// # Errors
///
/// [`Failure`] after [`TRIES`] wrong answers, at the end of input, or where the record can't be changed.
pub fn confirm<S: Enrollments, C: Clock, N: Accounts, A>(
    registry: &Orchestrator<S, C, N, A>,
    mut enrollment: Enrollment,
    terminal: Terminal,
) -> Result<(), Failure> {
    for left in (0..TRIES).rev() {
        let codes = ask_codes(terminal, enrollment.factor())?;
        let user = enrollment.user().to_owned();
        match registry
            .confirm_enrollment(enrollment, &codes)
            .map_err(|error| Failure::of_enrollment(error, &user))?
        {
            Confirmation::Enrolled(_) => return Ok(()),
            Confirmation::Wrong(again, misfit) => {
                enrollment = again;
                if let Some(misfit) = misfit {
                    output::warn(&misfit.to_string());
                }
                warn_of_tries(left);
            }
        }
    }
    Err(not_proven())
}

/// One code of a factor that goes by the time, two in a row of a counter.
///
/// # Errors
///
/// [`Failure`] at the end of input.
pub fn ask_codes(terminal: Terminal, factor: &Factor) -> Result<Vec<Response>, Failure> {
    let prompts: &[&str] = match factor.kind {
        FactorKind::Totp { .. } => &["code"],
        FactorKind::Hotp { .. } => &["code", "next code"],
    };
    let ask = |prompt: &&str| {
        let answer = terminal.ask_unseen(&format!("{} {prompt}: ", factor.label))?;
        Ok(Response::from_bytes(answer.as_bytes()))
    };
    prompts.iter().map(ask).collect()
}

/// Says how often the codes may still be wrong.
pub fn warn_of_tries(left: u32) {
    if left > 0 {
        output::warn(&format!("that was not right; tries left: {left}"));
    }
}

/// That no code was right, and what to compare.
#[must_use]
pub fn not_proven() -> Failure {
    Failure::refused(format!(
        "no right code in {TRIES} tries, so nothing was changed; compare the clocks (TOTP) or counters (HOTP), \
         algorithm and digits of the authenticator and this host"
    ))
}

/// How often a code may be wrong.
pub const TRIES: u32 = 3;
