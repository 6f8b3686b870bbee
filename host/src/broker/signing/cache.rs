//! What is known of keys between the calls of a process: temporary ones, and which are not there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::Key;

/// Of the keys of one driver, by name. Never written anywhere.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    temporary: Mutex<BTreeMap<String, Cached>>,
    /// Why it was not there when it was looked for last.
    missing: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug, Clone)]
pub(super) struct Cached {
    pub(super) key: Arc<Key>,
    /// Not asked for anew before.
    pub(super) not_before: u64,
}

impl KeyCache {
    pub(super) fn get(&self, name: &str) -> Option<Cached> {
        lock(&self.temporary).get(name).cloned()
    }

    pub(super) fn keep(&self, name: &str, key: Arc<Key>, not_before: u64) {
        let cached = Cached { key, not_before };
        lock(&self.temporary).insert(name.to_owned(), cached);
    }

    /// It is not there, for that reason. Whether that is news.
    pub(super) fn miss(&self, name: &str, reason: &str) -> bool {
        let before = lock(&self.missing).insert(name.to_owned(), reason.to_owned());
        before.is_none_or(|before| before != reason)
    }

    /// It is there.
    pub(super) fn find(&self, name: &str) {
        lock(&self.missing).remove(name);
    }
}

/// A panic elsewhere leaves the keys as they were.
fn lock<T>(keys: &Mutex<T>) -> MutexGuard<'_, T> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_key_is_missing_is_news_until_it_is_there_or_for_another_reason() {
        let keys = KeyCache::default();
        assert!(keys.miss("a", "no such file"));
        assert!(!keys.miss("a", "no such file"));
        assert!(keys.miss("b", "no such file"), "another key");
        assert!(keys.miss("a", "it is empty"));
        keys.find("a");
        assert!(keys.miss("a", "it is empty"));
    }
}
