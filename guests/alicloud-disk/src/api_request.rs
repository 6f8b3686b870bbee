//! Calls of the ECS API: which actions there are. Pure.

use drivebay_guest::call::{self, Repeat};

/// A call, not yet signed.
pub(crate) type Call = call::Call<Action>;

drivebay_guest::keywords! {
    /// The actions this guest uses; the RAM policy of its key has to allow them by these names.
    pub(crate) enum Action {
        AttachDisk = "AttachDisk",
        CreateDisk = "CreateDisk",
        CreateSnapshot = "CreateSnapshot",
        CreateSnapshotGroup = "CreateSnapshotGroup",
        DeleteDisk = "DeleteDisk",
        DeleteSnapshot = "DeleteSnapshot",
        DeleteSnapshotGroup = "DeleteSnapshotGroup",
        DescribeAvailableResource = "DescribeAvailableResource",
        DescribeDisks = "DescribeDisks",
        DescribeInstanceTypes = "DescribeInstanceTypes",
        DescribeSnapshotGroups = "DescribeSnapshotGroups",
        DescribeSnapshots = "DescribeSnapshots",
        DescribeTasks = "DescribeTasks",
        DetachDisk = "DetachDisk",
        ModifyDiskAttribute = "ModifyDiskAttribute",
        ModifyDiskSpec = "ModifyDiskSpec",
        ResizeDisk = "ResizeDisk",
        TagResources = "TagResources",
        UntagResources = "UntagResources",
    }
}

impl call::Action for Action {
    /// Creations carry a token that ECS remembers, and ids are never used twice, so a repeated deletion can
    /// only hit what was meant. The rest has no token in this API.
    fn repeat(self) -> Repeat {
        match self {
            Self::AttachDisk
            | Self::DetachDisk
            | Self::ModifyDiskAttribute
            | Self::ModifyDiskSpec
            | Self::ResizeDisk => Repeat::AfterLooking,
            Self::CreateDisk
            | Self::CreateSnapshot
            | Self::CreateSnapshotGroup
            | Self::DeleteDisk
            | Self::DeleteSnapshot
            | Self::DeleteSnapshotGroup
            | Self::DescribeAvailableResource
            | Self::DescribeDisks
            | Self::DescribeInstanceTypes
            | Self::DescribeSnapshotGroups
            | Self::DescribeSnapshots
            | Self::DescribeTasks
            | Self::TagResources
            | Self::UntagResources => Repeat::Freely,
        }
    }
}

#[cfg(test)]
mod tests {
    use drivebay_guest::call::Action as _;

    use super::*;

    #[test]
    fn what_ties_or_unties_is_never_repeated_blindly() {
        for action in [
            Action::AttachDisk,
            Action::DetachDisk,
            Action::ModifyDiskSpec,
        ] {
            assert_eq!(action.repeat(), Repeat::AfterLooking);
        }
    }
}
