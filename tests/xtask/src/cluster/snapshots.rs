//! What a cluster has for snapshots whichever drivers it has: their kinds of objects, and the controller that binds them.

use std::time::Duration;

use anyhow::Result;

use super::namespaces::{Namespaces, wait_for};
use super::places::Places;
use super::programs;
use crate::process::{self, Echo, command};
use crate::workspace::Workspace;

const CONTROLLER: &str = "snapshot-controller";

const PATIENCE: Duration = Duration::from_secs(60);

/// Defines the kinds and starts the controller.
pub(super) fn start(workspace: &Workspace, places: &Places, namespaces: &Namespaces) -> Result<()> {
    let mut kubectl = namespaces.command("kubectl");
    // The definitions are too long for the annotation that kubectl would keep them in.
    kubectl.args(["create", "-k"]);
    kubectl.arg(programs::snapshot_definitions(workspace)?);
    process::run(&mut kubectl, Echo::Silent)?;
    wait_for("the kinds of snapshots", PATIENCE, || {
        let established = [
            "kubectl",
            "wait",
            "--for=condition=Established",
            "--timeout=1s",
        ];
        let all = ["crd", "--all"];
        namespaces.succeeds(&[&established[..], &all].concat())
    })?;
    let mut controller = command(CONTROLLER);
    controller
        .arg("--kubeconfig")
        .arg(places.kubeconfig("admin"));
    controller.args(["--feature-gates", "CSIVolumeGroupSnapshot=true"]);
    namespaces.start(CONTROLLER, &controller).map(drop)
}
