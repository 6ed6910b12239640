//! Who asks, from where, through which service.

use std::net::IpAddr;

use super::accounts::{Account, Accounts, AccountsError};
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
    /// The request of `user` at the other end of `address`, through `service`, which names your program in the log and
    /// in rules. Failures are counted for each address that the user passed a chain from, and once for all others
    /// together: a guesser elsewhere makes no known place wait.
    #[must_use]
    pub fn from_address(service: &str, user: &str, address: IpAddr) -> Self {
        Self { rhost: Some(address.to_string()), ..Self::local(service, user) }
    }

    /// The request of `user` through `service` where no address is known. All such requests share one count: failures
    /// of anybody under this name make the user wait.
    #[must_use]
    pub fn local(service: &str, user: &str) -> Self {
        Self { service: service.to_owned(), user: user.to_owned(), ..Self::default() }
    }

    /// The same request with the account that `user` leads to now. The engine asks once for each login,
    /// enrolled or not: neither the outcome nor the time then depends on what was typed.
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
        self.account.as_ref().map_or(&self.user, |account| &account.name)
    }

    /// The account's number, where the system lists it.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.account.as_ref().map(|account| account.uid)
    }

    /// Whether the application named neither a remote host, nor a user of this host, nor a terminal.
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
