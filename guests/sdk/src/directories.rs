//! Which volumes use which directories of a share, so that none lies inside another's: for backends whose users choose the
//! directories of volumes.
//!
//! Nobody can lock a share for everybody. Whoever begins to use a directory writes that down first and looks for
//! others then: of two whose directories overlap, one at least sees the other. Whoever removes one stays noted until
//! nothing is left of it. A client of NFS remembers for a while what was not there; but it asks what is in a directory
//! that it opens, so it is directories that are looked into here.

use crate::bindings::types::Error;
use crate::error::{missing_is_none, there_is_done};
use crate::layout::{Layout, SnapshotId, SnapshotRecord, VolumeId, VolumeRecord};
use crate::name::key;
use crate::records::{Record, State};
use crate::store::{MODE, Store};
use crate::sub_dir::SubDir;

/// Beside the users of a directory: by whom it is being removed. No key looks like it.
const REMOVING: &str = "removing";

/// Beside records, for a moment.
const TOUCHED: &str = "touched";

/// As a server sees it that takes capital letters and small ones for the same.
const HIDDEN_IN_CAPITALS: &str = ".DRIVEBAY";

/// Which volumes are in the way of another's.
#[derive(Clone, Copy, PartialEq)]
enum Counted {
    All,
    /// Whoever still makes one looks by itself, and is refused.
    Finished,
}

/// Whether an earlier try may have removed something already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Removal {
    /// Nothing was removed yet.
    Begun,
    /// Something may be gone.
    Resumed,
}

