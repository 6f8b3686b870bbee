//! Debian's packages, of this machine's architecture or another, fetched and read without installing anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::layer::digest;
use super::tree::Tree;
use crate::architecture::Architecture;
use crate::packages;
use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

/// A package, as it was fetched.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// What it was built from, where that has another name or version.
    pub(super) source: Option<String>,
    /// Its archive's digest.
    pub(super) digest: String,
    /// What dpkg would keep of it.
    pub(super) control: String,
    pub(super) files: Tree,
}

/// Where packages of one architecture come from, and go to.
pub(super) struct Archives {
    architecture: Architecture,
    directory: PathBuf,
}

/// An archive that apt would fetch: its file's name.
struct Candidate(String);

impl Archives {
    pub(super) fn of(workspace: &Workspace, architecture: Architecture) -> Self {
        let directory = workspace.image().join("debs").join(architecture.name());
        Self {
            architecture,
            directory,
        }
    }

    /// The newest version of each that apt's lists have. What was fetched before is fetched again only where it differs.
    pub(super) fn packages(&self, names: &[&str]) -> Result<Vec<Package>> {
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        if !self.architecture.is_here() {
            self.lay_out_lists()?;
        }
        let candidates = self.candidates(names)?;
        let archives = candidates
            .iter()
            .map(|Candidate(name)| self.directory.join(name));
        let packages = archives.map(|archive| Package::read(&archive));
        let packages = packages.collect::<Result<Vec<_>>>()?;
        let mut fetched: Vec<&str> = packages.iter().map(|it| it.name.as_str()).collect();
        fetched.sort_unstable();
        anyhow::ensure!(
            fetched == names,
            "asked for {names:?}, apt fetched {fetched:?}"
        );
        Ok(packages)
    }

    /// Fetches them. Lists that are missing, or name what a mirror no longer has, are fetched first.
    fn candidates(&self, names: &[&str]) -> Result<Vec<Candidate>> {
        self.fetched(names).or_else(|_| {
            // Sources that are not Debian's may be out of reach, and need not be in anybody's way.
            let refreshed = self.refresh();
            self.fetched(names)
                .or_else(|error| refreshed.and(Err(error)))
        })
    }

    fn fetched(&self, names: &[&str]) -> Result<Vec<Candidate>> {
        // Elsewhere: of those that lie in its directory apt names none.
        let elsewhere = self.directory.join("none");
        fs::create_dir_all(&elsewhere)?;
        let mut list = self.apt("download");
        list.current_dir(&elsewhere).arg("--print-uris").args(names);
        let list = answer(&mut list)?;
        process::run(self.apt("download").args(names), Echo::Silent)?;
        let mut candidates = candidates(&list);
        candidates.sort_by(|Candidate(one), Candidate(other)| one.cmp(other));
        Ok(candidates)
    }

    fn refresh(&self) -> Result<()> {
        if self.architecture.is_here() {
            return packages::refresh();
        }
        process::run(&mut self.apt("update"), Echo::Silent).map(drop)
    }

    /// apt-get, which needs no root for any of this.
    fn apt(&self, task: &str) -> Command {
        let mut apt = command("apt-get");
        apt.current_dir(&self.directory);
        // Where it is root, its own user for downloads cannot write here.
        apt.args(["--option", "APT::Sandbox::User=root"]);
        if !self.architecture.is_here() {
            for option in self.lists_of_its_own() {
                apt.args(["--option", &option]);
            }
        }
        apt.arg(task);
        apt
    }

    /// So that this machine's own lists stay as they are: adding an architecture to dpkg would change what it installs.
    fn lists_of_its_own(&self) -> [String; 5] {
        let place = |name: &str| self.directory.join(name).display().to_string();
        [
            format!("APT::Architecture={}", self.architecture.name()),
            format!("APT::Architectures={}", self.architecture.name()),
            format!("Dir::State={}", place("state")),
            format!("Dir::State::status={}", place("state/status")),
            format!("Dir::Cache={}", place("cache")),
        ]
    }

    fn lay_out_lists(&self) -> Result<()> {
        for directory in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(self.directory.join(directory))?;
        }
        // Nothing is installed there.
        fs::write(self.directory.join("state/status"), "").context("cannot write apt's state")
    }
}

/// From lines such as `'URI' NAME SIZE HASH`.
fn candidates(list: &str) -> Vec<Candidate> {
    let names = list
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split(' ').nth(1));
    names.map(|name| Candidate(name.to_owned())).collect()
}

impl Package {
    fn read(archive: &Path) -> Result<Self> {
        let content = fs::read(archive)
            .with_context(|| format!("apt did not fetch {}", archive.display()))?;
        let control = answer(command("dpkg-deb").arg("--field").arg(archive))?;
        let tar = process::bytes(command("dpkg-deb").arg("--fsys-tarfile").arg(archive))?;
        let field = |name: &str| {
            let mut lines = control.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned)
        };
        let named = |name: &str| {
            field(name).with_context(|| format!("{} does not say its {name}", archive.display()))
        };
        Ok(Self {
            name: named("Package")?,
            version: named("Version")?,
            source: field("Source"),
            digest: digest(&content),
            files: Tree::of_archive(&tar)
                .with_context(|| format!("cannot read {}", archive.display()))?,
            control,
        })
    }

    #[cfg(test)]
    pub(super) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: "1.0-1".to_owned(),
            source: None,
            digest: digest(b""),
            control: format!("Package: {name}\nVersion: 1.0-1\n"),
            files: Tree::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_archives_are_read_from_what_apt_would_fetch() {
        let list = "'http://mirror/pool/x/xfsprogs/xfsprogs_6.1.0-1_amd64.deb' xfsprogs_6.1.0-1_amd64.deb 964060 SHA256:91e2\n\
                    a word of warning\n";
        let names: Vec<String> = candidates(list).into_iter().map(|it| it.0).collect();
        assert_eq!(names, ["xfsprogs_6.1.0-1_amd64.deb"]);
    }
}
