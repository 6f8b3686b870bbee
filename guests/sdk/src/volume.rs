//! Volumes, nodes and capabilities: what most backends say of them, and what they refuse.

use crate::bindings::types::{
    AccessType, CapacityRange, Error, FilesystemAccess, HealthCondition, VolumeCapability,
    VolumeInfo,
};
use crate::exports::node::NodeInfo;

/// A node that the backend has no name for and no limit: the host names it as the cluster does.
impl Default for NodeInfo {
    fn default() -> Self {
        Self {
            id: String::new(),
            max_volumes: 0,
        }
    }
}

/// No size, no context, no source; reached from everywhere, attached to no node.
impl Default for VolumeInfo {
    fn default() -> Self {
        Self {
            id: String::new(),
            capacity_bytes: 0,
            context: Vec::new(),
            source: None,
            accessible_topology: Vec::new(),
            published_node_ids: Vec::new(),
        }
    }
}

/// Any size.
impl Default for CapacityRange {
    fn default() -> Self {
        Self {
            required_bytes: None,
            limit_bytes: None,
        }
    }
}

/// Whichever filesystem, without options.
impl Default for FilesystemAccess {
    fn default() -> Self {
        Self {
            fs_type: String::new(),
            mount_options: Vec::new(),
        }
    }
}

impl HealthCondition {
    /// What keeps a volume from being used at all.
    pub fn inaccessible(reason: &str, message: String) -> Self {
        Self::new("inaccessible", reason, message)
    }

    /// What is gone, or strongly suspected to be.
    pub fn data_loss(reason: &str, message: String) -> Self {
        Self::new("data-loss", reason, message)
    }

    /// What works, with a reason to worry.
    pub fn degraded(reason: &str, message: String) -> Self {
        Self::new("degraded", reason, message)
    }

    fn new(severity: &str, reason: &str, message: String) -> Self {
        Self {
            severity: severity.into(),
            reason: reason.into(),
            message,
        }
    }
}

/// Type and options of the first filesystem among the capabilities: in Kubernetes there is one.
pub fn filesystem_of(capabilities: &[VolumeCapability]) -> FilesystemAccess {
    let kinds = capabilities.iter().map(|capability| &capability.kind);
    let mut filesystems = kinds.filter_map(|kind| match kind {
        AccessType::Filesystem(filesystem) => Some(filesystem.clone()),
        AccessType::Block => None,
    });
    filesystems.next().unwrap_or_default()
}

/// What a directory is asked to be; `unsupported` for a block device. `what` begins the sentence.
pub fn filesystem<'a>(what: &str, kind: &'a AccessType) -> Result<&'a FilesystemAccess, Error> {
    match kind {
        AccessType::Filesystem(filesystem) => Ok(filesystem),
        AccessType::Block => {
            Err(error!(Unsupported: "{what} is a directory and cannot be a block device"))
        }
    }
}

/// `unsupported` where one of the capabilities is a block device.
pub fn refuse_block(what: &str, capabilities: &[VolumeCapability]) -> Result<(), Error> {
    for capability in capabilities {
        filesystem(what, &capability.kind)?;
    }
    Ok(())
}

/// For what is bound as it is: `invalid-argument` where a filesystem's type or mount options are chosen, which would be
/// ignored; `unsupported` for a block device.
pub fn refuse_choices(what: &str, kind: &AccessType) -> Result<(), Error> {
    let chosen = filesystem(what, kind)?;
    ensure!(chosen.fs_type.is_empty(), InvalidArgument: "filesystem type {}: {what} is a directory and has that of \
        what it lies in; write none", chosen.fs_type);
    ensure!(chosen.mount_options.is_empty(), InvalidArgument: "mount options {}: {what} is a directory and has those \
        of what it lies in; write none", chosen.mount_options.join(","));
    Ok(())
}

/// Whether by this access mode one node has the volume; not known of modes that CSI got later.
pub fn is_single_node(mode: &str) -> bool {
    [
        "SINGLE_NODE_WRITER",
        "SINGLE_NODE_READER_ONLY",
        "SINGLE_NODE_SINGLE_WRITER",
        "SINGLE_NODE_MULTI_WRITER",
    ]
    .contains(&mode)
}

/// Whether several nodes may have a disk at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiAttach {
    /// One at a time.
    Disabled,
    /// As a raw block device, or to read only: a filesystem on it has one writer.
    Enabled,
}

