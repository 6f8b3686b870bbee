//! A log's file, in a directory that may be older than we are.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::directory::close_directory_itself;
use super::owner;

/// Opens a file for lines to be added, and makes it, for its owner alone, with its directory. What is above that
/// directory may be a group's that keeps the logs, as /var/log is on some distributions: so neither file nor
/// directory is anybody's but our own or root's.
///
/// # Errors
/// From the file system; where something else has the file's name, or lies in a directory that is not ours.
pub fn open_log(path: &Path) -> io::Result<File> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    close_directory_itself(directory)?;
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits() | OFlag::O_NONBLOCK.bits())
        .mode(0o600);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut made = DirBuilder::new();
            made.recursive(true).mode(0o750).create(directory)?;
            options.open(path)?
        }
        opened => opened?,
    };
    let found = file.metadata()?;
    match found.is_file() && found.nlink() <= 1 && owner::is_trusted(found.uid()) {
        true => Ok(file),
        false => Err(io::Error::other("something else has the log's name")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn lines_are_added_to_a_file_of_ours_alone() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("log/x.log");
        for line in ["one\n", "two\n"] {
            let mut file = open_log(&path).expect("writable");
            file.write_all(line.as_bytes()).expect("written");
        }
        assert_eq!(fs::read_to_string(&path).expect("there"), "one\ntwo\n");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_or_a_file_of_somebody_else_gets_no_line() {
        let root = tempfile::tempdir().expect("a directory");
        let (path, precious) = (root.path().join("x.log"), root.path().join("precious"));
        fs::write(&precious, "kept").expect("writable");
        symlink(&precious, &path).expect("writable");
        assert!(open_log(&path).is_err());
        fs::remove_file(&path).expect("there");
        fs::hard_link(&precious, &path).expect("writable");
        assert!(open_log(&path).is_err());
        fs::remove_file(&path).expect("there");
        fs::write(&path, "").expect("writable");
        chown(&path, Some(65_534), None).expect("root");
        assert!(open_log(&path).is_err());
    }

    #[test]
    fn a_directory_that_others_may_write_is_closed_first() {
        let root = tempfile::tempdir().expect("a directory");
        fs::set_permissions(root.path(), Permissions::from_mode(0o777)).expect("ours");
        open_log(&root.path().join("x.log")).expect("writable");
        let mode = fs::metadata(root.path()).expect("there").mode();
        assert_eq!(mode & 0o022, 0);
    }
}
