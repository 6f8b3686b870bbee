//! What a component exports, in CSI's numbers. Nothing is claimed that no export stands for.
//!
//! SINGLE_NODE_MULTI_WRITER is the host's own: it keeps single writers apart for every backend. Callers of older
//! versions of CSI leave out of account what they do not know. SNAPSHOT_ACCESSIBILITY_CONSTRAINTS has no export: no
//! backend here has snapshots that can be restored in some places only.

use super::plugin::Mode;
use super::proto::controller_service_capability::rpc::Type as ControllerRpc;
use super::proto::group_controller_service_capability::rpc::Type as GroupControllerRpc;
use super::proto::node_service_capability::rpc::Type as NodeRpc;
use super::proto::plugin_capability::service::Type as PluginService;
use super::proto::plugin_capability::volume_expansion::Type as Growing;
use super::proto::{
    ControllerServiceCapability, GroupControllerServiceCapability, NodeServiceCapability,
    PluginCapability, controller_service_capability, group_controller_service_capability,
    node_service_capability, plugin_capability,
};
use crate::driver::{Capabilities, Export};

pub(super) fn of_plugin(capabilities: Capabilities, mode: Mode) -> Vec<PluginCapability> {
    let is_controlled = [Export::Controller, Export::Attachment, Export::Snapshots]
        .into_iter()
        .any(|export| capabilities.exports(export));
    let services = [
        (
            is_controlled && mode.has_controller(),
            PluginService::ControllerService,
        ),
        (
            capabilities.exports(Export::GroupSnapshots) && mode.has_controller(),
            PluginService::GroupControllerService,
        ),
        (
            capabilities.exports(Export::Accessibility),
            PluginService::VolumeAccessibilityConstraints,
        ),
    ];
    let growing =
        capabilities
            .exports(Export::Expansion)
            .then(|| plugin_capability::VolumeExpansion {
                r#type: Growing::Online.into(),
            });
    let services = services
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, service)| plugin_capability::Service {
            r#type: service.into(),
        });
    services
        .map(plugin_capability::Type::Service)
        .chain(growing.map(plugin_capability::Type::VolumeExpansion))
        .map(|kind| PluginCapability { r#type: Some(kind) })
        .collect()
}

pub(super) fn of_controller(capabilities: Capabilities) -> Vec<ControllerServiceCapability> {
    let has = |export| capabilities.exports(export);
    let claims = [
        (has(Export::Controller), ControllerRpc::CreateDeleteVolume),
        (has(Export::Controller), ControllerRpc::GetVolume),
        (
            has(Export::Controller),
            ControllerRpc::SingleNodeMultiWriter,
        ),
        (
            has(Export::Attachment),
            ControllerRpc::PublishUnpublishVolume,
        ),
        (has(Export::Attachment), ControllerRpc::PublishReadonly),
        (has(Export::VolumeListing), ControllerRpc::ListVolumes),
        (
            has(Export::VolumeListing) && has(Export::Attachment),
            ControllerRpc::ListVolumesPublishedNodes,
        ),
        (has(Export::VolumeHealth), ControllerRpc::GetVolumeHealth),
        (lists_health(capabilities), ControllerRpc::ListVolumeHealth),
        (has(Export::Capacity), ControllerRpc::GetCapacity),
        (has(Export::Snapshots), ControllerRpc::CreateDeleteSnapshot),
        (has(Export::Snapshots), ControllerRpc::GetSnapshot),
        (has(Export::SnapshotListing), ControllerRpc::ListSnapshots),
        (has(Export::Cloning), ControllerRpc::CloneVolume),
        (has(Export::Expansion), ControllerRpc::ExpandVolume),
        (has(Export::Modification), ControllerRpc::ModifyVolume),
    ];
    let rpc = |kind: ControllerRpc| controller_service_capability::Rpc {
        r#type: kind.into(),
    };
    claims
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, kind)| ControllerServiceCapability {
            r#type: Some(controller_service_capability::Type::Rpc(rpc(kind))),
        })
        .collect()
}

/// Whoever claims LIST_VOLUME_HEALTH has to claim GET_VOLUME_HEALTH too.
fn lists_health(capabilities: Capabilities) -> bool {
    capabilities.exports(Export::VolumeHealth) && capabilities.exports(Export::VolumeHealthListing)
}

