//! Who attaches: nobody, kubelet by call-outs of its own, or we when a pod mounts.
//!
//! kubelet learns it from `init`, and with `attach` false it calls `mount` and `unmount` alone. Old
//! PersistentVolumes of drivers that did all their work in `mount` live on that way.

use super::callout::Callout;
use super::reply::{FlexCapabilities, Reply};
use super::{device, volume};
use crate::driver::{AttachVolume, Capabilities, Driver, Export, StageVolume, StagedFor};
use crate::error::DriverError;
use crate::volume::{NodeId, StagingPath, VolumeKey};

/// Who attaches the volumes of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attach {
    /// There is nothing to attach.
    Never,
    /// The controller or kubelet, by call-outs.
    ByKubelet,
    /// We, with the first mount.
    OnMount,
}

impl Attach {
    /// What the component can do, and of that what the operator chose.
    pub(super) fn chosen(driver: &Driver, capabilities: Capabilities) -> Self {
        let on_mount = driver.config().flexvolume_attach.is_on_mount();
        match (capabilities.exports(Export::Attachment), on_mount) {
            (false, _) => Self::Never,
            (true, false) => Self::ByKubelet,
            (true, true) => Self::OnMount,
        }
    }

    pub(super) fn of(driver: &Driver) -> Result<Self, DriverError> {
        Ok(Self::chosen(driver, driver.prepared_capabilities()?))
    }
}

/// What `init` says: kubelet attaches only what it is told to.
pub(super) fn told_to_kubelet(driver: &Driver, capabilities: Capabilities) -> FlexCapabilities {
    FlexCapabilities::of(Attach::chosen(driver, capabilities), capabilities)
}

/// What kubelet and the controller ask of drivers whose volumes they attach.
pub(super) fn carry_out(driver: &Driver, callout: &Callout) -> Result<Reply, DriverError> {
    let name = &driver.config().name;
    match Attach::of(driver)? {
        Attach::ByKubelet => by_kubelet(driver, callout),
        Attach::Never => Ok(Reply::not_supported(format!(
            "driver {name} does not attach volumes"
        ))),
        Attach::OnMount => Ok(Reply::not_supported(format!(
            "driver {name} attaches volumes when they are mounted"
        ))),
    }
}

fn by_kubelet(driver: &Driver, callout: &Callout) -> Result<Reply, DriverError> {
    let named = |options| volume(Attach::ByKubelet, options, None);
    match callout {
        Callout::Attach { options, node } => {
            let request = AttachVolume {
                volume: named(options)?,
                node: NodeId(node.clone()),
                kind: None,
                access: options.access(),
            };
            Ok(Reply::device(device::encode(
                &driver.attach_volume(&request)?,
            )))
        }
        Callout::Detach { volume, node } => {
            driver.detach_volume(&VolumeKey(volume.clone()), &NodeId(node.clone()))?;
            Ok(Reply::success())
        }
        // Attaching has waited already, on the controller's side; the device itself is awaited by
        // `mountdevice`, which knows what to look for.
        Callout::WaitForAttach { device, .. } => Ok(Reply::device(device.clone())),
        Callout::IsAttached { options, node } => driver
            .is_attached(&named(options)?, &NodeId(node.clone()))
            .map(Reply::attached),
        Callout::MountDevice {
            directory,
            device,
            options,
        } => {
            let request = StageVolume {
                volume: named(options)?,
                staging: staging(directory)?,
                publish_context: device::decode(device)?,
                access: options.access(),
                staged_for: StagedFor::FirstPod,
                kind: options.kind(),
            };
            driver.stage_volume(&request)?;
            Ok(Reply::success())
        }
        Callout::UnmountDevice { directory } => driver
            .unstage_volume(&staging(directory)?, None)
            .map(|()| Reply::success()),
        Callout::Init
        | Callout::GetVolumeName
        | Callout::Mount { .. }
        | Callout::Unmount { .. }
        | Callout::ExpandVolume { .. }
        | Callout::ExpandFs { .. } => {
            Err(DriverError::internal("the call-out needs no attachment"))
        }
    }
}

fn staging(directory: &str) -> Result<StagingPath, DriverError> {
    StagingPath::new(directory).map_err(|error| {
        DriverError::invalid_argument("cannot use the mount directory").caused_by(error)
    })
}
