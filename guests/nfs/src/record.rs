//! What is written down about volumes and snapshots: records of the SDK, with ids of ours.

use drivebay_guest::layout::Layout;

use crate::snapshot_id::SnapshotId;
use crate::volume_id::VolumeId;

/// The records of a share.
pub(crate) type Store<'a> = drivebay_guest::store::Store<'a, Ids>;

/// Whose ids are in them.
pub(crate) struct Ids;

impl Layout for Ids {
    type VolumeId = VolumeId;
    type SnapshotId = SnapshotId;
}
