//! An authenticator before it is bound to a user.

use super::credential::{Credential, OtpType};
use crate::verifier::otp::{NoRandomness, SharedSecret};
use crate::verifier::policy::{CodeParameters, Factor, FactorKind};
use crate::verifier::time::UnixTime;

/// A secret with the parameters that make codes of it.
#[derive(Debug)]
pub struct Authenticator {
    /// The key.
    pub secret: SharedSecret,
    /// How codes are made.
    pub parameters: CodeParameters,
    /// The present counter; without meaning for TOTP.
    pub counter: u64,
}

impl Authenticator {
    /// A new secret of 160 bits with the parameters that the policy says for `factor`.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] when the kernel gives no random bytes.
    pub fn random(factor: &Factor) -> Result<Self, NoRandomness> {
        Ok(Self { secret: SharedSecret::random()?, parameters: factor.enrollment, counter: 0 })
    }

    /// The credential for `factor`, which accepts moving factors from `first` on.
    #[must_use]
    pub fn into_credential(self, factor: &Factor, first: u64, now: UnixTime) -> Credential {
        let otp_type = match factor.kind {
            FactorKind::Totp { .. } => OtpType::Totp(self.parameters.period),
            FactorKind::Hotp { .. } => OtpType::Hotp,
        };
        Credential {
            algorithm: self.parameters.algorithm,
            digits: self.parameters.digits,
            first,
            enrolled_at: now,
            ..Credential::new(factor.id.clone(), otp_type, self.secret)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::policy::{FactorId, Label};

    #[test]
    fn made_secrets_have_160_bits_and_differ() {
        let id = FactorId::parse("phone").expect("id");
        let enrollment = CodeParameters::default();
        let factor = Factor { label: Label::from(&id), id, kind: FactorKind::Totp { window: 1 }, enrollment };
        let make = || Authenticator::random(&factor).expect("made");
        let (one, other) = (make(), make());
        assert_eq!(one.secret.bits(), 160);
        assert_ne!(one.secret, other.secret);
        assert_eq!(one.parameters, factor.enrollment);
    }
}
