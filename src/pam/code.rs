//! What libpam gets. No other place makes a code of a verdict.

use ::pam::constants::PamResultCode;

use crate::verifier::verdict::{DenyReason, Verdict};

/// The code of a verdict. Never `PAM_USER_UNKNOWN`, `PAM_AUTHINFO_UNAVAIL` or `PAM_CRED_*`: stacks and profiles
/// treat them as "ignore".
pub fn code_of(verdict: &Verdict) -> PamResultCode {
    match verdict {
        // The one success of authenticate, with the proof of a whole chain in it.
        Verdict::Grant(_) => PamResultCode::PAM_SUCCESS,
        // The one "ignore".
        Verdict::Exempt(_) => PamResultCode::PAM_IGNORE,
        Verdict::Deny(reason) => code_of_denial(reason),
    }
}

fn code_of_denial(reason: &DenyReason) -> PamResultCode {
    match reason {
        DenyReason::Rule(_) | DenyReason::Step(_) | DenyReason::Breach | DenyReason::ClaimantChanged => {
            PamResultCode::PAM_AUTH_ERR
        }
        #[cfg(mfa_fault = "ignore-on-error")]
        DenyReason::Store(_) => code_of(&Verdict::Exempt(crate::verifier::verdict::Exemption::RollOut)),
        DenyReason::Store(_) | DenyReason::Accounts(_) => PamResultCode::PAM_SERVICE_ERR,
        DenyReason::Conversation(_) => PamResultCode::PAM_CONV_ERR,
    }
}
