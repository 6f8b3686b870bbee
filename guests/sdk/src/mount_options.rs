//! Mount options from all the places where users write them, as one list without contradictions. Pure.
//!
//! Each word is kept with the place it came from, so that a contradiction can name both. What every filesystem knows is
//! the host's to read, what the kernel makes of an option is not checked here, and whether it may be used is the grant's
//! to say.
//!
//! ```
//! use drivebay_guest::mount_options::{Dialect, MountOptions};
//!
//! struct Smb;
//!
//! impl Dialect for Smb {
//!     const WITHOUT_EFFECT: &'static [&'static str] = &["credentials"];
//!
//!     fn subject(name: &str) -> &str {
//!         name.strip_prefix("no").unwrap_or(name)
//!     }
//! }
//!
//! let mut options = MountOptions::<Smb>::default();
//! options.add("mountOptions", "nobrl,vers=3.1.1,credentials=/etc/smb")?;
//! assert!(options.add("options", "brl").is_err(), "the two contradict each other");
//! assert_eq!(options.to_list(), [("nobrl".into(), None), ("vers".into(), Some("3.1.1".into()))]);
//! # Ok::<(), drivebay_guest::types::Error>(())
//! ```

use std::marker::PhantomData;

use crate::bindings::mounts::MountOption;
use crate::bindings::types::Error;

/// How a filesystem spells its options.
pub trait Dialect {
    /// Words that are left out: those for a program that is not used here, and those that kernels ignore.
    const WITHOUT_EFFECT: &'static [&'static str] = &[];

    /// Subjects of which there is one value, also within one list.
    const SINGLE: &'static [&'static str] = &[];

    /// One spelling for each thing that has several; `None` where this is it.
    fn canonical(_name: &str, _value: Option<&str>) -> Option<(&'static str, String)> {
        None
    }

    /// What an option decides: two options with one subject contradict each other.
    fn subject(name: &str) -> &str {
        match name {
            "rw" => "ro",
            "noatime" | "relatime" | "strictatime" => "atime",
            _ => name.strip_prefix("no").unwrap_or(name),
        }
    }
}

/// One option, and the parameter that asked for it.
#[derive(Debug)]
pub struct Written {
    /// Its canonical name.
    pub name: String,
    /// What follows the equals sign.
    pub value: Option<String>,
    /// Where it was written, for messages.
    pub origin: &'static str,
}

impl Written {
    /// As it is written.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.clone(),
        }
    }

    /// Its value; empty where it has none.
    pub fn text_of_value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// The error for two that contradict each other; it names both, and where they stand.
    pub fn contradicts(&self, other: &Self) -> Error {
        error!(InvalidArgument: "{} says {} and {} says {}: write one of them", self.origin, self.text(), other.origin,
            other.text())
    }
}

/// What the user asked for.
#[derive(Debug)]
pub struct MountOptions<D> {
    written: Vec<Written>,
    dialect: PhantomData<D>,
}

impl<D> Default for MountOptions<D> {
    fn default() -> Self {
        Self {
            written: Vec::new(),
            dialect: PhantomData,
        }
    }
}

impl<D: Dialect> MountOptions<D> {
    /// Add options separated by commas. Within one list the later counts, as for mount(8). What two lists say must not
    /// differ: nobody wrote them in an order.
    pub fn add(&mut self, origin: &'static str, list: &str) -> Result<(), Error> {
        for word in words(list) {
            let (name, value) = name_and_value(word);
            if word.is_empty() || D::WITHOUT_EFFECT.contains(&name) {
                continue;
            }
            let (name, value) = match D::canonical(name, value) {
                Some((name, value)) => (name.into(), Some(value)),
                None => (name.into(), value.map(String::from)),
            };
            self.add_one(Written {
                name,
                value,
                origin,
            })?;
        }
        Ok(())
    }

