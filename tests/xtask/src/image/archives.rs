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
        let archives = candidates.iter().map(|name| self.directory.join(name));
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

    /// Fetches them, and tells their files' names. Lists that are missing, or name what a mirror no longer has, are
    /// fetched first.
    fn candidates(&self, names: &[&str]) -> Result<Vec<String>> {
        self.fetched(names).or_else(|_| {
            // Sources that are not Debian's may be out of reach, and need not be in anybody's way.
            let refreshed = self.refresh();
            self.fetched(names)
                .or_else(|error| refreshed.and(Err(error)))
        })
    }

    fn fetched(&self, names: &[&str]) -> Result<Vec<String>> {
        let mut show = self.apt("apt-cache", "show");
        let list = answer(show.arg("--no-all-versions").args(names))?;
        process::run(self.apt("apt-get", "download").args(names), Echo::Silent)?;
        let mut candidates = candidates(&list)?;
        candidates.sort();
        Ok(candidates)
    }

    fn refresh(&self) -> Result<()> {
        if self.architecture.is_here() {
            return packages::refresh();
        }
        process::run(&mut self.apt("apt-get", "update"), Echo::Silent).map(drop)
    }

    /// A program of apt's, which needs no root for any of this.
    fn apt(&self, program: &str, task: &str) -> Command {
        let mut apt = command(program);
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

/// What apt calls the archives of packages whose fields it shows.
fn candidates(list: &str) -> Result<Vec<String>> {
    let packages = list
        .split("\n\n")
        .filter(|package| !package.trim().is_empty());
    packages
        .map(|package| {
            let named = |name: &str| {
                let value = field(package, name);
                value.with_context(|| format!("apt does not say the {name} of {package}"))
            };
            // The colon behind an epoch is no part of a file's name.
            let version = named("Version")?.replace(':', "%3a");
            let (name, architecture) = (named("Package")?, named("Architecture")?);
            Ok(format!("{name}_{version}_{architecture}.deb"))
        })
        .collect()
}

/// Of a control file.
fn field<'a>(control: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = control.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

impl Package {
    fn read(archive: &Path) -> Result<Self> {
        let content = fs::read(archive)
            .with_context(|| format!("apt did not fetch {}", archive.display()))?;
        let control = answer(command("dpkg-deb").arg("--field").arg(archive))?;
        let tar = process::bytes(command("dpkg-deb").arg("--fsys-tarfile").arg(archive))?;
        let named = |name: &str| {
            let value = field(&control, name).map(str::to_owned);
            value.with_context(|| format!("{} does not say its {name}", archive.display()))
        };
        Ok(Self {
            name: named("Package")?,
            version: named("Version")?,
            source: field(&control, "Source").map(str::to_owned),
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
    fn archives_are_called_as_apt_calls_them() {
        let list = "Package: xfsprogs\nVersion: 6.1.0-1\nArchitecture: amd64\n\n\
                    Package: libdevmapper1.02.1\nArchitecture: amd64\nVersion: 2:1.02.185-2\n\n";
        let expected = [
            "xfsprogs_6.1.0-1_amd64.deb",
            "libdevmapper1.02.1_2%3a1.02.185-2_amd64.deb",
        ];
        assert_eq!(candidates(list).unwrap(), expected);
        assert!(candidates("Package: nameless\n").is_err());
    }
}
