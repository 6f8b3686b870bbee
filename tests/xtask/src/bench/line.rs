//! What the line between guest code and privilege costs: this build beside another one, by turns.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::measure::medians;
use super::node::Node;
use super::table::Table;
use crate::process::{answer, command};
use crate::workspace::Workspace;

const OTHER: &str = "the other build";

/// So many host calls are one row, because one of them is less than the table shows.
const HOST_CALLS: u32 = 1000;

/// Adds the rows. `other` has the other build's `drivebay` and `drivebay-shim`.
pub(super) fn measure(workspace: &Workspace, other: &Path, table: &mut Table) -> Result<()> {
    let binaries = workspace.binaries();
    let [ours, theirs] = host_calls(workspace, [&binaries, other])?;
    let what = format!("{HOST_CALLS} host calls: the guest asks what the time is");
    // 10 µs for each.
    let most = Duration::from_micros(10) * HOST_CALLS;
    table.overhead(&what, ours * HOST_CALLS, (OTHER, theirs * HOST_CALLS), most);
    let ours = Node::prepare_at(workspace, "bench", &binaries)?;
    let theirs = Node::prepare_at(workspace, "bench-other", other)?;
    let asking = |node: &Node| node.anywhere(&[node.is_attached()]);
    let mounting =
        |node: &Node| node.anywhere(&[node.unmount(), node.unstage(), node.stage(), node.mount()]);
    for (what, calls) in [
        (
            "`isattached`: the guest looks at a file",
            [asking(&ours), asking(&theirs)],
        ),
        (
            "`mountdevice` by the guest, `mount`, and what undoes them",
            [mounting(&ours), mounting(&theirs)],
        ),
    ] {
        let [ours, theirs] = medians([&calls[0], &calls[1]], &[])?;
        table.ratio(what, ours, (OTHER, theirs), None);
    }
    Ok(())
}

/// What one costs in each build.
fn host_calls(workspace: &Workspace, builds: [&Path; 2]) -> Result<[Duration; 2]> {
    let mut cargo = command(env!("CARGO"));
    cargo
        .current_dir(workspace.root())
        .args(["run", "--quiet", "--package", "drivebay-tests"])
        .args(["--example", "host_call", "--"])
        .args(builds);
    let printed = answer(&mut cargo)?;
    let mut medians = printed.lines().map(|line| {
        let medians: Value = serde_json::from_str(line)?;
        let nanoseconds = medians["host-call"].as_u64();
        let nanoseconds = nanoseconds.with_context(|| format!("no host-call in {line}"))?;
        Ok::<_, anyhow::Error>(Duration::from_nanos(nanoseconds))
    });
    let mut next = || medians.next().context("a build was not measured")?;
    Ok([next()?, next()?])
}
