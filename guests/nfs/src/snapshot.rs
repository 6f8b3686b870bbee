//! Snapshots: a volume's directory, packed into an archive on the same share.
//!
//! The record comes first, then the archive, which appears whole or not at all; its time is the snapshot's, since
//! nothing writes to it any more, and the record keeps both.

use drivebay_guest::error::whole_if_still_there;
use drivebay_guest::exports::snapshots::CreateRequest;
use drivebay_guest::prelude::*;
use drivebay_guest::tree::FILE;

use crate::existing;
use crate::parameter_names as names;
use crate::record::{SnapshotRecord, Store};
use crate::share::Share;
use crate::snapshot_id::SnapshotId;
use crate::volume_id::Export;

/// An archive holds what each of the volume's users may not read of another's.
const MODE: u32 = 0o700;

/// A snapshot that should exist.
#[derive(Debug)]
pub(crate) struct SnapshotSpec {
    pub(crate) id: SnapshotId,
    name: String,
    source_volume_id: String,
    /// How to mount the share it is on.
    pub(crate) share: Share,
}

impl SnapshotSpec {
    pub(crate) fn from_request(request: &CreateRequest) -> Result<Self, Error> {
        let source = existing::parsed(&request.source_volume_id)?;
        let params = Params(&request.parameters);
        let share = source.export.share.to_string();
        let asked_for = Export::parse(
            params.get(names::SERVER).unwrap_or(&source.export.server),
            params.get(names::SHARE).unwrap_or(&share),
        )?;
        if !asked_for.is_same(&source.export) {
            bail!(InvalidArgument: "volume {} cannot be kept on {} {}: a snapshot lies on the share of its volume; \
                leave out {} and {}", request.source_volume_id, asked_for.server, asked_for.share, names::SERVER,
                names::SHARE);
        }
        let options = params.get(names::MOUNT_OPTIONS).map(String::from);
        let filesystem = FilesystemAccess {
            fs_type: String::new(),
            mount_options: options.into_iter().collect(),
        };
        Ok(Self {
            id: SnapshotId::made(source.export.clone(), &request.name, source.name())?,
            name: request.name.clone(),
            source_volume_id: request.source_volume_id.clone(),
            share: Share::of_export(&source.export, &filesystem)?,
        })
    }

    fn refuse_other(&self, there: &SnapshotRecord) -> Result<(), Error> {
        if there.name == self.name && there.source_volume_id == self.source_volume_id {
            return Ok(());
        }
        Err(
            error!(AlreadyExists: "snapshot {} for {} was cut of another volume, {}", there.id, there.name,
            there.source_volume_id),
        )
    }
}

/// Cut a snapshot, or find the one an earlier try cut.
pub(crate) fn create(tree: &dyn Tree, spec: &SnapshotSpec) -> Result<Snapshot, Error> {
    let store = Store::of(tree);
    let record = match store.named(&spec.name)? {
        Some(record) => record,
        None => begin(&store, spec)?,
    };
    spec.refuse_other(&record)?;
    match record.state {
        State::Ready => Ok(info(&record)),
        State::Making => finish(&store, spec, record),
        State::Deleting => {
            // Perhaps one whose volume went, of which nobody knows but who asks here.
            remove(&store, &spec.id, Some(record))?;
            Err(error!(InProgress: "the snapshot for {} is being deleted; ask again", spec.name))
        }
    }
}

fn begin(store: &Store<'_>, spec: &SnapshotSpec) -> Result<SnapshotRecord, Error> {
    existing::find(store.tree, &spec.source_volume_id)?;
    let directory = spec.id.directory();
    if store.tree.kind(directory)?.is_some() {
        bail!(AlreadyExists: "{directory} on the share is there, and no snapshot of this driver's");
    }
    store.add(
        &spec.name,
        SnapshotRecord {
            state: State::Making,
            id: spec.id.to_string(),
            name: spec.name.clone(),
            source_volume_id: spec.source_volume_id.clone(),
            size_bytes: 0,
            created_at_seconds: 0,
        },
    )
}

