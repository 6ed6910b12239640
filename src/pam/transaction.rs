//! The result of the auth line in this PAM transaction, kept for the account line.

use ::pam::constants::PamResultCode;
use ::pam::items::AuthTok;
use ::pam::module::PamHandle;

use super::accepted_key::runs_in_sshd;
use crate::verifier::request::Request;

/// What a claimant showed to the auth line. Holds the user's name, because an application may change `PAM_USER`
/// between the auth line and the account line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing that counts: the try failed or has not ended, or the login is exempt and showed no first factor.
    Nothing,
    /// A whole chain.
    Chain {
        /// Who passed it.
        user: String,
    },
    /// The policy asked for no chain, and sshd accepted a key or an earlier line took a password.
    FirstFactor {
        /// Who showed it.
        user: String,
    },
}

impl Shown {
    /// Stores this result in the handle. It replaces the result of an earlier try.
    ///
    /// # Errors
    ///
    /// `PAM_SERVICE_ERR` when libpam takes no more data.
    pub fn keep(self, handle: &mut PamHandle) -> Result<(), PamResultCode> {
        handle.set_data(NAME, Box::new(self)).map_err(|_| PamResultCode::PAM_SERVICE_ERR)
    }

    /// The result of the last auth line of this transaction. `None` if no auth line ran, for example after only a
    /// public key.
    #[must_use]
    pub fn in_this_transaction(handle: &PamHandle) -> Option<&Self> {
        // SAFETY: only this module stores under this name, and it stores only a Box<Shown>. libpam frees the box in
        // pam_end(3) or when new data replaces it. Neither happens while the borrow lasts.
        unsafe { handle.get_data::<Self>(NAME) }.ok()
    }
}

/// Whether an earlier line took a password in this stage. libpam clears the password before and after each
/// stage, and only modules can set it, not applications. The line that took the password decides whether it
/// was right: a stack that continues after a wrong password is the administrator's choice.
#[must_use]
pub fn password_was_taken(handle: &PamHandle) -> bool {
    handle.get_item::<AuthTok<'_>>().ok().flatten().is_some_and(|password| !password.as_bytes().is_empty())
}

/// Whether anything indicates that the login comes through sshd. A wrong "yes" only refuses a login, so this
/// function trusts the claims of the application.
#[must_use]
pub fn is_sshd_login(request: &Request) -> bool {
    request.service == "sshd" || request.tty.as_deref() == Some("ssh") || runs_in_sshd()
}

/// The name of the data in the handle, unique among all modules. It contains the version, because during an upgrade
/// two versions of this module may use one handle, and each has its own memory layout for the data.
const NAME: &str = concat!("pam_mfa_chain.shown ", env!("CARGO_PKG_VERSION"));
