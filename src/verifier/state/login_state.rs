//! What changes at login: replay marks, failures, the attempt number.

use super::draw_key::DrawKey;
use super::failures::FailureCounts;
use super::past_outcome::PastOutcome;
use crate::verifier::enrollment::{Credential, CredentialId, OtpType, UserRecord};
use crate::verifier::otp::{BypassCode, RecoverySet};
use crate::verifier::policy::FactorKind;
use crate::verifier::time::UnixTime;

/// The changing half of an enrollment. Written at every judgement, before its outcome is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginState {
    /// Random, made with the state: what makes draws unpredictable.
    pub draw_key: DrawKey,
    /// Failed chains that stand, and the draws that are open.
    pub failures: FailureCounts,
    /// When a whole chain was last passed.
    pub last_success: Option<UnixTime>,
    /// Replay marks, the most recently used last.
    pub marks: Vec<ReplayMark>,
    /// Which recovery codes are used.
    pub recovery: RecoveryMarks,
    /// When an administrator replaced a lost state, if one did: codes that the lost one may have seen are void.
    pub reset_at: Option<UnixTime>,
    /// The code that was handed out with that.
    pub bypass: Option<BypassCode>,
    /// The last outcomes, the newest last.
    pub outcomes: Vec<PastOutcome>,
}

/// What a credential's codes were last good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayMark {
    /// The credential.
    pub credential: CredentialId,
    /// The lowest time step or counter that may still be accepted: one past the last accepted one. Of a counter
    /// that a reset voided, what is known of where it stands.
    pub next: u64,
    /// When a code was last accepted, or when the state was reset.
    pub used_at: UnixTime,
    /// Whether a reset of the state made this mark in place of an accepted code. The time goes on past it; a counter
    /// is void until two codes in a row have shown where the token stands.
    pub by_reset: bool,
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
    /// The most outcomes that are kept. A new one drops the oldest.
    pub const MAX_OUTCOMES: usize = 16;

    /// How many time steps are void after a reset: the present one, and as many as the widest window of a policy
    /// reaches.
    pub const VOID_STEPS: u64 = 1 + FactorKind::WIDEST_WINDOW as u64;

    /// The state that takes the place of a lost one. What that knew is replaced by the safe assumption: codes of the
    /// present are used, so are all recovery codes, and no counter is good until two codes in a row have shown where
    /// the token stands. `bypass` is the way in meanwhile.
    #[must_use]
    pub fn reset(record: &UserRecord, draw_key: DrawKey, bypass: Option<BypassCode>, now: UnixTime) -> Self {
        let recovery = record.recovery().map_or_else(RecoveryMarks::default, RecoveryMarks::void);
        let mut state = Self { draw_key, recovery, reset_at: Some(now), bypass, ..Self::default() };
        for credential in record.credentials() {
            let present = credential.step_at(now);
            let past = present.map_or(0, |step| step.saturating_add(Self::VOID_STEPS));
            let mark = state.mark_or_none(credential);
            state.put_mark(ReplayMark { next: mark.next.max(past), used_at: now, by_reset: true, ..mark });
        }
        state
    }

    /// The lowest time step or counter that may still be accepted of `credential`: neither one at or before
    /// the last accepted one (RFC 6238 §5.2), nor one that its enrollment used.
    #[must_use]
    pub fn next_acceptable(&self, credential: &Credential) -> u64 {
        self.mark_for(credential).next
    }

    /// What `credential`'s codes are good for now, whether it was used yet or not.
    pub(crate) fn mark_for(&self, credential: &Credential) -> ReplayMark {
        let mark = self.mark_or_none(credential);
        // A mark of a login or of `set_counter` shows that the counter is known since.
        let is_unknown = mark.by_reset || credential.awaits_resync && self.mark(mark.credential).is_none();
        if is_unknown && credential.otp_type == OtpType::Hotp {
            return ReplayMark { next: u64::MAX, ..mark };
        }
        mark
    }

    /// Where the counter of a token stands at the least, void or not: where the search for two codes in a row
    /// begins.
    #[must_use]
    pub fn lowest_counter(&self, credential: &Credential) -> u64 {
        self.mark_or_none(credential).next
    }

    fn mark_or_none(&self, credential: &Credential) -> ReplayMark {
        let id = credential.id();
        let unused = ReplayMark { credential: id, next: 0, used_at: UnixTime::default(), by_reset: false };
        let mark = self.mark(id).copied().unwrap_or(unused);
        ReplayMark { next: mark.next.max(credential.first), ..mark }
    }

    /// The replay mark of a credential.
    #[must_use]
    pub fn mark(&self, credential: CredentialId) -> Option<&ReplayMark> {
        self.marks.iter().find(|mark| mark.credential == credential)
    }

    /// Whether `mark` is kept as it is: what it says was accepted in a login, not by an enrollment or a reset.
    pub(crate) fn holds(&self, mark: &ReplayMark) -> bool {
        !mark.by_reset && self.mark(mark.credential) == Some(mark)
    }

    /// Burns `moving_factor` and everything before it.
    pub fn mark_used(&mut self, credential: &Credential, moving_factor: u64, now: UnixTime) {
        self.mark_used_at(self.mark_for(credential), moving_factor, now);
    }

    /// The same where the mark is at hand.
    pub(crate) fn mark_used_at(&mut self, mark: ReplayMark, moving_factor: u64, now: UnixTime) {
        let next = mark.next.max(moving_factor.saturating_add(1));
        self.put_mark(ReplayMark { next, used_at: now, by_reset: false, ..mark });
    }

    /// Says where the counter of `credential` stands, which two codes in a row have just shown.
    pub fn set_counter(&mut self, credential: &Credential, next: u64, now: UnixTime) {
        let mark = self.mark_or_none(credential);
        self.put_mark(ReplayMark { next: mark.next.max(next), used_at: now, by_reset: false, ..mark });
    }

    fn put_mark(&mut self, mark: ReplayMark) {
        self.marks.retain(|other| other.credential != mark.credential);
        while self.marks.len() >= Self::MAX_MARKS {
            self.marks.remove(0);
        }
        self.marks.push(mark);
    }

    /// Keeps `outcome` as the newest one. Refusals of a wait come by the hundred; one of each kind and place is kept.
    pub(crate) fn keep(&mut self, outcome: PastOutcome) {
        if outcome.is_throttled() {
            self.outcomes.retain(|other| !(other.is_throttled() && other.is_beside(&outcome)));
        }
        while self.outcomes.len() >= Self::MAX_OUTCOMES {
            self.outcomes.remove(0);
        }
        self.outcomes.push(outcome);
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

    /// Since when all codes of `set` are void, if a reset of the state made them so.
    #[must_use]
    pub fn recovery_codes_void_since(&self, set: &RecoverySet) -> Option<UnixTime> {
        let voided = self.recovery == RecoveryMarks::void(set);
        self.reset_at.filter(|_| voided)
    }

    /// Marks the code at `place` of `set` as used.
    pub const fn use_recovery_code(&mut self, set: &RecoverySet, place: u32, now: UnixTime) {
        let used = if self.recovery.set == set.id() { self.recovery.used } else { 0 };
        self.recovery = RecoveryMarks { set: set.id(), used: used | place_bit(place), used_at: Some(now) };
    }
}

impl RecoveryMarks {
    /// Every code of `set` counts as used, and no login used one.
    #[must_use]
    pub const fn void(set: &RecoverySet) -> Self {
        Self { set: set.id(), used: u64::MAX, used_at: None }
    }
}

const fn place_bit(place: u32) -> u64 {
    1_u64.wrapping_shl(place)
}
