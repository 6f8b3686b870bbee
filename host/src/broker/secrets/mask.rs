//! Secrets that come back: a server or the kernel may repeat what it was told.

use std::borrow::Cow;

use crate::volume::Secrets;

/// Shorter ones are in too many words that have nothing to do with them, and are no secrets.
const SHORTEST: usize = 4;

const IN_ITS_PLACE: u8 = b'*';

/// Asterisks in the place of every one of the words.
pub(in crate::broker) fn mask(bytes: &mut [u8], words: &[&[u8]]) {
    for word in words.iter().filter(|word| word.len() >= SHORTEST) {
        let mut at = 0;
        while let Some(left) = bytes.get(at..at + word.len()) {
            if left == *word {
                bytes[at..at + word.len()].fill(IN_ITS_PLACE);
                at += word.len();
            } else {
                at += 1;
            }
        }
    }
}

/// The same for a text, and all that a call brought.
pub(in crate::broker) fn masked<'a>(text: &'a str, secrets: &Secrets) -> Cow<'a, str> {
    let words: Vec<&[u8]> = secrets.values().map(|secret| secret.reveal()).collect();
    if words.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    mask(&mut bytes, &words);
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Secret;

    fn told(text: &str, words: &[&str]) -> String {
        let pair = |word: &&str| ("name".to_owned(), Secret::new(word.as_bytes().to_vec()));
        let secrets = Secrets::bounded(words.iter().map(pair).collect()).expect("few");
        masked(text, &secrets).into_owned()
    }

    #[test]
    fn what_repeats_a_secret_has_asterisks_in_its_place() {
        for (text, words, expected) in [
            (
                "no hunter2 here, hunter2",
                &["hunter2"][..],
                "no ******* here, *******",
            ),
            ("hunter2hunter2", &["hunter2"], "**************"),
            ("é hunter2 é", &["hunter2"], "é ******* é"),
            ("user and hunter2", &["hunter2", "user"], "**** and *******"),
            ("nothing of it", &["hunter2"], "nothing of it"),
            ("hunter", &["hunter2"], "hunter"),
            ("", &["hunter2"], ""),
        ] {
            assert_eq!(told(text, words), expected);
        }
    }

    #[test]
    fn what_is_too_short_to_be_one_blots_nothing_out() {
        assert_eq!(told("a bad day", &["a", "", "bad"]), "a bad day");
    }
}
