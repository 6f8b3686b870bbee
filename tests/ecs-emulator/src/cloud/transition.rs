//! What happens by itself some time after a request was answered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::cloud::category::{Category, Level};
use crate::cloud::disk::{Late, Making, Manner, Phase};
use crate::cloud::knobs::Fate;
use crate::cloud::snapshot::{Progress, Snapshot};
use crate::words::{DiskId, InstanceId, SnapshotGroupId, SnapshotId, TaskId};

/// Something that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    Create(DiskId),
    Attach(DiskId, InstanceId),
    Detach(DiskId, InstanceId),
    Resize(DiskId),
    /// Its data are cut.
    Cut(SnapshotId),
    /// Those of all its snapshots are, at one moment.
    CutGroup(SnapshotGroupId),
    Upload(SnapshotId),
    Modify(TaskId),
}

/// A change of a disk's category or performance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) disk: DiskId,
    pub(crate) change: Change,
    pub(crate) category: Category,
    pub(crate) level: Option<Level>,
    pub(crate) provisioned_iops: Option<u64>,
    pub(crate) created: Timestamp,
    pub(crate) finished: Option<Timestamp>,
}

/// How much of a disk a task changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// The performance level alone, for which clients are given no task to ask for.
    Level,
    /// Its category or its provisioned IOPS.
    Kind,
}

impl Cloud {
    /// Everything under way, to go on with after a restart.
    pub(crate) fn pending(&self) -> Vec<Transition> {
        let disks = self.disks.values().flat_map(|disk| {
            let id = &disk.id;
            let making = (disk.making == Making::Underway).then(|| Transition::Create(id.clone()));
            let resizing = disk.resizing.map(|_| Transition::Resize(id.clone()));
            let attachments = disk.attachments.iter().filter_map(|attachment| {
                let instance = attachment.instance.clone();
                match attachment.phase {
                    Phase::Requested | Phase::Attaching => {
                        Some(Transition::Attach(id.clone(), instance))
                    }
                    Phase::Detaching => Some(Transition::Detach(id.clone(), instance)),
                    Phase::Attached => None,
                }
            });
            making.into_iter().chain(resizing).chain(attachments)
        });
        let progressing = self
            .snapshots
            .values()
            .filter(|snapshot| snapshot.is_progressing());
        let snapshots = progressing.filter_map(|snapshot| self.next_of(snapshot));
        let uncut = self
            .snapshot_groups
            .values()
            .filter(|group| group.cut.is_none());
        let groups = uncut.map(|group| Transition::CutGroup(group.id.clone()));
        let running = self.tasks.values().filter(|task| task.finished.is_none());
        let tasks = running.map(|task| Transition::Modify(task.id.clone()));
        disks.chain(snapshots).chain(groups).chain(tasks).collect()
    }

    /// What a snapshot on its way comes to next; nothing of its own while its group is to be cut.
    fn next_of(&self, snapshot: &Snapshot) -> Option<Transition> {
        let mut groups = self.snapshot_groups.values();
        let group = groups.find(|group| group.members.contains(&snapshot.id));
        match (snapshot.cut, group) {
            (None, None) => Some(Transition::Cut(snapshot.id.clone())),
            (None, Some(group)) if group.cut.is_none() => None,
            (None | Some(_), _) => Some(Transition::Upload(snapshot.id.clone())),
        }
    }

    /// Whose data are cut by this, and where they are kept.
    pub(crate) fn to_be_cut(&self, transition: &Transition) -> Vec<(DiskId, SnapshotId)> {
        let ids = match transition {
            Transition::Cut(snapshot) => vec![snapshot.clone()],
            Transition::CutGroup(group) => self
                .snapshot_groups
                .get(group)
                .map(|group| group.members.clone())
                .unwrap_or_default(),
            Transition::Create(_)
            | Transition::Attach(..)
            | Transition::Detach(..)
            | Transition::Resize(_)
            | Transition::Upload(_)
            | Transition::Modify(_) => Vec::new(),
        };
        let snapshots = ids.iter().filter_map(|id| self.snapshots.get(id));
        snapshots
            .filter(|snapshot| snapshot.cut.is_none() && snapshot.fate == Fate::Succeed)
            .map(|snapshot| (snapshot.source.clone(), snapshot.id.clone()))
            .collect()
    }

