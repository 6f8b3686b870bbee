//! What is mounted in a model, and where.

use std::path::{Path, PathBuf};

use super::kept::ModelMount;
use super::state::Model;
use crate::sys::{MountEntry, ToldBy};
use crate::volume::Access;
use crate::worker::{Fault, FaultKind, Remote};

impl ModelMount {
    pub(super) fn of_share(remote: &Remote, access: Access) -> Self {
        Self::new(
            &remote.fs_type,
            remote.source_text(),
            Path::new("/"),
            access,
        )
    }

    pub(super) fn of_directory(directory: &Path, path: &str, access: Access) -> Self {
        Self::new(
            "bind",
            "a directory".to_owned(),
            &directory.join(path),
            access,
        )
    }

    pub(super) fn of_device(fs_type: &str, name: &str, serial: &str, access: Access) -> Self {
        let source = format!("/dev/disk/by-id/{name}");
        Self {
            device: Some(serial.to_owned()),
            ..Self::new(fs_type, source, Path::new("/"), access)
        }
    }

    fn new(fs_type: &str, source: String, root: &Path, access: Access) -> Self {
        Self {
            fs_type: fs_type.to_owned(),
            source,
            root: root.to_owned(),
            device: None,
            read_only: access == Access::ReadOnly,
            volume: None,
            is_staging: false,
        }
    }

    fn entry(&self) -> MountEntry {
        MountEntry {
            fs_type: self.fs_type.clone(),
            source: self.source.clone(),
            root: self.root.clone(),
            device: "0:0".to_owned(),
            read_only: self.read_only,
            told_by: ToldBy::Mount,
        }
    }

    /// Whether the same thing is shown in the same way.
    pub(super) fn shows_the_same_as(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.source.clone(), it.root.clone(), it.read_only);
        of(self) == of(other)
    }

    /// Why nothing else is mounted there.
    pub(super) fn in_the_way(&self, target: &Path) -> Fault {
        let message = self.entry().in_the_way_at(target.display());
        Fault::new(FaultKind::Exists, message)
    }
}

impl Model {
    /// What is mounted at a path, as the kernel would say it.
    pub(crate) fn mount_at(&self, path: &Path) -> Option<MountEntry> {
        self.kept().mounts.get(path).map(ModelMount::entry)
    }

    /// Whether something other than that volume is mounted there, or that volume.
    pub(crate) fn holds(&self, path: &Path, volume: &str) -> Option<bool> {
        let kept = self.kept();
        let mount = kept.mounts.get(path)?;
        Some(mount.volume.as_deref() == Some(volume))
    }

    /// Nothing there is success.
    pub(crate) fn unmount(&self, path: &Path) {
        self.kept().mounts.remove(path);
    }

    /// What was mounted there a moment ago is that volume's staging.
    pub(crate) fn is_staging_of(&self, path: &Path, volume: &str) {
        self.belongs(path, volume, true);
    }

    /// It is what one of its pods has.
    pub(crate) fn is_target_of(&self, path: &Path, volume: &str) {
        self.belongs(path, volume, false);
    }

    fn belongs(&self, path: &Path, volume: &str, is_staging: bool) {
        if let Some(mount) = self.kept().mounts.get_mut(path) {
            mount.volume = Some(volume.to_owned());
            mount.is_staging = is_staging;
        }
    }

    /// Where that volume is staged.
    pub(crate) fn staging_of(&self, volume: &str) -> Option<PathBuf> {
        let kept = self.kept();
        let mut mounts = kept.mounts.iter();
        let (path, _) = mounts.find(|(_, it)| it.is_staging && is_of(it, volume))?;
        Some(path.clone())
    }

    /// Where that volume is mounted at all.
    pub(crate) fn mounted_where(&self, volume: &str) -> Option<PathBuf> {
        let kept = self.kept();
        let mut mounts = kept.mounts.iter();
        let (path, _) = mounts.find(|(_, it)| is_of(it, volume))?;
        Some(path.clone())
    }

    /// What is mounted at the one shows at the other, too.
    pub(crate) fn bind(&self, from: &Path, target: &Path, access: Access) {
        let mut kept = self.kept();
        if let Some(mount) = kept.mounts.get(from) {
            let bound = ModelMount {
                read_only: mount.read_only || access == Access::ReadOnly,
                ..mount.clone()
            };
            kept.mounts.insert(target.to_owned(), bound);
        }
    }

    pub(super) fn mount(&self, target: PathBuf, mount: ModelMount) {
        self.kept().mounts.insert(target, mount);
    }

    /// As a worker compares what is mounted with what would be.
    pub(super) fn compare(&self, target: &Path, wanted: &ModelMount) -> Result<(), Fault> {
        let kept = self.kept();
        let Some(mount) = kept.mounts.get(target) else {
            let message = format!("nothing is mounted at {}", target.display());
            return Err(Fault::new(FaultKind::NotFound, message));
        };
        match mount.shows_the_same_as(wanted) {
            true => Ok(()),
            false => Err(mount.in_the_way(target)),
        }
    }
}

fn is_of(mount: &ModelMount, volume: &str) -> bool {
    mount.volume.as_deref() == Some(volume)
}
