//! The filesystem that a volume is to have, looked at before there is a volume.
//!
//! Disks are formatted on the node, when the first pod waits for them. A filesystem that nobody may make there is
//! refused where its volume is made. What programs a node has is not known here; the driver's file is.

use crate::grant::{Grants, Refusal};
use crate::volume::{AccessType, Parameters, VolumeCapability};

/// Where a class names the filesystem; FlexVolume has the same word.
const FS_TYPE: &str = "fsType";

/// Why a volume on a disk could never be mounted as it is wanted. The claim's word counts before the class's. Nobody
/// counts it: it is the caller's wish, and no guest's.
pub(crate) fn refused_filesystem(
    grants: &Grants,
    capabilities: &[VolumeCapability],
    parameters: &Parameters,
) -> Option<Refusal> {
    let grant = grants.block_devices.as_ref()?;
    let of_class = parameters.get(FS_TYPE).unwrap_or_default().trim();
    let asked = capabilities
        .iter()
        .filter_map(|capability| match &capability.kind {
            AccessType::Block => None,
            AccessType::Filesystem { fs_type, .. } if fs_type.is_empty() => Some(of_class),
            AccessType::Filesystem { fs_type, .. } => Some(fs_type.as_str()),
        });
    asked
        .into_iter()
        .find_map(|asked| grant.filesystems_for(asked).err())
}
