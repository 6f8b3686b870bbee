//! Whether this process can make files somewhere.

use std::io;
use std::path::Path;

use rustix::fs::{Access, access};

/// In that directory; where it is missing, in the one in which it would be made.
///
/// # Errors
/// As the system says it.
pub fn check_writable(directory: &Path) -> io::Result<()> {
    match access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match directory.parent() {
            Some(parent) => check_writable(parent),
            None => Err(error),
        },
        checked => checked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_can_be_made_where_something_above_it_takes_files() {
        let root = tempfile::tempdir().expect("a directory");
        check_writable(root.path()).expect("ours");
        check_writable(&root.path().join("a/b")).expect("can be made");
        check_writable(Path::new("/proc/self/none")).expect_err("nothing is made there");
    }
}
