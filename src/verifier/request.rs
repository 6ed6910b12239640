//! Who asks, from where, through which service.

use super::ports::{Account, Accounts, AccountsError};
use super::username::Username;

/// What the application told libpam about one login. Every text comes from outside and is untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `PAM_SERVICE`: the application, such as `sshd` or `sudo`.
    pub service: String,
    /// `PAM_USER`: the claimant, as given.
    pub user: String,
    /// The account that `user` leads to; `None` where the system lists none, or was not asked yet.
    pub account: Option<Account>,
    /// `PAM_RHOST`: the address or the name of the remote host; `None` for a local login.
    pub rhost: Option<String>,
    /// `PAM_RUSER`: the user who runs the application, as sudo and su set it.
    pub ruser: Option<String>,
    /// `PAM_TTY`: the terminal, such as `/dev/pts/0`, `tty1` or `ssh`.
    pub tty: Option<String>,
}

impl Request {
    /// The request of `user` through `service`, with nothing known about the source.
    #[must_use]
    pub fn new(service: &str, user: &str) -> Self {
        Self { service: service.to_owned(), user: user.to_owned(), ..Self::default() }
    }

    /// The same request with the account that `user` leads to now. The engine asks once for each login,
    /// whoever is enrolled: neither the outcome nor the time then hangs on what was typed.
    ///
    /// # Errors
    ///
    /// [`AccountsError`] when the account databases did not answer.
    pub fn resolved(&self, accounts: &dyn Accounts) -> Result<Self, AccountsError> {
        Ok(Self { account: accounts.account(&self.user)?, ..self.clone() })
    }

    /// Who is judged: the account by the name that it goes by. A name that the system does not list stands for
    /// itself.
    #[must_use]
    pub fn name(&self) -> &str {
        #[cfg(mfa_fault = "as-typed")]
        return &self.user;
        #[cfg(not(mfa_fault = "as-typed"))]
        self.account.as_ref().map_or(&self.user, |account| &account.name)
    }

    /// The account's number, where the system lists it.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.account.as_ref().map(|account| account.uid)
    }

    /// Whether nothing tells where it comes from: neither a host, nor a user of this one, nor a terminal.
    #[must_use]
    pub const fn names_no_source(&self) -> bool {
        self.rhost.is_none() && self.ruser.is_none() && self.tty.is_none()
    }

    /// The claimant's name where it can be enrolled, `None` where nobody of that name can exist here.
    #[must_use]
    pub fn username(&self) -> Option<Username> {
        Username::parse(self.name()).ok()
    }
}
