//! Percent-encoding: read generously, written in the one form that signatures are made over.
//!
//! What clients send differs from what they sign: Python's second SDK generation sends a space as `+`, Node's
//! leaves `*'!()` raw. So a request is decoded, and encoded again before its signature is checked.

use std::fmt::Write as _;

/// Encodes in the canonical form: only letters, digits and `-_.~` stay as they are.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Encodes and joins pairs, sorted by their keys: the canonical query of both signature versions.
pub fn canonical_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
    pairs.sort_unstable();
    let encoded: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    encoded.join("&")
}

/// Reads a query or a form. Blank values are kept, because they are signed like others.
pub fn decode_pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(key), decode(value))
    };
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(pair)
        .collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let escaped = (byte == b'%')
            .then(|| escaped_byte(bytes, position))
            .flatten();
        position += if escaped.is_some() { 3 } else { 1 };
        decoded.push(match escaped {
            Some(escaped) => escaped,
            None if byte == b'+' => b' ',
            None => byte,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn escaped_byte(bytes: &[u8], position: usize) -> Option<u8> {
    let digits = bytes.get(position + 1..position + 3)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(
            encode("pvc a+b*c~é'!()/"),
            "pvc%20a%2Bb%2Ac~%C3%A9%27%21%28%29%2F"
        );
    }

    #[test]
    fn different_spellings_on_the_wire_are_one_in_canonical_form() {
        for wire in [
            "DiskName=pvc-a+b%2Bc%2A~%C3%A9%27%21%28%29",
            "DiskName=pvc-a%20b%2Bc*~%C3%A9'!()",
        ] {
            let pairs = decode_pairs(wire);
            let canonical = canonical_query(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            assert_eq!(canonical, "DiskName=pvc-a%20b%2Bc%2A~%C3%A9%27%21%28%29");
        }
    }

    #[test]
    fn blank_values_are_kept_and_keys_sorted() {
        let pairs = decode_pairs("b=2&SignatureType=&a");
        let canonical = canonical_query(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        assert_eq!(canonical, "SignatureType=&a=&b=2");
    }

    #[test]
    fn stray_percent_signs_stand_for_themselves() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
    }
}
