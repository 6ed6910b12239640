//! The result of the auth line in this PAM transaction, kept for the account line.

use ::pam::constants::PamResultCode;
use ::pam::items::AuthTok;
use ::pam::module::PamHandle;

use super::accepted_key::runs_in_sshd;
use crate::verifier::request::Request;

/// What a claimant showed to the auth line. Holds the user's name, because an application may change
/// `PAM_USER` between the two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing that counts: the try failed or is not over, or the login is exempt without a first factor.
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
    /// Stores it in the handle and replaces the result of an earlier try.
    ///
    /// # Errors
    ///
    /// `PAM_SERVICE_ERR` when libpam takes no more data.
    pub fn keep(self, handle: &mut PamHandle) -> Result<(), PamResultCode> {
        handle.set_data(NAME, Box::new(self)).map_err(|_| PamResultCode::PAM_SERVICE_ERR)
    }

    /// The result of the last auth line of this transaction; `None` where none ran, as after only a public
    /// key.
    #[must_use]
    pub fn in_this_transaction(handle: &PamHandle) -> Option<&Self> {
        // SAFETY: only this module stores under this name, and only a Box<Shown>; libpam frees it in pam_end(3)
        // or when it is replaced, neither of which happens while the borrow lasts.
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

/// Whether anything indicates that the login comes through sshd. A wrong "yes" only refuses a login, so the
/// claims of the application are believed here.
#[must_use]
pub fn is_sshd_login(request: &Request) -> bool {
    request.service == "sshd" || request.tty.as_deref() == Some("ssh") || runs_in_sshd()
}

/// All modules share these names. The version is part of the name because two versions of this module may use
/// one handle during an upgrade, and each reads the data in its own memory layout.
const NAME: &str = concat!("pam_mfa_chain.shown ", env!("CARGO_PKG_VERSION"));
