//! Points in time. The engine never reads a clock; time comes in through the port `Clock`.

use std::fmt;

/// Seconds since 1970-01-01 00:00:00 UTC, leap seconds not counted (RFC 6238 §4.1 `T0 = 0`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The time `seconds` after the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// This time plus `seconds`, or the last representable time.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time; 0 when `earlier` is later.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The last day before this time, as `2026-11-22`; of a midnight, the day that ends with it.
    #[must_use]
    pub fn last_day_before(self) -> String {
        let day = Self(self.0.saturating_sub(1)).to_string();
        day.split(' ').next().unwrap_or_default().to_owned()
    }
}

/// As `2026-11-22 12:00:00 UTC`.
impl fmt::Display for UnixTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, second) = (self.0 / DAY, self.0 % DAY);
        let mut year = 1970_u64;
        while let Some(left) = days.checked_sub(months_of(year).iter().sum()) {
            if year >= LAST_YEAR {
                return write!(formatter, "after the year {LAST_YEAR}");
            }
            days = left;
            year = year.saturating_add(1);
        }
        let mut month = 1_u64;
        for length in months_of(year) {
            let Some(left) = days.checked_sub(length) else { break };
            days = left;
            month = month.saturating_add(1);
        }
        let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
        let day = days.saturating_add(1);
        write!(formatter, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Days of each month, in the Gregorian calendar.
const fn months_of(year: u64) -> [u64; 12] {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if leap { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

const DAY: u64 = 86_400;
const LAST_YEAR: u64 = 9_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_a_date_of_the_calendar() {
        // date -u -d @SECONDS '+%F %T UTC'
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (86_399, "1970-01-01 23:59:59 UTC"),
            (68_169_599, "1972-02-28 23:59:59 UTC"),
            (68_169_600, "1972-02-29 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_111_111_111, "2005-03-18 01:58:31 UTC"),
            (1_795_348_800, "2026-11-22 12:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (253_402_300_800, "after the year 9999"),
            (u64::MAX, "after the year 9999"),
        ];
        for (seconds, text) in cases {
            assert_eq!(UnixTime::from_seconds(seconds).to_string(), text, "{seconds}");
        }
    }
}
