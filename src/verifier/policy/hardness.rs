//! How hard the codes of factors are to guess.

use super::factor::{Factor, FactorKind};

/// How hard it is to guess the codes of all `factors` in one try: bits, rounded down.
#[must_use]
pub fn hardness<'a>(factors: impl Iterator<Item = &'a Factor>) -> u8 {
    let bits = factors.map(|factor| {
        let codes = 10_u64.saturating_pow(u32::from(factor.enrollment.digits.count()));
        codes.checked_div(accepted_codes(factor).into()).and_then(u64::checked_ilog2).unwrap_or(0)
    });
    u8::try_from(bits.sum::<u32>()).unwrap_or(u8::MAX)
}

/// How many codes of a factor are good at one time.
#[must_use]
pub fn accepted_codes(factor: &Factor) -> u32 {
    match factor.kind {
        FactorKind::Totp { window } => u32::from(window).saturating_mul(2).saturating_add(1),
        FactorKind::Hotp { look_ahead } => u32::from(look_ahead),
    }
}
