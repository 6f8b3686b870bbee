//! Volumes are made, found, grown and removed.
//!
//! The record comes first and says what is going to be; the directory follows, and appears whole or not at all; then
//! the record says that it is there. Removing goes the other way round. Whatever is cut off in between, the retry
//! finds the record and goes on from there.

use drivebay_guest::directories::Removal;
use drivebay_guest::error::whole_if_still_there;
use drivebay_guest::name::key;
use drivebay_guest::prelude::*;
use drivebay_guest::tree::{DIRECTORY, DIRECTORY_MODE};

use crate::existing;
use crate::parameter_names as names;
use crate::record::{Store, VolumeRecord};
use crate::snapshot;
use crate::volume_id::{OnDelete, VolumeId};
use crate::volume_spec::{self, VolumeSpec};

/// Make a volume, or find the one an earlier try made.
pub(crate) fn create(tree: &dyn Tree, spec: &VolumeSpec) -> Result<VolumeInfo, Error> {
    let store = Store::of(tree);
    let name = &spec.record.name;
    let record = match store.named(name)? {
        Some(record) => record,
        None => begin(&store, spec)?,
    };
    if record.state != State::Deleting {
        spec.refuse_other(&record)?;
    }
    match record.state {
        State::Ready => Ok(volume_spec::info(&spec.id, &record)),
        State::Making => finish(&store, spec, record),
        State::Deleting => {
            if record.source.is_some() {
                // Perhaps a copy whose source went, of which nobody knows but who asks here.
                delete(tree, &existing::parsed(&record.id)?)?;
            }
            Err(error!(InProgress: "the volume for {name} is being deleted; ask again"))
        }
    }
}

/// Write down what is going to be made.
fn begin(store: &Store<'_>, spec: &VolumeSpec) -> Result<VolumeRecord, Error> {
    let directory = &spec.record.sub_dir;
    if let Some(source) = &spec.record.source {
        find_source(store.tree, spec, source)?;
    }
    store.refuse_overlap(&spec.record)?;
    for parent in directory.parents() {
        // Behind a symlink would be a directory that has another name, and perhaps a volume.
        if !matches!(store.tree.kind(parent)?.as_deref(), None | Some(DIRECTORY)) {
            return Err(taken(parent, "no directory"));
        }
    }
    let kind = store.tree.kind(directory.as_str())?;
    match (kind.as_deref(), &spec.record.source) {
        // What is there was retained, or put there for this volume.
        (None, _) | (Some(DIRECTORY), None) => {}
        (Some(DIRECTORY), Some(_)) => {
            return Err(taken(directory.as_str(), "there, with other content"));
        }
        (Some(_), _) => {
            return Err(taken(directory.as_str(), "no directory"));
        }
    }
    store.add(&spec.record.name, spec.record.clone())
}

fn taken(directory: &str, what: &str) -> Error {
    error!(AlreadyExists: "{directory} on the share is {what}")
}

/// Make what is written down.
fn finish(store: &Store<'_>, spec: &VolumeSpec, record: VolumeRecord) -> Result<VolumeInfo, Error> {
    if let Err(error) = fill(store, spec, &record) {
        // Nobody learned of this volume, so nobody would delete it.
        let is_missing = matches!(error, Error::NotFound(_));
        if is_missing && record.source.is_some() {
            abandon(store, spec, record)?;
        } else if is_missing || matches!(error, Error::AlreadyExists(_)) {
            // Another volume came to overlap this one at the same time: what is there may be its.
            store.end_use(&record.sub_dir, &record.name)?;
            store.leave(&record.sub_dir, &record.name)?;
            store.forget::<VolumeRecord>(&record.name)?;
        }
        return Err(error);
    }
    let ready = VolumeRecord {
        state: State::Ready,
        ..record.clone()
    };
    store.replace(&record.name, &ready)?;
    if let Err(error) = refuse_gone(store, &ready.sub_dir) {
        store.replace(&record.name, &record)?;
        return Err(error);
    }
    Ok(volume_spec::info(&spec.id, &ready))
}

