//! What a guest costs where a cloud is called: the same signed request through alicloud-disk and without it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use drivebay_testbed::{Cloud, Layout, Node, Scratch};
use serde_json::Value;

use super::table::Table;
use crate::emulator;
use crate::process::{self, Echo, answer};
use crate::workspace::Workspace;

/// On a tmpfs, as /run is on nodes: requests are counted in a file there.
const RUN: &str = "/dev/shm/drivebay-bench";

const WHAT: &str = "a signed question to the cloud, through a guest that is loaded";

/// Adds the row. `program` makes the calls, by turns, in one process.
pub(super) fn measure(workspace: &Workspace, program: &Path, table: &mut Table) -> Result<()> {
    let root = Scratch::at(&workspace.target().join("bench-cloud"))?;
    let _run = Scratch::at(Path::new(RUN))?;
    let cloud = emulator::cloud(workspace, &root.path().join("cloud"))?;
    let node = node(workspace, root.path(), &cloud)?;
    let mut create = node.drivebay(&["run", "alicloud-disk", "create-volume", "--name", "bench"]);
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

/// With the driver installed.
fn node(workspace: &Workspace, root: &Path, cloud: &Cloud) -> Result<Node> {
    let layout = Layout {
        run: RUN,
        ..Layout::SHORT
    };
    let node = Node::new(root, layout, &workspace.binaries())?;
    node.grant("alicloud-disk", &cloud.grants(&cloud.key_in_files()?)?)?;
    let component = workspace.components().join("alicloud-disk.wasm");
    process::run(&mut node.install(&[&component]), Echo::Silent)?;
    Ok(node)
}
