//! A node as an operator leaves it: configuration, state, and kubelet's directories beneath one root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::callout;
use crate::process::{self, Echo, command};
use crate::steps::say;
use crate::workspace::Workspace;

/// Beneath `/`, all of these are the places where everyone looks.
pub(super) struct Node {
    root: PathBuf,
    binaries: PathBuf,
}

impl Node {
    pub(super) fn new(workspace: &Workspace, root: &Path) -> Result<Self> {
        let node = Self {
            root: root.to_owned(),
            binaries: workspace.binaries(),
        };
        for directory in [node.drivers(), node.plugins()] {
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        Ok(node)
    }

    /// The operator's part: a file that says what a driver may do.
    pub(super) fn grant(&self, driver: &str, grants: &str) -> Result<()> {
        let file = self.drivers().join(format!("{driver}.toml"));
        fs::write(&file, grants).with_context(|| format!("cannot write {}", file.display()))
    }

    /// `drivebay install`, with what it prints.
    pub(super) fn install(&self, component: &Path) -> Result<()> {
        let mut install = self.drivebay("install");
        install
            .arg("--plugin-dir")
            .arg(self.plugins())
            .arg(component);
        process::run(&mut install, Echo::Live).map(drop)
    }

    /// `drivebay run`, shown: one operation of the controller's.
    pub(super) fn run(&self, driver: &str, operation: &[&str]) -> Result<Value> {
        let mut run = self.drivebay("run");
        run.arg(driver).args(operation);
        say(format_args!(
            "    drivebay run {driver} {}",
            operation.join(" ")
        ));
        let answer = process::answer(&mut run)?;
        say(format_args!("          {}", answer.trim()));
        serde_json::from_str(&answer).context("the answer is not JSON")
    }

    /// What kubelet, or the controller, calls.
    pub(super) fn call(&self, executable: &str, arguments: &[&str]) -> Result<Value> {
        callout::run(self.with_paths(self.plugins().join(executable)), arguments)
    }

    /// A pod's directory for its volume, made as kubelet makes it.
    pub(super) fn pod(&self, pod: &str, driver: &str) -> Result<PathBuf> {
        let volumes = format!("var/lib/kubelet/pods/{pod}/volumes");
        let directory = self.root.join(volumes).join(driver).join("data");
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Nothing is mounted, and nothing is noted as mounted.
    pub(super) fn expect_nothing_left(&self) -> Result<()> {
        let mounts = mounts_beneath(&self.path("var/lib/kubelet"))?;
        ensure!(mounts.is_empty(), "still mounted: {mounts:?}");
        let journal = self.path("var/lib/drivebay/journal");
        let noted = files_beneath(&journal);
        ensure!(noted.is_empty(), "still in the journal: {noted:?}");
        Ok(())
    }

    fn drivebay(&self, task: &str) -> Command {
        let mut drivebay = self.with_paths(self.binaries.join("drivebay"));
        drivebay.arg(task);
        drivebay
    }

    fn with_paths(&self, program: PathBuf) -> Command {
        let mut command = command(program);
        command
            .env("DRIVEBAY_CONFIG_DIR", self.path("etc/drivebay"))
            .env("DRIVEBAY_STATE_DIR", self.path("var/lib/drivebay"))
            .env("DRIVEBAY_RUN_DIR", self.path("run/drivebay"))
            .env("DRIVEBAY_LOG_DIR", self.path("var/log/drivebay"));
        command
    }

    fn drivers(&self) -> PathBuf {
        self.path("etc/drivebay/drivers.d")
    }

    /// kubelet's default.
    fn plugins(&self) -> PathBuf {
        self.path("usr/libexec/kubernetes/kubelet-plugins/volume/exec")
    }
}

/// Lines of the kernel's table for mounts at or beneath a path.
pub(super) fn mounts_beneath(path: &Path) -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/self/mounts")?;
    let point = |line: &str| {
        let escaped = line.split(' ').nth(1).unwrap_or_default();
        PathBuf::from(escaped.replace("\\040", " "))
    };
    let lines = table.lines().filter(|line| point(line).starts_with(path));
    Ok(lines.map(str::to_owned).collect())
}

fn files_beneath(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let files = paths.map(|path| match path.is_dir() {
        true => files_beneath(&path),
        false => vec![path],
    });
    files.flatten().collect()
}
