//! Who asks, from where, through which service.

use super::username::Username;

/// What the application told libpam about one login. Every text comes from outside and is untrusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `PAM_SERVICE`: the application, such as `sshd` or `sudo`.
    pub service: String,
    /// `PAM_USER`: the claimant, as given.
    pub user: String,
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

    /// The claimant's name where it can be enrolled, `None` where nobody of that name can exist here.
    #[must_use]
    pub fn username(&self) -> Option<Username> {
        Username::parse(&self.user).ok()
    }
}
