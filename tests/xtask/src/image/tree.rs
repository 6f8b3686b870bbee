//! Files of an image, or of a package, in memory: no root is needed for owners, and no chroot to follow links.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result};
use tar::{Archive, EntryType};

/// How many links one path may lead over; Linux allows as many.
const MAX_LINKS: usize = 40;

/// Directories at the top of a package's tree that Debian 12 has merged into /usr (hier(7)); packages still name the old
/// places.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory {
        mode: u32,
    },
    File {
        mode: u32,
        content: Vec<u8>,
    },
    /// A symbolic link, and where it leads to: a path of the same tree, or one of the running system with a slash.
    Link(String),
}

/// By path, from the root and without a slash before it. Parents come before what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// A package's files, with everything where /bin, /lib and the like lead to.
    pub(super) fn of_archive(tar: &[u8]) -> Result<Self> {
        let mut tree = Self::default();
        for entry in Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = text(&entry.path_bytes())?;
            let mode = entry.header().mode()? & 0o7777;
            let target = entry
                .link_name_bytes()
                .map(|name| text(&name))
                .transpose()?;
            let node = match (entry.header().entry_type(), target) {
                (EntryType::Directory, _) => Node::Directory { mode },
                (EntryType::Regular, _) => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content)?;
                    Node::File { mode, content }
                }
                (EntryType::Symlink, Some(target)) => Node::Link(led_to(&path, &target)),
                // Of the archive's root, and nothing is lost by a symbolic one in its place.
                (EntryType::Link, Some(target)) => Node::Link(led_to("", &target)),
                (other, _) => {
                    anyhow::bail!("{path} is {other:?}, which no package here should have")
                }
            };
            let path = merged(&path);
            if !path.is_empty() {
                tree.put(&path, node);
            }
        }
        Ok(tree)
    }

    /// Adds or replaces; directories on the way are made.
    pub(super) fn put(&mut self, path: &str, node: Node) {
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        for parent in parents {
            let directory = Node::Directory { mode: 0o755 };
            self.0.entry(parent.to_owned()).or_insert(directory);
        }
        self.0.insert(path.to_owned(), node);
    }

    pub(super) fn directory(&mut self, path: &str, mode: u32) {
        self.put(path, Node::Directory { mode });
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) {
        let content = content.into();
        self.put(path, Node::File { mode, content });
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Node::Link(target.to_owned()));
    }

    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Everything beneath a directory.
    pub(super) fn beneath(&self, directory: &str) -> impl Iterator<Item = (&str, &Node)> {
        let first = format!("{directory}/");
        self.iter()
            .filter(move |(path, _)| path.starts_with(&first))
    }

    /// What a file holds, or the file that a link leads to.
    pub(super) fn read(&self, path: &str) -> Result<&[u8]> {
        let mut place = path;
        for _ in 0..MAX_LINKS {
            match self.get(place) {
                Some(Node::File { content, .. }) => return Ok(content),
                Some(Node::Link(target)) => place = target,
                Some(Node::Directory { .. }) => anyhow::bail!("{place} is a directory"),
                None => anyhow::bail!("there is no {place}"),
            }
        }
        anyhow::bail!("{path} leads over too many links")
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).context("a file's name is not text")
}

/// Where a link in that place leads to, from the root.
fn led_to(path: &str, target: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let whole = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("{directory}/{target}"),
    };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    merged(&parts.join("/"))
}

/// A package's path as Debian 12 has it.
pub(super) fn merged(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if path == "." {
        String::new()
    } else if MERGED.contains(&first) {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            if *kind == EntryType::Regular {
                header.set_size(content.len() as u64);
                let content = content.as_bytes();
                builder.append_data(&mut header, path, content).unwrap();
            } else {
                header.set_size(0);
                builder.append_link(&mut header, path, content).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn packages_are_laid_out_with_everything_in_usr() {
        let tree = Tree::of_archive(&archive(&[
            ("./sbin/e2fsck", EntryType::Regular, "program"),
            ("./sbin/fsck.ext4", EntryType::Symlink, "e2fsck"),
            ("./lib64/ld.so.2", EntryType::Symlink, "/lib/x/ld.so.2"),
            (
                "./etc/os-release",
                EntryType::Symlink,
                "../usr/lib/os-release",
            ),
            ("./usr/bin/twin", EntryType::Link, "./sbin/e2fsck"),
        ]));
        let tree = tree.unwrap();
        assert_eq!(tree.read("usr/sbin/fsck.ext4").unwrap(), b"program");
        assert_eq!(tree.read("usr/bin/twin").unwrap(), b"program");
        let link = |path: &str| tree.get(path).cloned();
        assert_eq!(
            link("usr/lib64/ld.so.2"),
            Some(Node::Link("usr/lib/x/ld.so.2".to_owned()))
        );
        assert_eq!(
            link("etc/os-release"),
            Some(Node::Link("usr/lib/os-release".to_owned()))
        );
        assert_eq!(link("usr"), Some(Node::Directory { mode: 0o755 }));
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let mut tree = Tree::default();
        tree.link("a", "b");
        tree.link("b", "a");
        assert!(tree.read("a").unwrap_err().to_string().contains("too many"));
        assert!(tree.read("c").is_err());
    }
}