/// Whoever removes a directory around this one passes over volumes that are being made. Once the record says that
/// this one is there, either that is seen, or the removal is seen here.
fn refuse_gone(store: &Store<'_>, directory: &SubDir) -> Result<(), Error> {
    store.refuse_being_removed(directory)?;
    match store.tree.has_directory(directory.as_str())? {
        true => Ok(()),
        false => Err(
            error!(InProgress: "{} on the share was removed while it was made; ask again", directory.as_str()),
        ),
    }
}

/// The source has gone meanwhile, and the copy of it may be half a one. Whatever its class says of a volume that is
/// deleted, this is none.
fn abandon(store: &Store<'_>, spec: &VolumeSpec, record: VolumeRecord) -> Result<(), Error> {
    let mut id = spec.id.clone();
    id.on_delete = OnDelete::Delete;
    let deleting = VolumeRecord {
        state: State::Deleting,
        id: id.to_string(),
        ..record
    };
    store.replace(&deleting.name, &deleting)?;
    delete(store.tree, &id)
}

fn fill(store: &Store<'_>, spec: &VolumeSpec, record: &VolumeRecord) -> Result<(), Error> {
    let (tree, directory) = (store.tree, record.sub_dir.as_str());
    store.begin_use(&record.sub_dir, &record.name)?;
    store.refuse_overlap(record)?;
    if let Some(parent) = record.sub_dir.parents().next() {
        tree.make_directory(parent, DIRECTORY_MODE)?;
    }
    // There was no such directory when the record was written: one that is there now is the copy.
    match &record.source {
        None => tree.make_directory(directory, record.mode.unwrap_or(DIRECTORY_MODE))?,
        Some(source) => {
            let source_path = find_source(tree, spec, source)?;
            let copied = there_is_done(match source {
                VolumeSource::Volume(_) => tree.copy_tree(&source_path, directory),
                VolumeSource::Snapshot(_) => tree.extract_archive(&source_path, directory),
            });
            whole_if_still_there(copied, || find_source(tree, spec, source).map(drop))?;
        }
    }
    record
        .mode
        .map_or(Ok(()), |mode| tree.ensure_mode(directory, mode))
}

/// The directory or the archive to start from. Work is done within one share, because a handle reaches no further.
fn find_source(tree: &dyn Tree, spec: &VolumeSpec, source: &VolumeSource) -> Result<String, Error> {
    let export = match source {
        VolumeSource::Volume(id) => existing::parsed(id)?.export,
        VolumeSource::Snapshot(id) => snapshot::parsed(id)?.export,
    };
    if !export.is_same(&spec.id.export) {
        bail!(InvalidArgument: "cannot start from {} {}: the new volume is on {} {}, and content does not go from \
            share to share", export.server, export.share, spec.id.export.server, spec.id.export.share);
    }
    match source {
        VolumeSource::Volume(id) => {
            existing::find(tree, id).map(|volume| volume.directory.as_str().into())
        }
        VolumeSource::Snapshot(id) => snapshot::find_archive(tree, id),
    }
}

/// One volume, as it is now, under the id that it is asked for by: some directories have ids in two spellings.
pub(crate) fn get(tree: &dyn Tree, written: &str) -> Result<VolumeInfo, Error> {
    let volume = existing::find(tree, written)?;
    let record = volume.record.unwrap_or_else(|| VolumeRecord {
        state: State::Ready,
        id: written.into(),
        name: volume.id.name().into(),
        sub_dir: volume.directory,
        capacity_bytes: 0,
        mode: None,
        source: None,
    });
    Ok(VolumeInfo {
        id: written.into(),
        ..volume_spec::info(&volume.id, &record)
    })
}

/// Raise the promise. NFS has no quota that could be raised with it: a volume has what the share has.
pub(crate) fn expand(
    tree: &dyn Tree,
    written: &str,
    capacity: &CapacityRange,
) -> Result<u64, Error> {
    let Some(mut record) = existing::find(tree, written)?.record else {
        return capacity.grown(0, written);
    };
    let larger = capacity.grown(record.capacity_bytes, written)?;
    if larger > record.capacity_bytes {
        record.capacity_bytes = larger;
        Store::of(tree).replace(&record.name, &record)?;
    }
    Ok(larger)
}

