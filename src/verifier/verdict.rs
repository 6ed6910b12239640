//! How a login ends.

use super::chain::ChainProof;
use super::reason::DenyReason;

/// The verdict on one attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every step was right, and that is recorded.
    Grant(ChainProof),
    /// Anything else.
    Deny(DenyReason),
    /// The policy asks nothing of this login.
    Exempt(Exemption),
}

/// Why nothing is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exemption {
    /// The rule at this place of [`Policy::rules`](super::policy::Policy::rules) says so.
    Rule(usize),
    /// The user has not enrolled enough yet, and the roll-out deadline has not passed.
    RollOut,
    /// The policy observes such logins for now.
    Observed,
}
