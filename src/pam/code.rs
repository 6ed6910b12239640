//! What libpam gets. No other place makes a code of a verdict.

use ::pam::constants::PamResultCode;

use super::accepted_key::AcceptedKey;
use crate::verifier::verdict::{DenyReason, Exemption, Verdict};

/// The code of a verdict. Never `PAM_USER_UNKNOWN`, `PAM_AUTHINFO_UNAVAIL` or `PAM_CRED_*`: stacks and profiles
/// treat them as "ignore".
pub fn code_of(verdict: &Verdict) -> PamResultCode {
    match verdict {
        // The success of authenticate, with the proof of a whole chain in it.
        Verdict::Grant(_) => PamResultCode::PAM_SUCCESS,
        // The one "ignore".
        Verdict::Exempt(_) => PamResultCode::PAM_IGNORE,
        Verdict::Deny(reason) => code_of_denial(reason),
    }
}

/// The code of a login that the policy asks no chain of, and in which sshd accepted a key: the other success of
/// authenticate. Both proofs are consumed, and neither can be made elsewhere.
pub const fn code_of_exempt_login(_: Exemption, _: AcceptedKey) -> PamResultCode {
    PamResultCode::PAM_SUCCESS
}

fn code_of_denial(reason: &DenyReason) -> PamResultCode {
    match reason {
        DenyReason::Rule(_)
        | DenyReason::Step(_)
        | DenyReason::Breach
        | DenyReason::TooLate
        | DenyReason::ClaimantChanged => PamResultCode::PAM_AUTH_ERR,
        #[cfg(mfa_fault = "ignore-on-error")]
        DenyReason::Store(_) => code_of(&Verdict::Exempt(crate::verifier::verdict::Exemption::RollOut)),
        DenyReason::Store(_) | DenyReason::Accounts(_) => PamResultCode::PAM_SERVICE_ERR,
        DenyReason::Conversation(_) => PamResultCode::PAM_CONV_ERR,
    }
}