    /// Finishes what is under way, if it still is; what begins by that.
    pub(crate) fn finish(&mut self, transition: &Transition, now: Timestamp) -> Vec<Transition> {
        match transition {
            Transition::Create(disk) => self.finish_making(disk),
            Transition::Attach(disk, instance) => self.finish_attaching(disk, instance, now),
            Transition::Detach(disk, instance) => self.finish_detaching(disk, instance, now),
            Transition::Resize(disk) => self.finish_resizing(disk),
            Transition::Cut(snapshot) => return self.finish_cutting(snapshot, now),
            Transition::CutGroup(group) => return self.finish_cutting_group(group, now),
            Transition::Upload(snapshot) => self.finish_upload(snapshot, now),
            Transition::Modify(task) => self.finish_modifying(task, now),
        }
        Vec::new()
    }

    /// Lets go of attachments that were told to stay where they are, and of devices that were told to be late.
    pub(crate) fn release_held(&mut self) -> Vec<Transition> {
        let mut released = Vec::new();
        for disk in self.disks.values_mut() {
            for attachment in &mut disk.attachments {
                let quirks = &mut attachment.quirks;
                let is_late = quirks.late == Late::Held;
                if is_late {
                    quirks.late = Late::Not;
                }
                if std::mem::take(&mut quirks.held) || is_late {
                    let instance = attachment.instance.clone();
                    released.push(Transition::Attach(disk.id.clone(), instance));
                }
            }
        }
        released
    }

    fn finish_making(&mut self, id: &DiskId) {
        if let Some(disk) = self.disks.get_mut(id) {
            disk.making = Making::Done;
        }
    }

    fn finish_attaching(&mut self, id: &DiskId, instance: &InstanceId, now: Timestamp) {
        let Some(disk) = self.disks.get_mut(id) else {
            return;
        };
        let Some(attachment) = disk.attachment_mut(instance) else {
            return;
        };
        let underway = matches!(attachment.phase, Phase::Requested | Phase::Attaching);
        if underway && !attachment.quirks.held {
            attachment.phase = Phase::Attached;
            attachment.since = now;
            disk.attached = Some(now);
        }
    }

    fn finish_detaching(&mut self, id: &DiskId, instance: &InstanceId, now: Timestamp) {
        if let Some(disk) = self.disks.get_mut(id) {
            let before = disk.attachments.len();
            disk.attachments.retain(|attachment| {
                attachment.instance != *instance || attachment.phase != Phase::Detaching
            });
            if disk.attachments.len() < before {
                disk.detached = Some(now);
            }
        }
    }

    fn finish_resizing(&mut self, id: &DiskId) {
        let Some(disk) = self.disks.get_mut(id) else {
            return;
        };
        let Some(resizing) = disk.resizing.take() else {
            return;
        };
        disk.size = resizing.size;
        if resizing.manner == Manner::Online {
            for attachment in &mut disk.attachments {
                attachment.visible = resizing.size;
            }
        }
    }

    fn finish_cutting(&mut self, id: &SnapshotId, now: Timestamp) -> Vec<Transition> {
        let Some(snapshot) = self.snapshots.get_mut(id) else {
            return Vec::new();
        };
        if snapshot.fate == Fate::Succeed {
            snapshot.cut.get_or_insert(now);
        }
        vec![Transition::Upload(id.clone())]
    }

