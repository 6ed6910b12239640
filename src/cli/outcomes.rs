//! Judged steps as the login state keeps them, in words for the administrator. The claimant sees one sentence for all.

use std::fmt;

use serde_json::{Value, json};

use crate::verifier::otp::AnsweredBy;
use crate::verifier::policy::{FactorId, Policy};
use crate::verifier::state::{DrawKey, NameKey, PastOutcome};

/// One judged step.
#[derive(Debug)]
pub struct JudgedStep {
    factor: Option<FactorId>,
    past: PastOutcome,
}

impl JudgedStep {
    /// Finds the name of the factor, which the state keeps as a hash under `key`.
    #[must_use]
    pub fn of(past: PastOutcome, policy: &Policy, key: &DrawKey) -> Self {
        let is_asked = |id: &FactorId| NameKey::of_factor(id, key) == past.factor;
        let factor = policy.factors().iter().map(|factor| factor.id.clone()).find(is_asked);
        Self { factor, past }
    }

    /// What the state keeps of it.
    #[must_use]
    pub const fn past(&self) -> &PastOutcome {
        &self.past
    }

    /// Its word in the log.
    #[must_use]
    pub fn log_word(&self) -> &'static str {
        self.past.outcome.log_word()
    }

    /// What to do about it; `{user}` and `{factor}` stand for their names.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        REMEDIES.iter().find(|(known, _)| *known == self.log_word()).map(|(_, remedy)| *remedy)
    }

    /// The factor that was asked for; `None` where the policy no longer has it.
    #[must_use]
    pub fn factor(&self) -> Option<&str> {
        self.factor.as_ref().map(FactorId::as_str)
    }

    /// As one object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "attempt": self.past.attempt.to_string(),
            "step": self.past.step,
            "factor": self.factor(),
            "outcome": self.log_word(),
            "by": self.past.by.log_word(),
            "charged": self.past.charged,
        })
    }
}

impl fmt::Display for JudgedStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = self.factor().unwrap_or("a factor that is gone");
        let by = match self.past.by {
            AnsweredBy::Code => "",
            AnsweredBy::RecoveryCode => " by a recovery code",
            AnsweredBy::BypassCode => " by the bypass code",
        };
        let word = self.log_word();
        let meaning = MEANINGS.iter().find(|(known, _)| *known == word).map_or("", |(_, meaning)| meaning);
        write!(formatter, "step {:<4}{factor}: {word}{by}{meaning}", self.past.step)
    }
}

/// What the words of the log mean, where they don't say it themselves.
const MEANINGS: [(&str, &str); 11] = [
    ("wrong-code", " (no code of the window)"),
    ("replay", " (the code, or a later one, was used before)"),
    ("wrong-recovery-code", " (no recovery code of this user)"),
    ("malformed", " (not the shape of a code)"),
    ("clock-behind", " (this host's clock stands before the last accepted code)"),
    ("sshd-junk", " (sshd bars this user and sent filler)"),
    ("unenrolled", " (not enrolled)"),
    ("another-account", " (another account enrolled; see `mfa-chain check`)"),
    ("throttled", " (nothing was judged; `mfa-chain unlock` ends the wait)"),
    ("voided", " (void since the login state was reset)"),
    ("expired", " (the bypass code was good for a day)"),
];

/// What the administrator does about it.
const REMEDIES: [(&str, &str); 12] = [
    (
        "wrong-code",
        "run `mfa-chain verify {user} {factor}` with a code that the user reads out: it says how far the clock or counter is off",
    ),
    ("replay", "wait for the next code; each code is accepted once"),
    ("wrong-recovery-code", "run `mfa-chain recovery {user}` for new recovery codes"),
    (
        "malformed",
        "the program sent a password or nothing where a code was asked; see CALLERS in pam_mfa_chain(8)",
    ),
    ("clock-behind", "set this host's clock; `timedatectl` shows it"),
    (
        "sshd-junk",
        "look at AllowUsers, DenyUsers, PermitRootLogin and the expiry of the account: sshd rejects the user whatever is typed",
    ),
    ("unenrolled", "run `mfa-chain enroll {user} {factor}`"),
    ("another-account", "run `mfa-chain check`: it says which account enrolled"),
    ("throttled", "run `mfa-chain unlock {user}`, or wait"),
    (
        "voided",
        "type the bypass code that the reset handed out, or wait some minutes; for a counter token run `mfa-chain resync \
         {user} {factor}`, for recovery codes `mfa-chain recovery {user}`",
    ),
    ("expired", "run `mfa-chain unlock --reset-state {user}` for a new bypass code"),
    ("breach", "the program answered another step than the one it was asked for; report that program"),
];
