//! Points in time as people read them.

use crate::verifier::time::UnixTime;

/// `time` as `2026-11-22 12:00:00 UTC`.
#[must_use]
pub fn utc(time: UnixTime) -> String {
    let (mut days, second) = (time.seconds() / DAY, time.seconds() % DAY);
    let mut year = 1970_u64;
    while let Some(left) = days.checked_sub(months_of(year).iter().sum()) {
        if year >= LAST_YEAR {
            return format!("after the year {LAST_YEAR}");
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
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The last day before `deadline`, which is a midnight: what the policy calls `until`.
#[must_use]
pub fn last_day_before(deadline: UnixTime) -> String {
    let day = utc(UnixTime::from_seconds(deadline.seconds().saturating_sub(1)));
    day.split(' ').next().unwrap_or_default().to_owned()
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
            assert_eq!(utc(UnixTime::from_seconds(seconds)), text, "{seconds}");
        }
    }
}
