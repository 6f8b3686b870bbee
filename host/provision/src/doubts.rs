//! For which intents the backend may have made something that nobody knows of, for all that this process did.
//!
//! Unlike [`crate::memory`] none of it may be lost while the process lives. What an earlier process did is not in it:
//! its intents name their writer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drivebay::volume::VolumeId;

use crate::next_step::Asked;

/// The UIDs of intents whose calls did not end with an answer that tells all, and the volume that is deleted for one.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<HashMap<String, Option<VolumeId>>>);

impl Doubts {
    /// Whether the backend was asked for that intent.
    pub(crate) fn asked(&self, uid: &str) -> Asked {
        match self.uids().contains_key(uid) {
            true => Asked::Perhaps,
            false => Asked::Never,
        }
    }

    /// It is going to be asked: from now on it may have made something, whatever becomes of the call.
    pub(crate) fn begin(&self, uid: &str) {
        self.uids().entry(uid.to_owned()).or_default();
    }

    /// That volume is going to be deleted for it, which is written down.
    pub(crate) fn undo(&self, uid: &str, id: &VolumeId) {
        self.uids().insert(uid.to_owned(), Some(id.clone()));
    }

    /// The volume that is deleted for it.
    pub(crate) fn undone(&self, uid: &str) -> Option<VolumeId> {
        self.uids().get(uid).cloned().flatten()
    }

    /// It is known what there is, and the intent ends.
    pub(crate) fn end(&self, uid: &str) {
        self.uids().remove(uid);
    }

    fn uids(&self) -> MutexGuard<'_, HashMap<String, Option<VolumeId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