/// `unsupported`, with the reason, where a disk cannot be used so; `enable` says how to have one that several nodes can
/// have.
pub fn refuse_sharing(
    multi_attach: MultiAttach,
    capabilities: &[VolumeCapability],
    enable: &str,
) -> Result<(), Error> {
    for VolumeCapability { mode, kind } in capabilities {
        if is_single_node(mode) {
            continue;
        }
        let writes =
            ["MULTI_NODE_SINGLE_WRITER", "MULTI_NODE_MULTI_WRITER"].contains(&mode.as_str());
        ensure!(writes || mode == "MULTI_NODE_READER_ONLY", Unsupported: "the driver does not know the access mode \
            \"{mode}\"");
        ensure!(multi_attach == MultiAttach::Enabled, Unsupported: "the disk can be attached to one node at a time: \
            {enable}");
        ensure!(!writes || *kind == AccessType::Block, Unsupported: "a filesystem that several nodes write to is \
            destroyed: use volumeMode Block");
    }
    Ok(())
}

/// `unsupported` unless each of the capabilities is for one node: also for modes that CSI got later.
pub fn refuse_several_nodes(capabilities: &[VolumeCapability]) -> Result<(), Error> {
    let is_for_one = |capability: &VolumeCapability| is_single_node(&capability.mode);
    ensure!(capabilities.iter().all(is_for_one), Unsupported: "a volume can be used by one node at a time");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(mode: &str, kind: AccessType) -> VolumeCapability {
        VolumeCapability {
            mode: mode.into(),
            kind,
        }
    }

    #[test]
    fn a_directory_is_no_block_device() {
        let directory = capability(
            "SINGLE_NODE_WRITER",
            AccessType::Filesystem(Default::default()),
        );
        assert!(refuse_block("a share", &[directory]).is_ok());
        let block = capability("SINGLE_NODE_WRITER", AccessType::Block);
        let refused = refuse_block("a share", &[block]);
        assert!(matches!(refused, Err(Error::Unsupported(text)) if text.starts_with("a share is")));
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let asked = |fs_type: &str, options: &[&str]| {
            let kind = AccessType::Filesystem(FilesystemAccess {
                fs_type: fs_type.into(),
                mount_options: options.iter().map(|one| String::from(*one)).collect(),
            });
            refuse_choices("a volume", &kind)
        };
        assert!(asked("", &[]).is_ok());
        for refused in [asked("xfs", &[]), asked("", &["noatime"])] {
            assert!(
                matches!(refused, Err(Error::InvalidArgument(text)) if text.contains("write none"))
            );
        }
    }

    #[test]
    fn modes_of_several_nodes_and_unknown_ones_are_refused() {
        let asked = |mode| refuse_several_nodes(&[capability(mode, AccessType::Block)]);
        assert!(asked("SINGLE_NODE_MULTI_WRITER").is_ok());
        for mode in ["MULTI_NODE_READER_ONLY", "", "LATER"] {
            assert!(matches!(asked(mode), Err(Error::Unsupported(_))), "{mode}");
        }
    }

    #[test]
    fn several_nodes_read_a_disk_or_write_to_it_raw_if_they_may_have_it_at_once() {
        let filesystem = || AccessType::Filesystem(FilesystemAccess::default());
        let asked = |multi_attach, mode, kind| {
            refuse_sharing(multi_attach, &[capability(mode, kind)], "ask for it")
        };
        let (alone, shared) = (MultiAttach::Disabled, MultiAttach::Enabled);
        for multi_attach in [alone, shared] {
            assert!(asked(multi_attach, "SINGLE_NODE_WRITER", filesystem()).is_ok());
            assert!(asked(multi_attach, "LATER", AccessType::Block).is_err());
        }
        for mode in [
            "MULTI_NODE_READER_ONLY",
            "MULTI_NODE_SINGLE_WRITER",
            "MULTI_NODE_MULTI_WRITER",
        ] {
            assert!(asked(shared, mode, AccessType::Block).is_ok());
            let may_be_mounted = mode == "MULTI_NODE_READER_ONLY";
            assert_eq!(asked(shared, mode, filesystem()).is_ok(), may_be_mounted);
            let refused = asked(alone, mode, AccessType::Block);
            assert!(matches!(refused, Err(Error::Unsupported(m)) if m.ends_with("ask for it")));
        }
    }

    #[test]
    fn the_first_filesystem_counts() {
        let xfs = FilesystemAccess {
            fs_type: "xfs".into(),
            ..Default::default()
        };
        let kinds = [AccessType::Block, AccessType::Filesystem(xfs.clone())];
        let asked = kinds.map(|kind| capability("SINGLE_NODE_WRITER", kind));
        assert_eq!(filesystem_of(&asked), xfs);
        assert_eq!(filesystem_of(&[]), FilesystemAccess::default());
    }
}
