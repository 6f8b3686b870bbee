//! Calls of an API whose requests are actions with parameters, as many clouds have them: `Action=CreateDisk&Size=20`. Pure.
//!
//! ```
//! use drivebay_guest::call::{Action, Call, Repeat};
//!
//! drivebay_guest::keywords! {
//!     enum Verb {
//!         AttachDisk = "AttachDisk",
//!         CreateDisk = "CreateDisk",
//!     }
//! }
//!
//! impl Action for Verb {
//!     fn repeat(self) -> Repeat {
//!         match self {
//!             Self::AttachDisk => Repeat::AfterLooking,
//!             Self::CreateDisk => Repeat::Freely,
//!         }
//!     }
//! }
//!
//! let call = Call::new(Verb::CreateDisk, "a disk for pvc-1").with_number("Size", 20).with_some("Zone", None);
//! assert_eq!(call.query, [("Size".into(), "20".into())]);
//! assert_eq!(call.to_string(), "CreateDisk of a disk for pvc-1");
//! ```

use std::fmt;

use crate::keywords::Keyword;

/// What may be done when nobody knows whether a call took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Send it again: it only reads, says what should be in a way that twice is the same as once, or carries a token.
    Freely,
    /// Look first: things may meanwhile be where somebody else wants them.
    AfterLooking,
}

/// The actions of an API that a guest uses, by their names there.
pub trait Action: Keyword + PartialEq {
    /// What may be done when nobody knows whether a call of it took effect.
    fn repeat(self) -> Repeat;
}

/// A call, not yet signed.
#[derive(Debug, Clone)]
pub struct Call<A> {
    /// What is to be done.
    pub action: A,
    /// What it is about, for messages: `disk d-1`.
    pub subject: String,
    /// Its parameters.
    pub query: Vec<(String, String)>,
}

impl<A> Call<A> {
    /// Without parameters.
    pub fn new(action: A, subject: impl Into<String>) -> Self {
        Self {
            action,
            subject: subject.into(),
            query: Vec::new(),
        }
    }

    /// With one more parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// With a number.
    pub fn with_number(self, name: &str, value: u64) -> Self {
        self.with(name, &value.to_string())
    }

    /// Only what is there: an API may take an empty parameter for a wrong one.
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With several parameters.
    pub fn with_all(mut self, parameters: &[(String, &str)]) -> Self {
        for (name, value) in parameters {
            self = self.with(name, value);
        }
        self
    }

    /// Ids as a JSON list, in one parameter: `["d-1","d-2"]`.
    pub fn with_ids(self, name: &str, ids: &[&str]) -> Self {
        self.with(name, &format!("[\"{}\"]", ids.join("\",\"")))
    }

    /// Ids in a parameter each: `DiskId.1=…&DiskId.2=…`.
    pub fn with_numbered(mut self, name: &str, ids: &[&str]) -> Self {
        for (position, id) in (1_u64..).zip(ids) {
            self = self.with(&format!("{name}.{position}"), id);
        }
        self
    }

    /// `Tag.1.Key=…&Tag.1.Value=…`: as a filter for one, as properties for what is made.
    pub fn with_tags(mut self, tags: &[(String, String)]) -> Self {
        for (position, (key, value)) in (1_u64..).zip(tags) {
            self = self
                .with(&format!("Tag.{position}.Key"), key)
                .with(&format!("Tag.{position}.Value"), value);
        }
        self
    }

    /// All its parameters in one text.
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.query {
            for part in [name, "\n", value, "\n"] {
                text += part;
            }
        }
        text
    }
}

impl<A: Keyword> fmt::Display for Call<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.name())?;
        f.write_str(" of ")?;
        f.write_str(&self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_flattened_and_absent_parameters_left_out() {
        let call = Call::new((), "a disk")
            .with_number("Size", 20)
            .with_some("KMSKeyId", None)
            .with_some("Zone", Some("a"))
            .with_ids("DiskIds", &["d-1", "d-2"])
            .with_numbered("DiskId", &["d-1", "d-2"])
            .with_all(&[("Arn.1.Role".into(), "r")])
            .with_tags(&[("k".into(), "v".into())]);
        let pairs: Vec<String> = call.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let flat = [
            "Size=20",
            "Zone=a",
            "DiskIds=[\"d-1\",\"d-2\"]",
            "DiskId.1=d-1",
            "DiskId.2=d-2",
            "Arn.1.Role=r",
            "Tag.1.Key=k",
            "Tag.1.Value=v",
        ];
        assert_eq!(pairs, flat);
    }

    #[test]
    fn a_fingerprint_tells_parameters_apart() {
        let call = || Call::new((), "a disk").with("Size", "20");
        assert_eq!(call().fingerprint(), call().fingerprint());
        for other in [
            call().with("Zone", "a"),
            Call::new((), "a disk").with("Size", "2"),
        ] {
            assert_ne!(other.fingerprint(), call().fingerprint());
        }
    }
}
