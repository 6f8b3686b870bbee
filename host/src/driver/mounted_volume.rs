//! Whether a volume is mounted at a path.
//!
//! The journal knows what we mounted, if that is still what is mounted there. What another driver mounted, or what an
//! older journal knew, is shown to the guest, which says what belongs there: the host compares. Nobody
//! journals that: who only asks changes nothing.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::LockScope;
use super::mount_table::{FoundMount, current_mount, is_as_recorded, mounted_name};
use super::parameters;
use super::session::Session;
use super::staging_check::access_of;
use super::staging_path::staged_devices;
use crate::broker::{Purpose, Target};
use crate::error::{Condition, DriverError};
use crate::journal::Progress;
use crate::runtime::StageRequest;
use crate::store::{Export, Scope};
use crate::sys::MountEntry;
use crate::volume::{AccessType, VolumeId, VolumeKey};

impl Session {
    /// What is mounted of the volume, given the path that a caller was told: a staged device lies in the
    /// staging directory.
    ///
    /// # Errors
    /// `not-found` where that path does not hold the volume; `unavailable` where that cannot be told now.
    pub(super) fn mounted_at(&self, key: &VolumeKey, at: &Path) -> Result<FoundMount, DriverError> {
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
        match self.identify(key, &mounted) {
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
    ) -> Result<Option<FoundMount>, DriverError> {
        let Some(mounted) = anything_at(key, at, mounted_name)? else {
            return Ok(None);
        };
        let is_known = self.is_ours(key, &mounted)? || self.shared.mount_cache.holds(key, &mounted);
        Ok(is_known.then_some(mounted))
    }

    /// Whether what we mounted there is what is there now.
    fn is_ours(&self, key: &VolumeKey, mounted: &FoundMount) -> Result<bool, DriverError> {
        let record = self.shared.journal.load_shared(key)?;
        let noted = record.as_ref().and_then(|it| it.mount_at(&mounted.path));
        Ok(noted.is_some_and(|noted| {
            noted.progress == Progress::Done && is_as_recorded(noted, &mounted.entry)
        }))
    }

    /// Asks the guest what belongs there, and compares.
    fn identify(&self, key: &VolumeKey, mounted: &FoundMount) -> Result<(), DriverError> {
        let operation = self.begin_on(LockScope::ReadOnly)?;
        let guest = self.guest_with(&operation, Export::Node, "identify mounted volumes")?;
        let record = self.shared.journal.load(key)?;
        let record = record.as_ref();
        let (context, publish_context) = record.map_or_else(Default::default, |record| {
            (record.context(), record.publish_context(None))
        });
        let description = &guest.manifest.description;
        let context = parameters::validate_partial(description, Scope::Volume, &context)?;
        let access = access_of(&mounted.entry);
        let (setup, target) = operation.setup_with(Target {
            path: mounted.path.clone(),
            access,
            mounted: Some(mounted.entry.clone()),
            purpose: Purpose::Compare,
        });
        guest.stage_volume(
            setup,
            &StageRequest {
                id: &VolumeId(key.0.clone()),
                context: &context,
                publish_context: &publish_context,
                access,
                kind: &kind_of(mounted),
                target,
            },
        )?;
        self.shared.mount_cache.insert(key, mounted);
        Ok(())
    }
}

/// Where a volume can be, if a caller names that path, which comes first. CSI's volumes are known by their ids.
pub(super) fn candidate_paths(key: &VolumeKey, at: &Path) -> impl Iterator<Item = PathBuf> {
    let devices = move || staged_devices(at, Some(&VolumeId(key.0.clone())));
    // Most volumes are at the path itself, and no others are made up then.
    iter::once(at.to_owned()).chain(iter::once_with(devices).flatten())
}

/// What is mounted at the first of those paths that holds anything. Nothing beneath a mount is looked at: it hides
/// what else is there, and where its server is dead, looking would hang whoever asks.
fn anything_at(
    key: &VolumeKey,
    at: &Path,
    by: impl Fn(&Path) -> Result<Option<Arc<MountEntry>>, DriverError>,
) -> Result<Option<FoundMount>, DriverError> {
    for path in candidate_paths(key, at) {
        if let Some(entry) = by(&path)? {
            return Ok(Some(FoundMount { path, entry }));
        }
    }
    Ok(None)
}

/// As it was asked for, as far as that can be seen. The kernel's name of a remote filesystem says which version its
/// server speaks, which nobody need have asked for.
fn kind_of(mounted: &FoundMount) -> AccessType {
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
            mounted_name(path)
        };
        let found = anything_at(&key, mount, by)
            .expect("told")
            .expect("mounted");
        assert_eq!(found.path, mount);
        assert_eq!(asked.take(), [mount]);
        let plain = tempfile::tempdir().expect("a directory");
        let found = anything_at(&key, plain.path(), by).expect("told");
        assert!(found.is_none());
        let candidates: Vec<PathBuf> = candidate_paths(&key, plain.path()).collect();
        assert_eq!(asked.take(), candidates);
    }
}
