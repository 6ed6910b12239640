//! What is judged, and what it comes to.

/// Factor, text and time.
pub type Answer = (usize, String, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judged {
    Right,
    Wrong,
    Throttled,
}

/// Answers to judge together; `genuine` says that the user had enrolled enough when the chain began.
#[derive(Clone, Debug)]
pub struct Batch {
    pub answers: Vec<Answer>,
    pub source: usize,
    pub now: u64,
    pub genuine: bool,
    pub is_last: bool,
}

/// The code of a key at a time step or counter.
pub trait Arithmetic: Fn(usize, u64) -> String {}

impl<F: Fn(usize, u64) -> String> Arithmetic for F {}

/// The policy of the house: no wait below 3 failures, then 30 s doubling, an hour from 8, a day from 10; and in
/// one day 5 failures of strangers, 10 of all.
pub fn wait_after(failures: u32) -> u64 {
    match failures {
        0..=2 => 0,
        3..=7 => 30 << (failures - 3),
        8..=9 => 3600,
        _ => 86_400,
    }
}
