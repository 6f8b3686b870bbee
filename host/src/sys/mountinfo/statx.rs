//! Whether a path is a mount point, asked of the kernel for that one path.
//!
//! statx(2) tells since Linux 5.8, for the same price however much is mounted. It is told to answer from memory
//! and to set off no automount: a dead server's mount answers as any other.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Statx, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;

use crate::sys::file_identity::FileIdentity;

/// `STATX_MNT_ID_UNIQUE`, since Linux 6.8: numbers that are not given out again.
const UNIQUE_ID: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// What the kernel says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// Nothing is mounted there, or nothing is there.
    Plain,
    /// The root of what is mounted there, topmost, where its mount has a number of its own for ever.
    Root(Option<Root>),
    /// It does not say: an older kernel, or a filesystem that lets only its owner ask.
    Untold,
}

/// Of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Root {
    /// The number of the mount.
    pub(super) mount: u64,
    /// Of the directory or file that is mounted.
    pub(super) identity: FileIdentity,
}

/// Symlinks on the way are followed; the last component is not touched.
pub(super) fn at(path: &Path) -> Point {
    let Some(path) = without_trailing_slash(path) else {
        return Point::Untold;
    };
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID | UNIQUE_ID;
    match statx(CWD, &*path, flags, wanted) {
        Ok(told) => told_by(&told),
        Err(Errno::NOENT | Errno::NOTDIR) => Point::Plain,
        Err(_) => Point::Untold,
    }
}

fn told_by(told: &Statx) -> Point {
    if !told
        .stx_attributes_mask
        .contains(StatxAttributes::MOUNT_ROOT)
    {
        return Point::Untold;
    }
    if !told.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Point::Plain;
    }
    let has_unique = StatxFlags::from_bits_retain(told.stx_mask).contains(UNIQUE_ID);
    Point::Root(has_unique.then(|| Root {
        mount: told.stx_mnt_id,
        identity: FileIdentity::from(told),
    }))
}

