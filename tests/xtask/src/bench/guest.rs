//! What a guest costs where a cloud is called: the same signed request through alicloud-disk and without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use drivebay_testbed::Cloud;
use serde_json::Value;

use super::table::Table;
use crate::emulator;
use crate::process::{self, Echo, answer, command};
use crate::workspace::Workspace;

/// On a tmpfs, as /run is on nodes: requests are counted in a file there.
const RUN: &str = "/dev/shm/drivebay-bench";

const WHAT: &str = "a signed question to the cloud, through a guest that is loaded";

/// Adds the row. `program` makes the calls, by turns, in one process.
pub(super) fn measure(workspace: &Workspace, program: &Path, table: &mut Table) -> Result<()> {
    let node = Node::new(workspace)?;
    let cloud = emulator::cloud(workspace, &node.0.join("cloud"))?;
    node.install(workspace, &cloud)?;
    let mut create = node.command(&workspace.binaries().join("drivebay"));
    create.args(["run", "alicloud-disk", "create-volume", "--name", "bench"]);
    create.args(["--size", "20Gi", "--parameter", "type=cloud_essd"]);
    let made: Value = serde_json::from_str(&answer(&mut create)?)?;
    let mut calls = node.command(program);
    calls
        .arg(made["id"].as_str().context("a volume has an id")?)
        .arg(cloud.endpoint("ecs")?)
        .arg(cloud.file("ca.pem"))
        .arg(cloud.endpoint("access_key_id")?)
        .arg(cloud.file("secret"));
    let medians: Value = serde_json::from_str(&answer(&mut calls)?)?;
    let median = |of: &str| {
        let nanoseconds = medians[of].as_u64();
        let nanoseconds = nanoseconds.with_context(|| format!("no {of} in {medians}"))?;
        Ok::<_, anyhow::Error>(Duration::from_nanos(nanoseconds))
    };
    let native = ("by the host's own client", median("native")?);
    table.ratio(WHAT, median("guest")?, native, Some(1.5));
    Ok(())
}

/// Everything beneath one directory, which goes with it.
struct Node(PathBuf);

impl Node {
    fn new(workspace: &Workspace) -> Result<Self> {
        let node = Self(workspace.target().join("bench-cloud"));
        for left in [node.0.as_path(), Path::new(RUN)]
            .into_iter()
            .filter(|path| path.exists())
        {
            fs::remove_dir_all(left)?;
        }
        fs::create_dir_all(node.0.join("etc/drivers.d"))?;
        Ok(node)
    }

    fn install(&self, workspace: &Workspace, cloud: &Cloud) -> Result<()> {
        let grants = self.0.join("etc/drivers.d/alicloud-disk.toml");
        fs::write(grants, cloud.grants(&cloud.key_in_files()?)?)?;
        let mut install = self.command(&workspace.binaries().join("drivebay"));
        install.arg("install");
        install.arg(workspace.components().join("alicloud-disk.wasm"));
        process::run(&mut install, Echo::Silent).map(drop)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = command(program);
        for (name, path) in [
            ("DRIVEBAY_CONFIG_DIR", "etc"),
            ("DRIVEBAY_STATE_DIR", "state"),
            ("DRIVEBAY_LOG_DIR", "log"),
        ] {
            command.env(name, self.0.join(path));
        }
        command.env("DRIVEBAY_RUN_DIR", RUN);
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // What could not be removed now is removed by the next run, which says why if it cannot either.
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_dir_all(RUN);
    }
}
