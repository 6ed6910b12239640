//! What a user's logins must come to: the rules of the manual in the fewest words, for a chain of two steps.

use std::collections::BTreeMap;

use crate::batch::{Answer, Arithmetic, Batch, Judged, Lane};

/// One user. Factors, keys and sources are numbers; factor 2 is HOTP. `code` is the arithmetic of RFC 4226.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// The key enrolled for each factor.
    pub keys: BTreeMap<usize, usize>,
    /// The lowest time step or counter of each key that is still good, whatever was revoked since.
    pub next: BTreeMap<usize, u64>,
    pub strangers: Lane,
    /// When a code of each key was last accepted.
    pub used_at: BTreeMap<usize, u64>,
    /// Where a chain was last passed.
    pub passed: Option<usize>,
    /// Sources with a success, and when it was.
    pub known: BTreeMap<usize, (Lane, u64)>,
}

impl Reference {
    pub fn judge(&mut self, batch: &Batch, code: impl Arithmetic) -> Judged {
        let (now, source) = (batch.now, batch.source);
        self.strangers.move_to(now);
        self.known.values_mut().for_each(|(lane, at)| {
            lane.move_to(now);
            *at = (*at).min(now);
        });
        let is_known = self.known.get(&source).is_some_and(|(_, at)| now - at < 30 * 86_400);
        if self.lane(source, is_known).is_throttled([5, 10][usize::from(is_known)], now) {
            return Judged::Throttled;
        }
        let home = self.known.get(&source).filter(|_| is_known && self.passed == Some(source));
        let home = home.map(|(_, at)| *at);
        let (mut right, mut guessed) = (0, false);
        for answer in &batch.answers {
            let is_repeated = batch.can_pass && self.repeats(answer, home, &code);
            let is_right = batch.can_pass && self.uses(answer, &code);
            right += usize::from(is_right);
            guessed |= !is_right && !is_repeated;
        }
        if guessed {
            self.lane(source, is_known).charge(now);
        }
        if right < batch.answers.len() {
            return Judged::Wrong;
        }
        if batch.is_last {
            let (lane, at) = self.known.entry(source).or_default();
            lane.forgive(now);
            *at = now;
            self.passed = Some(source);
        }
        Judged::Right
    }

    fn lane(&mut self, source: usize, is_known: bool) -> &mut Lane {
        if is_known { &mut self.known.get_mut(&source).expect("known").0 } else { &mut self.strangers }
    }

    /// Whether an answer is the last accepted code, where it was accepted: nobody guesses what is known.
    fn repeats(&self, (factor, text, _): &Answer, home: Option<u64>, code: impl Arithmetic) -> bool {
        let Some(key) = self.keys.get(factor) else { return false };
        let last = self.used_at.get(key).filter(|used_at| home >= Some(**used_at)).and(self.next.get(key));
        last.is_some_and(|next| code(*key, next - 1) == *text)
    }

    /// Whether an answer is right; then its code and all before it are used.
    fn uses(&mut self, (factor, text, at): &Answer, code: impl Arithmetic) -> bool {
        let Some(key) = self.keys.get(factor) else { return false };
        let next = self.next.entry(*key).or_default();
        let window = if *factor == 2 { *next..=next.saturating_add(9) } else { at / 30 - 1..=at / 30 + 1 };
        let hit = window.rev().find(|step| *step >= *next && *step < u64::MAX && code(*key, *step) == *text);
        hit.inspect(|step| *next = step + 1).map(|_| self.used_at.insert(*key, *at)).is_some()
    }

    pub fn failures(&self) -> u32 {
        self.strangers.count + self.known.values().map(|(lane, _)| lane.count).sum::<u32>()
    }

    pub fn unlock(&mut self) {
        self.strangers = Lane::default();
        self.known.values_mut().for_each(|(lane, _)| *lane = Lane::default());
    }
}
