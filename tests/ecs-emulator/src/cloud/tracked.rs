//! Entries, and which of them may have changed since they were last written down.
//!
//! Whatever can change an entry goes through here and is remembered, so that nothing can be changed and stay unwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A map that is read as any other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tracked<K: Ord, V> {
    entries: BTreeMap<K, V>,
    #[serde(skip, default = "BTreeSet::new")]
    changed: BTreeSet<K>,
}

impl<K: Ord, V> Default for Tracked<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<K: Ord, V> Deref for Tracked<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.entries
    }
}

impl<K: Ord + Clone, V> Tracked<K, V> {
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(entry)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.changed.extend(self.entries.keys().cloned());
        self.entries.values_mut()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.changed.insert(key.clone());
        self.entries.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.changed.insert(key.clone());
        self.entries.remove(key)
    }
}

impl<K: Ord + Display, V: Serialize> Tracked<K, V> {
    /// What has changed since this was asked last, by key; null is gone.
    pub(crate) fn take_changed(&mut self) -> serde_json::Result<Map<String, Value>> {
        let changed = std::mem::take(&mut self.changed);
        let written = |key: K| {
            let entry = serde_json::to_value(self.entries.get(&key))?;
            Ok((key.to_string(), entry))
        };
        changed.into_iter().map(written).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_way_to_change_an_entry_is_told_once() {
        let mut map = Tracked::default();
        for name in ["kept", "changed", "removed"] {
            map.insert(name.to_owned(), 1);
        }
        let all = json!({ "kept": 1, "changed": 1, "removed": 1 });
        assert_eq!(Value::Object(map.take_changed().unwrap()), all);
        *map.get_mut(&"changed".to_owned()).unwrap() = 2;
        map.remove(&"removed".to_owned());
        let some = json!({ "changed": 2, "removed": null });
        assert_eq!(Value::Object(map.take_changed().unwrap()), some);
        map.values_mut().for_each(|value| *value = 3);
        let rest = json!({ "kept": 3, "changed": 3 });
        assert_eq!(Value::Object(map.take_changed().unwrap()), rest);
        assert_eq!(map.take_changed().unwrap(), Map::new());
    }
}
