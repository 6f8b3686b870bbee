//! Moments as APIs write them, `2026-01-02T03:04:05Z`, and as seconds since 1970. Pure.
//!
//! ```
//! use drivebay_guest::moment::{read, written};
//!
//! assert_eq!(written(1_767_323_045), "2026-01-02T03:04:05Z");
//! assert_eq!(read("2026-01-02T03:04:05Z"), Some(1_767_323_045));
//! assert_eq!(read("yesterday"), None);
//! ```

const DAY: u64 = 24 * 60 * 60;

/// As signatures state it: ISO 8601, in UTC, to the second.
pub fn written(seconds: u64) -> String {
    let (year, month, day) = date(seconds / DAY);
    let rest = seconds % DAY;
    let mut text = String::new();
    for (number, digits, end) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (rest / 3600, 2, ':'),
        (rest / 60 % 60, 2, ':'),
        (rest % 60, 2, 'Z'),
    ] {
        push_digits(number, digits, &mut text);
        text.push(end);
    }
    text
}

fn push_digits(number: u64, digits: u32, text: &mut String) {
    for place in (0..digits).rev() {
        let digit = number / 10_u64.pow(place) % 10;
        text.push(char::from_digit(u32::try_from(digit).unwrap_or_default(), 10).unwrap_or('0'));
    }
}

/// Seconds since 1970; `None` for what is no moment. The seconds may be left out.
pub fn read(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] =
        numbers(time, ':').or_else(|| numbers(&format!("{time}:00"), ':'))?;
    let plausible = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    plausible.then(|| days(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = Vec::new();
    for part in text.split(separator) {
        parts.push(part.parse().ok()?);
    }
    parts.try_into().ok()
}

/// Days since 1970. Years begin in March here, so that the leap day is the last of its year.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let before_month = (153 * month + 2) / 5;
    // 719,468 days lie between 1 March of year 0 and 1 January 1970.
    (year * 365 + year / 4 - year / 100 + year / 400 + before_month + day - 1)
        .saturating_sub(719_468)
}

/// The inverse of [`days`]: eras of 400 years are all of one length.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month < 3);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_as_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_323_045, "2026-01-02T03:04:05Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(written(seconds), text);
            assert_eq!(read(text), Some(seconds));
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..80_000 {
            assert_eq!(read(&written(day * DAY + 1)), Some(day * DAY + 1));
        }
    }

    #[test]
    fn seconds_may_be_missing() {
        assert_eq!(read("2999-09-08T16:00Z"), read("2999-09-08T16:00:00Z"));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "Z",
            "2026-01-02",
            "2026-13-01T00:00:00Z",
            "2026-01-02T3Z",
            "x-y-zT1:2:3Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