    fn finish_cutting_group(&mut self, id: &SnapshotGroupId, now: Timestamp) -> Vec<Transition> {
        let Some(group) = self.snapshot_groups.get_mut(id) else {
            return Vec::new();
        };
        group.cut.get_or_insert(now);
        let members = group.members.clone();
        let cut = |id: &SnapshotId| self.finish_cutting(id, now);
        members.iter().flat_map(cut).collect()
    }

    fn finish_upload(&mut self, id: &SnapshotId, now: Timestamp) {
        if let Some(snapshot) = self.snapshots.get_mut(id) {
            snapshot.progress = match snapshot.fate {
                Fate::Succeed => Progress::Accomplished,
                Fate::Fail => Progress::Failed,
            };
            snapshot.changed = now;
        }
    }

    fn finish_modifying(&mut self, id: &TaskId, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.finished = Some(now);
        if let Some(disk) = self.disks.get_mut(&task.disk) {
            disk.category = task.category;
            disk.level = task.level;
            disk.provisioned_iops = task.provisioned_iops;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::disk::{Disk, Resizing, Status};
    use crate::words::{Gib, RegionId, ZoneId};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A cloud whose one disk is in this phase of being attached to the one instance.
    fn cloud(phase: Phase) -> (Cloud, DiskId, InstanceId) {
        let here = InstanceId::from("i-1");
        let mut cloud = Cloud::new(RegionId::from("cn-hangzhou"), here.clone());
        let mut disk = Disk::of_system(&here, &ZoneId::from("cn-hangzhou-g"), 1, NOW);
        disk.attachments[0].phase = phase;
        let id = disk.id.clone();
        cloud.disks.insert(id.clone(), disk);
        (cloud, id, here)
    }

    #[test]
    fn whatever_is_under_way_is_pending_until_it_is_finished() {
        let (mut cloud, disk, instance) = cloud(Phase::Requested);
        let attach = Transition::Attach(disk.clone(), instance);
        assert_eq!(cloud.pending(), std::slice::from_ref(&attach));
        cloud.finish(&attach, NOW);
        assert_eq!(cloud.disks[&disk].status(), Status::InUse);
        assert_eq!(cloud.pending(), []);
    }

    #[test]
    fn held_attachment_stays_until_it_is_released() {
        let (mut cloud, disk, instance) = cloud(Phase::Attaching);
        let attach = Transition::Attach(disk.clone(), instance);
        cloud.disks.get_mut(&disk).unwrap().attachments[0]
            .quirks
            .held = true;
        cloud.finish(&attach, NOW);
        assert_eq!(cloud.disks[&disk].status(), Status::Attaching);
        assert_eq!(cloud.release_held(), std::slice::from_ref(&attach));
        cloud.finish(&attach, NOW);
        assert_eq!(cloud.disks[&disk].status(), Status::InUse);
    }

    #[test]
    fn late_end_of_attaching_does_not_undo_detaching() {
        let (mut cloud, disk, instance) = cloud(Phase::Detaching);
        cloud.finish(&Transition::Attach(disk.clone(), instance.clone()), NOW);
        assert_eq!(cloud.disks[&disk].status(), Status::Detaching);
        cloud.finish(&Transition::Detach(disk.clone(), instance.clone()), NOW);
        assert_eq!(cloud.disks[&disk].status(), Status::Available);
        cloud.finish(&Transition::Detach(disk.clone(), instance), NOW);
        assert_eq!(cloud.disks[&disk].status(), Status::Available);
    }

    #[test]
    fn only_resizing_online_grows_what_the_instance_sees() {
        for (manner, visible) in [(Manner::Online, 50), (Manner::Offline, 40)] {
            let (mut cloud, id, _) = cloud(Phase::Attached);
            let disk = cloud.disks.get_mut(&id).unwrap();
            disk.resizing = Some(Resizing {
                size: Gib(50),
                manner,
            });
            cloud.finish(&Transition::Resize(id.clone()), NOW);
            assert_eq!(cloud.disks[&id].size, Gib(50));
            assert_eq!(cloud.disks[&id].attachments[0].visible, Gib(visible));
        }
    }
}
