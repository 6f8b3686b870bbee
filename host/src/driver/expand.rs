//! `expand_volume` at the backend, and what follows on the node.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::mount_table::is_still_mounted;
use super::parameters::validate_partial;
use super::provision::check_range;
use super::request::{ExpandOnNode, VolumeLocation, VolumeReference};
use super::response::ExpandOutcome;
use super::session::Session;
use crate::error::{Condition, DriverError};
use crate::journal::{MountRecord, Progress, Role, VolumeRecord};
use crate::store::{Export, Scope};
use crate::volume::{CapacityRange, VolumeKey};
use crate::worker::{DeviceReply, DeviceRequest, Reply, Request, WorkerClient};

/// For a new size to show on the node. The kernel hears of it at once, and callers come again.
const SHOWS: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What the node could tell of the volume's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SizeOnNode {
    /// It is as large as it should be.
    Reached(ExpandOutcome),
    /// Nothing: only its backend knows.
    Unknown(ExpandOutcome),
    /// Its device is smaller, and nothing was done: its backend has not grown it, or the node has not heard of it.
    TooSmall { bytes: u64 },
}

impl Session {
    /// Grows a volume into a range and returns its size then, in bytes. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes.
    pub fn expand_volume(
        &self,
        volume: &VolumeReference,
        capacity: CapacityRange,
    ) -> Result<u64, DriverError> {
        check_range(capacity)?;
        let operation = self.begin(&volume.key)?;
        let guest = self.guest_with(&operation, Export::Expansion, "expand volumes")?;
        // CSI grows a volume by its id alone.
        let context =
            validate_partial(&guest.manifest.description, Scope::Volume, &volume.context)?;
        guest.expand_volume(operation.setup(), &volume.id, &context, capacity)
    }

    /// Grows a volume and lets what is on this node fill it, for callers that have grown nothing anywhere else. The
    /// backend is asked where the node cannot see that the volume has its size already. Safe to repeat.
    ///
    /// # Errors
    /// As for [`Self::expand_on_node`], and for [`Self::expand_volume`] with the command that does the same where
    /// the driver may.
    pub fn expand_from_node(
        &self,
        volume: &VolumeReference,
        request: &ExpandOnNode,
    ) -> Result<(), DriverError> {
        let size = self.expand_mounted(request)?;
        if matches!(size, SizeOnNode::Reached(_)) {
            return Ok(());
        }
        let capacity = CapacityRange {
            required_bytes: Some(request.required_bytes),
            limit_bytes: None,
        };
        match (self.expand_volume(volume, capacity), size) {
            (Ok(_), SizeOnNode::TooSmall { .. }) => self.await_growth(request),
            (Ok(_), SizeOnNode::Reached(_) | SizeOnNode::Unknown(_)) => Ok(()),
            // Such a directory has what room its file system has, and no size that a pod could be kept from.
            (Err(error), SizeOnNode::Unknown(ExpandOutcome::Nothing))
                if error.condition() == Condition::Unsupported =>
            {
                tracing::warn!(reason = error.chain(), "nothing to expand");
                Ok(())
            }
            (Err(error), _) => Err(self.cannot_expand_here(volume, request.required_bytes, error)),
        }
    }

    /// A node learns of a new size some time after the backend.
    fn await_growth(&self, request: &ExpandOnNode) -> Result<(), DriverError> {
        let until = self.deadline(Instant::now()).min(Instant::now() + SHOWS);
        loop {
            match self.expand_mounted(request)? {
                SizeOnNode::TooSmall { bytes } if Instant::now() >= until => {
                    return Err(too_small(request, bytes));
                }
                SizeOnNode::TooSmall { .. } => thread::sleep(LOOK_AGAIN),
                SizeOnNode::Reached(_) | SizeOnNode::Unknown(_) => return Ok(()),
            }
        }
    }

    /// Nodes often have no key, or one that may not do this.
    fn cannot_expand_here(
        &self,
        volume: &VolumeReference,
        bytes: u64,
        error: DriverError,
    ) -> DriverError {
        if error.condition() == Condition::InProgress {
            return error;
        }
        let parameters = volume.context.pairs().iter();
        let parameters = parameters.map(|(key, value)| {
            format!(" --parameter {}", shell_quoted(&format!("{key}={value}")))
        });
        let message = format!(
            "cannot expand volume {:?} from this node; on a machine where driver {name} has a key that is allowed to, run `drivebay run {name} \
             expand-volume {} --size {bytes}{}`",
            volume.id.0,
            shell_quoted(&volume.id.0),
            parameters.collect::<String>(),
            name = self.config().name,
        );
        DriverError::new(error.condition(), message).caused_by(error)
    }

