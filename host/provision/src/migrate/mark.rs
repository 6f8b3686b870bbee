//! What a volume carries while it is being replaced: what it is to have once all is done. Pure.
//!
//! The volume that goes has it from before it is deleted, and the one in its place is created with it. It is taken off in
//! the same write that makes the volume whole. So whoever comes after one that was cut off sees by the volume itself
//! whether that is done, what a person changes afterwards is theirs, and without a record the policy is not lost either.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The annotation.
pub(super) const MARK: &str = "drivebay.dev/migrating";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    /// Its reclaim policy, which is Retain meanwhile.
    pub(super) policy: String,
    /// What is to keep it until its disk is gone, if it is to be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) finalizers: Vec<String>,
}

impl Mark {
    /// One that is not ours does not count.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        json!(self).to_string()
    }

    /// Puts it on a volume that is to be created.
    pub(super) fn put_on(&self, volume: &mut Value) {
        volume["metadata"]["annotations"][MARK] = json!(self.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_another_text_is_none() {
        let mark = Mark {
            policy: "Delete".to_owned(),
            finalizers: vec!["f".to_owned()],
        };
        assert_eq!(Mark::read(&mark.text()), Some(mark));
        assert_eq!(Mark::read("true"), None);
    }

    #[test]
    fn a_mark_stands_beside_other_annotations_and_alone() {
        let mark = Mark {
            policy: "Retain".to_owned(),
            finalizers: Vec::new(),
        };
        let mut volume = json!({ "metadata": { "annotations": { "a": "b" } } });
        mark.put_on(&mut volume);
        assert_eq!(volume["metadata"]["annotations"]["a"], "b");
        let mut bare = json!({ "metadata": {} });
        mark.put_on(&mut bare);
        let text = bare["metadata"]["annotations"][MARK].as_str();
        assert_eq!(text.and_then(Mark::read), Some(mark));
    }
}