/// Remove a volume, as its class said.
pub(crate) fn delete(tree: &dyn Tree, id: &VolumeId) -> Result<(), Error> {
    let store = Store::of(tree);
    let record = existing::record_of(&store, id)?;
    let (directory, name) = match &record {
        Some(record) => (record.sub_dir.clone(), record.name.as_str()),
        None => (unrecorded(&store, id)?, id.name()),
    };
    let removal = store.begin_removal(&directory, name)?;
    if let Err(refused) = store.refuse_removal(&format!("volume {id}"), &directory, name) {
        // What is half removed is given to nobody, and an error that passes does not say what is in the way.
        let is_whole = record.as_ref().map_or(removal == Removal::Begun, |record| {
            record.state != State::Deleting
        });
        if is_whole && matches!(refused, Error::FailedPrecondition(_)) {
            store.end_removal(&directory)?;
        }
        return Err(refused);
    }
    if let Some(record) = &record {
        let deleting = VolumeRecord {
            state: State::Deleting,
            ..record.clone()
        };
        store.replace(name, &deleting)?;
    }
    if !store.end_use(&directory, name)? {
        let on_delete = record
            .as_ref()
            .and_then(|record| VolumeId::parse(&record.id))
            .map_or(id.on_delete, |id| id.on_delete);
        take_away(&store, &directory, on_delete, id.name())?;
    }
    store.leave(&directory, name)?;
    store.end_removal(&directory)?;
    match &record {
        Some(record) => store.forget::<VolumeRecord>(&record.name),
        None => Ok(()),
    }
}

/// What nobody uses any more.
fn take_away(
    store: &Store<'_>,
    directory: &SubDir,
    on_delete: OnDelete,
    name: &str,
) -> Result<(), Error> {
    match on_delete {
        OnDelete::Retain => return Ok(()),
        OnDelete::Archive => archive(store, directory, name)?,
        OnDelete::Delete => store.tree.remove_tree(directory.as_str())?,
    }
    prune(store.tree, directory);
    Ok(())
}

/// The directory of a volume that another driver made. What is written in an id could be anybody's.
fn unrecorded(store: &Store<'_>, id: &VolumeId) -> Result<SubDir, Error> {
    let directory = id.sub_dir()?;
    let other = match store.around(&directory, id.name())? {
        Some(around) => Some(around),
        None => store
            .owner_of(directory.as_str(), id.name())?
            .map(|record| format!("is that of volume {}", record.id)),
    };
    match other {
        None => Ok(directory),
        Some(other) => Err(
            error!(FailedPrecondition: "cannot delete volume {id}, which this driver did not make: {} \
            on the share {other}", directory.as_str()),
        ),
    }
}

/// Put the directory out of the way. What was put there before under that name stays as it is.
fn archive(store: &Store<'_>, directory: &SubDir, name: &str) -> Result<(), Error> {
    let tree = store.tree;
    for suffix in [String::new(), format!("-{}", key(name))] {
        let archived = directory.archived(&suffix);
        let target = SubDir::parse(names::SUB_DIR.name(), &archived)?;
        if let Some(around) = store.around(&target, "")? {
            bail!(FailedPrecondition: "cannot archive {}: {archived} on the share {around}", directory.as_str());
        }
        if let Some((parent, _)) = archived.rsplit_once('/') {
            tree.make_directory(parent, DIRECTORY_MODE)?;
        }
        match tree.rename(directory.as_str(), &archived) {
            // It is gone: an earlier try has done it.
            Ok(()) | Err(Error::NotFound(_)) => return Ok(()),
            Err(Error::AlreadyExists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(
        error!(FailedPrecondition: "cannot archive {0}: {1} is there already; move it away", directory.as_str(),
        directory.archived("")),
    )
}

/// Parents that were made for the volume and have nothing in them any more. Best effort: they take no room.
fn prune(tree: &dyn Tree, directory: &SubDir) {
    for parent in directory.parents() {
        if tree.remove_directory(parent).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod nested_tests;
#[cfg(test)]
pub(crate) mod tests;
