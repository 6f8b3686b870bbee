//! Volumes that are directories of a share are made, found, grown and removed.
//!
//! The record comes first and says what is going to be; the directory follows, and appears whole or not at all; then
//! the record says that it is there. Removing goes the other way round. Whatever is cut off in between, the retry
//! finds the record and goes on from there.
//!
//! Work is done within one share, that of the [`Store`]: a handle reaches no further.

use crate::bindings::types::{CapacityRange, Error, HealthCondition, VolumeSource};
use crate::directories::Removal;
use crate::error::{there_is_done, whole_if_still_there};
use crate::layout::{Layout, OnDelete, SnapshotId, VolumeId, VolumeRecord};
use crate::name::key;
use crate::records::State;
use crate::store::Store;
use crate::sub_dir::SubDir;
use crate::tree::{DIRECTORY, DIRECTORY_MODE, Tree};

/// A volume that should exist.
#[derive(Debug)]
pub struct NewVolume<Id> {
    /// Its id.
    pub id: Id,
    /// Sizes that will do.
    pub capacity: CapacityRange,
    /// What is going to be written down of it first, in the state `Making`.
    pub record: VolumeRecord,
}

/// A volume that is there.
#[derive(Debug)]
pub struct Existing<Id> {
    /// Its id.
    pub id: Id,
    /// Its directory.
    pub directory: SubDir,
    /// Absent for a volume that another driver made.
    pub record: Option<VolumeRecord>,
}

impl<Id: VolumeId> NewVolume<Id> {
    /// `already-exists`: the volume that is there for the name is another than is wanted.
    pub fn refuse_other(&self, there: &VolumeRecord) -> Result<(), Error> {
        let wanted = &self.record;
        let is_as_wanted = (&there.sub_dir, there.mode) == (&wanted.sub_dir, wanted.mode);
        let differs = if there.name != wanted.name {
            "was made for another name"
        } else if there.id != wanted.id || !is_as_wanted {
            "was made with other parameters"
        } else if there.source != wanted.source {
            "was made from another source"
        } else if !self.capacity.holds(there.capacity_bytes) {
            "has another size"
        } else {
            return Ok(());
        };
        Err(
            error!(AlreadyExists: "volume {} for {}, of {} bytes, exists and {differs}", there.id, there.name,
            there.capacity_bytes),
        )
    }
}

