//! The last outcomes of a user, kept with the login state, so that an administrator can be told why a login was
//! denied where the log is gone or on another machine.

use super::draw_key::DrawKey;
use super::failures::SourceKey;
use crate::verifier::attempt_id::AttemptId;
use crate::verifier::otp::{AnsweredBy, keyed_number};
use crate::verifier::policy::FactorId;
use crate::verifier::reason::Refusal;
use crate::verifier::time::UnixTime;

/// One judged step. It holds no code, and no name of a source, service or factor: their hashes can only be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastOutcome {
    /// When it was judged.
    pub at: UnixTime,
    /// Its attempt, as in the log.
    pub attempt: AttemptId,
    /// Where it came from.
    pub source: SourceKey,
    /// Which service asked.
    pub service: NameKey,
    /// Which factor was asked for.
    pub factor: NameKey,
    /// The place of the step, from 1.
    pub step: u8,
    /// How many steps the chain had.
    pub steps: u8,
    /// The outcome.
    pub outcome: OutcomeNumber,
    /// What was typed.
    pub by: AnsweredBy,
    /// Whether a failure was charged for it.
    pub charged: bool,
}

impl PastOutcome {
    pub(crate) fn is_throttled(&self) -> bool {
        self.outcome == OutcomeNumber::of(Some(Refusal::Throttled { wait_seconds: 0 }))
    }

    /// Whether the other one is of the same source, service and step.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        (self.source, self.service, self.step) == (other.source, other.service, other.step)
    }
}

/// A name as it is stored: a number from which nobody learns the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameKey(u64);

impl NameKey {
    /// The service called `name`, for the user of `key`.
    #[must_use]
    pub fn of_service(name: &str, key: &DrawKey) -> Self {
        Self(keyed_number(&key.0, &[b"service ", name.as_bytes()]))
    }

    /// The factor `id`, for the user of `key`.
    #[must_use]
    pub fn of_factor(id: &FactorId, key: &DrawKey) -> Self {
        Self(keyed_number(&key.0, &[b"factor ", id.as_str().as_bytes()]))
    }

    /// The number as it is stored.
    #[must_use]
    pub const fn to_number(self) -> u64 {
        self.0
    }

    /// The name stored as `number`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// The outcome of a step, as a number that never changes its meaning. The log may get new words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeNumber(u8);

impl OutcomeNumber {
    /// Every number with its word in the log, in their order.
    pub const WORDS: [&'static str; 13] = [
        "accepted",
        "wrong-code",
        "replay",
        "wrong-recovery-code",
        "malformed",
        "clock-behind",
        "sshd-junk",
        "unenrolled",
        "another-account",
        "throttled",
        "voided",
        "expired",
        "breach",
    ];

    /// The outcome of a step that was refused for this reason.
    #[must_use]
    pub fn of(refusal: Option<Refusal>) -> Self {
        Self::of_word(refusal.map_or("accepted", |refusal| refusal.log_word()))
    }

    /// The outcome of an answer to a step that was not expected.
    #[must_use]
    pub fn breach() -> Self {
        Self::of_word("breach")
    }

    /// The number as it is stored.
    #[must_use]
    pub const fn to_number(self) -> u8 {
        self.0
    }

    /// The outcome stored as `number`; `None` for one that no version wrote.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::WORDS.get(usize::from(number)).map(|_| Self(number))
    }

    /// Its word in the log.
    #[must_use]
    pub fn log_word(self) -> &'static str {
        Self::WORDS.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    fn of_word(word: &str) -> Self {
        let place = (0..).zip(Self::WORDS).find(|(_, known)| *known == word);
        Self(place.map_or(u8::MAX, |(place, _)| place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each refusal, so that one more is noticed here.
    const REFUSALS: [Refusal; 12] = [
        Refusal::WrongCode,
        Refusal::Replay,
        Refusal::ReplayFromSource,
        Refusal::WrongRecoveryCode,
        Refusal::Malformed,
        Refusal::ClockBehind,
        Refusal::SshdJunk,
        Refusal::Unenrolled,
        Refusal::AnotherAccount,
        Refusal::Throttled { wait_seconds: 1 },
        Refusal::Voided { since: UnixTime::from_seconds(1), until: None },
        Refusal::Expired,
    ];

    #[test]
    fn every_refusal_has_a_number_that_leads_back_to_its_word() {
        for refusal in REFUSALS {
            let number = OutcomeNumber::of(Some(refusal)).to_number();
            assert_eq!(
                OutcomeNumber::from_number(number).map(OutcomeNumber::log_word),
                Some(refusal.log_word())
            );
        }
        assert_eq!(OutcomeNumber::of(None).to_number(), 0);
        assert_eq!(OutcomeNumber::breach().log_word(), "breach");
        assert_eq!(OutcomeNumber::from_number(13), None);
    }
}
