//! How long failures make a user wait.

/// The waits after consecutive failures of one user: none at first, then doubling, then long, then a lock.
///
/// The default slows a guesser down to a try an hour, then one a day, and never locks a user out for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottlePolicy {
    pub(super) free_failures: u32,
    pub(super) first_wait_seconds: u64,
    pub(super) longest_wait_seconds: u64,
    pub(super) long_after: u32,
    pub(super) long_wait_seconds: u64,
    pub(super) lock_after: u32,
    pub(super) lock_wait_seconds: u64,
    pub(super) failures_a_day: u32,
    pub(super) fail_delay_seconds: u64,
    pub(super) attempt_seconds: u64,
}

impl ThrottlePolicy {
    /// Seconds to wait after `failures` consecutive failures before the next code is judged.
    #[must_use]
    pub fn wait_seconds_after(&self, failures: u32) -> u64 {
        if failures >= self.lock_after {
            return self.lock_wait_seconds;
        }
        if failures >= self.long_after {
            return self.long_wait_seconds;
        }
        let Some(doublings) = failures.checked_sub(self.free_failures) else {
            return 0;
        };
        let factor = 2_u64.saturating_pow(doublings);
        self.first_wait_seconds.saturating_mul(factor).min(self.longest_wait_seconds)
    }

    /// From this failure on there is a wait.
    #[must_use]
    pub fn free_failures(&self) -> u32 {
        self.free_failures
    }

    /// The first wait, in seconds; it doubles with every further failure.
    #[must_use]
    pub fn first_wait_seconds(&self) -> u64 {
        self.first_wait_seconds
    }

    /// Where doubling ends, in seconds.
    #[must_use]
    pub fn longest_wait_seconds(&self) -> u64 {
        self.longest_wait_seconds
    }

    /// From this failure on the wait is the long one.
    #[must_use]
    pub fn long_after(&self) -> u32 {
        self.long_after
    }

    /// The long wait, in seconds.
    #[must_use]
    pub fn long_wait_seconds(&self) -> u64 {
        self.long_wait_seconds
    }

    /// From this failure on the wait is the lock (SP 800-63B §5.2.2: at most 100 consecutive failures).
    #[must_use]
    pub fn lock_after(&self) -> u32 {
        self.lock_after
    }

    /// The lock, in seconds.
    #[must_use]
    pub fn lock_wait_seconds(&self) -> u64 {
        self.lock_wait_seconds
    }

    /// How many failures are judged in a day (UTC) from one place that the user logged in from, whatever succeeds in
    /// between; then the next day has to come.
    #[must_use]
    pub fn failures_a_day(&self) -> u32 {
        self.failures_a_day
    }

    /// The same for all places together that the user did not log in from: half of it.
    #[must_use]
    pub fn failures_of_strangers(&self) -> u32 {
        self.failures_a_day.div_ceil(2)
    }

    /// How old an attempt may get, in seconds, from its first prompt to its last answer: a code that was accepted and
    /// kept waiting is worth nothing later.
    #[must_use]
    pub fn attempt_seconds(&self) -> u64 {
        self.attempt_seconds
    }

    /// Seconds by which the application delays the answer to a failure (`pam_fail_delay(3)`).
    #[must_use]
    pub fn fail_delay_seconds(&self) -> u64 {
        self.fail_delay_seconds
    }
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self {
            free_failures: 5,
            first_wait_seconds: 30,
            longest_wait_seconds: 900,
            long_after: 20,
            long_wait_seconds: 3_600,
            lock_after: 100,
            lock_wait_seconds: 86_400,
            failures_a_day: 24,
            fail_delay_seconds: 2,
            attempt_seconds: 300,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_begin_double_and_end_in_the_lock() {
        let cases = [
            (0, 0),
            (4, 0),
            (5, 30),
            (6, 60),
            (9, 480),
            (10, 900),
            (19, 900),
            (20, 3_600),
            (99, 3_600),
            (100, 86_400),
            (u32::MAX, 86_400),
        ];
        let throttle = ThrottlePolicy::default();
        for (failures, wait) in cases {
            assert_eq!(throttle.wait_seconds_after(failures), wait, "after {failures}");
        }
    }

    #[test]
    fn doubling_far_beyond_the_longest_wait_stays_there() {
        let throttle = ThrottlePolicy { long_after: 1_000, lock_after: 1_000, ..ThrottlePolicy::default() };
        assert_eq!(throttle.wait_seconds_after(999), 900);
    }

    proptest! {
        #[test]
        fn one_more_failure_never_shortens_the_wait(failures in 0_u32..200) {
            let throttle = ThrottlePolicy::default();
            prop_assert!(throttle.wait_seconds_after(failures) <= throttle.wait_seconds_after(failures.saturating_add(1)));
        }
    }
}
