//! For which intents the backend may have made something that nobody knows of, for all that this process did.
//!
//! Unlike [`crate::memory`] none of it may be lost while the process lives. What an earlier process did is not in it:
//! its intents name their writer.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::next_step::Asked;

/// The UIDs of intents whose calls did not end with an answer that tells all.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<HashSet<String>>);

impl Doubts {
    /// Whether the backend was asked for that intent.
    pub(crate) fn asked(&self, uid: &str) -> Asked {
        match self.uids().contains(uid) {
            true => Asked::Perhaps,
            false => Asked::Never,
        }
    }

    /// It is going to be asked: from now on it may have made something, whatever becomes of the call.
    pub(crate) fn begin(&self, uid: &str) {
        self.uids().insert(uid.to_owned());
    }

    /// It is known what there is, and the intent ends.
    pub(crate) fn end(&self, uid: &str) {
        self.uids().remove(uid);
    }

    fn uids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
