//! A layer: files as a tar that is the same whenever and by whomever it is made, compressed, with its digests.

use std::fmt;
use std::io::Write;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::tree::{Node, Tree};

/// In gzip's header, of which system it comes: unknown (RFC 1952), so that it is the same everywhere.
const UNKNOWN_SYSTEM: u8 = 255;

/// As it lies in the image.
pub(super) struct Layer {
    name: &'static str,
    pub(super) compressed: Vec<u8>,
    /// Of the tar, by which what runs it checks what it unpacked.
    pub(super) diff_id: String,
    unpacked: usize,
}

impl Layer {
    pub(super) fn of(name: &'static str, tree: &Tree) -> Result<Self> {
        let tar = archive(tree)?;
        let gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
        let mut gzip = gzip.write(Vec::new(), Compression::best());
        gzip.write_all(&tar)?;
        let compressed = gzip.finish()?;
        Ok(Self {
            name,
            diff_id: digest(&tar),
            unpacked: tar.len(),
            compressed,
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unpacked, compressed) = (self.unpacked as u64, self.compressed.len() as u64);
        write!(
            formatter,
            "layer {}: {}, {} compressed",
            self.name,
            megabytes(unpacked),
            megabytes(compressed)
        )
    }
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// As container images spell it.
pub(super) fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// Everything is root's and as old as time. In the order of names, so that a directory comes before what it holds.
pub(super) fn archive(tree: &Tree) -> Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (path, node) in tree.iter() {
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        match node {
            Node::Directory { mode } => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                builder.append_data(&mut header, format!("{path}/"), std::io::empty())?;
            }
            Node::File { mode, content } => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_slice())?;
            }
            Node::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                builder.append_link(&mut header, path, relative(path, target))?;
            }
        }
    }
    Ok(builder.into_inner()?)
}

/// A link's text, that leads to the same place wherever the tree is unpacked.
pub(super) fn relative(path: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    let from: Vec<&str> = path.split('/').collect();
    let to: Vec<&str> = target.split('/').collect();
    let from = &from[..from.len() - 1];
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let parts: Vec<&str> = up.chain(to[shared..].iter().copied()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: [&str; 2]) -> Tree {
        let mut tree = Tree::default();
        for path in files {
            tree.file(path, 0o755, path);
        }
        tree.link("usr/sbin/mkfs.ext4", "usr/sbin/mke2fs");
        tree.link("bin", "usr/bin");
        tree
    }

    #[test]
    fn the_same_files_make_the_same_layer() {
        let files = ["usr/sbin/mke2fs", "etc/passwd"];
        let [one, other] =
            [files, [files[1], files[0]]].map(|files| Layer::of("tools", &tree(files)).unwrap());
        assert_eq!(one.compressed, other.compressed);
        assert_eq!(one.diff_id, other.diff_id);
        assert_ne!(digest(&one.compressed), one.diff_id);
    }

    #[test]
    fn an_archive_is_roots_and_has_parents_first() {
        let tar = archive(&tree(["usr/sbin/mke2fs", "etc/passwd"])).unwrap();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut paths = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.mtime().unwrap(), 0);
            paths.push(entry.path().unwrap().display().to_string());
        }
        let expected = [
            "bin",
            "etc/",
            "etc/passwd",
            "usr/",
            "usr/sbin/",
            "usr/sbin/mke2fs",
            "usr/sbin/mkfs.ext4",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn links_lead_to_the_same_place_wherever_they_are() {
        for (path, target, text) in [
            ("usr/sbin/mkfs.ext4", "usr/sbin/mke2fs", "mke2fs"),
            ("usr/lib64/ld.so", "usr/lib/x/ld.so", "../lib/x/ld.so"),
            ("bin", "usr/bin", "usr/bin"),
            (
                "etc/os-release",
                "usr/lib/os-release",
                "../usr/lib/os-release",
            ),
            ("etc/mtab", "/proc/mounts", "/proc/mounts"),
        ] {
            assert_eq!(relative(path, target), text);
        }
    }
}
