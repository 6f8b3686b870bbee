//! `expand_volume` at the backend, and what follows on the node.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::parameters::known;
use super::place::still_holds;
use super::provision::check_range;
use super::{Driver, VolumeReference};
use crate::error::{Condition, DriverError};
use crate::journal::{Placement, Progress, Role, VolumeRecord};
use crate::runtime::{Export, Scope};
use crate::volume::{CapacityRange, VolumeKey};
use crate::worker::{DeviceReply, DeviceRequest, Reply, Request, WorkerClient};

/// For a new size to show on the node. The kernel hears of it at once, and callers come again.
const SHOWS: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// `expand_on_node`: a volume whose backend has grown it.
#[derive(Debug)]
pub struct ExpandOnNode {
    /// Which.
    pub key: VolumeKey,
    /// Where, staged or for a pod.
    pub at: Whereabouts,
    /// What its filesystem has to fill at least.
    pub required_bytes: u64,
}

/// What the caller says of where a volume is mounted.
#[derive(Debug)]
pub enum Whereabouts {
    /// Nothing.
    Unsaid,
    /// There, if anywhere: FlexVolume's callers also ask where nothing is mounted.
    Perhaps(PathBuf),
    /// There.
    Certain(PathBuf),
}

/// What there was to do on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// The filesystem fills the volume now.
    Filesystem,
    /// A raw device, or a directory of a larger file system: there is nothing to grow.
    Nothing,
    /// It is not mounted here. Whoever mounts it next grows its filesystem before.
    NotMounted,
}

/// What the node could tell of the volume's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// It is as large as it should be.
    Enough(Growth),
    /// Nothing: only its backend knows.
    Unseen(Growth),
    /// Its device is smaller, and nothing was done: its backend has not grown it, or the node has not heard of it.
    Behind { bytes: u64 },
}

impl Driver {
    /// Grows a volume into a range and returns its size then, in bytes. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes; the guest's own.
    pub fn expand_volume(
        &self,
        volume: &VolumeReference,
        capacity: CapacityRange,
    ) -> Result<u64, DriverError> {
        check_range(capacity)?;
        let operation = self.begin(&volume.key)?;
        let guest = self.guest_with(&operation, Export::Expansion, "grow volumes")?;
        // CSI grows a volume by its id alone.
        let context = known(&guest.manifest.description, Scope::Volume, &volume.context)?;
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
        let sight = self.grow_on_node(request)?;
        if matches!(sight, Sight::Enough(_)) {
            return Ok(());
        }
        let capacity = CapacityRange {
            required_bytes: Some(request.required_bytes),
            limit_bytes: None,
        };
        match (self.expand_volume(volume, capacity), sight) {
            (Ok(_), Sight::Behind { .. }) => self.await_growth(request),
            (Ok(_), Sight::Enough(_) | Sight::Unseen(_)) => Ok(()),
            // Such a directory has what room its file system has, and no size that a pod could be kept from.
            (Err(error), Sight::Unseen(Growth::Nothing))
                if error.condition() == Condition::Unsupported =>
            {
                tracing::warn!(reason = error.chain(), "there was nothing to grow");
                Ok(())
            }
            (Err(error), _) => Err(self.grown_elsewhere(volume, request.required_bytes, error)),
        }
    }

    /// A node learns of a new size some time after the backend.
    fn await_growth(&self, request: &ExpandOnNode) -> Result<(), DriverError> {
        let until = self.deadline(Instant::now()).min(Instant::now() + SHOWS);
        loop {
            match self.grow_on_node(request)? {
                Sight::Behind { bytes } if Instant::now() >= until => {
                    return Err(behind(request, bytes));
                }
                Sight::Behind { .. } => thread::sleep(LOOK_AGAIN),
                Sight::Enough(_) | Sight::Unseen(_) => return Ok(()),
            }
        }
    }

