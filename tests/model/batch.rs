//! What is judged, and what it comes to.

/// Factor, text and time.
pub type Answer = (usize, String, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judged {
    Right,
    Wrong,
    Throttled,
}

/// Answers to judge together; `can_pass` says that the user had enrolled enough when the chain began.
#[derive(Clone, Debug)]
pub struct Batch {
    pub answers: Vec<Answer>,
    pub source: usize,
    pub now: u64,
    pub can_pass: bool,
    pub is_last: bool,
}

/// The code of a key at a time step or counter.
pub trait Arithmetic: Fn(usize, u64) -> String {}

impl<F: Fn(usize, u64) -> String> Arithmetic for F {}

/// What failed from one place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lane {
    pub count: u32,
    last: u64,
    day: u64,
    pub today: u32,
    forgiven: u32,
}

impl Lane {
    /// A failure in the future becomes one of now; each new day takes one away.
    pub fn move_to(&mut self, now: u64) {
        self.last = self.last.min(now);
        let passed = (now / 86_400).saturating_sub(self.day);
        if passed > 0 {
            (self.today, self.forgiven) = (0, 0);
            self.count = self.count.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
        }
        self.day = now / 86_400;
    }

    /// The policy of the house: no wait below 3 failures, then 30 s doubling, an hour from 8, a day from 10.
    pub fn is_throttled(&self, a_day: u32, now: u64) -> bool {
        let wait = match self.count {
            0..=2 => 0,
            3..=7 => 30 << (self.count - 3),
            8..=9 => 3600,
            _ => 86_400,
        };
        self.today >= a_day || now - self.last < wait
    }

    pub fn charge(&mut self, now: u64) {
        *self = Self { count: self.count + 1, last: now, today: self.today + 1, ..*self };
    }

    /// A success here gives back three failures, six a day.
    pub fn forgive(&mut self, now: u64) {
        self.day = now / 86_400;
        let taken = self.count.min(3).min(6 - self.forgiven);
        (self.count, self.forgiven) = (self.count - taken, self.forgiven + taken);
    }
}
