//! A node to measure on: the example driver `local` installed as kubelet would find it, and beside it the
//! script, each with one volume mounted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use drivebay_testbed::{Layout, Scratch};

use super::measure;
use crate::process::{self, Echo};
use crate::workspace::Workspace;

const SCRIPT: &str = include_str!("flexvolume.sh");

/// Everything beneath one directory, which goes with it.
pub(super) struct Node {
    node: drivebay_testbed::Node,
    _root: Scratch,
}

impl Node {
    /// Installs both drivers and mounts a volume by each.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Self> {
        Self::prepare_at(workspace, "bench", &workspace.binaries())
    }

    /// The same beneath another directory of `target`, by other binaries.
    pub(super) fn prepare_at(
        workspace: &Workspace,
        directory: &str,
        binaries: &Path,
    ) -> Result<Self> {
        let root = Scratch::at(&workspace.target().join(directory))?;
        let node = Self {
            node: drivebay_testbed::Node::new(root.path(), Layout::SHORT, binaries)?,
            _root: root,
        };
        for directory in ["pool/data", "staging", "ours", "theirs"] {
            fs::create_dir_all(node.node.path(directory))?;
        }
        node.node.grant("local", &node.node.local_grants())?;
        let script = node.node.path("flexvolume.sh");
        fs::write(&script, SCRIPT)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let mut install = node
            .node
            .install(&[&workspace.components().join("local.wasm")]);
        process::run(&mut install, Echo::Silent)?;
        for call in [
            node.attach(),
            node.stage(),
            node.mount(),
            node.script_mount(),
        ] {
            measure::call(&call, &node.environment()).context("mounting needs root")?;
        }
        Ok(node)
    }

    /// What every measured program gets.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        self.node.environment()
    }

    /// The same calls with the node's environment in their own words, for two nodes that take turns.
    pub(super) fn anywhere(&self, calls: &[Vec<String>]) -> Vec<Vec<String>> {
        let environment = self.environment().into_iter();
        let environment = environment.map(|(name, value)| format!("{name}={value}"));
        let env: Vec<String> = std::iter::once("/usr/bin/env".to_owned())
            .chain(environment)
            .collect();
        calls.iter().map(|call| [&env[..], call].concat()).collect()
    }

    pub(super) fn init(&self) -> Vec<String> {
        self.shim(&["init"])
    }

    pub(super) fn attach(&self) -> Vec<String> {
        self.shim(&["attach", &self.options(), "node-1"])
    }

    pub(super) fn is_attached(&self) -> Vec<String> {
        self.shim(&["isattached", &self.options(), "node-1"])
    }

    pub(super) fn stage(&self) -> Vec<String> {
        let device = "drivebay:claimed-by=node-1";
        self.shim(&[
            "mountdevice",
            &self.text("staging"),
            device,
            &self.options(),
        ])
    }

    pub(super) fn unstage(&self) -> Vec<String> {
        self.shim(&["unmountdevice", &self.text("staging")])
    }

    pub(super) fn mount(&self) -> Vec<String> {
        self.shim(&["mount", &self.text("ours"), &self.options()])
    }

    pub(super) fn unmount(&self) -> Vec<String> {
        self.shim(&["unmount", &self.text("ours")])
    }

    pub(super) fn script_init(&self) -> Vec<String> {
        self.script(&["init"])
    }

    pub(super) fn script_mount(&self) -> Vec<String> {
        let options = format!(r#"{{"pool":"{}","volume":"data"}}"#, self.text("pool"));
        self.script(&["mount", &self.text("theirs"), &options])
    }

    pub(super) fn script_unmount(&self) -> Vec<String> {
        self.script(&["unmount", &self.text("theirs")])
    }

    /// As kubelet writes them.
    fn options(&self) -> String {
        let kubelet = r#""kubernetes.io/fsType":"","kubernetes.io/pvOrVolumeName":"data","kubernetes.io/readwrite":"rw""#;
        format!(r#"{{{kubelet},"pool":"pool","volume":"data"}}"#)
    }

    fn shim(&self, arguments: &[&str]) -> Vec<String> {
        words(&self.text("plugins/drivebay~local/local"), arguments)
    }

    fn script(&self, arguments: &[&str]) -> Vec<String> {
        words(&self.text("flexvolume.sh"), arguments)
    }

    fn text(&self, path: &str) -> String {
        self.node.path(path).to_string_lossy().into_owned()
    }
}

fn words(program: &str, arguments: &[&str]) -> Vec<String> {
    let words = std::iter::once(program).chain(arguments.iter().copied());
    words.map(str::to_owned).collect()
}
