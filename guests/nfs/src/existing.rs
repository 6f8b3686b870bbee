//! Volumes that are there.

use drivebay_guest::prelude::*;

use crate::record::{Store, VolumeRecord};
use crate::volume_id::VolumeId;

/// A volume that is there.
pub(crate) struct Existing {
    pub(crate) id: VolumeId,
    pub(crate) directory: SubDir,
    /// Absent for a volume that another driver made.
    pub(crate) record: Option<VolumeRecord>,
}

/// `not-found` also for one that is being made or removed; `in-progress` for one without a record that is being
/// removed.
pub(crate) fn find(tree: &dyn Tree, written: &str) -> Result<Existing, Error> {
    let id = parsed(written)?;
    let store = Store::of(tree);
    let record = record_of(&store, &id)?;
    let directory = match &record {
        Some(record) => record.sub_dir.clone(),
        None => id.sub_dir()?,
    };
    if record.is_none() {
        store.refuse_being_removed(&directory)?;
    }
    let is_ready = record
        .as_ref()
        .is_none_or(|record| record.state == State::Ready);
    match is_ready && tree.has_directory(directory.as_str())? {
        true => Ok(Existing {
            id,
            directory,
            record,
        }),
        false => Err(missing(written)),
    }
}

/// Whether the share says that it was made, and that nobody began to delete it.
pub(crate) fn was_made(tree: &dyn Tree, written: &str) -> Result<bool, Error> {
    let record = record_of(&Store::of(tree), &parsed(written)?)?;
    Ok(record.is_some_and(|record| record.state == State::Ready))
}

pub(crate) fn record_of(store: &Store<'_>, id: &VolumeId) -> Result<Option<VolumeRecord>, Error> {
    store.shown(id.name(), |record: &VolumeRecord| {
        VolumeId::parse(&record.id).is_some_and(|recorded| recorded.is_same_volume(id))
    })
}

/// An id taken apart; `not-found` for what is none.
pub(crate) fn parsed(written: &str) -> Result<VolumeId, Error> {
    VolumeId::parse(written).ok_or_else(|| {
        error!(NotFound: "volume {written} does not exist: its id does not name a server, a share and a directory \
            below it")
    })
}

fn missing(id: &str) -> Error {
    error!(NotFound: "volume {id} does not exist")
}
