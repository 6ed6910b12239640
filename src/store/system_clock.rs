//! The time of day of this host.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::verifier::ports::Clock;
use crate::verifier::time::UnixTime;

/// `CLOCK_REALTIME`. The one place that reads a clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // Before 1970 is as good as 1970: no code is that old, so nothing is accepted.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_seconds(since.as_secs())
    }
}
