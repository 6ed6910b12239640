//! Guessers with plans of their own against the true counts, for years on a clock that is set: none gets more tries
//! judged than `mfa-chain odds` prints. `make guessers` plays more of them, and prints what they came to.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects)] // an overflow fails the test

use mfa_chain::verifier::policy::ThrottlePolicy;
use mfa_chain::verifier::state::odds::{Seat, tries_within};
use mfa_chain::verifier::state::{Budget, ChainMark, FailureCounts, SourceKey};
use mfa_chain::verifier::time::UnixTime;
use proptest::prelude::*;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;
/// What is guessed at, and what else the user passes.
const HARD: ChainMark = ChainMark { key: 1, hardness: 36 };
const EASY: ChainMark = ChainMark { key: 2, hardness: 18 };

/// When the guesser tries.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// As soon as a try is judged.
    AtOnce,
    /// Only while fewer failures than this stand, so that waits stay short.
    Below(u32),
    /// Once in so many seconds.
    Every(u64),
    /// In this hour of the day alone.
    InHour(u64),
}

/// What the user does meanwhile.
#[derive(Clone, Copy, Debug)]
enum User {
    Sleeps,
    /// Passes a chain every so many seconds, at so many places in turn.
    LogsIn {
        every: u64,
        places: u64,
        chain: ChainMark,
    },
    /// Passes it where the guesser sits, right before each try, in spite of any wait.
    ComesToHelp(ChainMark),
}

struct Campaign {
    seat: Seat,
    plan: Plan,
    user: User,
    start: u64,
    years: u64,
}

fn place(number: u64) -> SourceKey {
    SourceKey::from_number(100 + number)
}

impl Campaign {
    /// How many tries were judged in the best year.
    fn tries(&self, throttle: &ThrottlePolicy) -> u64 {
        let guesser = if self.seat == Seat::SamePlace { place(0) } else { SourceKey::from_number(7) };
        let mut counts = FailureCounts::default();
        let begin = UnixTime::from_seconds(20_000 * DAY + self.start);
        counts.pass(place(0), HARD, begin);
        let (mut best, mut logins) = (0, 0);
        for year in 0..self.years {
            let mut tries = 0;
            for minute in 0..YEAR / 60 {
                let now = begin.plus_seconds(year * YEAR + minute * 60);
                counts = counts.at(now);
                logins = self.user_logs_in(&mut counts, logins, now);
                // A few in the same minute, where they are judged.
                for _ in 0..30 {
                    if !self.is_time(now, &counts) {
                        break;
                    }
                    if let User::ComesToHelp(chain) = self.user
                        && self.seat == Seat::SamePlace
                    {
                        counts.pass(guesser, chain, now);
                    }
                    if counts.wait_seconds(guesser, Budget::Codes, throttle, now) > 0 {
                        break;
                    }
                    counts.charge(guesser, Budget::Codes, HARD, now);
                    tries += 1;
                }
            }
            best = best.max(tries);
        }
        best
    }

    fn user_logs_in(&self, counts: &mut FailureCounts, logins: u64, now: UnixTime) -> u64 {
        match self.user {
            User::LogsIn { every, places, chain } if now.seconds().is_multiple_of(every / 60 * 60) => {
                counts.pass(place(logins % places), chain, now);
                logins + 1
            }
            _ => logins,
        }
    }

    fn is_time(&self, now: UnixTime, counts: &FailureCounts) -> bool {
        match self.plan {
            Plan::AtOnce => true,
            Plan::Below(most) => counts.total() < most,
            Plan::Every(seconds) => now.seconds().is_multiple_of(seconds / 60 * 60),
            Plan::InHour(hour) => now.seconds() % DAY / HOUR == hour,
        }
    }

    fn assert_within_what_is_printed(&self) -> u64 {
        let throttle = ThrottlePolicy::default();
        let (tries, most) = (self.tries(&throttle), tries_within(YEAR, &throttle, self.seat));
        let Self { seat, plan, user, start, years } = self;
        assert!(
            tries <= most,
            "{tries} tries in a year of {years}, {most} are printed: {seat:?} {plan:?} {user:?} from {start}"
        );
        tries
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    prop_oneof![
        Just(Plan::AtOnce),
        (5_u32..110).prop_map(Plan::Below),
        (60..2 * DAY).prop_map(Plan::Every),
        (0_u64..24).prop_map(Plan::InHour),
    ]
}

fn users() -> impl Strategy<Value = User> {
    let chain = || prop_oneof![Just(HARD), Just(EASY)];
    prop_oneof![
        Just(User::Sleeps),
        (600..2 * DAY, 1_u64..20, chain()).prop_map(|(every, places, chain)| User::LogsIn {
            every,
            places,
            chain
        }),
        chain().prop_map(User::ComesToHelp),
    ]
}

/// How many random games `make guessers` plays, and how many years each takes.
fn scale(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn known_plans_get_no_more_tries_than_odds_prints() {
    for seat in [Seat::Elsewhere, Seat::SamePlace] {
        let mut best = (0, String::new());
        for plan in [Plan::AtOnce, Plan::Below(20), Plan::Below(100), Plan::InHour(0), Plan::Every(DAY)] {
            for user in [
                User::Sleeps,
                User::ComesToHelp(HARD),
                User::LogsIn { every: HOUR, places: 1, chain: HARD },
                User::LogsIn { every: HOUR, places: 13, chain: HARD },
                User::LogsIn { every: 600, places: 1, chain: EASY },
            ] {
                let play = Campaign { seat, plan, user, start: DAY / 2, years: 1 };
                let tries = play.assert_within_what_is_printed();
                if tries > best.0 {
                    best = (tries, format!("{plan:?}, {user:?}"));
                }
            }
        }
        println!("{seat:?}: {} tries in a year at best, by {}", best.0, best.1);
    }
}

/// The user's logins through an easier chain give nothing back of a harder one.
#[test]
fn an_easy_chain_forgives_no_guess_at_a_harder_one() {
    let throttle = ThrottlePolicy::default();
    let play = |user| {
        Campaign { seat: Seat::SamePlace, plan: Plan::AtOnce, user, start: 0, years: 1 }.tries(&throttle)
    };
    let alone = play(User::Sleeps);
    assert!(play(User::ComesToHelp(EASY)) <= alone);
    assert!(play(User::ComesToHelp(HARD)) > alone);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: scale("GUESSERS", 8), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_random_plan_gets_more_tries_than_odds_prints(
        at_home in any::<bool>(), plan in plans(), user in users(), start in 0..DAY
    ) {
        let seat = if at_home { Seat::SamePlace } else { Seat::Elsewhere };
        Campaign { seat, plan, user, start, years: u64::from(scale("GUESSER_YEARS", 1)) }.assert_within_what_is_printed();
    }
}
