//! What a row counts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Figures of a row, and what went wrong in it.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many times the fault was made.
    pub count: u64,
    /// What else is worth telling, in this order.
    pub figures: Vec<(String, String)>,
    /// Each breach: its kind, and an example.
    pub wrong: Vec<(&'static str, String)>,
    /// Kinds of breaches that were looked for.
    pub looked_for: Vec<&'static str>,
}

impl Tally {
    pub fn looking_for(kinds: &[&'static str]) -> Self {
        Self { looked_for: kinds.to_vec(), ..Self::default() }
    }

    pub fn blame(&mut self, kind: &'static str, example: impl Into<String>) {
        self.wrong.push((kind, example.into()));
    }

    pub fn blame_if(&mut self, wrong: bool, kind: &'static str, example: &str) {
        if wrong {
            self.blame(kind, example);
        }
    }

    pub fn figure(&mut self, name: impl Into<String>, value: impl std::fmt::Display) {
        self.figures.push((name.into(), format!("{value}")));
    }

    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.figures.extend(other.figures);
        self.wrong.extend(other.wrong);
        for kind in other.looked_for {
            if !self.looked_for.contains(&kind) {
                self.looked_for.push(kind);
            }
        }
    }

    /// The result in words: figures, then each kind of breach with its count, 0 included.
    pub fn to_words(&self) -> String {
        let mut kinds = self.looked_for.clone();
        kinds.extend(self.wrong.iter().map(|(kind, _)| *kind).filter(|kind| !self.looked_for.contains(kind)));
        kinds.dedup();
        let counted = kinds.iter().map(|kind| {
            let count = self.wrong.iter().filter(|(wrong, _)| wrong == kind).count();
            format!("{count} {kind}")
        });
        let figures = self.figures.iter().map(|(name, value)| format!("{name} {value}"));
        figures.chain(counted).collect::<Vec<_>>().join(", ")
    }
}

/// Does `work` on every item with one worker a processor, each with a place of its own made by `make`.
pub fn share_out<T: Sync, P>(
    items: &[T],
    make: impl Fn() -> P + Sync,
    work: impl Fn(&mut P, &T, &mut Tally) + Sync,
) -> Tally {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut place = make();
                let mut tally = Tally::default();
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(&mut place, item, &mut tally);
                    tally.count += 1;
                }
                total.lock().expect("no worker panicked").add(tally);
            });
        }
    });
    total.into_inner().expect("no worker panicked")
}

/// Numbers that look random and are the same in each run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub const fn roll(&mut self, below: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % below
    }
}