    /// Nodes often have no key, or one that may not do this.
    fn grown_elsewhere(
        &self,
        volume: &VolumeReference,
        bytes: u64,
        error: DriverError,
    ) -> DriverError {
        if error.condition() == Condition::InProgress {
            return error;
        }
        let parameters = volume.context.pairs().iter();
        let parameters = parameters
            .map(|(key, value)| format!(" --parameter {}", word(&format!("{key}={value}"))));
        let message = format!(
            "cannot grow volume {:?} from this node; where driver {name} has a key that may, run `drivebay run {name} \
             expand-volume {} --size {bytes}{}`",
            volume.id.0,
            word(&volume.id.0),
            parameters.collect::<String>(),
            name = self.config.name,
        );
        DriverError::new(error.condition(), message).caused_by(error)
    }

    /// Lets what is on the node fill the grown volume, while it is mounted. Safe to repeat.
    ///
    /// # Errors
    /// `unsupported` where the component does not grow volumes; `failed-precondition` where the directory
    /// holds another volume, `not-found` where the caller is certain that it holds this one; `unavailable` while its
    /// device is smaller.
    pub fn expand_on_node(&self, request: &ExpandOnNode) -> Result<Growth, DriverError> {
        match self.grow_on_node(request)? {
            Sight::Behind { bytes } => Err(behind(request, bytes)),
            Sight::Enough(growth) | Sight::Unseen(growth) => Ok(growth),
        }
    }

    fn grow_on_node(&self, request: &ExpandOnNode) -> Result<Sight, DriverError> {
        let capabilities = self.prepared_capabilities()?;
        if !capabilities.exports(Export::Expansion) {
            let message = format!(
                "driver {} has no file system that could be grown on this node",
                self.config.name
            );
            return Err(DriverError::unsupported(message));
        }
        let found = match &request.at {
            Whereabouts::Certain(at) => Some(self.mounted_at(&request.key, at)?),
            Whereabouts::Unsaid | Whereabouts::Perhaps(_) => None,
        };
        if !capabilities.local_filesystem() {
            return Ok(Sight::Unseen(Growth::Nothing));
        }
        let mut operation = self.begin(&request.key)?;
        if let Whereabouts::Perhaps(at) = &request.at {
            self.refuse_other_volume(at, &request.key)?;
        }
        let record = self.journal.load(&request.key)?;
        let (mount_point, is_block) = match (record.as_ref().and_then(mounted), found) {
            (Some(placement), _) => (placement.path.clone(), placement.use_as.is_block()),
            // Another driver mounted it, and nobody asked us for it since.
            (None, Some(found)) => {
                let is_block = found.is_device();
                (found.path, is_block)
            }
            (None, None) => return Ok(Sight::Unseen(Growth::NotMounted)),
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
                Sight::Behind { bytes }
            }
            (_, true) => Sight::Enough(Growth::Nothing),
            (_, false) => Sight::Enough(Growth::Filesystem),
        })
    }

    /// kubelet names the staging directory or the pod's, depending on its version; either has to be this
    /// volume's, if we mounted there.
    fn refuse_other_volume(&self, at: &Path, key: &VolumeKey) -> Result<(), DriverError> {
        match self.journal.volume_at(at) {
            Some(other) if other != *key => Err(DriverError::failed_precondition(format!(
                "cannot grow volume {:?} at {}: that is where volume {:?} is mounted",
                key.0,
                at.display(),
                other.0
            ))),
            _ => Ok(()),
        }
    }
}

/// The device does not have yet what it should have.
fn behind(request: &ExpandOnNode, bytes: u64) -> DriverError {
    DriverError::unavailable(format!(
        "the device of volume {:?} has {bytes} bytes and not yet the {} it should have; try again",
        request.key.0, request.required_bytes
    ))
}

/// An argument as a shell takes it.
fn word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&b);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// One filesystem is behind all mounts of a volume; the staging is where it can surely be written.
fn mounted(record: &VolumeRecord) -> Option<&Placement> {
    let is_there =
        |placement: &&Placement| placement.progress == Progress::Done && still_holds(placement);
    let staged = record.staging().filter(is_there);
    let published = || {
        record
            .placements
            .iter()
            .filter(|placement| placement.role == Role::Target)
            .find(is_there)
    };
    staged.or_else(published)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_what_a_shell_makes_of_it() {
        assert_eq!(word("d-bp1"), "d-bp1");
        assert_eq!(word("volumeId=d-bp1"), "volumeId=d-bp1");
        assert_eq!(word("my pv; rm"), "'my pv; rm'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
