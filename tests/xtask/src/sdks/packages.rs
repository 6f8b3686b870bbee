//! The SDKs themselves: Python's in a virtual environment, Node's by their lock, both beneath target/. Go fetches its
//! own when it builds the program that is made of them.
//!
//! What was installed is remembered by the list it came from, so that a changed list is installed anew.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

/// What Python's part is installed from, and Node's.
const REQUIREMENTS: &str = "python/requirements.txt";
const LOCK: &str = "node/package-lock.json";

/// Files that npm reads besides the lock.
const NODE_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Pythons that may be there, Debian's first: the pinned packages are known to install on it.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// Debian's packages for what this machine has in no other way either.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let mut packages = Vec::new();
    if find_python().is_none() {
        packages.push("python3-venv");
    }
    // Other builds of Node bring npm along, and Debian's npm does not install beside them.
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if answer(command(program).arg("--version")).is_err() {
            packages.push(package);
        }
    }
    packages
}

/// A Python that can make environments; on Debian that is a package of its own.
fn find_python() -> Option<&'static str> {
    let works =
        |python: &&str| answer(command(python).args(["-c", "import ensurepip, venv"])).is_ok();
    PYTHONS.into_iter().find(works)
}

/// The environment's Python.
pub(super) fn python(workspace: &Workspace) -> PathBuf {
    workspace.sdks().join("venv/bin/python")
}

/// Where Node finds the SDKs.
pub(super) fn node_modules(workspace: &Workspace) -> PathBuf {
    workspace.sdks().join("node/node_modules")
}

/// Whether both are installed as the lists say.
pub(crate) fn is_there(workspace: &Workspace) -> bool {
    let same = |list: &str| {
        let now = fs::read(sources(workspace).join(list));
        let then = fs::read(stamp(workspace, list));
        now.is_ok_and(|now| then.is_ok_and(|then| then == now))
    };
    // An environment whose Python was removed is none.
    let runs = || answer(command(python(workspace)).arg("--version")).is_ok();
    same(REQUIREMENTS) && same(LOCK) && runs()
}

/// Installs both.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    install_python(workspace)?;
    install_node(workspace)
}

fn install_python(workspace: &Workspace) -> Result<()> {
    let environment = workspace.sdks().join("venv");
    let list = sources(workspace).join(REQUIREMENTS);
    let interpreter =
        find_python().context("no python3 can make environments; install python3-venv")?;
    let mut make = command(interpreter);
    make.args(["-m", "venv", "--clear"]).arg(&environment);
    process::run(&mut make, Echo::Silent)?;
    let mut pip = command(python(workspace));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    pip.arg("--requirement").arg(&list);
    process::run(&mut pip, Echo::Silent)
        .with_context(|| format!("cannot install what {} lists", list.display()))?;
    remember(workspace, REQUIREMENTS)
}

fn install_node(workspace: &Workspace) -> Result<()> {
    let directory = workspace.sdks().join("node");
    fs::create_dir_all(&directory)?;
    let sources = sources(workspace).join("node");
    for name in NODE_FILES {
        fs::copy(sources.join(name), directory.join(name))
            .with_context(|| format!("cannot copy {} for npm", sources.join(name).display()))?;
    }
    let mut npm = command("npm");
    // Scripts of packages run as root here, and none of these needs one.
    npm.current_dir(&directory)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run(&mut npm, Echo::Silent)
        .context("cannot install what tests/sdk/node's lock lists")?;
    remember(workspace, LOCK)
}

/// Keeps the list that was installed.
fn remember(workspace: &Workspace, list: &str) -> Result<()> {
    let stamp = stamp(workspace, list);
    fs::copy(sources(workspace).join(list), &stamp)
        .map(drop)
        .with_context(|| format!("cannot write {}", stamp.display()))
}

fn stamp(workspace: &Workspace, list: &str) -> PathBuf {
    workspace.sdks().join(list.replace('/', "-"))
}

fn sources(workspace: &Workspace) -> PathBuf {
    workspace.root().join("tests/sdk")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lock that names a registry would send everyone there, whatever their machine is set to.
    #[test]
    fn lists_say_what_is_installed_and_not_from_where() {
        let sources = sources(&Workspace::find().unwrap());
        for list in [REQUIREMENTS, LOCK, "go/go.mod", "go/go.sum"] {
            let text = fs::read_to_string(sources.join(list)).unwrap();
            assert!(!text.contains("://"), "{list} names an address");
        }
    }

    #[test]
    fn every_package_of_python_has_its_one_version() {
        let sources = sources(&Workspace::find().unwrap());
        let list = fs::read_to_string(sources.join(REQUIREMENTS)).unwrap();
        let names = |line: &&str| !line.is_empty() && !line.starts_with('#');
        for line in list.lines().filter(names) {
            assert!(line.contains("=="), "{line} has no version");
        }
    }
}
