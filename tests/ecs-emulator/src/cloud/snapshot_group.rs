//! Snapshots of several disks, cut at one moment.
//!
//! How far a group is follows from its snapshots: it has no progress of its own that could be ahead of theirs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::cloud::snapshot::{Progress, Snapshot};
use crate::cloud::tags::Tags;
use crate::words::{InstanceId, SnapshotGroupId, SnapshotId};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotGroup {
    pub(crate) id: SnapshotGroupId,
    pub(crate) sequence: u64,
    pub(crate) name: String,
    pub(crate) description: String,
    /// Where all its disks were attached, if that was one instance.
    pub(crate) instance: Option<InstanceId>,
    /// One of each disk; each can be deleted alone later.
    pub(crate) members: Vec<SnapshotId>,
    /// The moment whose data its snapshots hold; none until then.
    pub(crate) cut: Option<Timestamp>,
    pub(crate) resource_group: String,
    pub(crate) tags: Tags,
}

impl SnapshotGroup {
    /// Its snapshots, without those that were deleted alone.
    pub(crate) fn snapshots<'a>(&self, cloud: &'a Cloud) -> impl Iterator<Item = &'a Snapshot> {
        let members = self.members.iter();
        members.filter_map(|id| cloud.snapshots.get(id))
    }

    /// As far as the last of its snapshots, and failed as soon as none is under way and one has failed.
    pub(crate) fn stage(&self, cloud: &Cloud) -> Stage {
        let has = |progress| {
            let mut snapshots = self.snapshots(cloud);
            snapshots.any(|snapshot| snapshot.progress == progress)
        };
        if has(Progress::Progressing) {
            Stage::Progressing
        } else if has(Progress::Failed) {
            Stage::Failed
        } else {
            Stage::Accomplished
        }
    }
}

/// How far a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Progressing,
    Accomplished,
    Failed,
}

impl Stage {
    pub(crate) const ALL: [Self; 3] = [Self::Progressing, Self::Accomplished, Self::Failed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Progressing => "progressing",
            Self::Accomplished => "accomplished",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::knobs::Fate;
    use crate::cloud::transition::Transition;
    use crate::words::{DiskId, Gib, RegionId};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn snapshot(id: &SnapshotId, fate: Fate) -> Snapshot {
        Snapshot {
            id: id.clone(),
            sequence: 1,
            name: String::new(),
            description: String::new(),
            source: DiskId::from("d-1"),
            size: Gib(20),
            progress: Progress::Progressing,
            fate,
            cut: Some(NOW),
            changed: NOW,
            encrypted: false,
            kms_key: None,
            retention_days: None,
            resource_group: String::new(),
            tags: Tags::default(),
        }
    }

    /// A cloud with a group of snapshots that come to these ends.
    fn cloud(fates: &[Fate]) -> (Cloud, SnapshotGroup) {
        let here = InstanceId::from("i-1");
        let mut cloud = Cloud::new(RegionId::from("cn-hangzhou"), here);
        let mut members = Vec::new();
        for (number, fate) in fates.iter().enumerate() {
            let id = SnapshotId::from(format!("s-{number}"));
            cloud.snapshots.insert(id.clone(), snapshot(&id, *fate));
            members.push(id);
        }
        let group = SnapshotGroup {
            id: SnapshotGroupId::from("ssg-1"),
            sequence: 1,
            name: String::new(),
            description: String::new(),
            instance: None,
            members,
            cut: Some(NOW),
            resource_group: String::new(),
            tags: Tags::default(),
        };
        (cloud, group)
    }

    /// The group's stage after each of its snapshots has come to its end.
    fn stages(fates: &[Fate]) -> Vec<Stage> {
        let (mut cloud, group) = cloud(fates);
        let end = |id: &SnapshotId| {
            cloud.finish(&Transition::Upload(id.clone()), NOW);
            group.stage(&cloud)
        };
        group.members.iter().map(end).collect()
    }

    #[test]
    fn group_is_accomplished_with_its_last_snapshot_and_not_before() {
        let stages = stages(&[Fate::Succeed, Fate::Succeed]);
        assert_eq!(stages, [Stage::Progressing, Stage::Accomplished]);
    }

    #[test]
    fn group_fails_once_none_of_its_snapshots_is_under_way_and_one_has_failed() {
        let stages = stages(&[Fate::Fail, Fate::Succeed]);
        assert_eq!(stages, [Stage::Progressing, Stage::Failed]);
    }

    #[test]
    fn snapshot_that_was_deleted_alone_holds_its_group_up_no_longer() {
        let (mut cloud, group) = cloud(&[Fate::Succeed, Fate::Succeed]);
        cloud.finish(&Transition::Upload(group.members[0].clone()), NOW);
        cloud.snapshots.remove(&group.members[1]);
        assert_eq!(group.stage(&cloud), Stage::Accomplished);
    }
}
