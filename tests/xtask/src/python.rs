//! Python, which only the tests need: environments beneath target/, each of what one list names.
//!
//! What was installed is remembered by the list it came from, so that a changed list is installed anew.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

/// Pythons that may be there, Debian's first: the pinned packages are known to install on it.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// A Python with packages of its own.
pub(crate) struct Environment {
    directory: PathBuf,
    /// One package a line, with its version.
    list: PathBuf,
}

/// With Alibaba Cloud's SDKs.
pub(crate) fn sdks(workspace: &Workspace) -> Environment {
    Environment {
        directory: workspace.sdks().join("venv"),
        list: workspace.root().join("tests/sdk/python/requirements.txt"),
    }
}

/// With gRPC, as a caller of the CSI socket.
pub(crate) fn grpc(workspace: &Workspace) -> Environment {
    Environment {
        directory: workspace.target().join("grpc/venv"),
        list: workspace.root().join("tests/csi/python/requirements.txt"),
    }
}

/// Debian's packages for what this machine has in no other way either.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    match find() {
        Some(_) => Vec::new(),
        None => vec!["python3-venv"],
    }
}

/// A Python that can make environments; on Debian that is a package of its own.
fn find() -> Option<&'static str> {
    let works =
        |python: &&str| answer(command(python).args(["-c", "import ensurepip, venv"])).is_ok();
    PYTHONS.into_iter().find(works)
}

impl Environment {
    /// Its Python.
    pub(crate) fn python(&self) -> PathBuf {
        self.directory.join("bin/python")
    }

    /// Whether it is installed as its list says.
    pub(crate) fn is_there(&self) -> bool {
        let (now, then) = (fs::read(&self.list), fs::read(self.stamp()));
        // An environment whose Python was removed is none.
        let runs = || answer(command(self.python()).arg("--version")).is_ok();
        now.is_ok_and(|now| then.is_ok_and(|then| then == now)) && runs()
    }

    pub(crate) fn install(&self) -> Result<()> {
        let interpreter =
            find().context("no python3 can make environments; install python3-venv")?;
        let mut make = command(interpreter);
        make.args(["-m", "venv", "--clear"]).arg(&self.directory);
        process::run(&mut make, Echo::Silent)?;
        let mut pip = command(self.python());
        pip.args(["-m", "pip", "install", "--quiet"]);
        pip.arg("--disable-pip-version-check");
        pip.arg("--requirement").arg(&self.list);
        process::run(&mut pip, Echo::Silent)
            .with_context(|| format!("cannot install what {} lists", self.list.display()))?;
        let stamp = self.stamp();
        fs::copy(&self.list, &stamp)
            .map(drop)
            .with_context(|| format!("cannot write {}", stamp.display()))
    }

    fn stamp(&self) -> PathBuf {
        self.directory.join("installed.txt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> [String; 2] {
        let workspace = Workspace::find().unwrap();
        [sdks(&workspace), grpc(&workspace)].map(|it| fs::read_to_string(it.list).unwrap())
    }

    /// One that names an index would send everyone there, whatever their machine is set to.
    #[test]
    fn lists_say_what_is_installed_and_not_from_where() {
        for list in lists() {
            assert!(!list.contains("://"), "{list}");
        }
    }

    #[test]
    fn every_package_has_its_one_version() {
        let names = |line: &&str| !line.is_empty() && !line.starts_with('#');
        for list in lists() {
            for line in list.lines().filter(names) {
                assert!(line.contains("=="), "{line} has no version");
            }
        }
    }
}
