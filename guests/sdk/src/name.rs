//! Names that are too long, or too strange, for where they have to stand. Pure.
//!
//! ```
//! use drivebay_guest::name::{fit, key, keys, readable};
//!
//! assert_eq!(fit("pvc-1", 40).as_deref(), Some("pvc-1"));
//! let short = fit("a name/that is # no directory's", 40).expect("there is room");
//! assert!(keys(&short).contains(&key("a name/that is # no directory's")));
//! assert_eq!(readable("a b"), "a-b-e63f991904833892");
//! ```
//!
//! An id has room for 128 bytes, and so has the name that a volume is made for. What does not fit is cut, and
//! ends with the key of the whole: so that the same name always becomes the same, and no other one does.

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a key: 80 bits. Whoever finds two names with one key gains an error message: the
/// records that are kept under keys hold the whole name.
const KEY_DIGITS: usize = 20;

/// What stands for a name where files are named.
pub fn key(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let bytes = digest.iter().take(KEY_DIGITS / 2);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The keys of the names that may stand behind one in an id: of itself, and of the one it was cut from.
pub fn keys(shown: &str) -> Vec<String> {
    let mut keys = vec![key(shown)];
    let (head, tail) = shown
        .split_at_checked(shown.len().saturating_sub(KEY_DIGITS))
        .unwrap_or_default();
    let is_key = tail.len() == KEY_DIGITS
        && tail
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    if is_key && (head.is_empty() || head.ends_with('-')) {
        keys.push(tail.into());
    }
    keys
}

/// The name itself, if it can be the name of a directory and a part of an id, and has at most so many bytes;
/// else its beginning and its key. `None` where there is no room for the key alone.
pub fn fit(name: &str, room: usize) -> Option<String> {
    if is_plain(name) && name.len() <= room {
        return Some(name.into());
    }
    cut(name, room)
}

/// As [`fit`], for what must not be taken for itself.
pub fn cut(name: &str, room: usize) -> Option<String> {
    let mut kept = String::new();
    for c in name.chars() {
        let c = if is_strange(c) { '-' } else { c };
        if kept.len() + c.len_utf8() + 1 + KEY_DIGITS > room {
            break;
        }
        kept.push(c);
    }
    let kept = kept.trim_start_matches('.');
    match room {
        room if room < KEY_DIGITS => None,
        _ if kept.is_empty() => Some(key(name)),
        _ => Some(format!("{kept}-{}", key(name))),
    }
}

/// How much of a name [`readable`] keeps.
const READABLE: usize = 32;

/// A directory's name for any name: its beginning, for people, and a checksum that tells apart what that makes alike.
/// Two names that meet all the same are told apart by a record that has the whole name. Shorter than with a [`key`], and
/// needs no SHA-256.
pub fn readable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let kept: String = name.chars().map(plain).take(READABLE).collect();
    format!("{kept}-{:016x}", checksum(name))
}

/// FNV-1a, 64 bits.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Whether it can be a directory's name as it is. Those with a dot first are for us, and for people.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.chars().any(is_strange)
}

fn is_strange(c: char) -> bool {
    is_harmful(c) || matches!(c, '/' | '#')
}

/// Whether a character ends a line, cannot be seen, or shows the text around it in another order. The host believes no
/// answer that has one in an id or a context.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_name_stands_for_itself() {
        assert_eq!(fit("pvc-1", 5).as_deref(), Some("pvc-1"));
        assert_eq!(keys("pvc-1"), [key("pvc-1")]);
    }

    #[test]
    fn a_long_name_is_cut_and_found_again() {
        let name = "n".repeat(128);
        let short = fit(&name, 40).expect("room");
        assert_eq!(short.len(), 40);
        assert!(keys(&short).contains(&key(&name)));
        assert_ne!(fit(&"n".repeat(127), 40), Some(short));
        assert_eq!(fit(&name, 20), Some(key(&name)));
        assert!(keys(&key(&name)).contains(&key(&name)));
        assert_eq!(fit(&name, 19), None);
    }

    #[test]
    fn a_strange_name_becomes_a_plain_one() {
        for name in [
            "a/b",
            "a#b",
            "..",
            ".",
            "",
            ".drivebay",
            "a\nb",
            "共享/",
            "a\u{202e}b",
        ] {
            let plain = fit(name, 60).expect("room");
            assert!(
                is_plain(&plain) && !plain.chars().any(is_harmful),
                "{plain}"
            );
            assert!(keys(&plain).contains(&key(name)), "{plain}");
        }
    }

    #[test]
    fn a_name_of_many_bytes_is_cut_between_characters() {
        let name = "共".repeat(42);
        assert!(fit(&name, 50).is_some_and(|short| short.len() <= 50));
    }

    #[test]
    fn names_that_look_alike_get_readable_names_of_their_own() {
        assert_eq!(readable("pvc-1"), readable("pvc-1"));
        assert_ne!(readable("a b"), readable("a-b"));
        let long = "x".repeat(127);
        assert_ne!(readable(&format!("{long}a")), readable(&format!("{long}b")));
        for name in ["", "..", "a/b", "ä\n", &"ü".repeat(64)] {
            let plain = readable(name);
            assert!(is_plain(&plain) && plain.len() <= 49, "{plain}");
        }
    }

    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(checksum(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum("foobar"), 0x8594_4171_f739_67e8);
    }
}
