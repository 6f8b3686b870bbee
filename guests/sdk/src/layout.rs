//! Volumes that are directories of a share, and their snapshots, which are archives on it: what is written down of both,
//! and what a backend says of them by a [`Layout`]. Pure. `layout/sample.rs` beside this file is a small one.

use std::fmt::Display;

use crate::bindings::types::{Error, VolumeSource};
use crate::keywords::Keyword;
use crate::parameters::malformed;
use crate::records::State;
use crate::remote_path::Export;
use crate::sub_dir::SubDir;

crate::record! {
    /// What a volume was made as.
    pub struct VolumeRecord in "volumes" {
        /// How far it is.
        pub state: State = "state",
        /// Its id.
        pub id: String = "id",
        /// The whole name it was made for.
        pub name: String = "name",
        /// Its directory.
        pub sub_dir: SubDir = "directory",
        /// A promise: a share has no quota that a client could set. 0 where nothing was asked for.
        pub capacity_bytes: u64 = "capacity-bytes",
        /// Permission bits of the directory, where somebody chose them.
        pub mode: Option<u32> = "mode",
        /// What its content was copied from.
        pub source: Option<VolumeSource> = "source",
    }
}

crate::record! {
    /// What a snapshot was cut as.
    pub struct SnapshotRecord in "snapshots" {
        /// How far it is.
        pub state: State = "state",
        /// Its id.
        pub id: String = "id",
        /// The whole name it was made for.
        pub name: String = "name",
        /// The volume it was cut of.
        pub source_volume_id: String = "source-volume",
        /// Of the archive; 0 until it is there.
        pub size_bytes: u64 = "size-bytes",
        /// When the archive was whole; 0 until it is.
        pub created_at_seconds: u64 = "created-at-seconds",
    }
}

keywords! {
    /// What becomes of a directory when its volume is deleted.
    pub enum OnDelete {
        /// It goes with all that is in it.
        Delete = "delete",
        /// It stays as it is.
        Retain = "retain",
        /// It is put out of the way, under another name.
        Archive = "archive",
    }
}

impl OnDelete {
    /// Read what `option` holds; nothing means `delete`.
    pub fn read(option: impl AsRef<str>, written: &str) -> Result<Self, Error> {
        if written.is_empty() {
            return Ok(Self::Delete);
        }
        let accepted = "write delete, retain or archive";
        Self::parse_any_case(written).ok_or_else(|| malformed(option, written, accepted))
    }
}

/// How a backend spells the ids of its volumes and snapshots. An id is all that is known of a volume that is to be
/// deleted, and volumes that another driver made are known by nothing else.
pub trait Layout {
    /// Of volumes.
    type VolumeId: VolumeId;
    /// Of snapshots.
    type SnapshotId: SnapshotId;
}

/// A volume's id, taken apart; shown as the id that it was.
pub trait VolumeId: Clone + Display {
    /// `None`: no volume can have such an id.
    fn parse(id: &str) -> Option<Self>;

    /// The share that the volume is on.
    fn export(&self) -> &Export;

    /// What the volume was made for, as far as it is in the id.
    fn name(&self) -> &str;

    /// The directory, where no record knows better.
    fn sub_dir(&self) -> Result<SubDir, Error>;

    /// Whether nobody chose the directory: then it is this volume's alone.
    fn has_own_directory(&self) -> bool;

    /// What becomes of the directory.
    fn on_delete(&self) -> OnDelete;

    /// The same with something else to become of it.
    fn with_on_delete(self, on_delete: OnDelete) -> Self;

    /// Whether both name one volume of a share.
    fn is_same_volume(&self, other: &Self) -> bool;
}

/// A snapshot's id, taken apart; shown as the id that it was.
pub trait SnapshotId: Sized + Display {
    /// `None`: no snapshot can have such an id.
    fn parse(id: &str) -> Option<Self>;

    /// The share that the snapshot is on.
    fn export(&self) -> &Export;

    /// Where it is kept: a directory of its own, directly below the share.
    fn directory(&self) -> &str;

    /// The name of the volume, as far as it is in the id.
    fn source(&self) -> &str;

    /// The id of the volume, where no record knows better.
    fn source_volume_id(&self) -> String;

    /// The archives that it may be, in its directory; the first is how it is made.
    fn archives(&self) -> [String; 2];

    /// The archive, as it is made.
    fn archive(&self) -> String {
        let [archive, _] = self.archives();
        archive
    }

    /// Its directory, as one that a volume could have.
    fn sub_dir(&self) -> Result<SubDir, Error> {
        SubDir::parse("snapshot", self.directory())
    }

    /// Whether both name one snapshot of a share.
    fn is_same_snapshot(&self, other: &Self) -> bool {
        (self.directory(), self.source()) == (other.directory(), other.source())
    }
}

impl VolumeRecord {
    /// Its id, taken apart; `None` where it is none, since whoever can write on the share can write a record.
    pub fn volume_id<L: Layout>(&self) -> Option<L::VolumeId> {
        L::VolumeId::parse(&self.id)
    }
}

impl SnapshotRecord {
    /// Its id, taken apart; `None` where it is none.
    pub fn snapshot_id<L: Layout>(&self) -> Option<L::SnapshotId> {
        L::SnapshotId::parse(&self.id)
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
