//! Why a login is denied, or a step refused.

use std::borrow::Cow;
use std::fmt;

use super::time::UnixTime;

/// Why a login is denied. The claimant sees one sentence for all of them; the log sees this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenyReason {
    /// The rule at this place says `deny`.
    Rule(usize),
    /// A step was refused.
    Step(Refusal),
    /// An answer came for a step that was not expected.
    Breach,
    /// The answer came when the attempt was too old. It was not judged.
    TooLate,
    /// The conversation ended without an answer.
    Conversation(String),
    /// The store could not be read or written; nothing was told to the claimant.
    Store(String),
    /// The system's account databases did not answer.
    Accounts(String),
    /// The application changed the claimant's name while the chain ran.
    ClaimantChanged,
}

impl DenyReason {
    /// One word for the log, stable for scripts.
    #[must_use]
    pub const fn log_word(&self) -> &'static str {
        match self {
            Self::Rule(_) => "rule",
            Self::Step(refusal) => refusal.log_word(),
            Self::Breach => "breach",
            Self::TooLate => "too-late",
            Self::Conversation(_) => "conversation",
            Self::Store(_) => "store",
            Self::Accounts(_) => "accounts",
            Self::ClaimantChanged => "claimant-changed",
        }
    }

    /// The same for a login through `service`: what is said of sshd is said only in its own logins.
    #[must_use]
    pub fn detail_through(&self, service: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Step(Refusal::SshdJunk) if service != "sshd" => Some(Cow::Borrowed(
                "control characters were typed or sent in place of a code, as sshd does for users whom it bars",
            )),
            _ => self.detail(),
        }
    }

    /// The details that the word leaves out, such as the seconds of a wait.
    #[must_use]
    pub fn detail(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Conversation(detail) | Self::Store(detail) | Self::Accounts(detail) => {
                Some(Cow::Borrowed(detail))
            }
            Self::Step(refusal) => refusal.detail(),
            Self::TooLate => {
                Some(Cow::Borrowed("the attempt was older than `attempt_seconds` of the policy allows"))
            }
            Self::Rule(_) | Self::Breach | Self::ClaimantChanged => None,
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.log_word())?;
        self.detail().map_or(Ok(()), |detail| write!(formatter, ": {detail}"))
    }
}

/// Why one step was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No code of the window.
    WrongCode,
    /// The code, or one after it, was accepted before.
    Replay,
    /// The very last code that was accepted, once more from the source that it was accepted from: a client that opens
    /// several connections with one code. It is not charged, since somebody who knows that code is not guessing.
    ReplayFromSource,
    /// A recovery code that was used, or that does not belong to this user.
    WrongRecoveryCode,
    /// Not the shape of a code.
    Malformed,
    /// The clock stands before every code that may still be accepted.
    ClockBehind,
    /// sshd sent filler in place of the answer, because it will not let this user in whatever we say.
    SshdJunk,
    /// The user has not enrolled what the chain asks for, or is unknown.
    Unenrolled,
    /// The account is not the one that enrolled: it was made again under an old name, or was renamed.
    AnotherAccount,
    /// A right code may be void, for the login state was reset: nobody knows which codes the lost one had seen.
    Voided {
        /// When it was reset.
        since: UnixTime,
        /// When the first code of an authenticator in time is good again; `None` where a command has to make it so.
        until: Option<UnixTime>,
    },
    /// A bypass code whose time is over.
    Expired,
    /// Too many failures; nothing was judged.
    Throttled {
        /// Seconds until an attempt is judged again.
        wait_seconds: u64,
    },
}

impl Refusal {
    /// One word for the log, stable for scripts.
    #[must_use]
    pub const fn log_word(&self) -> &'static str {
        match self {
            Self::WrongCode => "wrong-code",
            Self::Replay | Self::ReplayFromSource => "replay",
            Self::WrongRecoveryCode => "wrong-recovery-code",
            Self::Malformed => "malformed",
            Self::ClockBehind => "clock-behind",
            Self::SshdJunk => "sshd-junk",
            Self::Unenrolled => "unenrolled",
            Self::AnotherAccount => "another-account",
            Self::Voided { .. } => "voided",
            Self::Expired => "expired",
            Self::Throttled { .. } => "throttled",
        }
    }

    /// The details that the word leaves out, such as the seconds of a wait.
    #[must_use]
    pub fn detail(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::SshdJunk => Cow::Borrowed(
                "sshd bars this user before PAM is asked; see PermitRootLogin, AllowUsers, DenyUsers",
            ),
            Self::AnotherAccount => Cow::Borrowed(
                "an account of another name or user id enrolled; `mfa-chain check` tells which, and what to do",
            ),
            Self::ClockBehind => {
                Cow::Borrowed("the clock stands before the last accepted code; check the time of this host")
            }
            Self::Voided { since, until: Some(until) } => Cow::Owned(format!(
                "codes are void since the login state was reset at {since}, until {until}; a bypass code is not"
            )),
            Self::Voided { since, until: None } => Cow::Owned(format!(
                "void since the login state was reset at {since}; a counter token needs `mfa-chain resync`, recovery \
                 codes `mfa-chain recovery`"
            )),
            Self::Expired => Cow::Borrowed(
                "the bypass code is a day old; `mfa-chain unlock --reset-state` makes a new one",
            ),
            _ => return None,
        })
    }
}
