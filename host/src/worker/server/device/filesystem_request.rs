//! Which filesystem is asked for.

use super::content::Content;
use super::find::Disk;
use super::superblock::FsType;
use crate::volume::Access;
use crate::worker::{Fault, FaultKind};

/// What is asked for.
pub(super) struct FilesystemRequest<'a> {
    /// To be made if the disk is blank.
    pub(super) fs_type: FsType,
    /// Under which names one that is there may be mounted.
    pub(super) keep: &'a [String],
    pub(super) options: &'a [String],
    pub(super) access: Access,
}

/// Why nothing was done.
pub(super) fn left_alone(disk: &Disk, request: &FilesystemRequest<'_>, found: &Content) -> Fault {
    Fault::new(
        FaultKind::Precondition,
        format!(
            "{} is not blank and not {}: it holds {}; it is left alone, and only a person may erase it",
            disk.in_words(),
            request.keep.join(" or "),
            found.in_words()
        ),
    )
}
