//! Durations and sizes, as the operator's files and the command line write them.

use std::time::Duration;

/// `500ms`, `100s`, `2m` or `24h`.
///
/// # Errors
/// The text, and what it should have been.
pub fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    scaled(text, &units)
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            format!(
                "{text:?}, which is not a duration such as \"500ms\", \"100s\", \"2m\" or \"24h\""
            )
        })
}

/// A bound for memory or content: a [`size`] with its unit, more than nothing.
///
/// # Errors
/// The text, and what it should have been.
pub fn bytes(text: &str) -> Result<usize, String> {
    scaled(text, &SIZES)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("{text:?}, which is not a size such as \"512Ki\" or \"64Mi\""))
}

/// `20Gi`, as Kubernetes writes it, or `20GiB`; without a unit, bytes.
///
/// # Errors
/// The text, and what it should have been.
pub fn size(text: &str) -> Result<u64, String> {
    let only_digits = text.chars().all(|c| c.is_ascii_digit());
    let plain = || text.parse().ok().filter(|_| only_digits);
    scaled(text, &SIZES).or_else(plain).ok_or_else(|| {
        format!("{text:?} is not a size: write bytes, or a number with Ki, Mi, Gi or Ti")
    })
}

/// Powers of two alone: `20G` would be a tenth less than meant.
const SIZES: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_powers_of_two_are_sizes_in_both_spellings() {
        for (text, is) in [
            ("0", 0),
            ("512", 512),
            ("1Ki", 1 << 10),
            ("2Mi", 2 << 20),
            ("20Gi", 20 << 30),
            ("3Ti", 3 << 40),
            ("1KiB", 1 << 10),
            ("20GiB", 20 << 30),
        ] {
            assert_eq!(size(text), Ok(is), "{text:?}");
        }
        assert_eq!(bytes("64Mi"), bytes("64MiB"));
        assert_eq!(bytes("64 Mi"), Ok(64 << 20));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "Gi",
            "20G",
            "20B",
            "20gi",
            "20GIB",
            "-1",
            "+1",
            "1.5Gi",
            "1e3",
            "0x10",
            "99999999999Ti",
            "18446744073709551616",
        ] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_bound_has_a_unit_and_is_more_than_nothing() {
        for text in ["64", "0Mi", "0MiB", "0"] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
    }
}
