//! Whether a volume is mounted at a path.
//!
//! The journal knows what we mounted, if that is still what is mounted there. What another driver mounted, or what an
//! older journal knew, is shown to the guest, which says what belongs there: the host compares. That is remembered
//! for as long as the mount stays the same, and journaled by nobody: who only asks changes nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Driver;
use super::mount_table::{cached_mount, current_mount, identity, is_as_recorded};
use super::operation::Subject;
use super::staging::access_of;
use super::staging_path::staged_devices;
use crate::error::{Condition, DriverError};
use crate::journal::Progress;
use crate::runtime::{Export, Purpose, StageRequest};
use crate::sys::{MountEntry, device_beneath, disk_beneath};
use crate::volume::{AccessType, VolumeId, VolumeKey};

/// More than a node has of one driver; of any more, some are asked about again.
const MOST: usize = 512;

/// A path that holds the volume that was asked about.
#[derive(Debug)]
pub(super) struct Mounted {
    pub(super) path: PathBuf,
    pub(super) entry: MountEntry,
}

impl Mounted {
    /// Whether it is a raw device.
    pub(super) fn is_device(&self) -> bool {
        !self.entry.is_on_device() && device_beneath(&self.path, &self.entry).is_some()
    }
}

/// What guests said of mounts that the journal does not know, by path.
#[derive(Debug, Default)]
pub(super) struct Recognised(Mutex<HashMap<PathBuf, Seen>>);

/// A mount, and whose it is.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    key: VolumeKey,
    shown: String,
    disk: Option<String>,
}

impl Seen {
    /// None where the disk beneath cannot be told.
    fn of(key: &VolumeKey, mounted: &Mounted) -> Option<Self> {
        Some(Self {
            key: key.clone(),
            shown: identity(&mounted.entry),
            disk: disk_beneath(&mounted.path, &mounted.entry).ok()?,
        })
    }
}

impl Recognised {
    fn holds(&self, key: &VolumeKey, mounted: &Mounted) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(&mounted.path);
        known.is_some_and(|known| Some(known) == Seen::of(key, mounted).as_ref())
    }

    fn remember(&self, key: &VolumeKey, mounted: &Mounted) {
        let Some(now) = Seen::of(key, mounted) else {
            return;
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(mounted.path.clone(), now);
    }
}

impl Driver {
    /// What is mounted of the volume, given the path that a caller was told: a staged device lies in the
    /// staging directory.
    ///
    /// # Errors
    /// `not-found` where that path does not hold the volume; `unavailable` where that cannot be told now.
    pub(super) fn mounted_at(&self, key: &VolumeKey, at: &Path) -> Result<Mounted, DriverError> {
        if let Some(mounted) = self.known_at(key, at)? {
            return Ok(mounted);
        }
        let nowhere = || {
            DriverError::not_found(format!(
                "volume {:?} is not mounted at {}",
                key.0,
                at.display()
            ))
        };
        let mounted = anything_at(key, at, current_mount)?.ok_or_else(nowhere)?;
        match self.recognise(key, &mounted) {
            Ok(()) => Ok(mounted),
            Err(error) if says_no(error.condition()) => Err(nowhere().caused_by(error)),
            Err(error) => Err(error),
        }
    }

    /// The same as far as nobody has to be asked.
    pub(super) fn known_at(
        &self,
        key: &VolumeKey,
        at: &Path,
    ) -> Result<Option<Mounted>, DriverError> {
        let Some(mounted) = anything_at(key, at, cached_mount)? else {
            return Ok(None);
        };
        let is_noted = self.journal.volume_at(&mounted.path).as_ref() == Some(key);
        let is_known =
            is_noted && self.is_ours(key, &mounted)? || self.recognised.holds(key, &mounted);
        Ok(is_known.then_some(mounted))
    }

