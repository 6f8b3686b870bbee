//! What else is mounted, beside what is at one path: asked only where something is in the way.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::entry::MountEntry;
use super::table::{TABLE, resolved, unescape};

/// Everywhere that the same directory of the same filesystem is mounted.
///
/// # Errors
/// Where /proc cannot be read.
pub fn mount_points_of(entry: &MountEntry) -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read(TABLE)?;
    let same = lines(&table)
        .filter(|(device, root, _)| *device == entry.device.as_bytes() && *root == entry.root);
    Ok(same.map(|(.., point)| point).collect())
}

/// What is mounted beneath a path, not at it.
///
/// # Errors
/// Where the parent does not exist or /proc cannot be read.
pub fn mount_points_beneath(path: &Path) -> io::Result<Vec<PathBuf>> {
    let above = resolved(path)?;
    let table = std::fs::read(TABLE)?;
    let points = lines(&table).map(|(.., point)| point);
    Ok(points
        .filter(|point| *point != above && point.starts_with(&above))
        .collect())
}

/// Device, root and mount point of each.
fn lines(table: &[u8]) -> impl Iterator<Item = (&[u8], PathBuf, PathBuf)> {
    let path = |field: &[u8]| PathBuf::from(OsString::from_vec(unescape(field)));
    table.split(|byte| *byte == b'\n').filter_map(move |line| {
        let mut fields = line.split(|byte| *byte == b' ').skip(2);
        Some((fields.next()?, path(fields.next()?), path(fields.next()?)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mount_is_told_by_its_device_and_where_it_is() {
        let table = b"22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n90 22 0:50 /x /a\\040b rw - nfs4 f:/ rw\n";
        let all: Vec<_> = lines(table).collect();
        assert_eq!(
            all,
            [
                (&b"254:0"[..], PathBuf::from("/"), PathBuf::from("/")),
                (&b"0:50"[..], PathBuf::from("/x"), PathBuf::from("/a b"))
            ]
        );
    }

    #[test]
    fn what_is_beneath_a_path_is_not_at_it_nor_beside_it() {
        let beneath = mount_points_beneath(Path::new("/proc")).expect("readable");
        assert!(!beneath.contains(&PathBuf::from("/proc")));
        let beneath = mount_points_beneath(Path::new("/")).expect("readable");
        assert!(beneath.contains(&PathBuf::from("/proc")));
    }
}