    fn add_one(&mut self, option: Written) -> Result<(), Error> {
        let about = D::subject(&option.name);
        match self.deciding(about) {
            Some(first) if first.text() == option.text() => return Ok(()),
            Some(first) if first.origin != option.origin || D::SINGLE.contains(&about) => {
                return Err(first.contradicts(&option));
            }
            Some(_) | None => {}
        }
        self.written
            .retain(|written| D::subject(&written.name) != about);
        self.written.push(option);
        Ok(())
    }

    /// Whether exactly this option was written.
    pub fn has(&self, text: &str) -> bool {
        self.written.iter().any(|option| option.text() == text)
    }

    /// Whether something was said of that subject.
    pub fn decides(&self, subject: &str) -> bool {
        self.deciding(subject).is_some()
    }

    /// Take an option out.
    pub fn take(&mut self, name: &str) -> Option<Written> {
        let at = self.written.iter().position(|option| option.name == name)?;
        Some(self.written.remove(at))
    }

    /// As the host takes them.
    pub fn to_list(&self) -> Vec<MountOption> {
        let options = self.written.iter();
        options
            .map(|option| (option.name.clone(), option.value.clone()))
            .collect()
    }

    fn deciding(&self, about: &str) -> Option<&Written> {
        self.written
            .iter()
            .find(|option| D::subject(&option.name) == about)
    }
}

/// One option as the host takes it, of a list that is taken as it is: `vers=3.1.1`, or `seal`.
pub fn mount_option(word: &str) -> MountOption {
    let (name, value) = name_and_value(word);
    (name.into(), value.map(String::from))
}

fn name_and_value(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    }
}

/// At commas, but for those in double quotes: `context="system_u:object_r:container_file_t:s0:c1,c2"`.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let words = list.split(move |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    words.map(str::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;

    impl Dialect for Plain {
        const WITHOUT_EFFECT: &'static [&'static str] = &["bg"];
        const SINGLE: &'static [&'static str] = &["vers"];

        fn canonical(name: &str, value: Option<&str>) -> Option<(&'static str, String)> {
            match (name, value) {
                ("tcp", None) => Some(("proto", name.into())),
                _ => None,
            }
        }
    }

    fn written(lists: &[(&'static str, &str)]) -> Result<String, Error> {
        let mut options = MountOptions::<Plain>::default();
        for (origin, list) in lists {
            options.add(origin, list)?;
        }
        let texts: Vec<String> = options.written.iter().map(Written::text).collect();
        Ok(texts.join(","))
    }

    #[test]
    fn several_spellings_are_one_option_and_words_without_effect_are_none() {
        let list = [("mountOptions", "tcp,bg, acl,,proto=tcp")];
        assert_eq!(written(&list), Ok("proto=tcp,acl".into()));
    }

    #[test]
    fn an_option_is_a_name_with_or_without_a_value() {
        assert_eq!(mount_option("seal"), ("seal".into(), None));
        let value = "system_u:object_r:container_file_t:s0=1";
        assert_eq!(
            mount_option(&format!("context={value}")),
            ("context".into(), Some(value.into()))
        );
    }

    #[test]
    fn within_one_list_the_later_counts_unless_there_can_be_one_only() {
        let of = |list| written(&[("options", list)]);
        assert_eq!(of("ro,acl,rw"), Ok("acl,rw".into()));
        assert_eq!(of("rsize=1,rsize=2"), Ok("rsize=2".into()));
        assert!(of("vers=1,vers=2").is_err());
    }

    #[test]
    fn two_lists_must_not_contradict_each_other() {
        let refused = written(&[("options", "noatime"), ("mountOptions", "acl,atime")]);
        let text = "options says noatime and mountOptions says atime: write one of them";
        assert_eq!(refused, Err(Error::InvalidArgument(text.into())));
    }

    #[test]
    fn a_label_in_quotes_is_one_option_whatever_commas_it_has() {
        let label = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
        assert_eq!(written(&[("options", label)]), Ok(label.into()));
    }
}