    /// Whether what we mounted there is what is there now.
    fn is_ours(&self, key: &VolumeKey, mounted: &Mounted) -> Result<bool, DriverError> {
        let record = self.journal.look(key)?;
        let noted = record.as_ref().and_then(|it| it.mount_at(&mounted.path));
        Ok(noted.is_some_and(|noted| {
            noted.progress == Progress::Done && is_as_recorded(noted, &mounted.entry)
        }))
    }

    /// Asks the guest what belongs there, and compares.
    fn recognise(&self, key: &VolumeKey, mounted: &Mounted) -> Result<(), DriverError> {
        let operation = self.begin_on(Subject::Nothing)?;
        let guest = self.guest_with(&operation, Export::Node, "tell what is mounted")?;
        let record = self.journal.load(key)?;
        let record = record.as_ref();
        let (context, publish_context) = record.map_or_else(Default::default, |record| {
            (record.context(), record.publish_context(None))
        });
        let description = &guest.manifest.description;
        let context = super::parameters::known(description, super::Scope::Volume, &context)?;
        guest.stage_volume(
            operation.setup(),
            &StageRequest {
                id: &VolumeId(key.0.clone()),
                context: &context,
                publish_context: &publish_context,
                access: access_of(&mounted.entry),
                kind: &kind_of(mounted),
                target: mounted.path.clone(),
                mounted: Some(mounted.entry.clone()),
                purpose: Purpose::Compare,
            },
        )?;
        self.recognised.remember(key, mounted);
        Ok(())
    }
}

/// Where a volume can be, if a caller names that path, which comes first. CSI's volumes are known by their ids.
fn candidate_paths(key: &VolumeKey, at: &Path) -> Vec<PathBuf> {
    let devices = staged_devices(at, Some(&VolumeId(key.0.clone())));
    [at.to_owned()].into_iter().chain(devices).collect()
}

/// What is mounted at the first of those paths that holds anything. Nothing beneath a mount is looked at: it hides
/// what else is there, and where its server is dead, looking would hang whoever asks.
fn anything_at(
    key: &VolumeKey,
    at: &Path,
    by: impl Fn(&Path) -> Result<Option<MountEntry>, DriverError>,
) -> Result<Option<Mounted>, DriverError> {
    for path in candidate_paths(key, at) {
        if let Some(entry) = by(&path)? {
            return Ok(Some(Mounted { path, entry }));
        }
    }
    Ok(None)
}

/// As it was asked for, as far as that can be seen. The kernel's name of a remote filesystem says which version its
/// server speaks, which nobody need have asked for.
fn kind_of(mounted: &Mounted) -> AccessType {
    if mounted.is_device() {
        return AccessType::Block;
    }
    let fs_type = match mounted.entry.is_on_device() {
        true => mounted.entry.fs_type.clone(),
        false => String::new(),
    };
    AccessType::Filesystem {
        fs_type,
        mount_options: Vec::new(),
    }
}

/// Whether a guest's error says that something else is mounted, or that the volume's id alone does not say what it
/// is; otherwise nobody knows.
fn says_no(condition: Condition) -> bool {
    match condition {
        Condition::InvalidArgument
        | Condition::OutOfRange
        | Condition::NotFound
        | Condition::AlreadyExists
        | Condition::FailedPrecondition
        | Condition::Denied
        | Condition::Unsupported => true,
        Condition::InProgress
        | Condition::Unavailable
        | Condition::Exhausted
        | Condition::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn beneath_what_is_mounted_at_the_path_itself_nothing_is_looked_at() {
        let (key, mount) = (VolumeKey("d-1".into()), Path::new("/proc"));
        let asked = RefCell::new(Vec::new());
        let by = |path: &Path| {
            asked.borrow_mut().push(path.to_owned());
            cached_mount(path)
        };
        let found = anything_at(&key, mount, by)
            .expect("told")
            .expect("mounted");
        assert_eq!(found.path, mount);
        assert_eq!(asked.take(), [mount]);
        let plain = tempfile::tempdir().expect("a directory");
        let found = anything_at(&key, plain.path(), by).expect("told");
        assert!(found.is_none());
        assert_eq!(asked.take(), candidate_paths(&key, plain.path()));
    }
}
