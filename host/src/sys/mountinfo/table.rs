//! The table of all mounts, `/proc/self/mountinfo` (proc(5)).

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{MountEntry, ToldBy};

pub(in crate::sys) const TABLE: &str = "/proc/self/mountinfo";

pub(super) fn in_table(path: &Path) -> io::Result<Option<Arc<MountEntry>>> {
    let resolved = resolved(path)?;
    let table = std::fs::read(TABLE)?;
    Ok(find(&table, &resolved).map(Arc::new))
}

pub(super) fn resolved(path: &Path) -> io::Result<PathBuf> {
    let parent = path.parent().unwrap_or(Path::new("/")).canonicalize()?;
    Ok(parent.join(path.file_name().unwrap_or_default()))
}

fn find(table: &[u8], mount_point: &Path) -> Option<MountEntry> {
    let wanted = mount_point.as_os_str().as_bytes();
    // Later lines cover earlier ones.
    let lines = table.split(|byte| *byte == b'\n').rev();
    lines
        .filter(|line| {
            line.split(|byte| *byte == b' ')
                .nth(4)
                .is_some_and(|field| unescape(field) == wanted)
        })
        .find_map(parse)
}

/// `36 35 98:0 /root /mount/point rw,noatime [optional …] - fstype source superoptions`
pub(super) fn parse(line: &[u8]) -> Option<MountEntry> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let separator = fields.iter().position(|field| *field == b"-")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(&unescape(bytes)).into_owned();
    let read_only = |options: &[u8]| {
        options
            .split(|byte| *byte == b',')
            .any(|option| option == b"ro")
    };
    Some(MountEntry {
        fs_type: text(fields.get(separator + 1)?),
        source: text(fields.get(separator + 2)?),
        root: PathBuf::from(text(fields.get(3)?)),
        device: text(fields.get(2)?),
        // A read-only mount of a writable file system says so in the first list, a read-only file system
        // in the second.
        read_only: read_only(fields.get(5)?)
            || fields
                .get(separator + 3)
                .is_some_and(|options| read_only(options)),
        told_by: ToldBy::Table,
    })
}

/// The kernel writes space, tab, newline and backslash as `\040` and so on.
pub(super) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        match octal(rest) {
            Some(value) => {
                out.push(value);
                rest = &rest[4..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}

fn octal(text: &[u8]) -> Option<u8> {
    let [b'\\', digits @ ..] = text.get(..4)? else {
        return None;
    };
    let value = digits.iter().try_fold(0_u32, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 8 + u32::from(digit - b'0'))
    })?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::super::mount_at;
    use super::*;

    const LINES: &[u8] = b"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        90 22 0:50 / /pods/a\\040b/v rw,relatime shared:5 master:2 - nfs4 10.0.0.1:/with\\040space rw,vers=4.2\n\
        91 22 254:0 /pool/x /pods/c ro,relatime - ext4 /dev/vda rw\n\
        92 22 0:51 / /pods/c rw - tmpfs none rw\n";

    #[test]
    fn escaped_paths_and_optional_fields_are_read() {
        let entry = find(LINES, Path::new("/pods/a b/v")).expect("mounted");
        assert_eq!(entry.fs_type, "nfs4");
        assert_eq!(entry.source, "10.0.0.1:/with space");
        assert!(!entry.read_only);
    }

    #[test]
    fn the_topmost_of_two_mounts_counts() {
        assert_eq!(
            find(LINES, Path::new("/pods/c")).expect("mounted").fs_type,
            "tmpfs"
        );
    }

    #[test]
    fn a_path_that_is_no_mount_point_is_none() {
        assert_eq!(find(LINES, Path::new("/pods")), None);
    }

    #[test]
    fn links_and_dots_on_the_way_are_resolved_and_the_last_name_is_not_touched() {
        let directory = tempfile::tempdir().expect("a directory");
        let there = directory.path().canonicalize().expect("there");
        let (real, link) = (there.join("real"), there.join("link"));
        std::fs::create_dir(&real).expect("writable");
        std::os::unix::fs::symlink(&real, &link).expect("writable");
        let wanted = real.join("link");
        for path in [
            "real/link",
            "link/link",
            "real/../real/link",
            "real//./link",
        ] {
            assert_eq!(
                resolved(&there.join(path)).expect("there"),
                wanted,
                "{path}"
            );
        }
        assert!(resolved(&there.join("nowhere/link")).is_err());
    }

    #[test]
    fn the_root_is_a_mount() {
        assert!(mount_at(Path::new("/proc")).expect("readable").is_some());
    }
}
