//! Histories: what can happen to a user.

use proptest::collection::vec;
use proptest::prelude::*;

/// One move.
#[derive(Clone, Copy, Debug)]
pub enum Move {
    /// Begins a login in one of two terminals.
    Begin {
        terminal: usize,
        source: usize,
    },
    /// Answers the next prompt there.
    Answer {
        terminal: usize,
        typed: Typed,
        crash: Crash,
    },
    /// A whole login.
    Login {
        source: usize,
        typed: [Typed; 2],
    },
    /// The same answers in two processes at once.
    Race {
        source: usize,
        typed: [Typed; 2],
    },
    /// So many seconds forward or back.
    Clock(i64),
    Enroll {
        factor: usize,
        key: usize,
    },
    Revoke(usize),
    Unlock,
    /// The state was lost and is replaced.
    Reset,
}

/// What is typed, for the factor that is asked.
#[derive(Clone, Copy, Debug)]
pub enum Typed {
    /// The newest code that is good.
    Right,
    /// The oldest one.
    Oldest,
    /// The one that was used last.
    Used,
    /// That of the factor asked for next.
    Swapped,
    /// Of the step after the window.
    TooEarly,
    Wrong,
}

/// What the power does while the judgement is written.
#[derive(Clone, Copy, Debug)]
pub enum Crash {
    No,
    /// So many bytes of the slot were written.
    Torn(usize),
    /// Nothing was.
    Lost,
    /// All was, but nobody heard of it.
    Untold,
}

pub fn history() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![7 => logins(), 3 => rarer()].prop_map(|one| vec![one]);
    vec(prop_oneof![49 => one, 1 => guesses()], 1..60).prop_map(|parts| parts.concat())
}

/// Somebody guesses patiently from one place, which single moves seldom add up to: the counts of a day fill up.
fn guesses() -> impl Strategy<Value = Vec<Move>> {
    (source(), 4..12_usize).prop_map(|(source, times)| {
        [Move::Login { source, typed: [Typed::Wrong; 2] }, Move::Clock(600)].repeat(times)
    })
}

fn logins() -> impl Strategy<Value = Move> {
    let crash = prop_oneof![
        12 => Just(Crash::No),
        1 => (0_usize..=4096).prop_map(Crash::Torn),
        1 => Just(Crash::Lost),
        1 => Just(Crash::Untold),
    ];
    prop_oneof![
        2 => (0..2_usize, source()).prop_map(|(terminal, source)| Move::Begin { terminal, source }),
        4 => (0..2_usize, typed(), crash).prop_map(|(terminal, typed, crash)| Move::Answer { terminal, typed, crash }),
        4 => (source(), [typed(), typed()]).prop_map(|(source, typed)| Move::Login { source, typed }),
    ]
}

fn rarer() -> impl Strategy<Value = Move> {
    let clock = prop_oneof![
        4 => Just(30),
        2 => Just(-30),
        4 => prop_oneof![Just(61), Just(240), Just(600)],
        2 => prop_oneof![Just(3600), Just(-3600)],
        2 => prop_oneof![Just(86_400), Just(-86_400), Just(31 * 86_400)],
    ];
    prop_oneof![
        8 => clock.prop_map(Move::Clock),
        1 => (source(), [typed(), typed()]).prop_map(|(source, typed)| Move::Race { source, typed }),
        3 => (0..3_usize, 0..2_usize).prop_map(|(factor, key)| Move::Enroll { factor, key }),
        1 => (0..3_usize).prop_map(Move::Revoke),
        1 => Just(Move::Unlock),
        1 => Just(Move::Reset),
    ]
}

fn source() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0_usize), 1 => Just(1), 1 => Just(2)]
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        6 => Just(Typed::Right),
        2 => Just(Typed::Oldest),
        2 => Just(Typed::Used),
        1 => Just(Typed::Swapped),
        1 => Just(Typed::TooEarly),
        2 => Just(Typed::Wrong),
    ]
}
