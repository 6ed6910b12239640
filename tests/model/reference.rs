//! What a user's logins must come to: the rules of the manual in the fewest words, for a chain of two steps.

use std::collections::BTreeMap;

use crate::batch::{Answer, Arithmetic, Batch, Judged, wait_after};

/// Failures, and when the last one was.
pub type Count = (u32, u64);

/// One user. Factors, keys and sources are numbers; factor 2 is HOTP. `code` is the arithmetic of RFC 4226.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// The key enrolled for each factor.
    pub keys: BTreeMap<usize, usize>,
    /// The lowest time step or counter of each key that is still good, whatever was revoked since.
    pub next: BTreeMap<usize, u64>,
    pub strangers: Count,
    /// When a code of each key was last accepted.
    pub used_at: BTreeMap<usize, u64>,
    /// Where a chain was last passed.
    pub passed: Option<usize>,
    /// Sources with a success, and when it was.
    pub known: BTreeMap<usize, (Count, u64)>,
    /// The day, and failures in it.
    pub today: (u64, [u32; 2]),
}

impl Reference {
    pub fn judge(&mut self, batch: &Batch, code: impl Arithmetic) -> Judged {
        let (now, source) = (batch.now, batch.source);
        // A failure in the future becomes one of now; a new day begins at none.
        self.strangers.1 = self.strangers.1.min(now);
        self.known.values_mut().for_each(|(count, at)| (count.1, *at) = (count.1.min(now), (*at).min(now)));
        self.today = (now / 86_400, if self.today.0 < now / 86_400 { [0, 0] } else { self.today.1 });
        let known = self.known.get(&source).filter(|(_, at)| now - at < 30 * 86_400).map(|(count, _)| *count);
        let of_all = usize::from(known.is_some());
        let (failures, last) = known.unwrap_or(self.strangers);
        if self.today.1[of_all] >= [5, 10][of_all] || now - last < wait_after(failures) {
            return Judged::Throttled;
        }
        let home = self.known.get(&source).filter(|_| known.is_some() && self.passed == Some(source));
        let home = home.map(|(_, at)| *at);
        let (mut right, mut guessed) = (0, false);
        for answer in &batch.answers {
            let is_repeated = batch.genuine && self.repeats(answer, home, &code);
            let is_right = batch.genuine && self.uses(answer, &code);
            right += usize::from(is_right);
            guessed |= !is_right && !is_repeated;
        }
        if guessed {
            let count = match self.known.get_mut(&source) {
                Some((count, _)) if known.is_some() => count,
                _ => &mut self.strangers,
            };
            *count = (failures + 1, now);
            self.today.1[0] += u32::from(known.is_none());
            self.today.1[1] += 1;
        }
        if right < batch.answers.len() {
            return Judged::Wrong;
        }
        if batch.is_last {
            self.strangers = if known.is_some() { self.strangers } else { Count::default() };
            self.known.insert(source, (Count::default(), now));
            self.passed = Some(source);
        }
        Judged::Right
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
        self.strangers.0 + self.known.values().map(|(count, _)| count.0).sum::<u32>()
    }

    pub fn unlock(&mut self) {
        (self.strangers, self.today) = <_>::default();
        self.known.values_mut().for_each(|(count, _)| *count = Count::default());
    }
}
