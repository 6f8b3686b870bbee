//! The one form of time that keys come with: `2026-11-21T04:53:18Z`.

/// Seconds since 1970, of a time in UTC; fractions of a second are cut off.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.split('.').next()?, ':')?;
    let sound = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    sound.then(|| days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// The same, written.
pub(super) fn format(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date_after(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that a leap day comes last.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let years = if month > 2 { year } else { year - 1 };
    let leap_days = years / 4 - years / 100 + years / 400;
    let months = (month + 9) % 12;
    years * 365 + leap_days + (months * 153 + 2) / 5 + day - 1 - EPOCH
}

/// Days from the first of March of the year 0 to 1970-01-01.
const EPOCH: u64 = 719_468;

fn date_after(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153;
    let month = (months + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * months + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1999-12-31T23:59:59Z", 946_684_799),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2026-11-21T04:53:18Z", 1_795_236_798),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
        assert_eq!(parse("1970-01-01T00:00:01.999Z"), Some(1));
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..146_097 {
            assert_eq!(parse(&format(day * 86_400)), Some(day * 86_400));
        }
    }

    #[test]
    fn what_is_no_time_in_utc_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T04:53:18",
            "2026-11-21T04:53:18+08:00",
            "2026-13-21T04:53:18Z",
            "2026-11-00T04:53:18Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T04:53Z",
            "2026-11-21T04:53:18:00Z",
            "+2026-11-21T04:53:18Z",
            "1969-12-31T23:59:59Z",
            "99999999999999999999-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