fn finish(
    store: &Store<'_>,
    spec: &SnapshotSpec,
    record: SnapshotRecord,
) -> Result<Snapshot, Error> {
    let tree = store.tree;
    // First: where a volume came there at the same time, what is there is the volume's.
    if let Err(taken) = store.refuse_volumes(&spec.id.sub_dir()?) {
        if matches!(taken, Error::AlreadyExists(_)) {
            store.forget::<SnapshotRecord>(&record.name)?;
        }
        return Err(taken);
    }
    if let Err(error) = pack(tree, spec) {
        if matches!(error, Error::NotFound(_)) {
            // The volume has gone meanwhile. Nobody learned of this snapshot, so nobody would delete it.
            remove(store, &spec.id, Some(record))?;
        }
        return Err(error);
    }
    let found = tree.look(&spec.id.archive())?;
    let record = SnapshotRecord {
        state: State::Ready,
        size_bytes: found.size_bytes,
        created_at_seconds: found.mtime_seconds,
        ..record
    };
    store.replace(&record.name, &record)?;
    Ok(info(&record))
}

/// `not-found`: the volume has gone.
fn pack(tree: &dyn Tree, spec: &SnapshotSpec) -> Result<(), Error> {
    let find = || existing::find(tree, &spec.source_volume_id);
    let volume = find()?;
    tree.make_directory(spec.id.directory(), MODE)?;
    let archived = tree.archive_tree(volume.directory.as_str(), &spec.id.archive());
    whole_if_still_there(there_is_done(archived), || find().map(drop))
}

pub(crate) fn get(tree: &dyn Tree, id: &SnapshotId) -> Result<Snapshot, Error> {
    let archive = find_archive(tree, &id.to_string())?;
    if let Some(record) = record_of(&Store::of(tree), id)? {
        return Ok(info(&record));
    }
    // One of the Kubernetes driver's, whose volume had the name that the archive has.
    let found = tree.look(&archive)?;
    Ok(Snapshot {
        id: id.to_string(),
        source_volume_id: format!("{}#{}##", id.export.in_id(), id.source()),
        size_bytes: found.size_bytes,
        created_at_seconds: found.mtime_seconds,
        ready_to_use: true,
        group_id: None,
    })
}

/// The archive of a snapshot that is there, also of one that the Kubernetes driver made.
pub(crate) fn find_archive(tree: &dyn Tree, written: &str) -> Result<String, Error> {
    let id = parsed(written)?;
    let record = record_of(&Store::of(tree), &id)?;
    if record.is_some_and(|record| record.state != State::Ready) {
        return Err(missing(written));
    }
    for archive in id.archives() {
        if tree.kind(&archive)?.as_deref() == Some(FILE) {
            return Ok(archive);
        }
    }
    Err(missing(written))
}

pub(crate) fn parsed(written: &str) -> Result<SnapshotId, Error> {
    SnapshotId::parse(written).ok_or_else(|| missing(written))
}

/// Remove a snapshot, also one from which volumes were made: they have its content.
pub(crate) fn delete(tree: &dyn Tree, id: &SnapshotId) -> Result<(), Error> {
    let store = Store::of(tree);
    let record = record_of(&store, id)?;
    store.refuse_removal(&format!("snapshot {id}"), &id.sub_dir()?, "")?;
    remove(&store, id, record)
}

fn remove(store: &Store<'_>, id: &SnapshotId, record: Option<SnapshotRecord>) -> Result<(), Error> {
    if let Some(record) = &record {
        store.replace(
            &record.name,
            &SnapshotRecord {
                state: State::Deleting,
                ..record.clone()
            },
        )?;
    }
    match record {
        // The directory was not there when the record was written, so all that is in it is ours.
        Some(record) => {
            store.tree.remove_tree(id.directory())?;
            store.forget::<SnapshotRecord>(&record.name)
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

fn record_of(store: &Store<'_>, id: &SnapshotId) -> Result<Option<SnapshotRecord>, Error> {
    let is_it = |record: &SnapshotRecord| {
        SnapshotId::parse(&record.id).is_some_and(|recorded| {
            (recorded.directory(), recorded.source()) == (id.directory(), id.source())
        })
    };
    store.shown(id.directory(), is_it)
}

fn info(record: &SnapshotRecord) -> Snapshot {
    Snapshot {
        id: record.id.clone(),
        source_volume_id: record.source_volume_id.clone(),
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
