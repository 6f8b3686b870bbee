//! CSI's methods by name: what a caller may write into a label.

/// All that this host's copy of the specification names.
const METHODS: &[&str] = &[
    "/csi.v1.Identity/GetPluginInfo",
    "/csi.v1.Identity/GetPluginCapabilities",
    "/csi.v1.Identity/Probe",
    "/csi.v1.Controller/CreateVolume",
    "/csi.v1.Controller/DeleteVolume",
    "/csi.v1.Controller/ControllerPublishVolume",
    "/csi.v1.Controller/ControllerUnpublishVolume",
    "/csi.v1.Controller/ValidateVolumeCapabilities",
    "/csi.v1.Controller/ListVolumes",
    "/csi.v1.Controller/GetCapacity",
    "/csi.v1.Controller/ControllerGetCapabilities",
    "/csi.v1.Controller/CreateSnapshot",
    "/csi.v1.Controller/DeleteSnapshot",
    "/csi.v1.Controller/ListSnapshots",
    "/csi.v1.Controller/GetSnapshot",
    "/csi.v1.Controller/ControllerExpandVolume",
    "/csi.v1.Controller/ControllerGetVolume",
    "/csi.v1.Controller/ControllerModifyVolume",
    "/csi.v1.Controller/ControllerListVolumeHealth",
    "/csi.v1.Controller/ControllerGetVolumeHealth",
    "/csi.v1.GroupController/GroupControllerGetCapabilities",
    "/csi.v1.GroupController/CreateVolumeGroupSnapshot",
    "/csi.v1.GroupController/DeleteVolumeGroupSnapshot",
    "/csi.v1.GroupController/GetVolumeGroupSnapshot",
    "/csi.v1.Node/NodeStageVolume",
    "/csi.v1.Node/NodeUnstageVolume",
    "/csi.v1.Node/NodePublishVolume",
    "/csi.v1.Node/NodeUnpublishVolume",
    "/csi.v1.Node/NodeGetVolumeStats",
    "/csi.v1.Node/NodeExpandVolume",
    "/csi.v1.Node/NodeGetCapabilities",
    "/csi.v1.Node/NodeGetInfo",
    "/csi.v1.Node/NodeGetVolumeHealth",
    "/csi.v1.Node/NodeGetStorageHealth",
];

/// What a path that is none of them is called.
pub(super) const UNKNOWN: &str = "unknown";

/// The method without its service; `unknown` for what a stranger made up.
pub(super) fn name(path: &str) -> &'static str {
    METHODS
        .iter()
        .find(|known| **known == path)
        .and_then(|known| known.rsplit_once('/'))
        .map_or(UNKNOWN, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIFICATION: &str = include_str!("../../../proto/csi.proto");

    #[test]
    fn every_method_of_the_specification_has_its_name() {
        let mut service = "";
        let mut found = 0;
        for line in SPECIFICATION.lines().map(str::trim_start) {
            if let Some(rest) = line.strip_prefix("service ") {
                service = rest.split(' ').next().expect("a name");
            }
            if let Some(rest) = line.strip_prefix("rpc ") {
                let method = rest.split([' ', '(']).next().expect("a name");
                assert_eq!(name(&format!("/csi.v1.{service}/{method}")), method);
                found += 1;
            }
        }
        assert_eq!(found, METHODS.len());
    }

    #[test]
    fn what_nobody_knows_has_one_name() {
        for path in [
            "",
            "/",
            "/csi.v1.Node/pvc-1",
            "/csi.v1.Controller/NodeGetInfo",
        ] {
            assert_eq!(name(path), UNKNOWN, "{path}");
        }
    }
}
