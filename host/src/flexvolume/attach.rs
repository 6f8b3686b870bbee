//! The call-outs of drivers whose volumes kubelet and the controller attach.

use super::attach_mode::AttachMode;
use super::callout::Callout;
use super::device;
use super::reply::{FlexCapabilities, Reply};
use super::volume::volume;
use crate::driver::{AttachVolume, Capabilities, Session, StageVolume, StagedFor};
use crate::error::DriverError;
use crate::volume::{NodeId, StagingPath, VolumeKey};

/// What `init` says: kubelet attaches only what it is told to.
pub(super) fn init_capabilities(session: &Session, capabilities: Capabilities) -> FlexCapabilities {
    FlexCapabilities::of(AttachMode::configured(session, capabilities), capabilities)
}

/// What kubelet and the controller ask of drivers whose volumes they attach.
pub(super) fn carry_out(session: &Session, callout: &Callout) -> Result<Reply, DriverError> {
    let name = &session.config().name;
    match AttachMode::of(session)? {
        AttachMode::ByKubelet => by_kubelet(session, callout),
        AttachMode::Never => Ok(Reply::not_supported(format!(
            "driver {name} does not attach volumes"
        ))),
        AttachMode::OnMount => Ok(Reply::not_supported(format!(
            "driver {name} attaches volumes when they are mounted"
        ))),
    }
}

fn by_kubelet(session: &Session, callout: &Callout) -> Result<Reply, DriverError> {
    let named = |options| volume(AttachMode::ByKubelet, options, None);
    match callout {
        Callout::Attach { options, node } => {
            let request = AttachVolume {
                volume: named(options)?,
                node: NodeId(node.clone()),
                kind: None,
                access: options.access(),
            };
            Ok(Reply::device(device::encode(
                &session.attach_volume(&request)?,
            )))
        }
        Callout::Detach { volume, node } => {
            session.detach_volume(&VolumeKey(volume.clone()), &NodeId(node.clone()))?;
            Ok(Reply::success())
        }
        // Attaching has waited already, on the controller's side; the device itself is awaited by
        // `mountdevice`, which knows what to look for.
        Callout::WaitForAttach { device, .. } => Ok(Reply::device(device.clone())),
        Callout::IsAttached { options, node } => session
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
            session.stage_volume(&request)?;
            Ok(Reply::success())
        }
        Callout::UnmountDevice { directory } => session
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
