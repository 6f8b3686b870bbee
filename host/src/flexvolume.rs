//! The FlexVolume front-end: argv in, one JSON object out.
//!
//! The only place that knows FlexVolume's words. kubelet reads stdout and stderr as one buffer, parses it
//! whole, and on a non-zero exit logs its whole argument list, secrets included; so the answer is always
//! one object, on stdout, with exit code 0. `null` is never written: kubelet dereferences it.

mod attach;
mod attach_mode;
mod callout;
mod device;
mod options;
mod reply;
mod volume;

use std::ffi::OsString;

pub use callout::{Callout, CalloutError};
pub use options::{Options, OptionsError};
pub use reply::{FlexCapabilities, Reply};

use crate::driver::{
    ExpandOnNode, PublishVolume, Session, Sharing, StagedFor, TargetCleanup, VolumeLocation,
};
use crate::error::DriverError;
use crate::volume::{CapacityRange, Parameters, TargetPath};
use attach_mode::AttachMode;
use volume::{directory_of, volume};

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
    open: impl FnOnce(&DriverPath) -> Result<Session, DriverError>,
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
    let outcome = open(&DriverPath::from_program(program)).and_then(|session| {
        let session = match callout.secrets() {
            Some(secrets) => session.with_secrets(secrets),
            None => session,
        };
        carry_out(&session, &callout)
    });
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

fn carry_out(session: &Session, callout: &Callout) -> Result<Reply, DriverError> {
    match callout {
        Callout::Init => Ok(Reply::initialised(attach::init_capabilities(
            session,
            session.capabilities()?,
        ))),
        // kubelet then uses the volume's own name, which it does on success too, and asks no more.
        Callout::GetVolumeName => Ok(Reply::not_supported("the volume's own name is used")),
        Callout::Mount { directory, options } => mount(session, directory, options),
        // What the mount did is in the journal, whoever the operator says attaches now.
        Callout::Unmount { directory } => session
            .unpublish_volume(&target(directory)?, TargetCleanup::Keep)
            .map(|()| Reply::success()),
        // Growing what cannot grow is a failure rather than "not supported", which kubelet takes for done: the
        // claim would show a size that the volume does not have.
        Callout::ExpandVolume { options, bytes } => {
            let capacity = CapacityRange {
                required_bytes: Some(*bytes),
                limit_bytes: None,
            };
            let volume = volume(AttachMode::of(session)?, options, None)?;
            session.expand_volume(&volume, capacity).map(Reply::grown)
        }
        Callout::ExpandFs {
            options,
            directory,
            bytes,
        } => expand_on_node(session, options, directory, *bytes),
        Callout::Attach { .. }
        | Callout::Detach { .. }
        | Callout::WaitForAttach { .. }
        | Callout::IsAttached { .. }
        | Callout::MountDevice { .. }
        | Callout::UnmountDevice { .. } => attach::carry_out(session, callout),
    }
}

fn mount(session: &Session, directory: &str, options: &Options) -> Result<Reply, DriverError> {
    let target = target(directory)?;
    let capabilities = session.prepared_capabilities()?;
    if let Some(group) = options.fs_group()
        && !capabilities.local_filesystem()
    {
        // `init` told kubelet not to change owners: on a share that is slow, and refused by root_squash.
        tracing::info!(fs_group = group, "fsGroup is not applied to a share");
    }
    let attach = AttachMode::configured(session, capabilities);
    let request = PublishVolume {
        volume: volume(attach, options, Some(directory_of(&target)))?,
        target,
        access: options.access(),
        kind: options.kind(),
        // kubelet has decided already who may share it.
        sharing: Sharing::ManyTargets,
        staging: None,
        publish_context: Parameters::default(),
        staged_for: StagedFor::FirstPod,
    };
    match attach {
        AttachMode::Never | AttachMode::ByKubelet => session.publish_volume(&request)?,
        AttachMode::OnMount => session.attach_and_publish_volume(&request)?,
    }
    Ok(Reply::success())
}

/// kube-controller-manager never calls `expandvolume`: its expand controller starts the plugins without a prober, takes
/// FlexVolume for one that has nothing to do, and raises the PersistentVolume's size. This is the only call then, and the
/// backend has to grow in it. What was mounted may be gone by now; then the next mount makes the file system fill its
/// volume.
fn expand_on_node(
    session: &Session,
    options: &Options,
    directory: &str,
    bytes: u64,
) -> Result<Reply, DriverError> {
    let attach = AttachMode::of(session)?;
    let at = target(directory).ok();
    let place = at.as_ref().map(directory_of);
    let request = ExpandOnNode {
        key: volume(attach, options, place)?.key,
        at: at.map_or(VolumeLocation::Unknown, |at| {
            VolumeLocation::Perhaps(at.as_path().to_owned())
        }),
        required_bytes: bytes,
    };
    session.expand_from_node(&volume(attach, options, None)?, &request)?;
    Ok(Reply::success())
}

fn target(directory: &str) -> Result<TargetPath, DriverError> {
    TargetPath::new(directory).map_err(|error| {
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
        let open = |_: &DriverPath| -> Result<Session, DriverError> { panic!("not needed") };
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
