//! Tables of an API's error codes, by what they amount to. Pure.
//!
//! A row has codes with spaces between them. `Disk.Busy` is a whole code, `Throttling*` all that begin so, and `*.NotFound`
//! all that end so. A whole code counts most, then the longest beginning, then an ending: rows may stand in any order, and
//! a family in one row may have exceptions in others.
//!
//! ```
//! use drivebay_guest::codes::best;
//! use drivebay_guest::error::Condition;
//!
//! const CODES: [(Condition, &str); 3] = [
//!     (Condition::FailedPrecondition, "InvalidDiskStatus*"),
//!     (Condition::InProgress, "InvalidDiskStatus.Attaching Order.Processing"),
//!     (Condition::NotFound, "*.NotFound"),
//! ];
//!
//! assert_eq!(best(&CODES, "InvalidDiskStatus.Attaching"), Some(Condition::InProgress));
//! assert_eq!(best(&CODES, "InvalidDiskStatus.NotFound"), Some(Condition::FailedPrecondition));
//! assert_eq!(best(&CODES, "InvalidZone.NotFound"), Some(Condition::NotFound));
//! assert_eq!(best(&CODES, "Order"), None);
//! ```

/// What the row says whose codes fit best.
pub fn best<T: Copy>(table: &[(T, &str)], code: &str) -> Option<T> {
    let mut best = (0, None);
    for (meaning, codes) in table {
        let fit = fit(codes, code);
        if fit > best.0 {
            best = (fit, Some(*meaning));
        }
    }
    best.1
}

/// Whether one of the codes fits.
pub fn is_among(codes: &str, code: &str) -> bool {
    fit(codes, code) > 0
}

/// How well the best of them fits; 0 where none does.
fn fit(codes: &str, code: &str) -> usize {
    codes.split(' ').fold(0, |best, one| {
        let fit = match (one.strip_suffix('*'), one.strip_prefix('*')) {
            (Some(start), _) if code.starts_with(start) => 2 + start.len(),
            (None, Some(end)) if code.ends_with(end) => 1,
            (None, None) if one == code => usize::MAX,
            _ => 0,
        };
        best.max(fit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_code_counts_more_than_its_family_and_the_longer_family_more_than_the_shorter() {
        for table in [
            [
                ("whole", "Disk.In.Use"),
                ("long", "Disk.In*"),
                ("short", "x Disk*"),
            ],
            [
                ("short", "Disk* x"),
                ("long", "Disk.In*"),
                ("whole", "Disk.In.Use"),
            ],
        ] {
            for (code, found) in [
                ("Disk.In.Use", Some("whole")),
                ("Disk.In.Used", Some("long")),
                ("Disk.Out", Some("short")),
                ("x", Some("short")),
                ("Disc", None),
                ("", None),
            ] {
                assert_eq!(best(&table, code), found, "{code}");
            }
        }
    }

    #[test]
    fn an_ending_counts_where_no_beginning_does() {
        assert!(is_among("a *.NotFound", "Zone.NotFound"));
        assert!(!is_among("a *.NotFound", "NotFound") && !is_among("", "a"));
        let table = [("ending", "*.NotFound"), ("beginning", "Z*")];
        assert_eq!(best(&table, "Zone.NotFound"), Some("beginning"));
    }
}
