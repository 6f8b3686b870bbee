//! A node as an operator leaves it: configuration, state, and kubelet's directories beneath one root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drivebay_testbed::{Layout, Scratch};
use serde_json::Value;

use super::callout;
use crate::process::{self, Echo};
use crate::steps::say;
use crate::workspace::Workspace;

/// Beneath `/`, all of these are the places where everyone looks; the plugins' is kubelet's default.
const LAYOUT: Layout = Layout {
    config: "etc/drivebay",
    state: "var/lib/drivebay",
    run: "run/drivebay",
    log: "var/log/drivebay",
    plugins: "usr/libexec/kubernetes/kubelet-plugins/volume/exec",
};

#[derive(Clone)]
pub(super) struct Node(drivebay_testbed::Node);

impl Node {
    pub(super) fn new(workspace: &Workspace, root: &Path) -> Result<Self> {
        drivebay_testbed::Node::new(root, LAYOUT, &workspace.binaries()).map(Self)
    }

    /// The operator's part: a file that says what a driver may do.
    pub(super) fn grant(&self, driver: &str, grants: &str) -> Result<()> {
        self.0.grant(driver, grants)
    }

    /// `drivebay install`, with what it prints.
    pub(super) fn install(&self, component: &Path) -> Result<()> {
        process::run(&mut self.0.install(&[component]), Echo::Live).map(drop)
    }

    /// The same, with what lies in a directory.
    pub(super) fn install_from(&self, directory: &Path) -> Result<()> {
        let mut install = self.0.install(&[]);
        install.arg("--components-from").arg(directory);
        process::run(&mut install, Echo::Live).map(drop)
    }

    /// `drivebay status`, not shown.
    pub(super) fn status(&self, arguments: &[&str]) -> Result<String> {
        process::answer(self.0.drivebay(&["status"]).args(arguments))
    }

    /// Any other command of the operator's, shown with what it prints.
    pub(super) fn tell(&self, arguments: &[&str]) -> Result<()> {
        say(format_args!("    drivebay {}", arguments.join(" ")));
        process::run(&mut self.0.drivebay(arguments), Echo::Live).map(drop)
    }

    /// `drivebay ARGUMENTS`, to be started.
    pub(super) fn drivebay(&self, arguments: &[&str]) -> Command {
        self.0.drivebay(arguments)
    }

    /// What the example `local` needs.
    pub(super) fn local_grants(&self) -> String {
        self.0.local_grants()
    }

    /// `drivebay run`, shown: one operation of the controller's.
    pub(super) fn run(&self, driver: &str, operation: &[&str]) -> Result<Value> {
        let mut run = self.0.drivebay(&["run", driver]);
        run.args(operation);
        say(format_args!(
            "    drivebay run {driver} {}",
            operation.join(" ")
        ));
        let answer = process::answer(&mut run)?;
        say(format_args!("          {}", answer.trim()));
        serde_json::from_str(&answer).context("the answer is not JSON")
    }

    /// What kubelet calls, to be started.
    pub(super) fn callout(&self, executable: &str, arguments: &[&str]) -> Command {
        self.0.callout(executable, arguments)
    }

    /// What kubelet, or the controller, calls, shown.
    pub(super) fn call(&self, executable: &str, arguments: &[&str]) -> Result<Value> {
        callout::run(self.0.callout(executable, &[]), arguments)
    }

    /// A pod's directory for its volume, made as kubelet makes it.
    pub(super) fn pod(&self, pod: &str, driver: &str) -> Result<PathBuf> {
        let volumes = format!("var/lib/kubelet/pods/{pod}/volumes");
        let directory = self.path(&volumes).join(driver).join("data");
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.0.path(relative)
    }

    /// Nothing is mounted, and nothing is noted as mounted.
    pub(super) fn expect_nothing_left(&self) -> Result<()> {
        let mounts = mounts_beneath(&self.path("var/lib/kubelet"))?;
        ensure!(mounts.is_empty(), "still mounted: {mounts:?}");
        let noted = self.0.journal();
        ensure!(noted.is_empty(), "still in the journal: {noted:?}");
        Ok(())
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

/// Mounting takes a capability that root in a container may lack.
pub(super) fn may_mount() -> Result<bool> {
    const SYS_ADMIN: u32 = 21;
    let status = fs::read_to_string("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.context("the kernel names no capabilities")?;
    Ok(u64::from_str_radix(effective.trim(), 16)? >> SYS_ADMIN & 1 == 1)
}

/// A part's own directory. Not in /tmp: that may be a tmpfs, and disks are large if sparse files.
pub(super) fn stage(workspace: &Workspace, part: &str) -> Result<Scratch> {
    let name = format!("demo-{part}-{}", std::process::id());
    Scratch::at(&workspace.target().join(name))
}
