//! The FlexVolume front-end: argv in, one JSON object out.
//!
//! The only place that knows FlexVolume's words. kubelet reads stdout and stderr as one buffer, parses it
//! whole, and on a non-zero exit logs its whole argument list, secrets included; so the answer is always
//! one object, on stdout, with exit code 0. `null` is never written: kubelet dereferences it.

mod callout;
mod device;
mod options;
mod reply;

use std::ffi::OsString;

pub use callout::{Callout, CalloutError};
pub use options::{Options, OptionsError};
pub use reply::{FlexCapabilities, Reply};

use crate::driver::{AttachVolume, Driver, PublishVolume, StageVolume, VolumeReference};
use crate::error::DriverError;
use crate::volume::{NodeId, StagingPath, TargetPath, VolumeId, VolumeKey};

/// The driver's name as kubelet spells it: the last two parts of the executable's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverPath {
    /// Before the `~`; empty where the directory has none.
    pub vendor: String,
    /// The executable's name.
    pub driver: String,
}

impl DriverPath {
    /// From `argv[0]`: `…/vendor~driver/driver`.
    pub fn from_program(program: &std::path::Path) -> Self {
        let name = |part: Option<&std::ffi::OsStr>| {
            part.map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let directory = name(program.parent().and_then(std::path::Path::file_name));
        let vendor = directory
            .split_once('~')
            .map(|(vendor, _)| vendor.to_owned())
            .unwrap_or_default();
        Self {
            vendor,
            driver: name(program.file_name()),
        }
    }
}

/// Answers one call-out. `open` finds the driver; it is not asked where the arguments make no sense.
pub fn answer(
    arguments: &[OsString],
    program: &std::path::Path,
    open: impl FnOnce(&DriverPath) -> Result<Driver, DriverError>,
) -> Reply {
    let callout = match Callout::parse(arguments) {
        Ok(callout) => callout,
        Err(CalloutError::Unknown { name }) => {
            return Reply::not_supported(format!("call-out {name:?} is not known"));
        }
        Err(error) => return Reply::failure(&DriverError::invalid_argument(error.to_string())),
    };
    // The driver fills in what it learns on the way.
    let span = tracing::info_span!(
        "call-out",
        name = callout.name(),
        driver.name = tracing::field::Empty,
        volume.id = tracing::field::Empty,
        component.version = tracing::field::Empty
    );
    let _entered = span.enter();
    let outcome =
        open(&DriverPath::from_program(program)).and_then(|driver| carry_out(&driver, &callout));
    match outcome {
        Ok(reply) => {
            tracing::info!("done");
            reply
        }
        Err(error) => {
            tracing::error!(error = error.chain(), "failed");
            Reply::failure(&error)
        }
    }
}

fn carry_out(driver: &Driver, callout: &Callout) -> Result<Reply, DriverError> {
    match callout {
        Callout::Init => Ok(Reply::initialised(FlexCapabilities::from(
            driver.capabilities()?,
        ))),
        // kubelet then uses the volume's own name, which it does on success too, and asks no more.
        Callout::GetVolumeName => Ok(Reply::not_supported("the volume's own name is used")),
        Callout::Mount { directory, options } => mount(driver, directory, options),
        Callout::Unmount { directory } => driver
            .unpublish_volume(&target(directory)?)
            .map(|()| Reply::success()),
        // Growing what cannot grow is a failure rather than "not supported", which kubelet takes for done: the
        // claim would show a size that the volume does not have.
        Callout::ExpandVolume { options, bytes } => driver
            .expand_volume(&named_volume(options)?, *bytes)
            .map(Reply::grown),
        Callout::ExpandFs { .. } => driver.expand_on_node().map(|()| Reply::success()),
        Callout::Attach { .. }
        | Callout::Detach { .. }
        | Callout::WaitForAttach { .. }
        | Callout::IsAttached { .. }
        | Callout::MountDevice { .. }
        | Callout::UnmountDevice { .. } => {
            if driver.prepared_capabilities()?.attach {
                return carry_out_attached(driver, callout);
            }
            Ok(Reply::not_supported(format!(
                "driver {} does not attach volumes",
                driver.config().name
            )))
        }
    }
}

/// What kubelet and the controller ask of drivers that attach.
fn carry_out_attached(driver: &Driver, callout: &Callout) -> Result<Reply, DriverError> {
    match callout {
        Callout::Attach { options, node } => {
            let request = AttachVolume {
                volume: named_volume(options)?,
                node: NodeId(node.clone()),
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
            .is_attached(&named_volume(options)?, &NodeId(node.clone()))
            .map(Reply::attached),
        Callout::MountDevice {
            directory,
            device,
            options,
        } => {
            let request = StageVolume {
                volume: named_volume(options)?,
                staging: staging(directory)?,
                publish_context: device::decode(device)?,
                access: options.access(),
                kind: options.kind(),
            };
            driver.stage_volume(&request)?;
            Ok(Reply::success())
        }
        Callout::UnmountDevice { directory } => driver
            .unstage_volume(&staging(directory)?)
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

/// Inline volumes of two pods can have one name; what is unique about a mount without attachment is where
/// it is. With attachment it is the volume: its staging serves all pods.
fn mount(driver: &Driver, directory: &str, options: &Options) -> Result<Reply, DriverError> {
    let target = target(directory)?;
    let capabilities = driver.prepared_capabilities()?;
    if let Some(group) = options.fs_group()
        && !capabilities.local_filesystem
    {
        // `init` told kubelet not to change owners: on a share that is slow, and refused by root_squash.
        tracing::info!(fs_group = group, "owners on the share are left as they are");
    }
    let key = match capabilities.attach {
        true => volume_name(options)?,
        false => VolumeKey(target.as_path().to_string_lossy().into_owned()),
    };
    let request = PublishVolume {
        volume: VolumeReference {
            key,
            id: VolumeId(options.volume_name().unwrap_or_default().to_owned()),
            context: options.context(),
        },
        target,
        access: options.access(),
        kind: options.kind(),
        secrets: options.secrets().clone(),
    };
    driver.publish_volume(&request)?;
    Ok(Reply::success())
}

fn named_volume(options: &Options) -> Result<VolumeReference, DriverError> {
    let key = volume_name(options)?;
    let id = VolumeId(key.0.clone());
    Ok(VolumeReference {
        key,
        id,
        context: options.context(),
    })
}

fn volume_name(options: &Options) -> Result<VolumeKey, DriverError> {
    let name = options.volume_name().filter(|name| !name.is_empty());
    name.map(|name| VolumeKey(name.to_owned())).ok_or_else(|| {
        DriverError::invalid_argument("the options lack kubernetes.io/pvOrVolumeName")
    })
}

fn target(directory: &str) -> Result<TargetPath, DriverError> {
    TargetPath::new(directory).map_err(|error| {
        DriverError::invalid_argument("cannot use the mount directory").caused_by(error)
    })
}

fn staging(directory: &str) -> Result<StagingPath, DriverError> {
    StagingPath::new(directory).map_err(|error| {
        DriverError::invalid_argument("cannot use the mount directory").caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_driver_is_named_by_the_executables_path() {
        let path = DriverPath::from_program(Path::new("/plugins/k8s~nfs/nfs"));
        assert_eq!(
            path,
            DriverPath {
                vendor: "k8s".into(),
                driver: "nfs".into()
            }
        );
        let path = DriverPath::from_program(Path::new("nfs"));
        assert_eq!(
            path,
            DriverPath {
                vendor: String::new(),
                driver: "nfs".into()
            }
        );
    }

    #[test]
    fn senseless_arguments_are_answered_without_a_driver() {
        let open = |_: &DriverPath| -> Result<Driver, DriverError> { panic!("not needed") };
        let reply = answer(
            &[OsString::from("frobnicate")],
            Path::new("/x/k8s~nfs/nfs"),
            open,
        );
        assert_eq!(
            reply.to_line(),
            "{\"status\":\"Not supported\",\"message\":\"call-out \\\"frobnicate\\\" is not known\"}\n"
        );
    }
}
