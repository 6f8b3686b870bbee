//! Files on their way from Debian's packages into an image.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::archives::Package;
use super::tree::{Node, Tree};

/// Where programs are, in the order in which they are looked for.
const DIRECTORIES: [&str; 2] = ["usr/sbin", "usr/bin"];

/// What was taken, and of which packages.
pub(super) struct Gathered<'a> {
    packages: &'a [Package],
    tree: Tree,
    used: BTreeSet<&'a str>,
}

impl<'a> Gathered<'a> {
    pub(super) fn of(packages: &'a [Package]) -> Self {
        Self {
            packages,
            tree: Tree::default(),
            used: BTreeSet::new(),
        }
    }

    /// Takes a program from the package that should have it, and tells its path.
    pub(super) fn program(&mut self, name: &str, package: &str) -> Result<String> {
        let owner = self.packages.iter().find(|one| one.name == package);
        let owner = owner.with_context(|| format!("{name}: there is no package {package}"))?;
        let paths = DIRECTORIES.map(|directory| format!("{directory}/{name}"));
        let path = paths
            .into_iter()
            .find(|path| owner.files.get(path).is_some());
        let path = path.with_context(|| format!("{package} has no program {name}"))?;
        self.copy(&path)?;
        Ok(path)
    }

    /// Takes a file from whichever package has it, and where it is a link what that leads to, and so on.
    pub(super) fn copy(&mut self, path: &str) -> Result<()> {
        let mut place = path.to_owned();
        // A link that was taken before has brought what it leads to.
        while self.tree.get(&place).is_none() {
            let (package, node) = self.find(&place)?;
            self.tree.put(&place, node.clone());
            match node {
                Node::Link(target) => place.clone_from(target),
                Node::File { .. } => {
                    self.used.insert(&package.name);
                    break;
                }
                Node::Directory { .. } => break,
            }
        }
        Ok(())
    }

    /// Takes all of a directory.
    pub(super) fn copy_beneath(&mut self, directory: &str) -> Result<()> {
        let packages = self.packages.iter();
        let paths = packages.flat_map(|package| package.files.beneath(directory));
        let paths: Vec<String> = paths.map(|(path, _)| path.to_owned()).collect();
        ensure!(!paths.is_empty(), "no package has anything in {directory}");
        paths.iter().try_for_each(|path| self.copy(path))
    }

    /// All files of a directory as one, in the order of their names.
    pub(super) fn concatenated(&mut self, directory: &str) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        for package in self.packages {
            for (path, node) in package.files.beneath(directory) {
                let Node::File { content, .. } = node else {
                    continue;
                };
                all.extend_from_slice(content);
                ensure!(all.ends_with(b"\n"), "{path} ends within a line");
                self.used.insert(&package.name);
            }
        }
        ensure!(!all.is_empty(), "no package has files in {directory}");
        Ok(all)
    }

    /// What a file that was taken holds.
    pub(super) fn read(&self, path: &str) -> Result<&[u8]> {
        self.tree.read(path)
    }

    /// Each package has given something by now.
    pub(super) fn ensure_all_used(&self) -> Result<()> {
        let names = self.packages.iter().map(|package| package.name.as_str());
        let in_vain: Vec<&str> = names.filter(|name| !self.used.contains(name)).collect();
        ensure!(
            in_vain.is_empty(),
            "nothing is needed of {}; take it out of PACKAGES",
            in_vain.join(", ")
        );
        Ok(())
    }

    pub(super) fn into_tree(self) -> Tree {
        self.tree
    }

    fn find(&self, path: &str) -> Result<(&'a Package, &'a Node)> {
        let found = self
            .packages
            .iter()
            .find_map(|package| Some((package, package.files.get(path)?)));
        found.with_context(|| {
            format!("none of the packages has {path}; add the one that does to PACKAGES")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, files: &[(&str, &str)]) -> Package {
        let mut package = Package::empty(name);
        for (path, content) in files {
            match content.strip_prefix("-> ") {
                Some(target) => package.files.link(path, target),
                None => package.files.file(path, 0o644, *content),
            }
        }
        package
    }

    #[test]
    fn a_link_brings_what_it_leads_to_from_whichever_package_has_it() {
        let packages = [
            package("progs", &[("usr/sbin/mkfs.x", "-> usr/sbin/mke")]),
            package("other", &[("usr/sbin/mke", "program")]),
        ];
        let mut gathered = Gathered::of(&packages);
        let path = gathered.program("mkfs.x", "progs").unwrap();
        assert_eq!(gathered.read(&path).unwrap(), b"program");
        assert!(gathered.program("mke", "progs").is_err());
        let missing = gathered.copy("usr/lib/libx.so.1").unwrap_err().to_string();
        assert!(missing.contains("usr/lib/libx.so.1"), "{missing}");
    }

    #[test]
    fn a_package_of_which_nothing_is_needed_is_named() {
        let packages = [
            package(
                "certificates",
                &[
                    ("usr/share/certs/a.crt", "A\n"),
                    ("usr/share/certs/b.crt", "B\n"),
                ],
            ),
            package("vain", &[("usr/lib/vain.so", "library")]),
        ];
        let mut gathered = Gathered::of(&packages);
        assert_eq!(gathered.concatenated("usr/share/certs").unwrap(), b"A\nB\n");
        let vain = gathered.ensure_all_used().unwrap_err().to_string();
        assert!(vain.contains("of vain;"), "{vain}");
        gathered.copy_beneath("usr/lib").unwrap();
        gathered.ensure_all_used().unwrap();
    }
}
