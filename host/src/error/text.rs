//! Text that a stranger shaped, made fit for a log line, an answer and a terminal.
//!
//! A component chooses what it logs, what it fails with and what its functions are called, and all of that is
//! read by people and programs that trust the host. So there is one way for such text: it becomes a
//! [`GuestText`], which is one line, has a bound, and holds nothing that moves a cursor or turns the direction of
//! writing.

use std::fmt;
use std::ops::Deref;

/// What says that there was more.
const CUT: &str = "… (cut)";

/// Names and versions, in bytes: CSI's bound on strings.
const NAME: usize = 128;

/// A log line, a sentence, a message, in bytes: a kubelet event holds 1 KiB.
const SENTENCE: usize = 1024;

/// Words of a guest, or of whatever a component is made of: one bounded, harmless line.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GuestText(String);

impl GuestText {
    /// A name or a version: at most 128 bytes.
    pub fn name(text: &str) -> Self {
        Self(one_line(text, NAME))
    }

    /// A line of a log, a message, a description: at most 1024 bytes.
    pub fn sentence(text: &str) -> Self {
        Self(one_line(text, SENTENCE))
    }

    /// As a plain string, which stays what it is now.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for GuestText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In quotes, as every other text.
impl fmt::Debug for GuestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<GuestText> for String {
    fn from(text: GuestText) -> Self {
        text.0
    }
}

impl PartialEq<str> for GuestText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

/// The text with what could hurt its reader escaped, as Rust writes it: `\n`, `\u{1b}`. Past so many bytes it is
/// cut between characters, and ends in a mark that says so. What lies beyond is not even looked at.
pub(crate) fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::with_capacity(text.len().min(longest));
    let mut fits = 0;
    for character in text.chars() {
        push(&mut line, character);
        if line.len() + CUT.len() <= longest {
            fits = line.len();
        }
        if line.len() > longest {
            line.truncate(fits);
            line.push_str(CUT);
            break;
        }
    }
    line
}

fn push(line: &mut String, character: char) {
    match is_harmful(character) {
        true => line.extend(character.escape_default()),
        false => line.push(character),
    }
}

/// Whether a character ends a line, moves a cursor, cannot be seen, or shows the text around it in another order (Unicode
/// Standard Annex 9; "Trojan Source").
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Of no width, and marks of direction.
            | '\u{200b}'..='\u{200f}'
            // Separators of lines and paragraphs; embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators; isolates.
            | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotations, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_hurt_a_reader_is_shown_and_not_done() {
        for (harmful, shown) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{1b}[31m", r"\u{1b}[31m"),
            ("\0\u{7f}\u{9b}1A", r"\u{0}\u{7f}\u{9b}1A"),
            (
                "\u{202e}exe.\u{2066}x\u{2069}",
                r"\u{202e}exe.\u{2066}x\u{2069}",
            ),
            ("\u{200e}\u{200f}\u{61c}", r"\u{200e}\u{200f}\u{61c}"),
            (
                "\u{2028}\u{2029}\u{200b}\u{feff}",
                r"\u{2028}\u{2029}\u{200b}\u{feff}",
            ),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(GuestText::sentence(harmful).as_str(), shown);
        }
    }

    #[test]
    fn every_other_text_is_left_as_it_is() {
        for text in ["", "Größe: 5 GiB", "存储", "שלום", "a\\b \"c\"", "🦀"] {
            assert_eq!(GuestText::sentence(text).as_str(), text);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters_and_says_so() {
        let exact = "x".repeat(SENTENCE);
        assert_eq!(GuestText::sentence(&exact).as_str(), exact);
        for one in ["x", "ä", "存", "🦀", "\n", "\u{202e}"] {
            let cut = GuestText::sentence(&one.repeat(2 << 20));
            assert!(cut.ends_with(CUT), "{cut}");
            assert!(
                (SENTENCE - 16..=SENTENCE).contains(&cut.len()),
                "{}",
                cut.len()
            );
        }
        assert_eq!(GuestText::name(&exact).len(), NAME);
    }

    #[test]
    fn what_was_made_harmless_is_not_changed_again() {
        let once = GuestText::sentence(&"a\u{202e}\n".repeat(1000));
        assert_eq!(GuestText::sentence(&once), once);
    }
}
