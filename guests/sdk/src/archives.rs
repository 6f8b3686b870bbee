//! Snapshots of volumes that are directories of a share: each a directory, packed into an archive on the same share.
//!
//! The record comes first, then the archive, which appears whole or not at all; its time is the snapshot's, since
//! nothing writes to it any more, and the record keeps both.

use crate::bindings::types::{Error, Snapshot};
use crate::error::{there_is_done, whole_if_still_there};
use crate::layout::{Layout, SnapshotId, SnapshotRecord};
use crate::records::State;
use crate::store::Store;
use crate::tree::FILE;

/// An archive holds what each of the volume's users may not read of another's.
const MODE: u32 = 0o700;

/// A snapshot that should exist.
#[derive(Debug)]
pub struct NewSnapshot<Id> {
    /// Its id.
    pub id: Id,
    /// The whole name it is made for.
    pub name: String,
    /// The volume it is to be cut of.
    pub source_volume_id: String,
}

impl<Id> NewSnapshot<Id> {
    fn refuse_other(&self, there: &SnapshotRecord) -> Result<(), Error> {
        let is_it = there.name == self.name && there.source_volume_id == self.source_volume_id;
        ensure!(is_it, AlreadyExists: "snapshot {} for {} was cut of another volume, {}", there.id, there.name,
            there.source_volume_id);
        Ok(())
    }
}

impl<L: Layout> Store<'_, L> {
    /// An id taken apart; `not-found` for what is none.
    pub fn snapshot_id(written: &str) -> Result<L::SnapshotId, Error> {
        L::SnapshotId::parse(written).ok_or_else(|| missing(written))
    }

    /// Cut a snapshot, or find the one an earlier try cut.
    pub fn create_snapshot(&self, wanted: &NewSnapshot<L::SnapshotId>) -> Result<Snapshot, Error> {
        let record = match self.named(&wanted.name)? {
            Some(record) => record,
            None => begin(self, wanted)?,
        };
        wanted.refuse_other(&record)?;
        match record.state {
            State::Ready => Ok(info(record)),
            State::Making => finish(self, wanted, record),
            State::Deleting => {
                // Perhaps one whose volume went, of which nobody knows but who asks here.
                remove(self, &wanted.id, Some(record))?;
                Err(
                    error!(InProgress: "the snapshot for {} is being deleted; ask again", wanted.name),
                )
            }
        }
    }

    /// One snapshot, as it is now.
    pub fn get_snapshot(&self, id: &L::SnapshotId) -> Result<Snapshot, Error> {
        let archive = self.find_archive(&id.to_string())?;
        if let Some(record) = self.snapshot_record(id)? {
            return Ok(info(record));
        }
        // Another driver's.
        let found = self.tree.look(&archive)?;
        Ok(Snapshot {
            id: id.to_string(),
            source_volume_id: id.source_volume_id(),
            size_bytes: found.size_bytes,
            created_at_seconds: found.mtime_seconds,
            ready_to_use: true,
            group_id: None,
        })
    }

    /// The archive of a snapshot that is there, also of one that another driver made.
    pub fn find_archive(&self, written: &str) -> Result<String, Error> {
        let id = Self::snapshot_id(written)?;
        let record = self.snapshot_record(&id)?;
        if record.is_some_and(|record| record.state != State::Ready) {
            return Err(missing(written));
        }
        for archive in id.archives() {
            if self.tree.kind(&archive)?.as_deref() == Some(FILE) {
                return Ok(archive);
            }
        }
        Err(missing(written))
    }

    /// Remove a snapshot, also one from which volumes were made: they have its content.
    pub fn delete_snapshot(&self, id: &L::SnapshotId) -> Result<(), Error> {
        let record = self.snapshot_record(id)?;
        self.refuse_removal(&format!("snapshot {id}"), &id.sub_dir()?, "")?;
        remove(self, id, record)
    }

    fn snapshot_record(&self, id: &L::SnapshotId) -> Result<Option<SnapshotRecord>, Error> {
        self.shown(id.directory(), &|record: &SnapshotRecord| {
            let recorded = record.snapshot_id::<L>();
            recorded.is_some_and(|recorded| recorded.is_same_snapshot(id))
        })
    }
}

