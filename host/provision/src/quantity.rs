//! Sizes as Kubernetes writes them: `20Gi`, `1500M`, `2e10`, `500m`. Pure.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What a number may end in, and what it is then multiplied by: powers of two first, as their letters begin like others'.
const SUFFIXES: [(&str, u128); 12] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

/// Suffixes of less than one, as how many decimals they stand for.
const PARTS: [(&str, u32); 3] = [("m", 3), ("u", 6), ("n", 9)];

/// More decimals than any size has.
const MOST_DECIMALS: usize = 18;

/// The bytes, rounded up; nothing where it is no size of this world.
pub(crate) fn bytes(quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.as_str();
    let (digits, times, decimals) = taken_apart(text)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty())
        || !is_number(whole)
        || !is_number(fraction)
        || fraction.len() > MOST_DECIMALS
    {
        return None;
    }
    let number: u128 = format!("0{whole}{fraction}").parse().ok()?;
    let decimals = decimals.checked_add(u32::try_from(fraction.len()).ok()?)?;
    let bytes = number
        .checked_mul(times)?
        .div_ceil(10_u128.checked_pow(decimals)?);
    u64::try_from(bytes).ok()
}

/// The number, what it is multiplied by, and how many of its digits are decimals.
fn taken_apart(text: &str) -> Option<(&str, u128, u32)> {
    for (suffix, times) in SUFFIXES {
        if let Some(digits) = text.strip_suffix(suffix) {
            return Some((digits, times, 0));
        }
    }
    for (suffix, decimals) in PARTS {
        if let Some(digits) = text.strip_suffix(suffix) {
            return Some((digits, 1, decimals));
        }
    }
    match text.split_once(['e', 'E']) {
        None => Some((text, 1, 0)),
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(less) => Some((digits, 1, less.parse().ok()?)),
            None => {
                let more: u32 = exponent.trim_start_matches('+').parse().ok()?;
                Some((digits, 10_u128.checked_pow(more)?, 0))
            }
        },
    }
}

/// As people write it: in the largest power of two that leaves nothing over.
pub(crate) fn quantity(bytes: u64) -> Quantity {
    let powers = [
        ("Ti", 1_u64 << 40),
        ("Gi", 1 << 30),
        ("Mi", 1 << 20),
        ("Ki", 1 << 10),
    ];
    let fitting = powers
        .into_iter()
        .find(|(_, power)| bytes >= *power && bytes.is_multiple_of(*power));
    Quantity(match fitting {
        Some((suffix, power)) => format!("{}{suffix}", bytes / power),
        None => bytes.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u64> {
        bytes(&Quantity(text.to_owned()))
    }

    #[test]
    fn sizes_are_read_in_all_of_kubernetes_spellings() {
        for (text, size) in [
            ("20Gi", 20 << 30),
            ("1.5Gi", 1536 << 20),
            ("20G", 20_000_000_000),
            ("1k", 1000),
            ("2e10", 20_000_000_000),
            ("2E3", 2000),
            ("123", 123),
            ("100E", u64::MAX),
            ("1500m", 2),
            ("12e-1", 2),
            (".5Ki", 512),
        ] {
            let expected = (text != "100E").then_some(size);
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_none() {
        for text in ["", "Gi", "-1Gi", "1.2.3", "ten", "1e99", "1 Gi", "."] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_written_as_people_write_them_and_read_again() {
        for (size, text) in [
            (20 << 30, "20Gi"),
            (1 << 40, "1Ti"),
            (1536 << 20, "1536Mi"),
            (1000, "1000"),
            (0, "0"),
        ] {
            let written = quantity(size);
            assert_eq!((written.0.as_str(), bytes(&written)), (text, Some(size)));
        }
    }
}
