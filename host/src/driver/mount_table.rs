//! What the kernel says is mounted, and whether it is what the journal has.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::DriverError;
use crate::journal::{MountRecord, Progress};
use crate::sys::{
    MountEntry, cached_mount_at, cached_name_at, device_beneath, is_mount_point, mount_at,
    mount_points_beneath,
};

/// A path at which something is mounted.
#[derive(Debug)]
pub(super) struct FoundMount {
    pub(super) path: PathBuf,
    pub(super) entry: Arc<MountEntry>,
}

impl FoundMount {
    /// Whether it is a raw device.
    pub(super) fn is_device(&self) -> bool {
        !self.entry.is_on_device() && device_beneath(&self.path, &self.entry).is_some()
    }
}

/// Whether somebody else keeps what is mounted: `server:/path` or, for SMB, `//server/path`, as the kernel writes such
/// sources.
pub(super) fn is_from_server(entry: &MountEntry) -> bool {
    entry.source.contains(':') || entry.source.starts_with("//")
}

/// What tells one mount from another in the kernel's table.
pub(super) fn identity(entry: &MountEntry) -> String {
    let root = root(entry);
    format!("{} {} {root}", entry.fs_type, entry.source)
}

/// Whether the kernel's table shows there what it showed when that was mounted. Each repeated call asks, so that no text
/// is made of it.
pub(super) fn is_as_recorded(noted: &MountRecord, entry: &MountEntry) -> bool {
    let rest = after(&noted.shown_as, &entry.fs_type).and_then(|rest| after(rest, &entry.source));
    rest.is_some_and(|rest| rest == root(entry))
}

/// What comes after a word and a space.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.strip_prefix(word)?.strip_prefix(' ')
}

fn root(entry: &MountEntry) -> Cow<'_, str> {
    let root = entry.root.to_string_lossy();
    // The kernel removes a device's node with the device, and it stays bound: whether the disk is still there is
    // asked by its number.
    match (entry.fs_type.as_str(), root) {
        ("devtmpfs", Cow::Borrowed(root)) => Cow::Borrowed(root.trim_end_matches("//deleted")),
        ("devtmpfs", root) => Cow::Owned(root.trim_end_matches("//deleted").to_owned()),
        (_, root) => root,
    }
}

/// Whether what was mounted there is there still; what cannot be told counts as there.
pub(super) fn is_still_mounted(mount: &MountRecord) -> bool {
    match cached_mount(&mount.path) {
        Ok(None) => false,
        Ok(Some(entry)) => mount.progress != Progress::Done || is_as_recorded(mount, &entry),
        Err(_) => true,
    }
}

pub(super) fn is_mounted(path: &Path) -> Result<bool, DriverError> {
    ask(path, is_mount_point)
}

/// As [`current_mount`], but whether it can be written to may be out of date.
pub(super) fn cached_mount(path: &Path) -> Result<Option<Arc<MountEntry>>, DriverError> {
    ask(path, cached_mount_at)
}

/// As [`cached_mount`], and whether it can be written to is as it was once.
pub(super) fn mounted_name(path: &Path) -> Result<Option<Arc<MountEntry>>, DriverError> {
    ask(path, cached_name_at)
}

/// What is mounted beneath a path, not at it.
pub(super) fn beneath(path: &Path) -> Result<Option<PathBuf>, DriverError> {
    let points = or_nothing(path, mount_points_beneath(path))?;
    Ok(points.and_then(|points| points.into_iter().next()))
}

pub(super) fn current_mount(path: &Path) -> Result<Option<Arc<MountEntry>>, DriverError> {
    ask(path, mount_at)
}

/// What is mounted there, by whoever knows; nothing is the default.
fn ask<T: Default>(path: &Path, by: fn(&Path) -> std::io::Result<T>) -> Result<T, DriverError> {
    Ok(or_nothing(path, by(path))?.unwrap_or_default())
}

/// No parent, no mount; making the target will say more.
fn or_nothing<T>(path: &Path, told: std::io::Result<T>) -> Result<Option<T>, DriverError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match told {
        Ok(told) => Ok(Some(told)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(DriverError::internal(format!(
            "cannot read what is mounted at {}",
            path.display()
        ))
        .caused_by(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Role, Use};
    use crate::sys::ToldBy;
    use crate::volume::{Access, AccessType};

    fn entry(fs_type: &str, source: &str, root: &str) -> MountEntry {
        MountEntry {
            fs_type: fs_type.into(),
            source: source.into(),
            root: root.into(),
            device: "0:5".into(),
            read_only: false,
            told_by: ToldBy::Mount,
        }
    }

    fn noted(entry: &MountEntry) -> MountRecord {
        MountRecord {
            path: "/pod".into(),
            role: Role::Target,
            use_as: Use::of(Access::ReadWrite, &AccessType::Block),
            component: String::new(),
            progress: Progress::Done,
            shown_as: identity(entry),
            disk: None,
            takes_writes: None,
        }
    }

    #[test]
    fn a_mount_is_as_recorded_where_nothing_of_it_differs_that_is_recorded() {
        let of = |words: [&str; 3]| entry(words[0], words[1], words[2]);
        let all = [
            ["ext4", "/dev/vdb", "/"],
            ["ext4", "/dev/vdb", "/a"],
            ["ext4", "/dev/vdb", "/a b"],
            ["ext4", "/dev/vdb /a", "b"],
            ["ext4", "/dev/vdc", "/"],
            ["xfs", "/dev/vdb", "/"],
            ["nfs4", "filer:/with space", "/"],
            ["devtmpfs", "devtmpfs", "/vdb"],
        ];
        for recorded in all.map(of) {
            for found in all.map(of) {
                let is_same = identity(&recorded) == identity(&found);
                assert_eq!(is_as_recorded(&noted(&recorded), &found), is_same);
            }
        }
        let gone = of(["devtmpfs", "devtmpfs", "/vdb//deleted"]);
        assert!(is_as_recorded(&noted(&of(all[7])), &gone));
    }

    #[test]
    fn the_node_of_a_disk_that_is_gone_shows_as_the_same_mount_and_a_removed_directory_does_not() {
        let identity = |fs_type: &str, root: &str| identity(&entry(fs_type, "x", root));
        assert_eq!(
            identity("devtmpfs", "/vdb//deleted"),
            identity("devtmpfs", "/vdb")
        );
        assert_ne!(identity("devtmpfs", "/vdc"), identity("devtmpfs", "/vdb"));
        assert_ne!(
            identity("ext4", "/pool/a//deleted"),
            identity("ext4", "/pool/a")
        );
    }
}
