//! One driver, as the operator configured it.

use super::attach_limits::AttachLimits;
use super::limits::Limits;
use super::requirement::Requirement;
use super::version_rules::VersionRules;
use crate::grant::{Capability, Grants};
use crate::volume::DriverName;

/// One driver, as its file says.
#[derive(Debug, Clone)]
pub struct DriverConfig {
    /// The stem of the file.
    pub name: DriverName,
    /// The file's content, by which one state of it is told from another.
    pub text: String,
    /// Name in the component store.
    pub component: String,
    /// The name CSI callers use.
    pub csi_name: Option<String>,
    /// The name FlexVolume callers use: `vendor/driver`.
    pub flexvolume: Option<FlexVolumeName>,
    /// Who attaches its FlexVolumes.
    pub flexvolume_attach: FlexVolumeAttach,
    /// Which components may serve it.
    pub require: Requirement,
    /// Which versions of them, and when.
    pub versions: VersionRules,
    /// How many volumes a node can have, where the operator says so.
    pub attach_limits: AttachLimits,
    /// What it may use.
    pub grants: Grants,
    /// How much of everything.
    pub limits: Limits,
}

impl DriverConfig {
    /// What a component of the driver may import.
    pub fn capabilities(&self) -> Vec<Capability> {
        let all = Capability::ALL.into_iter();
        all.filter(|capability| self.grants.includes(*capability))
            .collect()
    }
}

/// `vendor/driver`, as a FlexVolume PersistentVolume names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlexVolumeName {
    /// Before the slash.
    pub vendor: String,
    /// After it; also the executable's name.
    pub driver: String,
}

impl FlexVolumeName {
    /// `vendor~driver`: the directory in kubelet's plugin directory.
    pub fn directory(&self) -> String {
        format!("{}~{}", self.vendor, self.driver)
    }
}

/// `flexvolume-attach`: who attaches the volumes of a driver that attaches, where FlexVolume is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FlexVolumeAttach {
    /// `"by-kubelet"`: the controller or kubelet, by call-outs of their own.
    #[default]
    ByKubelet,
    /// `"on-mount"`: we do, on the node, with a volume's first `mount`; its last `unmount` detaches it.
    /// kubelet is told that there is nothing to attach, and needs no controller.
    OnMount,
}

impl FlexVolumeAttach {
    /// Whether mounting a volume attaches it.
    pub fn is_on_mount(self) -> bool {
        self == Self::OnMount
    }
}
