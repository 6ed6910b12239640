//! `[throttle]`.

use std::fmt;
use std::ops::RangeInclusive;

use super::position::Problem;
use super::raw::{Number, RawThrottle};
use super::words::number;
use crate::verifier::policy::ThrottlePolicy;

/// Reads the schedule of waits, which must never become shorter with more failures.
pub(super) fn read_throttle(given: Option<&RawThrottle>) -> Result<ThrottlePolicy, Problem> {
    let Some(raw) = given else {
        return Ok(ThrottlePolicy::default());
    };
    let mut throttle = ThrottlePolicy::default();
    read_failures(raw, &mut throttle)?;
    read_waits(raw, &mut throttle)?;
    check_order(raw, &throttle)?;
    Ok(throttle)
}

fn read_failures(raw: &RawThrottle, into: &mut ThrottlePolicy) -> Result<(), Problem> {
    set(&mut into.free_failures, "free_failures", raw.free_failures.as_ref(), 1..=20)?;
    set(&mut into.long_after, "long_after", raw.long_after.as_ref(), FAILURES)?;
    set(&mut into.lock_after, "lock_after", raw.lock_after.as_ref(), FAILURES)?;
    set(&mut into.failures_a_day, "failures_a_day", raw.failures_a_day.as_ref(), 10..=10_000)
}

fn read_waits(raw: &RawThrottle, into: &mut ThrottlePolicy) -> Result<(), Problem> {
    set(&mut into.first_wait_seconds, "first_wait_seconds", raw.first_wait_seconds.as_ref(), WAITS)?;
    set(&mut into.longest_wait_seconds, "longest_wait_seconds", raw.longest_wait_seconds.as_ref(), WAITS)?;
    set(&mut into.long_wait_seconds, "long_wait_seconds", raw.long_wait_seconds.as_ref(), WAITS)?;
    set(&mut into.lock_wait_seconds, "lock_wait_seconds", raw.lock_wait_seconds.as_ref(), WAITS)?;
    set(&mut into.fail_delay_seconds, "fail_delay_seconds", raw.fail_delay_seconds.as_ref(), 0..=30)?;
    set(&mut into.attempt_seconds, "attempt_seconds", raw.attempt_seconds.as_ref(), 30..=3_600)
}

/// Takes the number that is written, or leaves the default.
fn set<T>(place: &mut T, key: &str, given: Option<&Number>, range: RangeInclusive<T>) -> Result<(), Problem>
where
    T: TryFrom<i64> + PartialOrd + fmt::Display,
{
    if let Some(given) = given {
        *place = number(key, given, range)?;
    }
    Ok(())
}

fn check_order(raw: &RawThrottle, throttle: &ThrottlePolicy) -> Result<(), Problem> {
    let free = ("free_failures", u64::from(throttle.free_failures), raw.free_failures.as_ref());
    let long = ("long_after", u64::from(throttle.long_after), raw.long_after.as_ref());
    let lock = ("lock_after", u64::from(throttle.lock_after), raw.lock_after.as_ref());
    check_ascending(&[free, long, lock])?;
    let first = ("first_wait_seconds", throttle.first_wait_seconds, raw.first_wait_seconds.as_ref());
    let longest = ("longest_wait_seconds", throttle.longest_wait_seconds, raw.longest_wait_seconds.as_ref());
    let long = ("long_wait_seconds", throttle.long_wait_seconds, raw.long_wait_seconds.as_ref());
    let lock = ("lock_wait_seconds", throttle.lock_wait_seconds, raw.lock_wait_seconds.as_ref());
    check_ascending(&[first, longest, long, lock])
}

/// A key, its value, and where it is written if it is.
type Place<'r> = (&'static str, u64, Option<&'r Number>);

fn check_ascending(places: &[Place<'_>]) -> Result<(), Problem> {
    for ((low_key, low, low_at), (high_key, high, high_at)) in places.iter().zip(places.iter().skip(1)) {
        if low <= high {
            continue;
        }
        let message = match high_at {
            Some(_) => format!("`{high_key}` is {high}; it must be at least `{low_key}` ({low})"),
            None => format!("`{low_key}` is {low}; it must be at most `{high_key}` ({high})"),
        };
        let place = high_at.or(*low_at);
        let at = place.map(Number::span).unwrap_or_default();
        return Err(Problem::at(&at, message).following(&["throttle"]));
    }
    Ok(())
}

const FAILURES: RangeInclusive<u32> = 1..=10_000;

/// Up to seven days.
const WAITS: RangeInclusive<u64> = 1..=604_800;

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, FACTOR, check, parsed};

    #[test]
    fn throttles_that_ease_with_failures_are_refused() {
        check(&format!("{FACTOR}[throttle]\n"), "", THROTTLES);
        for accepted in ["free_failures = 20", "long_after = 5\nlock_after = 5", "lock_wait_seconds = 604800"]
        {
            parsed(&format!("{FACTOR}[throttle]\n{accepted}"));
        }
    }

    const THROTTLES: &[Case] = &[
        ("free", "free_failures = 0", "6:17: `free_failures` is 0; it must be 1 to 20"),
        ("free", "free_failures = 21", "6:17: `free_failures` is 21; it must be 1 to 20"),
        ("wait", "lock_wait_seconds = 604801", "6:21: `lock_wait_seconds` is 604801; it must be 1 to 604800"),
        ("day", "failures_a_day = 9", "6:18: `failures_a_day` is 9; it must be 10 to 10000"),
        ("delay", "fail_delay_seconds = 31", "6:22: `fail_delay_seconds` is 31; it must be 0 to 30"),
        ("age", "attempt_seconds = 29", "6:19: `attempt_seconds` is 29; it must be 30 to 3600"),
        (
            "long before free",
            "long_after = 4",
            "6:14: `long_after` is 4; it must be at least `free_failures` (5)",
        ),
        (
            "lock before long",
            "lock_after = 19",
            "6:14: `lock_after` is 19; it must be at least `long_after` (20)",
        ),
        (
            "long after lock",
            "long_after = 101",
            "6:14: `long_after` is 101; it must be at most `lock_after` (100)",
        ),
        (
            "first beyond longest",
            "first_wait_seconds = 901",
            "6:22: `first_wait_seconds` is 901; it must be at most `longest_wait_seconds` (900)",
        ),
        (
            "both written",
            "lock_wait_seconds = 9\nlong_wait_seconds = 1000\nlongest_wait_seconds = 900",
            "6:21: `lock_wait_seconds` is 9; it must be at least `long_wait_seconds` (1000)",
        ),
        (
            "key",
            "free = 1",
            "6:1: unknown key `free`; known: free_failures, first_wait_seconds, longest_wait_seconds, long_after, long_wait_seconds, lock_after, lock_wait_seconds, failures_a_day, fail_delay_seconds, attempt_seconds",
        ),
    ];
}
