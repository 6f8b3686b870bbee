//! What is written down about volumes, on the share or in the pool that they are in. Pure; [`Store`](crate::store::Store)
//! keeps it.
//!
//! A record is a text of lines, a word and its value on each. It says first what is going to be, then that it is there,
//! then that it is going: whatever is cut off in between, the retry finds the record and goes on from there. Words that
//! are not known are passed over, so that a later version may add some.
//!
//! ```
//! use drivebay_guest::records::{Record, State};
//!
//! drivebay_guest::record! {
//!     /// What a volume was made as.
//!     pub struct Music in "volumes" {
//!         pub state: State = "state",
//!         pub name: String = "name",
//!         pub capacity_bytes: u64 = "capacity-bytes",
//!         pub from: Option<String> = "from",
//!     }
//! }
//!
//! let made = Music { state: State::Making, name: "two\nlines".into(), capacity_bytes: 7, from: None };
//! assert_eq!(made.to_bytes(), b"state making\nname two\\nlines\ncapacity-bytes 7\n");
//! assert_eq!(Music::parse(made.to_bytes()), Some(made));
//! assert_eq!(Music::parse(b"state making\nname cut".to_vec()), None);
//! ```

use crate::bindings::types::{Error, VolumeSource};
use crate::keywords::Keyword;
use crate::sub_dir::SubDir;

/// Something of which a record is kept.
pub trait Record: Sized {
    /// The directory of such records.
    const KIND: &'static str;

    /// As it is written down.
    fn to_bytes(&self) -> Vec<u8>;

    /// `None` for what is none of ours, or half of one.
    fn parse(bytes: Vec<u8>) -> Option<Self>;

    /// As [`parse`](Self::parse); `internal` for a file that is none of ours. `path` is for the message.
    fn from_bytes(path: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        let corrupt = || error!(Internal: "{path} on the share is corrupt: somebody changed it");
        Self::parse(bytes).ok_or_else(corrupt)
    }
}

