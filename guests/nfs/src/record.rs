//! What is written down about volumes and snapshots. Pure.

use drivebay_guest::directories::{self, Layout};
use drivebay_guest::prelude::*;

use crate::snapshot_id::SnapshotId;
use crate::volume_id::VolumeId;

drivebay_guest::record! {
    /// What a volume was made as.
    pub(crate) struct VolumeRecord in "volumes" {
        pub(crate) state: State = "state",
        pub(crate) id: String = "id",
        /// The whole name it was made for.
        pub(crate) name: String = "name",
        pub(crate) sub_dir: SubDir = "directory",
        /// A promise: NFS has no quota that a client could set. 0 where nothing was asked for.
        pub(crate) capacity_bytes: u64 = "capacity-bytes",
        pub(crate) mode: Option<u32> = "mode",
        pub(crate) source: Option<VolumeSource> = "source",
    }
}

drivebay_guest::record! {
    /// What a snapshot was cut as.
    pub(crate) struct SnapshotRecord in "snapshots" {
        pub(crate) state: State = "state",
        pub(crate) id: String = "id",
        pub(crate) name: String = "name",
        pub(crate) source_volume_id: String = "source-volume",
        /// Of the archive; 0 until it is there.
        pub(crate) size_bytes: u64 = "size-bytes",
        pub(crate) created_at_seconds: u64 = "created-at-seconds",
    }
}

/// The records of a share.
pub(crate) type Store<'a> = drivebay_guest::store::Store<'a, OnShare>;

/// What the records say of directories.
pub(crate) struct OnShare;

impl Layout for OnShare {
    type Volume = VolumeRecord;
    type Snapshot = SnapshotRecord;
}

impl directories::VolumeRecord for VolumeRecord {
    fn state(&self) -> State {
        self.state
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn directory(&self) -> &SubDir {
        &self.sub_dir
    }

    fn has_own_directory(&self) -> bool {
        VolumeId::parse(&self.id).is_some_and(|id| id.has_own_directory())
    }

    fn shown_id(&self) -> Option<String> {
        VolumeId::parse(&self.id).map(|id| id.to_string())
    }
}

impl directories::SnapshotRecord for SnapshotRecord {
    fn id(&self) -> &str {
        &self.id
    }

    fn is_kept_in(&self, directory: &str) -> bool {
        SnapshotId::parse(&self.id).is_some_and(|id| id.directory() == directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> VolumeRecord {
        VolumeRecord {
            state: State::Making,
            id: "s#export#a/b#pvc-1#".into(),
            name: "a \\name\nwith \\n lines \\".into(),
            sub_dir: SubDir::parse("subDir", "a/b").expect("good"),
            capacity_bytes: 7,
            mode: Some(0o2770),
            source: Some(VolumeSource::Snapshot("s#export#x##y".into())),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let none = VolumeRecord {
            mode: None,
            source: None,
            state: State::Ready,
            ..volume()
        };
        for record in [volume(), none] {
            let read = VolumeRecord::from_bytes("r", record.to_bytes()).expect("ours");
            assert_eq!(read, record);
        }
        let record = SnapshotRecord {
            state: State::Deleting,
            id: "i".into(),
            name: "n".into(),
            source_volume_id: "v".into(),
            size_bytes: 1,
            created_at_seconds: 2,
        };
        let read = SnapshotRecord::from_bytes("r", record.to_bytes()).expect("ours");
        assert_eq!(read, record);
    }

    #[test]
    fn later_versions_may_add_words() {
        let text = [volume().to_bytes(), b"colour blue\n".to_vec()].concat();
        assert_eq!(VolumeRecord::from_bytes("r", text).expect("ours"), volume());
    }

    #[test]
    fn half_a_record_and_a_wrong_one_are_refused() {
        let whole = volume().to_bytes();
        let text = String::from_utf8(whole.clone()).expect("text");
        let cut = text.find("capacity-bytes 7").expect("there") + "capacity-bytes 7".len();
        let out = text.replace("a/b", "../b");
        for bad in [&whole[..cut], b"", b"\xff", out.as_bytes()] {
            assert!(matches!(
                VolumeRecord::from_bytes("r", bad.to_vec()),
                Err(Error::Internal(m)) if m.starts_with("r on the share")
            ));
        }
    }
}
