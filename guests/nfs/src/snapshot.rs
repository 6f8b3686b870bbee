//! Snapshots: a volume's directory, packed into an archive on the same share.

use drivebay_guest::archives::NewSnapshot;
use drivebay_guest::exports::snapshots::CreateRequest;
use drivebay_guest::layout::VolumeId as _;
use drivebay_guest::prelude::*;
use drivebay_guest::remote_path::Export;

use crate::parameter_names as names;
use crate::record::Store;
use crate::share::Share;
use crate::snapshot_id::SnapshotId;

/// A snapshot that should exist.
#[derive(Debug)]
pub(crate) struct SnapshotSpec {
    snapshot: NewSnapshot<SnapshotId>,
    /// How to mount the share it is on.
    pub(crate) share: Share,
}

impl SnapshotSpec {
    pub(crate) fn from_request(request: &CreateRequest) -> Result<Self, Error> {
        let source = Store::volume_id(&request.source_volume_id)?;
        let params = Params(&request.parameters);
        let share = source.export.share.to_string();
        let asked_for = Export::parse(
            params.get(names::SERVER).unwrap_or(&source.export.server),
            params.get(names::SHARE).unwrap_or(&share),
        )?;
        ensure!(asked_for.is_same(&source.export), InvalidArgument: "volume {} cannot be kept on {} {}: a snapshot lies \
            on the share of its volume; leave out {} and {}", request.source_volume_id, asked_for.server,
            asked_for.share, names::SERVER, names::SHARE);
        let options = params.get(names::MOUNT_OPTIONS).map(String::from);
        let filesystem = FilesystemAccess {
            mount_options: options.into_iter().collect(),
            ..FilesystemAccess::default()
        };
        Ok(Self {
            share: Share::of_export(&source.export, &filesystem)?,
            snapshot: NewSnapshot {
                id: SnapshotId::made(source.export.clone(), &request.name, source.name())?,
                name: request.name.clone(),
                source_volume_id: request.source_volume_id.clone(),
            },
        })
    }
}

/// Cut a snapshot, or find the one an earlier try cut.
pub(crate) fn create(tree: &dyn Tree, spec: &SnapshotSpec) -> Result<Snapshot, Error> {
    Store::of(tree).create_snapshot(&spec.snapshot)
}

/// One snapshot, as it is now.
pub(crate) fn get(tree: &dyn Tree, id: &SnapshotId) -> Result<Snapshot, Error> {
    Store::of(tree).get_snapshot(id)
}

/// Remove a snapshot, also one from which volumes were made: they have its content.
pub(crate) fn delete(tree: &dyn Tree, id: &SnapshotId) -> Result<(), Error> {
    Store::of(tree).delete_snapshot(id)
}

#[cfg(test)]
mod tests;