impl<L: Layout> Store<'_, L> {
    /// Note that a volume uses a directory.
    pub fn begin_use(&self, directory: &SubDir, name: &str) -> Result<(), Error> {
        let (users, inside) = self.indexes(directory.as_str())?;
        self.add_note(&users, name)?;
        self.tree.make_directory(&inside, MODE)?;
        for parent in directory.parents() {
            let (users, inside) = self.indexes(parent)?;
            self.tree.make_directory(&users, MODE)?;
            self.add_note(&inside, name)?;
        }
        Ok(())
    }

    /// Note that it does no more. Whether another one does.
    pub fn end_use(&self, directory: &SubDir, name: &str) -> Result<bool, Error> {
        let (users, _) = self.indexes(directory.as_str())?;
        self.tree.remove_tree(&note(&users, name))?;
        match self.noted(&users, name, Counted::All) {
            Err(Error::Exhausted(_)) => Ok(true),
            other => Ok(other?.is_some()),
        }
    }

    /// Note that nothing of it is inside other directories any more.
    pub fn leave(&self, directory: &SubDir, name: &str) -> Result<(), Error> {
        for parent in directory.parents() {
            let (users, inside) = self.indexes(parent)?;
            self.tree.remove_tree(&note(&inside, name))?;
            self.drop_empty(&inside)?;
            self.drop_empty(&users)?;
        }
        let (users, inside) = self.indexes(directory.as_str())?;
        self.drop_empty(&inside)?;
        self.drop_empty(&users)
    }

    /// From now on nobody begins to use the directory, nor one inside it. `in-progress`: another volume that used
    /// it too is being removed.
    pub fn begin_removal(&self, directory: &SubDir, name: &str) -> Result<Removal, Error> {
        // Nothing of ours is on the share: neither is a volume that could be in the way.
        if !self.tree.has_directory(&self.hidden())? {
            return Ok(Removal::Begun);
        }
        let (users, inside) = self.indexes(directory.as_str())?;
        self.tree.make_directory(&users, MODE)?;
        self.tree.make_directory(&inside, MODE)?;
        let (lock, owner) = (format!("{users}/{REMOVING}"), key(name).into_bytes());
        match self.tree.create(&lock, &owner) {
            Ok(()) => Ok(Removal::Begun),
            // The other one may be over by now.
            Err(Error::AlreadyExists(_))
                if missing_is_none(self.tree.read(&lock))?.as_ref() == Some(&owner) =>
            {
                Ok(Removal::Resumed)
            }
            Err(Error::AlreadyExists(_) | Error::NotFound(_)) => {
                Err(being_removed(directory.as_str()))
            }
            Err(error) => Err(error),
        }
    }

    /// The end of [`Self::begin_removal`].
    pub fn end_removal(&self, directory: &SubDir) -> Result<(), Error> {
        let (users, inside) = self.indexes(directory.as_str())?;
        self.tree.remove_tree(&format!("{users}/{REMOVING}"))?;
        self.drop_empty(&inside)?;
        // It may hold what no list shows: a note that somebody is writing, or was killed while writing.
        self.drop_empty(&users)
    }

    /// `in-progress`: the directory is being removed, or one around it.
    pub fn refuse_being_removed(&self, directory: &SubDir) -> Result<(), Error> {
        for one in std::iter::once(directory.as_str()).chain(directory.parents()) {
            let (users, _) = self.indexes(one)?;
            match self.names(&users) {
                // So many use it that nobody's removal takes it away: see `end_use`.
                Err(Error::Exhausted(_)) => {}
                keys => refuse_removing(one, &keys?)?,
            }
        }
        for parent in directory.parents() {
            if let Some((below, rest)) = self.split(directory, parent)? {
                below.refuse_being_removed(&rest)?;
            }
        }
        Ok(())
    }

    /// `already-exists`: the directory is that of another volume or snapshot, lies inside it or holds it.
    pub fn refuse_overlap(&self, spec: &VolumeRecord) -> Result<(), Error> {
        self.ensure_indexed()?;
        let (directory, name) = (&spec.sub_dir, spec.name.as_str());
        let mut found = self.around(directory, name)?;
        if found.is_none() {
            found = self.within(directory, name, Counted::All)?;
        }
        if found.is_none() {
            found = self.same(spec)?;
        }
        match found {
            None => Ok(()),
            Some(what) => Err(
                error!(AlreadyExists: "cannot make volume {}: {} on the share {what}", spec.id,
                directory.as_str()),
            ),
        }
    }

    /// `already-exists`: a volume is there, where a snapshot should be.
    pub fn refuse_volumes(&self, directory: &SubDir) -> Result<(), Error> {
        self.ensure_indexed()?;
        let found = match self.user(directory.as_str(), "")? {
            Some(record) => Some(format!("is that of volume {}", record.id)),
            None => self.within(directory, "", Counted::All)?,
        };
        match found {
            None => Ok(()),
            Some(what) => Err(
                error!(AlreadyExists: "cannot keep a snapshot there: {} on the share {what}",
                directory.as_str()),
            ),
        }
    }

    /// `failed-precondition`: another volume or snapshot would go with the directory.
    pub fn refuse_removal(&self, what: &str, directory: &SubDir, name: &str) -> Result<(), Error> {
        self.ensure_indexed()?;
        match self.within(directory, name, Counted::Finished)? {
            None => Ok(()),
            Some(inside) => Err(
                error!(FailedPrecondition: "cannot delete {what}: {} on the share {inside}; delete \
                that first", directory.as_str()),
            ),
        }
    }

    /// The volume or snapshot inside whose directory this one lies.
    pub fn around(&self, directory: &SubDir, name: &str) -> Result<Option<String>, Error> {
        for parent in directory.parents() {
            if let Some(record) = self.user(parent, name)? {
                return Ok(Some(format!("lies inside that of volume {}", record.id)));
            }
            if let Some((below, rest)) = self.split(directory, parent)?
                && let Some(around) = below.around(&rest, "")?
            {
                return Ok(Some(around));
            }
        }
        let snapshot = self.shown(directory.first(), &|record: &SnapshotRecord| {
            let id = record.snapshot_id::<L>();
            id.is_some_and(|id| id.directory() == directory.first())
        })?;
        Ok(snapshot.map(|record| format!("is that of snapshot {}, or lies inside it", record.id)))
    }

    /// A volume whose directory lies inside this one, or which shares it without this share's knowing.
    fn within(
        &self,
        directory: &SubDir,
        name: &str,
        counted: Counted,
    ) -> Result<Option<String>, Error> {
        let (_, inside) = self.indexes(directory.as_str())?;
        let holds = |record: VolumeRecord| format!("holds that of volume {}", record.id);
        if let Some(record) = self.noted(&inside, name, counted)? {
            return Ok(Some(holds(record)));
        }
        if let Some(below) = self.below(directory.as_str())?
            && let Some(one) = below.any(directory.as_str())?
        {
            return Ok(Some(one));
        }
        for parent in directory.parents() {
            let Some((below, rest)) = self.split(directory, parent)? else {
                continue;
            };
            let (users, inside) = below.indexes(rest.as_str())?;
            for index in [users, inside] {
                if let Some(record) = below.noted(&index, "", counted)? {
                    return Ok(Some(holds(record)));
                }
            }
        }
        Ok(None)
    }

    /// Several volumes may use a directory if all of them chose it.
    fn same(&self, spec: &VolumeRecord) -> Result<Option<String>, Error> {
        let (directory, name) = (spec.sub_dir.as_str(), spec.name.as_str());
        let is_alone = is_alone_there::<L>(spec);
        let user = match self.user(directory, name) {
            // So many use it that nobody's removal takes it away: see `end_use`.
            Err(Error::Exhausted(_)) if !is_alone => None,
            user => user?,
        };
        let other = match user {
            Some(other) if is_alone => Some(other),
            _ => self.owner_of(directory, name)?,
        };
        Ok(other.map(|record| format!("is that of volume {}", record.id)))
    }

    /// Another volume that has this directory of the share for itself.
    pub fn owner_of(&self, directory: &str, name: &str) -> Result<Option<VolumeRecord>, Error> {
        self.shown(directory, &|record: &VolumeRecord| {
            is_alone_there::<L>(record)
                && record.sub_dir.as_str() == directory
                && record.name != name
        })
    }

    /// Another volume that uses this very directory. `in-progress`: the directory is being removed.
    fn user(&self, directory: &str, name: &str) -> Result<Option<VolumeRecord>, Error> {
        let (users, _) = self.indexes(directory)?;
        let keys = self.names(&users)?;
        refuse_removing(directory, &keys)?;
        self.first(&users, keys, name, Counted::All)
    }

    /// Another volume that is noted there and counts.
    fn noted(
        &self,
        index: &str,
        name: &str,
        counted: Counted,
    ) -> Result<Option<VolumeRecord>, Error> {
        self.first(index, self.names(index)?, name, counted)
    }

    fn first(
        &self,
        index: &str,
        keys: Vec<String>,
        name: &str,
        counted: Counted,
    ) -> Result<Option<VolumeRecord>, Error> {
        let own = key(name);
        for key in keys {
            if key == own || key == REMOVING {
                continue;
            }
            match self.record_uncached(&key)? {
                Some(record) if counted == Counted::All || record.state != State::Making => {
                    return Ok(Some(record));
                }
                Some(_) => {}
                // A record is there before its notes and goes after them.
                None => self.tree.remove_tree(&format!("{index}/{key}"))?,
            }
        }
        Ok(None)
    }

    /// The record, also where this client remembers that there was none: a change to the directory that holds it
    /// has the client ask anew.
    fn record_uncached(&self, key: &str) -> Result<Option<VolumeRecord>, Error> {
        if let Some(record) = self.record(key)? {
            return Ok(Some(record));
        }
        let touched = format!("{}/{}/{TOUCHED}", self.hidden(), VolumeRecord::KIND);
        self.tree.make_directory(&touched, MODE)?;
        self.drop_empty(&touched)?;
        self.record(key)
    }

    /// A parent that is a share of its own, and what that calls the directory.
    fn split(&self, directory: &SubDir, parent: &str) -> Result<Option<(Self, SubDir)>, Error> {
        let Some(below) = self.below(parent)? else {
            return Ok(None);
        };
        let rest = directory.as_str().get(parent.len()..).unwrap_or_default();
        Ok(Some((below, SubDir::parse("directory", rest)?)))
    }

    /// A directory of the share that is a share of its own, in which volumes were made.
    fn below(&self, directory: &str) -> Result<Option<Self>, Error> {
        let below = Self::beneath(self.tree, format!("{}{directory}/", self.root));
        let is_one = self.tree.has_directory(&below.hidden())?;
        Ok(is_one.then_some(below))
    }

    /// A volume or a snapshot of a share that lies in that directory.
    fn any(&self, directory: &str) -> Result<Option<String>, Error> {
        for kind in [VolumeRecord::KIND, SnapshotRecord::KIND] {
            let records = format!("{}/{kind}", self.hidden());
            let names = self.names(&records)?;
            if let Some(one) = names.iter().find(|name| *name != TOUCHED) {
                // Who uses the outer volume can write there: a record may be none.
                let id = self.record::<VolumeRecord>(one).ok().flatten();
                let id = id.and_then(|record| record.volume_id::<L>());
                let named = id.map_or(String::new(), |id| format!(" {id}"));
                return Ok(Some(format!(
                    "holds {} of the share {directory}:{named} (written down in {records}/{one})",
                    kind.trim_end_matches('s')
                )));
            }
        }
        Ok(None)
    }

    /// Notes what older versions did not: which directories lie inside others.
    fn ensure_indexed(&self) -> Result<(), Error> {
        let done = format!("{}/indexed", self.hidden());
        if self.tree.has_directory(&done)? {
            return Ok(());
        }
        let records = format!("{}/{}", self.hidden(), VolumeRecord::KIND);
        let keys = match missing_is_none(self.tree.names(&records)) {
            Err(Error::Exhausted(reason)) => {
                bail!(FailedPrecondition: "{reason}: so many volumes of an older version cannot be looked through; if \
                    no volume's directory lies inside another's, make the directory {done} on the share");
            }
            keys => keys?,
        };
        let Some(keys) = keys else {
            return Ok(());
        };
        for key in keys.iter().filter(|key| *key != TOUCHED) {
            if let Some(record) = self.record::<VolumeRecord>(key)? {
                for parent in record.sub_dir.parents() {
                    self.add_note(&self.indexes(parent)?.1, &record.name)?;
                }
            }
        }
        self.tree.make_directory(&done, MODE)
    }

    fn add_note(&self, index: &str, name: &str) -> Result<(), Error> {
        self.tree.make_directory(index, MODE)?;
        match self.tree.create(&note(index, name), b"") {
            // The last of the others has just gone, and took the list along.
            Err(Error::NotFound(reason)) => Err(Error::InProgress(reason)),
            answer => there_is_done(answer),
        }
    }

    fn names(&self, directory: &str) -> Result<Vec<String>, Error> {
        Ok(missing_is_none(self.tree.names(directory))?.unwrap_or_default())
    }

    fn drop_empty(&self, index: &str) -> Result<(), Error> {
        match self.tree.remove_directory(index) {
            Err(Error::FailedPrecondition(_)) => Ok(()),
            answer => answer,
        }
    }

    /// Where those are noted who use a directory, and those who are inside it.
    fn indexes(&self, directory: &str) -> Result<(String, String), Error> {
        let folded = directory.to_ascii_lowercase();
        let key = match folded != directory && self.takes_capitals_for_small()? {
            true => key(&folded),
            false => key(directory),
        };
        let hidden = self.hidden();
        Ok((
            format!("{hidden}/directories/{key}"),
            format!("{hidden}/inside/{key}"),
        ))
    }

    /// Some servers have one file under both names. Letters of other scripts are not compared.
    fn takes_capitals_for_small(&self) -> Result<bool, Error> {
        let capitals = format!("{}{HIDDEN_IN_CAPITALS}", self.root);
        self.tree.has_directory(&capitals)
    }
}

/// Whether nobody chose the volume's directory.
fn is_alone_there<L: Layout>(record: &VolumeRecord) -> bool {
    let id = record.volume_id::<L>();
    id.is_some_and(|id| id.has_own_directory())
}

fn note(index: &str, name: &str) -> String {
    format!("{index}/{}", key(name))
}

fn refuse_removing(directory: &str, keys: &[String]) -> Result<(), Error> {
    match keys.iter().any(|one| one == REMOVING) {
        true => Err(being_removed(directory)),
        false => Ok(()),
    }
}

fn being_removed(directory: &str) -> Error {
    error!(InProgress: "{directory} on the share is being removed; ask again")
}
