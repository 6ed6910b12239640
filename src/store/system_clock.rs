//! The time of day of this host.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::verifier::ports::Clock;
use crate::verifier::time::UnixTime;

/// `CLOCK_REALTIME`. Only this type reads the time of day.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // A clock before 1970 counts as 1970: no code is that old, so none is accepted.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_seconds(since.as_secs())
    }
}
