//! `20Gi`, or bytes.

/// Sizes as Kubernetes writes them, in powers of two alone: `20G` would be a tenth less than meant.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor: u64 = match &text[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return Err(not_a_size(text)),
    };
    let only_digits = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| only_digits);
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| not_a_size(text))
}

fn not_a_size(text: &str) -> String {
    format!("{text:?} is not a size: write bytes, or a number with Ki, Mi, Gi or Ti")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_powers_of_two_are_sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("1Ki", 1 << 10),
            ("2Mi", 2 << 20),
            ("20Gi", 20 << 30),
            ("3Ti", 3 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "Gi",
            "20G",
            "20gi",
            "20GiB",
            "20 Gi",
            "-1",
            "+1",
            "1.5Gi",
            "1e3",
            "0x10",
            "99999999999Ti",
            "18446744073709551616",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
