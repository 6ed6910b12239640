//! The end of a day, for `until`.

use toml::Spanned;
use toml::value::{Date, Datetime};

use super::position::Problem;
use super::raw::Text;
use crate::verifier::time::UnixTime;

/// The first second after the day that `until` names, UTC.
pub(super) fn end_of_day(until: &Spanned<Datetime>) -> Result<UnixTime, Problem> {
    let Datetime { date: Some(date), time: None, offset: None } = until.get_ref() else {
        return Err(Problem::at(&until.span(), "`until` is a date such as 2026-12-31, without a time"));
    };
    if date.year < EPOCH_YEAR {
        return Err(Problem::at(&until.span(), "`until` is before 1970"));
    }
    Ok(UnixTime::from_seconds(0).plus_seconds(days_through(*date).saturating_mul(SECONDS_PER_DAY)))
}

/// The end of what `action = "observe"` observes: without one it would be an exemption for good.
pub(super) fn of_observation(action: &Text, until: Option<&Spanned<Datetime>>) -> Result<UnixTime, Problem> {
    until.map_or_else(
        || {
            let message =
                "`observe` needs an end; write `until = 2026-12-31` or another day, after which codes are asked";
            Err(Problem::at(&action.span(), message).following(&["until"]))
        },
        end_of_day,
    )
}

/// Days from 1970-01-01 through `date`, which counts. The TOML reader refused days that don't exist.
fn days_through(date: Date) -> u64 {
    let years = (EPOCH_YEAR..date.year).map(|year| if is_leap(year) { 366_u64 } else { 365 }).sum::<u64>();
    let months_before = usize::from(date.month.saturating_sub(1));
    let months = DAYS_IN_MONTHS.iter().take(months_before).sum::<u64>();
    let leap_day = u64::from(is_leap(date.year) && months_before >= 2);
    [years, months, leap_day, u64::from(date.day)].iter().sum()
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

const EPOCH_YEAR: u16 = 1970;
const DAYS_IN_MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const SECONDS_PER_DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins() {
        // Seconds by `date -u -d DAY+1 +%s`.
        let cases = [
            ("1970-01-01", 86_400),
            ("2000-02-29", 951_868_800),
            ("2024-02-28", 1_709_164_800),
            ("2024-12-31", 1_735_689_600),
            ("2026-12-31", 1_798_761_600),
            ("2100-03-01", 4_107_628_800),
            ("9999-12-31", 253_402_300_800),
        ];
        for (day, seconds) in cases {
            assert_eq!(end(day), Ok(UnixTime::from_seconds(seconds)), "{day}");
        }
    }

    #[test]
    fn times_and_days_before_the_epoch_are_refused() {
        for text in ["2026-12-31T00:00:00", "2026-12-31T00:00:00Z", "12:00:00", "1969-12-31"] {
            assert!(end(text).is_err(), "{text}");
        }
    }

    fn end(text: &str) -> Result<UnixTime, Problem> {
        end_of_day(&Spanned::new(0..0, text.parse().expect(text)))
    }
}
