//! Temporary keys, kept in memory between the calls of a process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::Key;

/// The temporary keys of one driver. Never written anywhere.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<BTreeMap<String, Cached>>);

#[derive(Debug, Clone)]
pub(super) struct Cached {
    pub(super) key: Arc<Key>,
    /// Not asked for anew before.
    pub(super) not_before: u64,
}

impl KeyCache {
    pub(super) fn get(&self, name: &str) -> Option<Cached> {
        self.lock().get(name).cloned()
    }

    pub(super) fn keep(&self, name: &str, key: Arc<Key>, not_before: u64) {
        let cached = Cached { key, not_before };
        self.lock().insert(name.to_owned(), cached);
    }

    /// A panic elsewhere leaves the keys as they were.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Cached>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