/// With one, the kernel would follow a symlink. None for a path that ends in `..`, which has no last name.
fn without_trailing_slash(path: &Path) -> Option<Cow<'_, Path>> {
    // Also after `/.` there can be a slash.
    if !matches!(path.as_os_str().as_bytes(), [.., b'/' | b'.']) {
        return Some(Cow::Borrowed(path));
    }
    match path.parent() {
        Some(parent) => path.file_name().map(|name| Cow::Owned(parent.join(name))),
        None => Some(Cow::Borrowed(path)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    use tempfile::TempDir;

    use super::super::table::in_table;
    use super::super::{MountEntry, ToldBy, cached, cached_mount_at, is_mount_point, mount_at};
    use super::*;

    /// So long that a test which waits for it has failed.
    const NEVER: Duration = Duration::from_secs(20);

    /// A directory in which everything is unmounted again.
    struct Mounts(TempDir);

    impl Mounts {
        /// With the directories `a`, `b`, `a/below` and the file `file`.
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            for name in ["a/below", "b"] {
                fs::create_dir_all(directory.path().join(name)).expect("writable");
            }
            fs::write(directory.path().join("file"), "").expect("writable");
            Self(directory)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn tmpfs(&self, source: &str, name: &str) {
            let flags = MsFlags::empty();
            mount(
                Some(source),
                &self.path(name),
                Some("tmpfs"),
                flags,
                None::<&str>,
            )
            .expect("mounted");
        }

        fn bind(&self, from: &str, name: &str) {
            self.call(Some(&self.path(from)), name, MsFlags::MS_BIND);
        }

        fn make_read_only(&self, name: &str) {
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            self.call(None, name, flags);
        }

        fn call(&self, from: Option<&PathBuf>, name: &str, flags: MsFlags) {
            let none = None::<&str>;
            mount(from, &self.path(name), none, flags, none).expect("mounted");
        }

        /// What is mounted there, in which all ways to ask agree.
        #[track_caller]
        fn at(&self, name: &str) -> Option<Arc<MountEntry>> {
            let path = self.path(name);
            let entry = mount_at(&path).expect("told");
            let by_table = entry.clone().map(|entry| {
                Arc::new(MountEntry {
                    told_by: ToldBy::Table,
                    ..Arc::unwrap_or_clone(entry)
                })
            });
            assert_eq!(
                in_table(&path).ok().flatten(),
                by_table,
                "{name} in the table"
            );
            assert_eq!(
                cached::in_cached_table(&path).ok().flatten(),
                by_table,
                "{name} in the table that is kept"
            );
            assert_eq!(
                is_mount_point(&path).expect("told"),
                entry.is_some(),
                "{name}"
            );
            entry
        }
    }

    impl Drop for Mounts {
        fn drop(&mut self) {
            for name in ["a/below", "a", "b", "file"] {
                let flags = MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH;
                while umount2(&self.path(name), flags).is_ok() {}
            }
        }
    }

    #[test]
    fn a_mount_is_told_as_the_table_has_it() {
        let mounts = Mounts::new();
        mounts.tmpfs("10.0.0.1:/with space\\and\ttab", "a");
        let entry = mounts.at("a").expect("mounted");
        assert_eq!(entry.fs_type, "tmpfs");
        assert_eq!(entry.source, "10.0.0.1:/with space\\and\ttab");
        assert_eq!(entry.root, Path::new("/"));
        assert!(!entry.read_only);
    }

    #[test]
    fn a_bind_shows_which_directory_it_is_of_and_whether_it_can_be_written_to() {
        let mounts = Mounts::new();
        mounts.tmpfs("pool", "a");
        fs::create_dir(mounts.path("a/of a volume")).expect("writable");
        mounts.bind("a/of a volume", "b");
        let entry = mounts.at("b").expect("mounted");
        assert_eq!(entry.root, Path::new("/of a volume"));
        assert!(!entry.read_only);
        mounts.make_read_only("b");
        assert!(mounts.at("b").expect("mounted").read_only);
        assert!(!mounts.at("a").expect("mounted").read_only);
    }

    #[test]
    fn a_mount_of_which_nothing_changed_is_the_same_answer_and_another_is_not() {
        let mounts = Mounts::new();
        mounts.tmpfs("pool", "a");
        fs::create_dir(mounts.path("a/one")).expect("writable");
        mounts.bind("a/one", "b");
        let told_by = mount_at(&mounts.path("b"))
            .expect("told")
            .map(|it| it.told_by);
        // The table that is kept does not show another name.
        let ask = match told_by {
            Some(ToldBy::Mount) => cached_mount_at,
            _ => mount_at,
        };
        let known = || ask(&mounts.path("b")).expect("told");
        let before = known().expect("mounted");
        // What has changed a moment ago is not kept.
        let is_kept =
            || known().is_some_and(|again| Arc::ptr_eq(&again, &known().expect("mounted")));
        let until = Instant::now() + NEVER;
        while before.told_by == ToldBy::Mount && !is_kept() {
            assert!(Instant::now() < until, "it is never kept");
            sleep(Duration::from_millis(20));
        }
        fs::rename(mounts.path("a/one"), mounts.path("a/other")).expect("writable");
        let renamed = known().expect("mounted");
        assert_eq!(renamed.root, Path::new("/other"));
        assert_eq!(before.root, Path::new("/one"));
        umount2(&mounts.path("b"), MntFlags::empty()).expect("mounted");
        mounts.bind("a/other", "b");
        let anew = known().expect("mounted");
        assert!(anew == renamed && !Arc::ptr_eq(&anew, &renamed));
    }

    #[test]
    fn names_may_be_as_long_as_they_can_be() {
        let mounts = Mounts::new();
        let long = vec!["d".repeat(200); 4].join("/");
        mounts.tmpfs("pool", "a");
        fs::create_dir_all(mounts.path("a").join(&long)).expect("writable");
        mounts.bind(&format!("a/{long}"), "b");
        let entry = mounts.at("b").expect("mounted");
        assert_eq!(entry.root, Path::new("/").join(&long));
    }

    #[test]
    fn a_file_can_be_a_mount_point() {
        let mounts = Mounts::new();
        assert_eq!(mounts.at("file"), None);
        mounts.tmpfs("pool", "a");
        fs::write(mounts.path("a/device"), "").expect("writable");
        mounts.bind("a/device", "file");
        assert_eq!(
            mounts.at("file").expect("mounted").root,
            Path::new("/device")
        );
    }

    #[test]
    fn the_topmost_counts_until_it_is_gone() {
        let mounts = Mounts::new();
        mounts.tmpfs("lower", "a");
        mounts.tmpfs("upper", "a");
        assert_eq!(mounts.at("a").expect("mounted").source, "upper");
        umount2(&mounts.path("a"), MntFlags::empty()).expect("mounted");
        assert_eq!(mounts.at("a").expect("mounted").source, "lower");
        umount2(&mounts.path("a"), MntFlags::MNT_DETACH).expect("mounted");
        assert_eq!(mounts.at("a"), None);
    }

    #[test]
    fn links_on_the_way_are_followed_and_one_at_the_end_is_not() {
        let mounts = Mounts::new();
        mounts.tmpfs("pool", "a/below");
        symlink(mounts.path("a"), mounts.path("link")).expect("writable");
        symlink(mounts.path("a/below"), mounts.path("to-it")).expect("writable");
        for name in ["a/below", "link/below", "b/../a/below", "a//./below/"] {
            assert_eq!(mounts.at(name).expect(name).source, "pool", "{name}");
        }
        for name in [
            "to-it",
            "to-it/",
            "a",
            "nowhere",
            "nowhere/below",
            "file/below",
        ] {
            assert_eq!(mounts.at(name), None, "{name}");
        }
    }

    #[test]
    fn a_process_that_has_it_open_does_not_keep_a_mount_there() {
        let mounts = Mounts::new();
        mounts.tmpfs("pool", "a");
        let open = fs::File::open(mounts.path("a")).expect("there");
        umount2(&mounts.path("a"), MntFlags::MNT_DETACH).expect("mounted");
        assert_eq!(mounts.at("a"), None);
        drop(open);
    }
}
