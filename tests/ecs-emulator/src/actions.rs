//! What each action does, one file for those that belong together.
//!
//! An action checks its parameters in the API's order, changes the cloud, names what has begun, and answers.
//! It runs under the lock of the cloud's state and never waits.

mod attach;
mod create_disk;
mod delete_disk;
mod describe_disks;
mod events;
mod instances;
mod list;
mod modify;
mod resize;
mod shape;
pub(crate) mod show;
mod snapshot_groups;
mod snapshots;
mod stock;
mod tagging;

use jiff::Timestamp;

use crate::cloud::Cloud;
use crate::cloud::disk::Quirks;
use crate::cloud::transition::Transition;
use crate::error::Refusal;
use crate::files::Files;
use crate::wire::answer::Fields;
use crate::wire::parameters::Parameters;
use crate::words::DiskId;

/// What an action works with.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) cloud: &'a mut Cloud,
    pub(crate) files: &'a Files,
    pub(crate) parameters: &'a Parameters,
    pub(crate) now: Timestamp,
    /// How attachments that are made now are to be odd.
    pub(crate) quirks: Quirks,
    pub(crate) view: View,
    /// What has begun and goes on by itself.
    pub(crate) begun: Vec<Transition>,
    /// Disks whose device here has to be looked at again at once.
    pub(crate) touched: Vec<DiskId>,
}

/// Which state descriptions show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Current,
    /// As it was before the last request that changed it.
    Stale,
}

/// What an action answers.
pub(crate) type Outcome = Result<Fields, Refusal>;

/// An action by its name on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) perform: fn(&mut Work<'_>) -> Outcome,
}

const fn action(name: &'static str, perform: fn(&mut Work<'_>) -> Outcome) -> Action {
    Action { name, perform }
}

const ACTIONS: [Action; 26] = [
    action("CreateDisk", create_disk::perform),
    action("AttachDisk", attach::attach),
    action("DetachDisk", attach::detach),
    action("DeleteDisk", delete_disk::perform),
    action("ResizeDisk", resize::perform),
    action("ModifyDiskSpec", modify::spec),
    action("ModifyDiskAttribute", modify::attribute),
    action("DescribeTasks", modify::describe_tasks),
    action("DescribeDisks", describe_disks::perform),
    action("CreateSnapshot", snapshots::create),
    action("DescribeSnapshots", snapshots::describe),
    action("DeleteSnapshot", snapshots::delete),
    action("CreateSnapshotGroup", snapshot_groups::create),
    action("DescribeSnapshotGroups", snapshot_groups::describe),
    action("DeleteSnapshotGroup", snapshot_groups::delete),
    action("TagResources", tagging::tag),
    action("UntagResources", tagging::untag),
    action("AddTags", tagging::add),
    action("RemoveTags", tagging::remove),
    action("ListTagResources", tagging::list),
    action("DescribeInstances", instances::describe),
    action("DescribeInstanceTypes", instances::describe_types),
    action("DescribeAvailableResource", stock::describe),
    action("DescribeRegions", stock::describe_regions),
    action("DescribeZones", stock::describe_zones),
    action("DescribeInstanceHistoryEvents", events::describe),
];

impl Action {
    /// Whether there is nothing to write down afterwards.
    pub(crate) fn only_describes(self) -> bool {
        self.name.starts_with("Describe") || self.name.starts_with("List")
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        ACTIONS.into_iter().find(|action| action.name == name)
    }
}

impl Work<'_> {
    /// Refuses a missing region or one that is not here.
    pub(crate) fn check_region(&self) -> Result<(), Refusal> {
        let region = self.parameters.required("RegionId")?;
        if region == self.cloud.region.as_str() {
            return Ok(());
        }
        let message = "The specified RegionId does not exist.";
        Err(Refusal::missing("InvalidRegionId.NotFound", message))
    }

    /// Where a region need not be sent, a wrong one is refused all the same.
    pub(crate) fn check_region_if_sent(&self) -> Result<(), Refusal> {
        match self.parameters.text("RegionId") {
            Some(_) => self.check_region(),
            None => Ok(()),
        }
    }

    /// Ends a request that was only to be tried. That it would do is told by an error.
    pub(crate) fn check_dry_run(&self) -> Result<(), Refusal> {
        if self.parameters.flag("DryRun")?.unwrap_or(false) {
            let message = "Request validation has been passed with DryRun flag set.";
            return Err(Refusal::bad("DryRunOperation", message));
        }
        Ok(())
    }

    pub(crate) fn disk_id(&self) -> Result<DiskId, Refusal> {
        self.parameters.required("DiskId").map(DiskId::from)
    }

    pub(crate) fn check_resource_group(&self) -> Result<String, Refusal> {
        let group = self.parameters.owned("ResourceGroupId").unwrap_or_default();
        if self.cloud.knobs.missing_resource_groups.contains(&group) {
            let message = "The ResourceGroup provided does not exist in our records.";
            return Err(Refusal::missing("InvalidResourceGroup.NotFound", message));
        }
        Ok(group)
    }
}

/// An answer of these fields.
pub(crate) fn fields<const N: usize>(fields: [(&str, serde_json::Value); N]) -> Fields {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
