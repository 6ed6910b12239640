//! The code that libpam gets. Only this file turns a verdict into a code.

use ::pam::constants::PamResultCode;

use super::accepted_key::AcceptedKey;
use crate::verifier::reason::DenyReason;
use crate::verifier::verdict::{Exemption, Verdict};

/// The code of a verdict. Never `PAM_USER_UNKNOWN`, `PAM_AUTHINFO_UNAVAIL` or `PAM_CRED_*`: some stacks and
/// profiles treat these codes as "ignore".
pub fn code_of(verdict: &Verdict) -> PamResultCode {
    match verdict {
        // A grant holds the proof of a whole chain.
        Verdict::Grant(_) => PamResultCode::PAM_SUCCESS,
        // No other verdict returns "ignore".
        Verdict::Exempt(_) => PamResultCode::PAM_IGNORE,
        Verdict::Deny(reason) => code_of_denial(reason),
    }
}

/// The code of an exempt login in which sshd accepted a key. Takes both proofs, so no caller can return this
/// success without them.
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
        DenyReason::Store(_) | DenyReason::Accounts(_) => PamResultCode::PAM_SERVICE_ERR,
        DenyReason::Conversation(_) => PamResultCode::PAM_CONV_ERR,
    }
}