pub(super) fn of_group_controller(
    capabilities: Capabilities,
) -> Vec<GroupControllerServiceCapability> {
    let rpc = group_controller_service_capability::Rpc {
        r#type: GroupControllerRpc::CreateDeleteGetVolumeGroupSnapshot.into(),
    };
    let claim = GroupControllerServiceCapability {
        r#type: Some(group_controller_service_capability::Type::Rpc(rpc)),
    };
    match capabilities.exports(Export::GroupSnapshots) {
        true => vec![claim],
        false => Vec::new(),
    }
}

pub(super) fn of_node(capabilities: Capabilities) -> Vec<NodeServiceCapability> {
    let claims = [
        (capabilities.stages(), NodeRpc::StageUnstageVolume),
        (true, NodeRpc::GetVolumeStats),
        (
            capabilities.exports(Export::Expansion) && capabilities.local_filesystem(),
            NodeRpc::ExpandVolume,
        ),
        (true, NodeRpc::SingleNodeMultiWriter),
        (capabilities.exports(Export::Node), NodeRpc::GetVolumeHealth),
        (
            capabilities.exports(Export::Node),
            NodeRpc::GetStorageHealth,
        ),
    ];
    let rpc = |kind: NodeRpc| node_service_capability::Rpc {
        r#type: kind.into(),
    };
    claims
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, kind)| NodeServiceCapability {
            r#type: Some(node_service_capability::Type::Rpc(rpc(kind))),
        })
        .collect()
}

/// Whether a call of the Controller or the GroupController is answered, by what the component exports.
pub(super) fn offers(capabilities: Capabilities, rpc: &str) -> bool {
    controller_rpcs(capabilities).contains(&rpc)
        || group_controller_rpcs(capabilities).contains(&rpc)
}

/// The Controller's calls that are answered, by what the component exports.
pub fn controller_rpcs(capabilities: Capabilities) -> Vec<&'static str> {
    let calls: [(Export, &[&str]); 11] = [
        (
            Export::Controller,
            &[
                "CreateVolume",
                "DeleteVolume",
                "ControllerGetVolume",
                "ValidateVolumeCapabilities",
            ],
        ),
        (Export::Cloning, &["CreateVolume from a volume"]),
        (
            Export::Attachment,
            &["ControllerPublishVolume", "ControllerUnpublishVolume"],
        ),
        (Export::VolumeListing, &["ListVolumes"]),
        (Export::VolumeHealth, &["ControllerGetVolumeHealth"]),
        (Export::VolumeHealthListing, &["ControllerListVolumeHealth"]),
        (Export::Capacity, &["GetCapacity"]),
        (
            Export::Snapshots,
            &[
                "CreateSnapshot",
                "DeleteSnapshot",
                "GetSnapshot",
                "CreateVolume from a snapshot",
            ],
        ),
        (Export::SnapshotListing, &["ListSnapshots"]),
        (Export::Expansion, &["ControllerExpandVolume"]),
        (Export::Modification, &["ControllerModifyVolume"]),
    ];
    calls
        .into_iter()
        .filter(|(export, _)| capabilities.exports(*export))
        .flat_map(|(_, calls)| calls.iter().copied())
        .collect()
}

/// The same for GroupController.
pub fn group_controller_rpcs(capabilities: Capabilities) -> Vec<&'static str> {
    match capabilities.exports(Export::GroupSnapshots) {
        true => vec![
            "CreateVolumeGroupSnapshot",
            "DeleteVolumeGroupSnapshot",
            "GetVolumeGroupSnapshot",
        ],
        false => Vec::new(),
    }
}

/// The same for Node.
pub fn node_rpcs(capabilities: Capabilities) -> Vec<&'static str> {
    let calls: [(bool, &[&str]); 3] = [
        (
            capabilities.stages(),
            &["NodeStageVolume", "NodeUnstageVolume"],
        ),
        (
            capabilities.exports(Export::Node),
            &[
                "NodePublishVolume",
                "NodeUnpublishVolume",
                "NodeGetVolumeStats",
                "NodeGetVolumeHealth",
                "NodeGetStorageHealth",
                "NodeGetInfo",
            ],
        ),
        (
            capabilities.exports(Export::Expansion) && capabilities.local_filesystem(),
            &["NodeExpandVolume"],
        ),
    ];
    calls
        .into_iter()
        .filter(|(has, _)| *has)
        .flat_map(|(_, calls)| calls.iter().copied())
        .collect()
}
