//! What changes at login: replay marks, failures, the attempt number.

use super::credential::{Credential, CredentialId};
use super::failures::FailureCounts;
use super::recovery::RecoverySet;
use super::time::UnixTime;

/// The changing half of an enrolment. Written at every judgement, before its outcome is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginState {
    /// The number of the attempt that is open; it seeds the draw and moves on when an attempt is judged.
    pub attempt: u64,
    /// Random, made with the state: what makes draws unpredictable.
    pub draw_key: DrawKey,
    /// Failed chains that stand.
    pub failures: FailureCounts,
    /// When a whole chain was last passed.
    pub last_success: Option<UnixTime>,
    /// Replay marks, the most recently used last.
    pub marks: Vec<ReplayMark>,
    /// Which recovery codes are used.
    pub recovery: RecoveryMarks,
}

/// The key of a user's draws: 256 random bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DrawKey(pub [u8; 32]);

impl std::fmt::Debug for DrawKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DrawKey([redacted])")
    }
}

/// What a credential's codes were last good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayMark {
    /// The credential.
    pub credential: CredentialId,
    /// The lowest time step or counter that may still be accepted: one past the last accepted one.
    pub next: u64,
    /// When it was last accepted.
    pub used_at: UnixTime,
}

/// Which codes of which recovery set are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryMarks {
    /// The set that the marks belong to.
    pub set: u64,
    /// One bit per code, set when used.
    pub used: u64,
    /// When one was last used.
    pub used_at: Option<UnixTime>,
}

impl LoginState {
    /// The most replay marks that are kept. A new one drops the one unused for longest.
    pub const MAX_MARKS: usize = 64;

    /// The lowest time step or counter that may still be accepted of `credential`: neither one at or before
    /// the last accepted one (RFC 6238 §5.2), nor one that its enrolment used.
    #[must_use]
    pub fn next_acceptable(&self, credential: &Credential) -> u64 {
        self.mark_for(credential).next
    }

    /// What `credential`'s codes are good for now, whether it was used yet or not.
    pub(crate) fn mark_for(&self, credential: &Credential) -> ReplayMark {
        let id = credential.id();
        let unused = ReplayMark { credential: id, next: 0, used_at: UnixTime::default() };
        let mark = self.mark(id).copied().unwrap_or(unused);
        ReplayMark { next: mark.next.max(credential.first), ..mark }
    }

    /// The replay mark of a credential.
    #[must_use]
    pub fn mark(&self, credential: CredentialId) -> Option<&ReplayMark> {
        self.marks.iter().find(|mark| mark.credential == credential)
    }

    /// Whether `mark` is kept as it is: what it says was accepted in a login, not by an enrolment.
    pub(crate) fn holds(&self, mark: &ReplayMark) -> bool {
        self.mark(mark.credential) == Some(mark)
    }

    /// Burns `moving_factor` and everything before it.
    pub fn burn(&mut self, credential: &Credential, moving_factor: u64, now: UnixTime) {
        self.burn_at(self.mark_for(credential), moving_factor, now);
    }

    /// The same where the mark is at hand.
    pub(crate) fn burn_at(&mut self, mark: ReplayMark, moving_factor: u64, now: UnixTime) {
        let next = mark.next.max(moving_factor.saturating_add(1));
        self.marks.retain(|other| other.credential != mark.credential);
        while self.marks.len() >= Self::MAX_MARKS {
            self.marks.remove(0);
        }
        self.marks.push(ReplayMark { next, used_at: now, ..mark });
    }

    /// How many codes of `set` are left.
    #[must_use]
    pub fn recovery_codes_left(&self, set: &RecoverySet) -> usize {
        (0..).zip(set.hashes()).filter(|(place, _)| !self.recovery_code_is_used(set, *place)).count()
    }

    /// Whether the code at `place` of `set` is used. Marks of another set count for nothing: a new set voids
    /// the old one.
    #[must_use]
    pub const fn recovery_code_is_used(&self, set: &RecoverySet, place: u32) -> bool {
        self.recovery.set == set.id() && self.recovery.used & place_bit(place) != 0
    }

    /// Marks the code at `place` of `set` as used.
    pub const fn use_recovery_code(&mut self, set: &RecoverySet, place: u32, now: UnixTime) {
        let used = if self.recovery.set == set.id() { self.recovery.used } else { 0 };
        self.recovery = RecoveryMarks { set: set.id(), used: used | place_bit(place), used_at: Some(now) };
    }
}

const fn place_bit(place: u32) -> u64 {
    1_u64.wrapping_shl(place)
}
