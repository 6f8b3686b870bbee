//! How soon a component that is applied serves in a cluster, with the option `deliver` and without it: the same versions of
//! one component, one after the other, in one run.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::cluster::{Kubelet, Site};
use super::csi::Caller;
use super::table::Table;
use crate::cluster::Cluster;
use crate::process::{self, Echo};
use crate::workspace::Workspace;

/// Each takes more than a minute.
const WITHOUT: usize = 3;

/// What the option promises.
const MOST: Duration = Duration::from_secs(5);

/// Adds the rows.
pub(super) fn measure(
    workspace: &Workspace,
    cluster: &Cluster,
    caller: &Caller,
    swaps: usize,
    table: &mut Table,
) -> Result<()> {
    let mut site = Site::new(workspace, cluster, caller)?;
    let what = "from `kubectl apply` of a component to the first call on it";
    let option = cluster.overlay("deliver");
    let apply = |verb: &str| {
        let mut kubectl = cluster.command("kubectl");
        kubectl.args([verb, "-k"]).arg(&option);
        kubectl
    };
    run(&mut apply("apply"))?;
    let mut wait = cluster.command("kubectl");
    wait.args(["rollout", "status", "--timeout=300s"]);
    wait.args(["-n", "drivebay", "deployment/drivebay-deliver"]);
    run(&mut wait)?;
    let with = times(&mut site, swaps)?;
    run(&mut apply("delete"))?;
    let without = times(&mut site, WITHOUT)?;
    table.percentiles(
        &format!("{what}, with the option `deliver`"),
        with,
        Some(MOST),
    );
    table.percentiles(&format!("{what}, without"), without, None);
    Ok(())
}

/// Nobody tells kubelet but whoever is there.
fn times(site: &mut Site<'_>, swaps: usize) -> Result<Vec<Duration>> {
    (0..swaps)
        .map(|_| site.apply_next(Kubelet::Untold))
        .collect()
}

fn run(command: &mut Command) -> Result<()> {
    process::run(command, Echo::Silent).map(drop)
}
