//! A node to measure on: the example driver `local` installed as kubelet would find it, and beside it the
//! script, each with one volume mounted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::measure;
use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

const SCRIPT: &str = include_str!("flexvolume.sh");

const GRANTS: &str = r#"
component = "local"
flexvolume = "drivebay/local"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
"#;

/// Everything beneath one directory, which goes with it.
pub(super) struct Node {
    root: PathBuf,
}

impl Node {
    /// Installs both drivers and mounts a volume by each.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Self> {
        let node = Self {
            root: workspace.target().join("bench"),
        };
        node.clear()?;
        for directory in [
            "etc/drivers.d",
            "plugins",
            "pool/data",
            "staging",
            "ours",
            "theirs",
        ] {
            fs::create_dir_all(node.root.join(directory))?;
        }
        let grants = GRANTS.replace("POOL", &node.text("pool"));
        fs::write(node.root.join("etc/drivers.d/local.toml"), grants)?;
        fs::write(node.root.join("flexvolume.sh"), SCRIPT)?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(node.root.join("flexvolume.sh"), executable)?;
        let mut install = command(workspace.binaries().join("drivebay"));
        install.envs(node.environment()).arg("install");
        install.arg(workspace.components().join("local.wasm"));
        install.arg("--plugin-dir").arg(node.root.join("plugins"));
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
        let root = |name: &str, path: &str| (name.to_owned(), self.text(path));
        vec![
            root("DRIVEBAY_CONFIG_DIR", "etc"),
            root("DRIVEBAY_STATE_DIR", "state"),
            root("DRIVEBAY_RUN_DIR", "run"),
            root("DRIVEBAY_LOG_DIR", "log"),
            (
                "PATH".to_owned(),
                "/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ),
        ]
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
        self.root.join(path).to_string_lossy().into_owned()
    }

    /// Nothing stays mounted, also of a run that was interrupted.
    fn clear(&self) -> Result<()> {
        for target in ["ours", "theirs", "staging"] {
            let target = self.root.join(target);
            while is_mounted(&target)? {
                process::run(command("umount").arg(&target), Echo::Silent)?;
            }
        }
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot clear {}", self.root.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // What could not be cleared now is cleared by the next run, which says why if it cannot either.
        let _ = self.clear();
    }
}

fn is_mounted(target: &Path) -> Result<bool> {
    // The thread may have a mount namespace of its own.
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let target = target.to_string_lossy();
    Ok(table
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(&*target)))
}

fn words(program: &str, arguments: &[&str]) -> Vec<String> {
    let words = std::iter::once(program).chain(arguments.iter().copied());
    words.map(str::to_owned).collect()
}
