//! `xs:dateTime`, as the policies of keys carry it.

use crate::verifier::time::UnixTime;

/// Reads `2026-11-22T12:00:00Z`, with a fraction of a second or an offset if there is one. A time without a zone
/// counts as UTC, and one before 1970 as 1970.
pub fn parse_date(text: &str) -> Option<UnixTime> {
    let (date, time) = text.trim().split_once('T').unwrap_or((text.trim(), "00:00:00"));
    let (time, offset) = split_offset(time)?;
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let mut parts = time.split('.').next()?.splitn(3, ':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let in_range = (1..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour <= 24
        && minute <= 59
        && second <= 60;
    let days = in_range.then(|| days_since_1970(year, month, day))?;
    let hours = days.checked_mul(24)?.checked_add(hour)?;
    let seconds = hours.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)?;
    Some(UnixTime::from_seconds(u64::try_from(seconds.checked_sub(offset)?).unwrap_or(0)))
}

/// The time, and the seconds that its zone is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (time, zone) = time.split_at_checked(at)?;
    let sign = if zone.starts_with('-') { -60 } else { 60 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let minutes = number(hours)?.checked_mul(60)?.checked_add(number(minutes)?)?;
    Some((time, minutes.checked_mul(sign).filter(|seconds| seconds.abs() <= 14 * 3_600)?))
}

fn number(digits: &str) -> Option<i64> {
    let plain = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|it| it.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// Days of the Gregorian calendar, counted in years that begin in March, so that a leap day ends its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let month = if month <= 2 { month.saturating_add(9) } else { month.saturating_sub(3) };
    let in_year = month.saturating_mul(153).saturating_add(2) / 5;
    let leap_days = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let days = year.saturating_mul(365).saturating_add(leap_days).saturating_add(in_year);
    days.saturating_add(day).saturating_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date -u -d DATE +%s
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2005-03-18T01:58:31.25Z", 1_111_111_111),
            ("2026-11-22T13:00:00+01:00", 1_795_348_800),
            ("2026-11-22T06:30:00-05:30", 1_795_348_800),
            ("2026-11-22T12:00:00", 1_795_348_800),
            ("2100-03-01", 4_107_542_400),
            ("1960-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(parse_date(text), Some(UnixTime::from_seconds(seconds)), "{text}");
        }
        for text in
            ["", "soon", "2026-13-01", "2026-11-22T25:00:00Z", "2026-11-22T12:00:00+99:00", "2026-+1-2"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
