//! Records on the share, beneath its `.drivebay`.
//!
//! ```text
//! volumes/KEY              one for each volume, by the key of its name
//! snapshots/KEY            the same for snapshots
//! directories/KEY/KEY      which volumes use a directory that was chosen: several may use one
//! ```

use crate::bindings::drivebay::driver::types::Error;
use crate::name::{self, key};
use crate::record::{Record, SnapshotRecord, VolumeRecord};
use crate::snapshot_id::SnapshotId;
use crate::sub_dir::{HIDDEN, SubDir};
use crate::tree::{Tree, missing_is_none, there_is_done};
use crate::volume_id::VolumeId;

/// For root alone: a record decides what is deleted.
const MODE: u32 = 0o700;

/// The records of a share.
#[derive(Clone, Copy)]
pub(crate) struct Store<'a> {
    pub(crate) tree: &'a dyn Tree,
}

impl Store<'_> {
    /// What is known about a name.
    pub(crate) fn named<R: Record>(&self, name: &str) -> Result<Option<R>, Error> {
        self.at(&path::<R>(&key(name)))
    }

    /// What is known of what an id shows, if the record agrees that it is it.
    pub(crate) fn shown<R: Record>(
        &self,
        shown: &str,
        is_it: impl Fn(&R) -> bool,
    ) -> Result<Option<R>, Error> {
        for key in name::keys(shown) {
            let record = self.at(&path::<R>(&key))?;
            if let Some(record) = record.filter(|record| is_it(record)) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Write the first record of a name, unless there is one: of two who try, both get the one that came first.
    pub(crate) fn add<R: Record>(&self, name: &str, record: R) -> Result<R, Error> {
        let path = path::<R>(&key(name));
        self.tree.make_directory(HIDDEN, MODE)?;
        self.tree
            .make_directory(&format!("{HIDDEN}/{}", R::KIND), MODE)?;
        match self.tree.create(&path, &record.to_bytes()) {
            Ok(()) => Ok(record),
            Err(Error::AlreadyExists(_)) => self.at(&path)?.ok_or_else(|| {
                Error::InProgress(format!(
                    "{name} is being made and removed at once; ask again"
                ))
            }),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn replace<R: Record>(&self, name: &str, record: &R) -> Result<(), Error> {
        self.tree.write(&path::<R>(&key(name)), &record.to_bytes())
    }

    pub(crate) fn forget<R: Record>(&self, name: &str) -> Result<(), Error> {
        self.tree.remove_tree(&path::<R>(&key(name)))
    }

    fn at<R: Record>(&self, path: &str) -> Result<Option<R>, Error> {
        let bytes = missing_is_none(self.tree.read(path))?;
        bytes.map(|bytes| R::from_bytes(path, bytes)).transpose()
    }

    /// Note that a volume uses a directory.
    pub(crate) fn begin_use(&self, directory: &SubDir, name: &str) -> Result<(), Error> {
        let users = users(directory);
        self.tree.make_directory(&users, MODE)?;
        match self.tree.create(&format!("{users}/{}", key(name)), b"") {
            // The last of the others has just gone, and took the list along.
            Err(Error::NotFound(reason)) => Err(Error::InProgress(reason)),
            answer => there_is_done(answer),
        }
    }

    /// Note that it does no more. Whether another one does.
    pub(crate) fn end_use(&self, directory: &SubDir, name: Option<&str>) -> Result<bool, Error> {
        let users = users(directory);
        if let Some(name) = name {
            self.tree.remove_tree(&format!("{users}/{}", key(name)))?;
        }
        match self.tree.remove_directory(&users) {
            Ok(()) => Ok(false),
            // Whoever was killed while writing a note left half of one, which no list shows.
            Err(Error::FailedPrecondition(_)) if self.tree.is_empty(&users)? => {
                self.tree.remove_tree(&users).map(|()| false)
            }
            Err(Error::FailedPrecondition(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The name of another volume or snapshot that has this name's directory of the share for itself.
    pub(crate) fn owner_of(&self, directory: &str, name: &str) -> Result<Option<String>, Error> {
        let volume = self.shown(directory, |record: &VolumeRecord| {
            let is_own = VolumeId::parse(&record.id).is_some_and(|id| id.has_own_directory());
            is_own && record.sub_dir.as_str() == directory && record.name != name
        })?;
        let snapshot = self.shown(directory, |record: &SnapshotRecord| {
            SnapshotId::parse(&record.id).is_some_and(|id| id.directory() == directory)
        })?;
        Ok(volume
            .map(|record| record.name)
            .or(snapshot.map(|record| record.name)))
    }
}

fn path<R: Record>(key: &str) -> String {
    format!("{HIDDEN}/{}/{key}", R::KIND)
}

fn users(directory: &SubDir) -> String {
    format!("{HIDDEN}/directories/{}", key(directory.as_str()))
}
