//! A directory with all that lies in it, copied for a dry run: directories, files and links, with their modes.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// `to` must not be there yet; directories above it are made. What is none of the three is left out.
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (there, here) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()? {
            kind if kind.is_dir() => copy_tree(&there, &here)?,
            kind if kind.is_symlink() => symlink(fs::read_link(&there)?, &here)?,
            kind if kind.is_file() => {
                fs::copy(&there, &here)?;
            }
            _ => {}
        }
    }
    // Last: it may let nobody write.
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_tree_comes_with_its_modes_and_links() {
        let top = tempfile::tempdir().expect("a directory");
        let (from, to) = (top.path().join("from"), top.path().join("a/to"));
        fs::create_dir_all(from.join("d")).expect("writable");
        fs::write(from.join("d/f"), "x").expect("writable");
        symlink("/nowhere", from.join("link")).expect("writable");
        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(from.join("d/f"), mode(0o640)).expect("ours");
        fs::set_permissions(from.join("d"), mode(0o710)).expect("ours");
        copy_tree(&from, &to).expect("copied");
        let bits = |path: &str| {
            fs::metadata(to.join(path))
                .expect("there")
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!((bits("d"), bits("d/f")), (0o710, 0o640));
        assert_eq!(
            fs::read_link(to.join("link")).expect("a link"),
            Path::new("/nowhere")
        );
        assert!(copy_tree(&from, &to).is_err(), "it is there");
    }
}
