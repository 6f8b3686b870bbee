//! Tags of disks and snapshots.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Refusal;

/// A resource's tags by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

/// As many as a resource, and so a request, may have.
const MOST: usize = 20;

/// Characters of a key or value.
const LONGEST: usize = 128;

impl Tags {
    /// Tags as a request carries them.
    pub(crate) fn read(sent: &[(&str, &str)]) -> Result<Self, Refusal> {
        let keys: BTreeSet<&str> = sent.iter().map(|(key, _)| *key).collect();
        if keys.len() < sent.len() {
            let message = "The Tag.N.Key contain duplicate key.";
            return Err(Refusal::bad("Duplicate.TagKey", message));
        }
        if keys.into_iter().any(is_malformed) {
            let message = "The specified Tag.n.Key is not valid.";
            return Err(Refusal::bad("InvalidTagKey.Malformed", message));
        }
        if sent.iter().any(|(_, value)| is_malformed_value(value)) {
            let message = "The specified Tag.n.Value is not valid.";
            return Err(Refusal::bad("InvalidTagValue.Malformed", message));
        }
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let tags = Self(sent.iter().map(own).collect());
        tags.fit().map(|()| tags)
    }

    /// Adds tags; those that are there already get the new values.
    pub(crate) fn add(&mut self, more: &Self) -> Result<(), Refusal> {
        let mut all = self.clone();
        all.0.extend(more.0.clone());
        all.fit()?;
        *self = all;
        Ok(())
    }

    /// Whether all of these are there. A wanted tag without value is there with any.
    pub(crate) fn contain(&self, wanted: &[(&str, &str)]) -> bool {
        wanted.iter().all(|(key, value)| {
            let own = self.0.get(*key);
            own.is_some_and(|own| value.is_empty() || own == value)
        })
    }

    /// As descriptions have them: `TagKey` and `TagValue`, and for old readers also `Key` and `Value`.
    pub(crate) fn shown(&self) -> Value {
        let pair = |(key, value): (&String, &String)| json!({ "TagKey": key, "TagValue": value, "Key": key, "Value": value });
        let list: Vec<Value> = self.0.iter().map(pair).collect();
        json!({ "Tag": list })
    }

    fn fit(&self) -> Result<(), Refusal> {
        if self.0.len() > MOST {
            let message = "The maximum number of tags of a resource is exceeded.";
            return Err(Refusal::denied("QuotaExceed.Tags", message));
        }
        Ok(())
    }
}

fn is_malformed(key: &str) -> bool {
    let reserved = ["aliyun", "acs:"];
    key.is_empty()
        || key.chars().count() > LONGEST
        || reserved.iter().any(|prefix| key.starts_with(prefix))
        || holds_address(key)
}

fn is_malformed_value(value: &str) -> bool {
    value.chars().count() > LONGEST || value.starts_with("acs:") || holds_address(value)
}

fn holds_address(text: &str) -> bool {
    text.contains("http://") || text.contains("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sent: &[(&str, &str)]) -> String {
        Tags::read(sent).unwrap_err().code.into_owned()
    }

    #[test]
    fn malformed_tags_are_refused() {
        assert_eq!(code(&[("k", "1"), ("k", "2")]), "Duplicate.TagKey");
        assert_eq!(code(&[("", "1")]), "InvalidTagKey.Malformed");
        assert_eq!(code(&[("aliyun", "1")]), "InvalidTagKey.Malformed");
        assert_eq!(code(&[("k", "http://x")]), "InvalidTagValue.Malformed");
        assert!(Tags::read(&[("csi.alibabacloud.com/volume-name", "pvc-1")]).is_ok());
    }

    #[test]
    fn resource_holds_20_tags() {
        let keys: Vec<String> = (0..21).map(|number| format!("k{number}")).collect();
        let sent: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
        let mut tags = Tags::read(&sent[..20]).unwrap();
        assert_eq!(code(&sent), "QuotaExceed.Tags");
        assert!(tags.add(&Tags::read(&sent[20..]).unwrap()).is_err());
        assert!(tags.add(&Tags::read(&sent[..1]).unwrap()).is_ok());
    }

    #[test]
    fn wanted_tag_without_value_matches_any() {
        let tags = Tags::read(&[("k", "v")]).unwrap();
        assert!(tags.contain(&[("k", "")]));
        assert!(tags.contain(&[("k", "v")]));
        assert!(!tags.contain(&[("k", "other")]));
        assert!(!tags.contain(&[("other", "")]));
    }
}
