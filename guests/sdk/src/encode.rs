//! Bytes and texts as requests and signatures spell them. Pure.

/// In hexadecimal digits, small letters.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        push_hex(*byte, b"0123456789abcdef", &mut text);
    }
    text
}

/// Add a text to a query or a path, as RFC 3986 has it: all but letters, digits and `-_.~` is encoded.
pub fn percent_encode(text: &str, encoded: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            push_hex(byte, b"0123456789ABCDEF", encoded);
        }
    }
}

fn push_hex(byte: u8, digits: &[u8; 16], text: &mut String) {
    for half in [byte >> 4, byte & 15] {
        text.push(char::from(digits[usize::from(half)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }

    #[test]
    fn all_but_what_rfc_3986_leaves_alone_is_encoded() {
        let mut encoded = String::new();
        percent_encode("aZ0-_.~ /+*ä'!()", &mut encoded);
        assert_eq!(encoded, "aZ0-_.~%20%2F%2B%2A%C3%A4%27%21%28%29");
    }
}
