//! The SDKs themselves: Python's in a virtual environment, Node's by their lock, both beneath target/. Go fetches its
//! own when it builds the program that is made of them.
//!
//! What was installed is remembered by the list it came from, so that a changed list is installed anew.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{self, Echo, answer, command};
use crate::python;
use crate::workspace::Workspace;

/// What Node's part is installed from.
const LOCK: &str = "node/package-lock.json";

/// Files that npm reads besides the lock.
const NODE_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Debian's packages for what this machine has in no other way either.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let mut packages = python::missing_packages();
    // Other builds of Node bring npm along, and Debian's npm does not install beside them.
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if answer(command(program).arg("--version")).is_err() {
            packages.push(package);
        }
    }
    packages
}

/// Where Node finds the SDKs.
pub(super) fn node_modules(workspace: &Workspace) -> PathBuf {
    workspace.sdks().join("node/node_modules")
}

/// Whether both are installed as the lists say.
pub(crate) fn is_there(workspace: &Workspace) -> bool {
    let now = fs::read(sources(workspace).join(LOCK));
    let then = fs::read(stamp(workspace, LOCK));
    now.is_ok_and(|now| then.is_ok_and(|then| then == now)) && python::sdks(workspace).is_there()
}

/// Installs both.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    python::sdks(workspace).install()?;
    install_node(workspace)
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
    fn the_lock_says_what_is_installed_and_not_from_where() {
        let sources = sources(&Workspace::find().unwrap());
        for list in [LOCK, "go/go.mod", "go/go.sum"] {
            let text = fs::read_to_string(sources.join(list)).unwrap();
            assert!(!text.contains("://"), "{list} names an address");
        }
    }
}
