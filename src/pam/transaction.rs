//! What the auth line found out in this PAM transaction, kept for the account line.

use ::pam::constants::PamResultCode;
use ::pam::items::AuthTok;
use ::pam::module::PamHandle;

use super::accepted_key::runs_in_sshd;
use crate::verifier::request::Request;

/// What a claimant showed to the auth line. It goes by name: an application may change `PAM_USER` in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing that counts: the try failed or is not over, or the login is exempt and nobody took a first factor.
    Nothing,
    /// A whole chain.
    Chain {
        /// Who passed it.
        user: String,
    },
    /// The policy asked for no chain, and sshd or a line before ours took a key or a password.
    FirstFactor {
        /// Who showed it.
        user: String,
    },
}

impl Shown {
    /// Keeps it in the handle, in place of what an earlier try left.
    ///
    /// # Errors
    ///
    /// `PAM_SERVICE_ERR` when libpam takes no more data.
    pub fn keep(self, handle: &mut PamHandle) -> Result<(), PamResultCode> {
        handle.set_data(NAME, Box::new(self)).map_err(|_| PamResultCode::PAM_SERVICE_ERR)
    }

    /// What the last auth line of this transaction kept; `None` where none ran, as after a public key alone.
    #[must_use]
    pub fn in_this_transaction(handle: &PamHandle) -> Option<&Self> {
        // SAFETY: only this module stores under this name, and only a Box<Shown>; libpam frees it in pam_end(3)
        // or when it is replaced, neither of which happens while the borrow lasts.
        unsafe { handle.get_data::<Self>(NAME) }.ok()
    }
}

/// Whether a line before ours took a password in this stage. libpam clears it before and after each stage, and
/// lets modules set it, not applications. Whether it was right is for the line that took it to say: a stack
/// that goes on after a wrong one is the administrator's.
#[must_use]
pub fn password_was_taken(handle: &PamHandle) -> bool {
    handle.get_item::<AuthTok<'_>>().ok().flatten().is_some_and(|password| !password.as_bytes().is_empty())
}

/// Whether the login comes through sshd, in any of the ways to see it: here a wrong yes refuses, so no claim of
/// an application is doubted.
#[must_use]
pub fn is_sshd_login(request: &Request) -> bool {
    request.service == "sshd" || request.tty.as_deref() == Some("ssh") || runs_in_sshd()
}

/// libpam shares the names among all modules. A new meaning needs a new name: during an upgrade two versions may
/// meet in one handle.
const NAME: &str = "pam_mfa_chain.shown";
