//! An image's files in a directory, for those who make images by other means.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::layer::relative;
use super::tree::{Node, Tree};

/// All layers, one over the other. They belong to whoever runs this.
pub(super) fn write<'a>(layers: impl Iterator<Item = &'a Tree>, root: &Path) -> Result<()> {
    ensure!(
        !root.exists(),
        "{} is there already; name a directory that is not",
        root.display()
    );
    fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    for tree in layers {
        for (path, node) in tree.iter() {
            let place = root.join(path);
            put(path, node, &place).with_context(|| format!("cannot write {}", place.display()))?;
        }
    }
    Ok(())
}

fn put(path: &str, node: &Node, place: &Path) -> std::io::Result<()> {
    let mode = match node {
        Node::Directory { mode } => {
            fs::create_dir_all(place)?;
            mode
        }
        Node::File { mode, content } => {
            fs::write(place, content)?;
            mode
        }
        Node::Link(target) => return symlink(relative(path, target), place),
    };
    fs::set_permissions(place, fs::Permissions::from_mode(*mode))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use drivebay_testbed::Scratch;

    use super::*;

    #[test]
    fn layers_become_one_directory_with_modes_and_links() {
        let (mut one, mut other) = (Tree::default(), Tree::default());
        one.directory("tmp", 0o1777);
        one.link("bin", "usr/bin");
        other.file("usr/bin/drivebay", 0o755, "program");
        let name = format!("drivebay-root-{}", std::process::id());
        let scratch = Scratch::at(&std::env::temp_dir().join(name)).unwrap();
        let root = scratch.path().join("root");
        write([&one, &other].into_iter(), &root).unwrap();
        assert_eq!(fs::read(root.join("bin/drivebay")).unwrap(), b"program");
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode("tmp"), mode("bin/drivebay")), (0o1777, 0o755));
        let again = write([&one].into_iter(), &root).unwrap_err().to_string();
        assert!(again.contains("is there already"), "{again}");
    }
}