fn begin<L: Layout>(
    store: &Store<'_, L>,
    wanted: &NewSnapshot<L::SnapshotId>,
) -> Result<SnapshotRecord, Error> {
    store.find_volume(&wanted.source_volume_id)?;
    let directory = wanted.id.directory();
    let is_free = store.tree.kind(directory)?.is_none();
    ensure!(is_free, AlreadyExists: "{directory} on the share is there, and no snapshot of this driver's");
    let record = SnapshotRecord {
        state: State::Making,
        id: wanted.id.to_string(),
        name: wanted.name.clone(),
        source_volume_id: wanted.source_volume_id.clone(),
        size_bytes: 0,
        created_at_seconds: 0,
    };
    store.add(&wanted.name, record)
}

fn finish<L: Layout>(
    store: &Store<'_, L>,
    wanted: &NewSnapshot<L::SnapshotId>,
    record: SnapshotRecord,
) -> Result<Snapshot, Error> {
    // First: where a volume came there at the same time, what is there is the volume's.
    if let Err(taken) = store.refuse_volumes(&wanted.id.sub_dir()?) {
        if matches!(taken, Error::AlreadyExists(_)) {
            store.forget::<SnapshotRecord>(&record.name)?;
        }
        return Err(taken);
    }
    if let Err(error) = pack(store, wanted) {
        if matches!(error, Error::NotFound(_)) {
            // The volume has gone meanwhile. Nobody learned of this snapshot, so nobody would delete it.
            remove(store, &wanted.id, Some(record))?;
        }
        return Err(error);
    }
    let found = store.tree.look(&wanted.id.archive())?;
    let record = SnapshotRecord {
        state: State::Ready,
        size_bytes: found.size_bytes,
        created_at_seconds: found.mtime_seconds,
        ..record
    };
    store.replace(&record.name, &record)?;
    Ok(info(record))
}

/// `not-found`: the volume has gone.
fn pack<L: Layout>(store: &Store<'_, L>, wanted: &NewSnapshot<L::SnapshotId>) -> Result<(), Error> {
    let find = || store.find_volume(&wanted.source_volume_id);
    let volume = find()?;
    let (tree, archive) = (store.tree, wanted.id.archive());
    tree.make_directory(wanted.id.directory(), MODE)?;
    let archived = tree.archive_tree(volume.directory.as_str(), &archive);
    whole_if_still_there(there_is_done(archived), || find().map(drop))
}

fn remove<L: Layout>(
    store: &Store<'_, L>,
    id: &L::SnapshotId,
    record: Option<SnapshotRecord>,
) -> Result<(), Error> {
    match record {
        // The directory was not there when the record was written, so all that is in it is ours.
        Some(record) => {
            let deleting = SnapshotRecord {
                state: State::Deleting,
                ..record
            };
            store.replace(&deleting.name, &deleting)?;
            store.tree.remove_tree(id.directory())?;
            store.forget::<SnapshotRecord>(&deleting.name)
        }
        // Without one, an id can name anybody's directory.
        None => {
            for archive in id.archives() {
                store.tree.remove_tree(&archive)?;
            }
            store.tree.remove_directory(id.directory())
        }
    }
}

fn info(record: SnapshotRecord) -> Snapshot {
    Snapshot {
        id: record.id,
        source_volume_id: record.source_volume_id,
        size_bytes: record.size_bytes,
        created_at_seconds: record.created_at_seconds,
        ready_to_use: true,
        group_id: None,
    }
}

fn missing(id: &str) -> Error {
    error!(NotFound: "snapshot {id} does not exist")
}

#[cfg(test)]
mod tests;