impl<L: Layout> Store<'_, L> {
    /// An id taken apart; `not-found` for what is none.
    pub fn volume_id(written: &str) -> Result<L::VolumeId, Error> {
        L::VolumeId::parse(written).ok_or_else(|| {
            error!(NotFound: "volume {written} does not exist: its id does not name a server, a share and a directory \
                below it")
        })
    }

    /// Make a volume, or find the one an earlier try made; what is written down of it then.
    pub fn create_volume(&self, wanted: &NewVolume<L::VolumeId>) -> Result<VolumeRecord, Error> {
        let name = &wanted.record.name;
        let record = match self.named(name)? {
            Some(record) => record,
            None => begin(self, wanted)?,
        };
        if record.state != State::Deleting {
            wanted.refuse_other(&record)?;
        }
        match record.state {
            State::Ready => Ok(record),
            State::Making => finish(self, wanted, record),
            State::Deleting => {
                if record.source.is_some() {
                    // Perhaps a copy whose source went, of which nobody knows but who asks here.
                    self.delete_volume(&Self::volume_id(&record.id)?)?;
                }
                Err(error!(InProgress: "the volume for {name} is being deleted; ask again"))
            }
        }
    }

    /// `not-found` also for one that is being made or removed; `in-progress` for one without a record that is being
    /// removed.
    pub fn find_volume(&self, written: &str) -> Result<Existing<L::VolumeId>, Error> {
        let id = Self::volume_id(written)?;
        let record = self.volume_record(&id)?;
        let directory = match &record {
            Some(record) => record.sub_dir.clone(),
            None => id.sub_dir()?,
        };
        if record.is_none() {
            self.refuse_being_removed(&directory)?;
        }
        let is_ready = |record: &VolumeRecord| record.state == State::Ready;
        let is_there =
            record.as_ref().is_none_or(is_ready) && self.tree.has_directory(directory.as_str())?;
        ensure!(is_there, NotFound: "volume {written} does not exist");
        Ok(Existing {
            id,
            directory,
            record,
        })
    }

    /// One volume, as it is now, under the id that it is asked for by: some directories have ids in two spellings.
    pub fn get_volume(&self, written: &str) -> Result<(L::VolumeId, VolumeRecord), Error> {
        let volume = self.find_volume(written)?;
        let mut record = volume.record.unwrap_or_else(|| VolumeRecord {
            state: State::Ready,
            id: written.into(),
            name: volume.id.name().into(),
            sub_dir: volume.directory,
            capacity_bytes: 0,
            mode: None,
            source: None,
        });
        record.id = written.into();
        Ok((volume.id, record))
    }

    /// Raise the promise of a size. There is no quota that could be raised with it: a volume has what the share has.
    pub fn expand_volume(&self, written: &str, capacity: &CapacityRange) -> Result<u64, Error> {
        let Some(mut record) = self.find_volume(written)?.record else {
            return capacity.grown(0, written);
        };
        let larger = capacity.grown(record.capacity_bytes, written)?;
        if larger > record.capacity_bytes {
            record.capacity_bytes = larger;
            self.replace(&record.name, &record)?;
        }
        Ok(larger)
    }

    /// What is wrong with a volume, as its share shows it: a directory that was made, and that nobody removed through
    /// us, is data that were lost.
    pub fn volume_health(&self, written: &str) -> Result<Vec<HealthCondition>, Error> {
        match self.find_volume(written) {
            Ok(_) => Ok(Vec::new()),
            Err(Error::NotFound(_)) if self.was_made(written)? => {
                let message = format!(
                    "the directory of volume {written} is gone from the share, though nobody deleted the volume; restore it there from a backup"
                );
                let lost = HealthCondition::data_loss("DirectoryMissing", message);
                Ok(vec![lost])
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the share says that it was made, and that nobody began to delete it.
    fn was_made(&self, written: &str) -> Result<bool, Error> {
        let record = self.volume_record(&Self::volume_id(written)?)?;
        Ok(record.is_some_and(|record| record.state == State::Ready))
    }

    /// Remove a volume, as its class said.
    pub fn delete_volume(&self, id: &L::VolumeId) -> Result<(), Error> {
        let record = self.volume_record(id)?;
        let (directory, name) = match &record {
            Some(record) => (record.sub_dir.clone(), record.name.as_str()),
            None => (unrecorded(self, id)?, id.name()),
        };
        let removal = self.begin_removal(&directory, name)?;
        if let Err(refused) = self.refuse_removal(&format!("volume {id}"), &directory, name) {
            // What is half removed is given to nobody, and an error that passes does not say what is in the way.
            let is_whole = record.as_ref().map_or(removal == Removal::Begun, |record| {
                record.state != State::Deleting
            });
            if is_whole && matches!(refused, Error::FailedPrecondition(_)) {
                self.end_removal(&directory)?;
            }
            return Err(refused);
        }
        if let Some(record) = &record {
            let deleting = VolumeRecord {
                state: State::Deleting,
                ..record.clone()
            };
            self.replace(name, &deleting)?;
        }
        if !self.end_use(&directory, name)? {
            let recorded = record.as_ref().and_then(VolumeRecord::volume_id::<L>);
            let on_delete = recorded.map_or(id.on_delete(), |recorded| recorded.on_delete());
            take_away(self, &directory, on_delete, id.name())?;
        }
        self.leave(&directory, name)?;
        self.end_removal(&directory)?;
        match &record {
            Some(record) => self.forget::<VolumeRecord>(&record.name),
            None => Ok(()),
        }
    }

    fn volume_record(&self, id: &L::VolumeId) -> Result<Option<VolumeRecord>, Error> {
        self.shown(id.name(), &|record: &VolumeRecord| {
            let recorded = record.volume_id::<L>();
            recorded.is_some_and(|recorded| recorded.is_same_volume(id))
        })
    }
}

/// What is wrong with a volume, as its share shows it by `look`, if that could be opened; what is wrong with the share is
/// wrong with all of its volumes.
pub fn health_in<T>(
    share: Result<T, Error>,
    look: impl FnOnce(T) -> Result<Vec<HealthCondition>, Error>,
) -> Result<Vec<HealthCondition>, Error> {
    let (reason, message) = match share {
        Ok(share) => return look(share),
        // Here the server is the backend: where it is silent, no pod gets at the volume.
        Err(Error::Unavailable(message)) => ("ServerUnreachable", message),
        Err(Error::NotFound(message)) => ("ShareMissing", message),
        Err(error) => return Err(error),
    };
    Ok(vec![HealthCondition::inaccessible(reason, message)])
}

/// Write down what is going to be made.
fn begin<L: Layout>(
    store: &Store<'_, L>,
    wanted: &NewVolume<L::VolumeId>,
) -> Result<VolumeRecord, Error> {
    let (record, directory) = (&wanted.record, &wanted.record.sub_dir);
    if let Some(source) = &record.source {
        find_source(store, wanted, source)?;
    }
    store.refuse_overlap(record)?;
    for parent in directory.parents() {
        // Behind a symlink would be a directory that has another name, and perhaps a volume.
        if !matches!(store.tree.kind(parent)?.as_deref(), None | Some(DIRECTORY)) {
            return Err(taken(parent, "no directory"));
        }
    }
    let directory = directory.as_str();
    match (store.tree.kind(directory)?.as_deref(), &record.source) {
        // What is there was retained, or put there for this volume.
        (None, _) | (Some(DIRECTORY), None) => store.add(&record.name, record.clone()),
        (Some(DIRECTORY), Some(_)) => Err(taken(directory, "there, with other content")),
        (Some(_), _) => Err(taken(directory, "no directory")),
    }
}

fn taken(directory: &str, what: &str) -> Error {
    error!(AlreadyExists: "{directory} on the share is {what}")
}

/// Make what is written down.
fn finish<L: Layout>(
    store: &Store<'_, L>,
    wanted: &NewVolume<L::VolumeId>,
    record: VolumeRecord,
) -> Result<VolumeRecord, Error> {
    if let Err(error) = fill(store, wanted, &record) {
        // Nobody learned of this volume, so nobody would delete it.
        let is_missing = matches!(error, Error::NotFound(_));
        if is_missing && record.source.is_some() {
            abandon(store, &wanted.id, record)?;
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
    Ok(ready)
}

/// Whoever removes a directory around this one passes over volumes that are being made. Once the record says that
/// this one is there, either that is seen, or the removal is seen here.
fn refuse_gone<L: Layout>(store: &Store<'_, L>, directory: &SubDir) -> Result<(), Error> {
    store.refuse_being_removed(directory)?;
    let directory = directory.as_str();
    ensure!(store.tree.has_directory(directory)?, InProgress: "{directory} on the share was removed while it was made; \
        ask again");
    Ok(())
}

/// The source has gone meanwhile, and the copy of it may be half a one. Whatever its class says of a volume that is
/// deleted, this is none.
fn abandon<L: Layout>(
    store: &Store<'_, L>,
    id: &L::VolumeId,
    record: VolumeRecord,
) -> Result<(), Error> {
    let id = id.clone().with_on_delete(OnDelete::Delete);
    let deleting = VolumeRecord {
        state: State::Deleting,
        id: id.to_string(),
        ..record
    };
    store.replace(&deleting.name, &deleting)?;
    store.delete_volume(&id)
}

fn fill<L: Layout>(
    store: &Store<'_, L>,
    wanted: &NewVolume<L::VolumeId>,
    record: &VolumeRecord,
) -> Result<(), Error> {
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
            let source_path = find_source(store, wanted, source)?;
            let copied = there_is_done(match source {
                VolumeSource::Volume(_) => tree.copy_tree(&source_path, directory),
                VolumeSource::Snapshot(_) => tree.extract_archive(&source_path, directory),
            });
            whole_if_still_there(copied, || find_source(store, wanted, source).map(drop))?;
        }
    }
    let ensure_mode = |mode| tree.ensure_mode(directory, mode);
    record.mode.map_or(Ok(()), ensure_mode)
}

/// The directory or the archive to start from.
fn find_source<L: Layout>(
    store: &Store<'_, L>,
    wanted: &NewVolume<L::VolumeId>,
    source: &VolumeSource,
) -> Result<String, Error> {
    let (volume, snapshot);
    let theirs = match source {
        VolumeSource::Volume(id) => {
            volume = Store::<L>::volume_id(id)?;
            volume.export()
        }
        VolumeSource::Snapshot(id) => {
            snapshot = Store::<L>::snapshot_id(id)?;
            snapshot.export()
        }
    };
    let ours = wanted.id.export();
    ensure!(theirs.is_same(ours), InvalidArgument: "cannot start from {} {}: the new volume is on {} {}, and content does \
        not go from share to share", theirs.server, theirs.share, ours.server, ours.share);
    match source {
        VolumeSource::Volume(id) => {
            let volume = store.find_volume(id)?;
            Ok(volume.directory.as_str().into())
        }
        VolumeSource::Snapshot(id) => store.find_archive(id),
    }
}

/// What nobody uses any more.
fn take_away<L: Layout>(
    store: &Store<'_, L>,
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
fn unrecorded<L: Layout>(store: &Store<'_, L>, id: &L::VolumeId) -> Result<SubDir, Error> {
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
fn archive<L: Layout>(store: &Store<'_, L>, directory: &SubDir, name: &str) -> Result<(), Error> {
    let tree = store.tree;
    for suffix in [String::new(), format!("-{}", key(name))] {
        let archived = directory.archived(&suffix);
        let target = SubDir::parse("subDir", &archived)?;
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
pub(crate) mod tests;