    /// Lets what is on the node fill the grown volume, while it is mounted. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes; `failed-precondition` where the directory
    /// holds another volume, `not-found` where the caller is certain that it holds this one; `unavailable` while its
    /// device is smaller.
    pub fn expand_on_node(&self, request: &ExpandOnNode) -> Result<ExpandOutcome, DriverError> {
        match self.expand_mounted(request)? {
            SizeOnNode::TooSmall { bytes } => Err(too_small(request, bytes)),
            SizeOnNode::Reached(outcome) | SizeOnNode::Unknown(outcome) => Ok(outcome),
        }
    }

    fn expand_mounted(&self, request: &ExpandOnNode) -> Result<SizeOnNode, DriverError> {
        let capabilities = self.prepared_capabilities()?;
        if !capabilities.exports(Export::Expansion) {
            let message = format!(
                "driver {} has no file system to expand on this node",
                self.config().name
            );
            return Err(DriverError::unsupported(message));
        }
        let found = match &request.at {
            VolumeLocation::Certain(at) => Some(self.mounted_at(&request.key, at)?),
            VolumeLocation::Unknown | VolumeLocation::Perhaps(_) => None,
        };
        if !capabilities.local_filesystem() {
            return Ok(SizeOnNode::Unknown(ExpandOutcome::Nothing));
        }
        let mut operation = self.begin(&request.key)?;
        if let VolumeLocation::Perhaps(at) = &request.at {
            self.refuse_other_volume(at, &request.key)?;
        }
        let record = self.shared.journal.load(&request.key)?;
        let (mount_point, is_block) = match (record.as_ref().and_then(mounted), found) {
            (Some(mount), _) => (mount.path.clone(), mount.use_as.is_block()),
            // Another driver mounted it, and nobody asked us for it since.
            (None, Some(found)) => {
                let is_block = found.is_device();
                (found.path, is_block)
            }
            (None, None) => return Ok(SizeOnNode::Unknown(ExpandOutcome::NotMounted)),
        };
        let grow = DeviceRequest::GrowMounted {
            mount_point,
            at_least_bytes: Some(request.required_bytes),
        };
        let reply = operation
            .workers
            .call(Request::Device(grow), operation.deadline)?;
        Ok(match (reply, is_block) {
            (Reply::Device(DeviceReply::Size(bytes)), _) if bytes < request.required_bytes => {
                SizeOnNode::TooSmall { bytes }
            }
            (_, true) => SizeOnNode::Reached(ExpandOutcome::Nothing),
            (_, false) => SizeOnNode::Reached(ExpandOutcome::Filesystem),
        })
    }

    /// kubelet names the staging directory or the pod's, depending on its version; either has to be this
    /// volume's, if we mounted there.
    fn refuse_other_volume(&self, at: &Path, key: &VolumeKey) -> Result<(), DriverError> {
        match self.shared.journal.volume_at(at) {
            Some(other) if other != *key => Err(DriverError::failed_precondition(format!(
                "cannot expand volume {:?} at {}: volume {:?} is mounted there",
                key.0,
                at.display(),
                other.0
            ))),
            _ => Ok(()),
        }
    }
}

/// The device does not have yet what it should have.
fn too_small(request: &ExpandOnNode, bytes: u64) -> DriverError {
    DriverError::unavailable(format!(
        "the device of volume {:?} has {bytes} bytes, and must have {} first; try again",
        request.key.0, request.required_bytes
    ))
}

/// An argument as a shell takes it.
fn shell_quoted(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&b);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// One filesystem is behind all mounts of a volume; the staging is where it can surely be written.
fn mounted(record: &VolumeRecord) -> Option<&MountRecord> {
    let is_there =
        |mount: &&MountRecord| mount.progress == Progress::Done && is_still_mounted(mount);
    let staged = record.staging().filter(is_there);
    let published = || {
        record
            .mounts
            .iter()
            .filter(|mount| mount.role == Role::Target)
            .find(is_there)
    };
    staged.or_else(published)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_what_a_shell_makes_of_it() {
        assert_eq!(shell_quoted("d-bp1"), "d-bp1");
        assert_eq!(shell_quoted("volumeId=d-bp1"), "volumeId=d-bp1");
        assert_eq!(shell_quoted("my pv; rm"), "'my pv; rm'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
        assert_eq!(shell_quoted(""), "''");
    }
}
