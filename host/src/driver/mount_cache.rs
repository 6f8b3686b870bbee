//! What guests said of mounts that the journal does not know, for as long as the mount stays the same.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::mount_table::{FoundMount, identity};
use crate::sys::disk_beneath;
use crate::volume::VolumeKey;

/// More than a node has of one driver; of any more, some are asked about again.
const MAX_MOUNTS: usize = 512;

/// By path.
#[derive(Debug, Default)]
pub(super) struct MountCache(Mutex<HashMap<PathBuf, CachedMount>>);

/// A mount, and whose it is.
#[derive(Debug, PartialEq, Eq)]
struct CachedMount {
    key: VolumeKey,
    identity: String,
    disk: Option<String>,
}

impl CachedMount {
    /// None where the disk beneath cannot be told.
    fn of(key: &VolumeKey, mounted: &FoundMount) -> Option<Self> {
        Some(Self {
            key: key.clone(),
            identity: identity(&mounted.entry),
            disk: disk_beneath(&mounted.path, &mounted.entry).ok()?,
        })
    }
}

impl MountCache {
    pub(super) fn holds(&self, key: &VolumeKey, mounted: &FoundMount) -> bool {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cached.get(&mounted.path);
        known.is_some_and(|known| Some(known) == CachedMount::of(key, mounted).as_ref())
    }

    pub(super) fn insert(&self, key: &VolumeKey, mounted: &FoundMount) {
        let Some(now) = CachedMount::of(key, mounted) else {
            return;
        };
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= MAX_MOUNTS {
            cached.clear();
        }
        cached.insert(mounted.path.clone(), now);
    }
}
