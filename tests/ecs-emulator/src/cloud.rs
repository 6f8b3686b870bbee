//! What the cloud holds: a plain value that is changed under one lock, and whose changes are written to disk, each before
//! anyone sees it.
//!
//! Nothing here waits, reads files or knows the wire. Time is handed in.

pub(crate) mod category;
pub(crate) mod changes;
pub(crate) mod disk;
pub(crate) mod history;
pub(crate) mod instance;
pub(crate) mod keys;
pub(crate) mod knobs;
pub(crate) mod snapshot;
pub(crate) mod snapshot_group;
pub(crate) mod tags;
pub(crate) mod tokens;
pub(crate) mod tracked;
pub(crate) mod transition;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::disk::Disk;
use self::history::History;
use self::instance::{Instance, InstanceType};
use self::keys::Keys;
use self::knobs::Knobs;
use self::snapshot::Snapshot;
use self::snapshot_group::SnapshotGroup;
use self::tokens::Tokens;
use self::tracked::Tracked;
use self::transition::Task;
use crate::cloud::category::{Category, RESTRICTED};
use crate::error::Refusal;
use crate::words::{
    DiskId, InstanceId, InstanceTypeId, RegionId, SnapshotGroupId, SnapshotId, TaskId, ZoneId,
};

/// One region of one account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cloud {
    pub(crate) region: RegionId,
    /// The instance that this machine is.
    pub(crate) here: InstanceId,
    pub(crate) zones: BTreeMap<ZoneId, Zone>,
    pub(crate) instance_types: BTreeMap<InstanceTypeId, InstanceType>,
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) disks: Tracked<DiskId, Disk>,
    pub(crate) snapshots: Tracked<SnapshotId, Snapshot>,
    pub(crate) snapshot_groups: Tracked<SnapshotGroupId, SnapshotGroup>,
    pub(crate) tasks: Tracked<TaskId, Task>,
    pub(crate) tokens: Tokens,
    pub(crate) keys: Keys,
    pub(crate) knobs: Knobs,
    /// Counts everything that was made, so that lists have an order that pages can be cut from.
    pub(crate) sequence: u64,
    /// What was made in this run.
    #[serde(skip)]
    pub(crate) history: History,
    /// Each disk as it was before the last request that changed it; none if that made it.
    #[serde(skip)]
    pub(crate) earlier_disks: BTreeMap<DiskId, Option<Disk>>,
    /// The same for snapshots.
    #[serde(skip)]
    pub(crate) earlier_snapshots: BTreeMap<SnapshotId, Option<Snapshot>>,
    /// The same for groups of them.
    #[serde(skip)]
    pub(crate) earlier_snapshot_groups: BTreeMap<SnapshotGroupId, Option<SnapshotGroup>>,
}

/// A zone and what cannot be had in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Zone {
    #[serde(default)]
    pub(crate) lacks: Vec<Category>,
}

impl Default for Zone {
    /// Of the public cloud.
    fn default() -> Self {
        Self {
            lacks: RESTRICTED.to_vec(),
        }
    }
}

impl Cloud {
    /// A region with two zones, one of them without `cloud_ssd`, so that clients have to fall back.
    pub(crate) fn new(region: RegionId, here: InstanceId) -> Self {
        let zone = |letter: char| ZoneId::from(format!("{region}-{letter}"));
        let mut lacking = Zone::default();
        lacking.lacks.push(Category::CloudSsd);
        Self {
            zones: BTreeMap::from([(zone('g'), lacking), (zone('h'), Zone::default())]),
            region,
            here,
            instance_types: instance::types(),
            instances: BTreeMap::new(),
            disks: Tracked::default(),
            snapshots: Tracked::default(),
            snapshot_groups: Tracked::default(),
            tasks: Tracked::default(),
            tokens: Tokens::default(),
            keys: Keys::default(),
            knobs: Knobs::default(),
            sequence: 0,
            history: History::default(),
            earlier_disks: BTreeMap::new(),
            earlier_snapshots: BTreeMap::new(),
            earlier_snapshot_groups: BTreeMap::new(),
        }
    }

    /// Makes an instance, if there is none of this name, and the system disk it boots from.
    pub(crate) fn add_instance(&mut self, id: &InstanceId, zone: &ZoneId, now: Timestamp) {
        self.zones.entry(zone.clone()).or_default();
        if self.instances.contains_key(id) {
            return;
        }
        let sequence = self.next();
        let system = Disk::of_system(id, zone, sequence, now);
        self.disks.insert(system.id.clone(), system);
        self.instances
            .insert(id.clone(), Instance::new(id, zone, now));
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn disk(&self, id: &DiskId) -> Result<&Disk, Refusal> {
        self.disks.get(id).ok_or_else(no_disk)
    }

    /// A disk about to be changed by a request; what it was is kept for stale answers.
    pub(crate) fn change_disk(&mut self, id: &DiskId) -> Result<&mut Disk, Refusal> {
        let disk = self.disks.get_mut(id).ok_or_else(no_disk)?;
        self.earlier_disks.insert(id.clone(), Some(disk.clone()));
        Ok(disk)
    }

    pub(crate) fn snapshot(&self, id: &SnapshotId) -> Result<&Snapshot, Refusal> {
        self.snapshots.get(id).ok_or_else(|| {
            let message = "The specified SnapshotId does not exist.";
            Refusal::missing("InvalidSnapshotId.NotFound", message)
        })
    }

    pub(crate) fn instance(&self, id: &InstanceId) -> Result<&Instance, Refusal> {
        self.instances.get(id).ok_or_else(|| {
            let message = "The specified InstanceId does not exist.";
            Refusal::missing("InvalidInstanceId.NotFound", message)
        })
    }

    /// Disks of any kind that take one of the instance's places, the system disk included.
    pub(crate) fn attached_to(&self, instance: &InstanceId) -> usize {
        let attached = |disk: &&Disk| disk.attachment(instance).is_some();
        self.disks.values().filter(attached).count()
    }

    pub(crate) fn has_snapshot_in_progress(&self, disk: &DiskId) -> bool {
        let busy = |snapshot: &Snapshot| snapshot.source == *disk && snapshot.is_progressing();
        self.snapshots.values().any(busy)
    }
}

fn no_disk() -> Refusal {
    Refusal::missing(
        "InvalidDiskId.NotFound",
        "The specified disk does not exist.",
    )
}
