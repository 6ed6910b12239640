//! How likely a guesser is to pass, under the policy in force (RFC 4226 §7.3 and appendix A).
//!
//! One try passes a step with probability *accepted codes* / 10^*digits*; a chain wants all of its steps right in one
//! try, so the probabilities multiply. The throttle says how many tries fit into a time.

use super::failures::{Budget, ChainMark, FailureCounts, Lane, SourceKey};
use crate::verifier::policy::{ChainSpec, Factor, ThrottlePolicy, accepted_codes};
use crate::verifier::time::UnixTime;

/// The probability that one try at the chain passes, at the factors that are easiest to guess.
#[must_use]
pub fn chance_of_one_try(chain: &ChainSpec) -> f64 {
    let mut chances: Vec<f64> = chain.factors().map(chance_of_one_code).collect();
    chances.sort_by(|one, other| other.total_cmp(one));
    chances.iter().take(chain.required_steps()).product()
}

/// The probability that at least one of `tries` passes.
#[must_use]
pub fn chance_of_any(one: f64, tries: u64) -> f64 {
    // 1 - (1-p)^A without losing small p to rounding.
    let tries = u32::try_from(tries).unwrap_or(u32::MAX);
    -f64::exp_m1(f64::from(tries) * f64::ln_1p(-one))
}

/// The probability that one try passes for somebody who has the key of one factor, the hardest to guess.
#[must_use]
pub fn chance_with_one_key(chain: &ChainSpec) -> f64 {
    let mut chances: Vec<f64> = chain.factors().map(chance_of_one_code).collect();
    chances.sort_by(|one, other| other.total_cmp(one));
    chances.iter().take(chain.required_steps().saturating_sub(1)).product()
}

/// The place of a guesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// Anywhere the user never logged in from.
    Elsewhere,
    /// At a place that the user logs in from, and as often as helps the guesser.
    SamePlace,
}

/// How many tries of a guesser are judged within `seconds`, each made as soon as its wait is over and none of them
/// right, whatever the user does meanwhile.
#[must_use]
pub fn tries_within(seconds: u64, throttle: &ThrottlePolicy, seat: Seat) -> u64 {
    match seat {
        Seat::Elsewhere => play(seconds, throttle, seat, u32::MAX),
        // The user's logins help most where each gives back as much as it can, or where there is a wait.
        Seat::SamePlace => {
            let eager = play(seconds, throttle, seat, Lane::FORGIVEN_AT_ONCE);
            eager.max(play(seconds, throttle, seat, u32::MAX))
        }
    }
}

/// Plays it against the true counts. The user logs in where there is a wait, or `helped_at` failures stand.
fn play(seconds: u64, throttle: &ThrottlePolicy, seat: Seat, helped_at: u32) -> u64 {
    let (source, chain) = (SourceKey::from_number(1), ChainMark { key: 1, hardness: 0 });
    // From noon on, so that a day holds parts of two.
    let mut now = UnixTime::from_seconds(NOON);
    let end = now.plus_seconds(seconds);
    let mut counts = FailureCounts::default();
    if seat == Seat::SamePlace {
        counts.pass(source, chain, now);
    }
    let mut tries = 0_u64;
    while now < end && tries < MOST_TRIES {
        counts = counts.at(now);
        let waits = |counts: &FailureCounts| counts.wait_seconds(source, Budget::Codes, throttle, now);
        while seat == Seat::SamePlace && (waits(&counts) > 0 || counts.total() >= helped_at) {
            let before = counts.total();
            counts.pass(source, chain, now);
            if counts.total() == before {
                break;
            }
        }
        let wait = waits(&counts);
        if wait > 0 {
            now = now.plus_seconds(wait.min(until_midnight(now)));
            continue;
        }
        counts.charge(source, Budget::Codes, chain, now);
        tries = tries.saturating_add(1);
    }
    tries
}

/// Midnight takes a failure away, so a wait may end with it.
const fn until_midnight(now: UnixTime) -> u64 {
    DAY.saturating_sub(now.seconds() % DAY)
}