/// Declare a record: a struct with the word that each of its fields is written down by. A field's type is a [`Field`].
///
/// What was written by one version is read by all that follow: keep words and their meanings, and add only what may be
/// absent, as an `Option`.
#[macro_export]
macro_rules! record {
    ($(#[$about:meta])* $public:vis struct $name:ident in $kind:literal {
        $($(#[$field_about:meta])* $field_public:vis $field:ident: $type:ty = $word:literal),+ $(,)?
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        $public struct $name {
            $($(#[$field_about])* $field_public $field: $type),+
        }

        impl $crate::records::Record for $name {
            const KIND: &'static str = $kind;

            fn to_bytes(&self) -> ::std::vec::Vec<u8> {
                let mut lines = $crate::records::Lines::default();
                $($crate::records::Field::write(&self.$field, $word, &mut lines);)+
                lines.to_bytes()
            }

            fn parse(bytes: ::std::vec::Vec<u8>) -> ::std::option::Option<Self> {
                let lines = $crate::records::Lines::parse(bytes)?;
                ::std::option::Option::Some(Self {
                    $($field: $crate::records::Field::read($word, &lines)?),+
                })
            }
        }
    };
}

keywords! {
    /// How far the work is.
    pub enum State {
        /// It was begun; what is there so far is nothing yet.
        Making = "making",
        /// It is there.
        Ready = "ready",
        /// Removing it was begun; what is there still is nothing any more.
        Deleting = "deleting",
    }
}

/// What stands behind a word.
pub trait Field: Sized {
    /// Add it to a record.
    fn write(&self, word: &str, lines: &mut Lines);

    /// `None` where it has to be there and is not, or makes no sense.
    fn read(word: &str, lines: &Lines) -> Option<Self>;
}

impl Field for String {
    fn write(&self, word: &str, lines: &mut Lines) {
        lines.add(word, self);
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        lines.get(word).cloned()
    }
}

impl Field for u64 {
    fn write(&self, word: &str, lines: &mut Lines) {
        lines.add(word, &self.to_string());
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        lines.get(word)?.parse().ok()
    }
}

/// Permission bits, in octal.
impl Field for u32 {
    fn write(&self, word: &str, lines: &mut Lines) {
        lines.add(word, &format!("{self:o}"));
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        Self::from_str_radix(lines.get(word)?, 8).ok()
    }
}

impl Field for State {
    fn write(&self, word: &str, lines: &mut Lines) {
        lines.add(word, self.name());
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        Self::parse(lines.get(word)?)
    }
}

impl Field for SubDir {
    fn write(&self, word: &str, lines: &mut Lines) {
        lines.add(word, self.as_str());
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        Self::parse(word, lines.get(word)?).ok()
    }
}

const SNAPSHOT: &str = "-snapshot";
const VOLUME: &str = "-volume";

/// In two words, of which one is there: `source` is written down as `source-snapshot` or `source-volume`.
impl Field for VolumeSource {
    fn write(&self, word: &str, lines: &mut Lines) {
        match self {
            Self::Snapshot(id) => lines.add(&(String::from(word) + SNAPSHOT), id),
            Self::Volume(id) => lines.add(&(String::from(word) + VOLUME), id),
        }
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        lines
            .0
            .iter()
            .find_map(|(one, id)| match one.strip_prefix(word)? {
                SNAPSHOT => Some(Self::Snapshot(id.clone())),
                VOLUME => Some(Self::Volume(id.clone())),
                _ => None,
            })
    }
}

/// What may be absent; where it is there it has to make sense.
impl<F: Field> Field for Option<F> {
    fn write(&self, word: &str, lines: &mut Lines) {
        if let Some(field) = self {
            field.write(word, lines);
        }
    }

    fn read(word: &str, lines: &Lines) -> Option<Self> {
        match F::read(word, lines) {
            None if lines.get(word).is_some() => None,
            field => Some(field),
        }
    }
}

/// Words and their values.
#[derive(Debug, Default)]
pub struct Lines(Vec<(String, String)>);

impl Lines {
    /// One more line.
    pub fn add(&mut self, word: &str, value: &str) {
        self.0.push((word.into(), value.into()));
    }

    /// What stands behind a word.
    pub fn get(&self, word: &str) -> Option<&String> {
        let (_, value) = self.0.iter().find(|(one, _)| one == word)?;
        Some(value)
    }

    /// All of them, as text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        for (word, value) in &self.0 {
            // A name may hold line breaks.
            let value = value.replace('\\', "\\\\").replace('\n', "\\n");
            text += &format!("{word} {value}\n");
        }
        text.into_bytes()
    }

    /// The inverse; `None` for what is no text.
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        // A line that was cut off would end without a line break.
        let lines = text
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n')?.split_once(' '));
        let lines = lines.map(|(word, value)| (word.into(), unescaped(value)));
        Some(Self(lines.collect()))
    }
}

fn unescaped(value: &str) -> String {
    let mut plain = String::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        plain.push(match c {
            '\\' if rest.clone().next() == Some('n') => {
                rest.next();
                '\n'
            }
            '\\' => rest.next().unwrap_or(c),
            c => c,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    record! {
        struct Sample in "samples" {
            state: State = "state",
            name: String = "name",
            directory: SubDir = "directory",
            bytes: u64 = "bytes",
            mode: Option<u32> = "mode",
            source: Option<VolumeSource> = "source",
        }
    }

    fn sample() -> Sample {
        Sample {
            state: State::Making,
            name: "a \\name\nwith \\n lines \\".into(),
            directory: SubDir::parse("subDir", "a/b").expect("good"),
            bytes: 7,
            mode: Some(0o2770),
            source: Some(VolumeSource::Snapshot("x".into())),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let none = Sample {
            mode: None,
            source: None,
            state: State::Ready,
            ..sample()
        };
        let clone = Sample {
            source: Some(VolumeSource::Volume("y".into())),
            state: State::Deleting,
            ..sample()
        };
        for record in [sample(), none, clone] {
            let read = Sample::from_bytes("r", record.to_bytes());
            assert_eq!(read, Ok(record));
        }
    }

    #[test]
    fn a_record_looks_as_it_always_did() {
        let text = "state making\nname a \\\\name\\nwith \\\\n lines \\\\\ndirectory a/b\nbytes 7\nmode 2770\n\
                    source-snapshot x\n";
        assert_eq!(String::from_utf8(sample().to_bytes()), Ok(text.into()));
    }

    #[test]
    fn later_versions_may_add_words() {
        let text = [sample().to_bytes(), b"colour blue\n".to_vec()].concat();
        assert_eq!(Sample::parse(text), Some(sample()));
    }

    #[test]
    fn half_a_record_and_a_wrong_one_are_refused() {
        let whole = sample().to_bytes();
        let text = String::from_utf8(whole.clone()).expect("text");
        let cut = text.find("bytes 7").expect("there") + "bytes 7".len();
        let out = text.replace("a/b", "../b");
        let mode = text.replace("2770", "2779");
        for bad in [&whole[..cut], b"", b"\xff", out.as_bytes(), mode.as_bytes()] {
            let refused = Sample::from_bytes("r", bad.to_vec());
            let is_named = |text: &str| text.starts_with("r on the share is corrupt");
            assert!(matches!(refused, Err(Error::Internal(text)) if is_named(&text)));
        }
    }
}