const DAY: u64 = 86_400;
const NOON: u64 = 20_000 * DAY + DAY / 2;

/// No policy lets more through in a year; it ends the count where nothing has to wait.
const MOST_TRIES: u64 = 10_000_000;

fn chance_of_one_code(factor: &Factor) -> f64 {
    f64::from(accepted_codes(factor)) / 10_f64.powi(i32::from(factor.enrollment.digits.count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::policy::Policy;

    const HOUR: u64 = 3600;

    fn policy(text: &str) -> Policy {
        Policy::parse(text, "policy.toml").expect("a policy")
    }

    #[test]
    fn the_schedule_lets_through_as_many_tries_as_published() {
        let throttle = ThrottlePolicy::default();
        let tries =
            |seat| [HOUR, DAY, 7 * DAY, 365 * DAY].map(|seconds| tries_within(seconds, &throttle, seat));
        assert_eq!(tries(Seat::Elsewhere), [12, 24, 96, 465]);
        assert_eq!(tries(Seat::SamePlace), [18, 42, 155, 2661]);
    }

    #[test]
    fn chances_of_common_chains_are_those_of_the_arithmetic() {
        let totp = "required_steps = 1\n[[factors]]\nid = \"a\"\ntype = \"totp\"\n";
        let two = format!("{totp}[[factors]]\nid = \"b\"\ntype = \"totp\"\n").replacen('1', "2", 1);
        let hotp = "required_steps = 1\n[[factors]]\nid = \"a\"\ntype = \"hotp\"\nlook_ahead = 5\n";
        for (text, day, year) in [(totp, 1.2e-4, 1.4e-3), (&two, 3.7e-10, 4.2e-9), (hotp, 2.1e-4, 2.3e-3)] {
            let one = chance_of_one_try(policy(text).default_chain());
            for (tries, expected) in [(41, day), (461, year)] {
                let chance = chance_of_any(one, tries);
                assert!((chance / expected - 1.0).abs() < 0.05, "{chance} is not about {expected}");
            }
        }
    }

    #[test]
    fn a_guesser_meets_the_easiest_factors_that_a_chain_may_draw() {
        let text = "required_steps = 1\n[[factors]]\nid = \"a\"\ntype = \"totp\"\ndigits = 8\n\
                    [[factors]]\nid = \"b\"\ntype = \"hotp\"\nlook_ahead = 100\n";
        let chance = chance_of_one_try(policy(text).default_chain());
        assert!((chance - 1e-4).abs() < 1e-12, "{chance}");
    }

    /// An answer that is not charged is the last accepted code itself, which no step takes. So of the 10^6 codes a
    /// guesser who is never charged for one still has `accepted` good ones among those that are charged, and the
    /// charged tries are as many as ever: the free one adds 0 to the chance, and takes 1 of the wrong ones away.
    #[test]
    fn a_replay_that_costs_nothing_makes_no_guess_cheaper() {
        let one = policy("required_steps = 1\n[[factors]]\nid = \"a\"\ntype = \"totp\"\n");
        let (codes, accepted) = (1e6_f64, 3.0);
        let charged = chance_of_one_try(one.default_chain());
        assert!((charged - accepted / codes).abs() < 1e-12);
        // A guesser who knows the last code can type it without a charge, and then guesses among the others.
        let informed = accepted / (codes - 1.0);
        let tries = tries_within(365 * DAY, one.throttle(), Seat::Elsewhere);
        let gain = chance_of_any(informed, tries) - chance_of_any(charged, tries);
        assert!((0.0..1e-8).contains(&gain), "{gain}");
    }

    #[test]
    fn a_day_has_a_cap_even_where_nothing_has_to_wait() {
        let text = "required_steps = 1\n[[factors]]\nid = \"a\"\ntype = \"totp\"\n[throttle]\nfree_failures = 20\nfirst_wait_seconds = 1\n\
                    longest_wait_seconds = 1\nlong_after = 10000\nlock_after = 10000\nfailures_a_day = 100\n";
        // From noon to noon is two half days.
        assert_eq!(tries_within(DAY, policy(text).throttle(), Seat::Elsewhere), 100);
    }
}
