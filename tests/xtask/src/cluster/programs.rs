//! Kubernetes and the CSI project's sidecars, built from their modules into target/cluster/bin.
//!
//! Go rebuilds nothing that did not change, and links nothing that it would link to the same; from nothing the two take
//! sixteen minutes of a processor.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::places::Places;
use crate::golang;
use crate::process::{self, Echo, answer};
use crate::workspace::Workspace;

/// Where the modules are in the repository.
const KUBERNETES: &str = "tests/cluster/kubernetes";
const SIDECARS_MODULE: &str = "tests/cluster/sidecars";

/// What the one program of Kubernetes is called as.
const NAMES: [&str; 5] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kubelet",
];

const PROGRAM: &str = "kubernetes";

/// The sidecars that Drivebay's controllers run beside, and what makes snapshots of claims for the whole cluster.
pub(super) const SIDECARS: [&str; 4] = [
    "csi-attacher",
    "csi-provisioner",
    "csi-resizer",
    "csi-snapshotter",
];

/// The module that has the objects of snapshots.
const SNAPSHOTS: &str = "github.com/kubernetes-csi/external-snapshotter/client/v8";

/// Builds Kubernetes.
pub(super) fn build_kubernetes(workspace: &Workspace, places: &Places) -> Result<()> {
    let go_mod = workspace.root().join(KUBERNETES).join("go.mod");
    let version = version(&fs::read_to_string(go_mod)?)?;
    let program = places.programs().join(PROGRAM);
    let mut go = golang::within(workspace, KUBERNETES)?;
    // What is stamped with the commit would be linked anew with each.
    go.args(["build", "-trimpath", "-buildvcs=false"]);
    go.arg(format!("-ldflags=-s -w {}", stamped(&version)));
    go.arg("-o").arg(&program).arg(".");
    process::run(&mut go, Echo::Live).context("cannot build Kubernetes")?;
    for name in NAMES {
        link(&places.programs().join(name))?;
    }
    Ok(())
}

/// Builds the sidecars.
pub(super) fn build_sidecars(workspace: &Workspace, places: &Places) -> Result<()> {
    fs::create_dir_all(places.programs())?;
    let mut go = golang::within(workspace, SIDECARS_MODULE)?;
    go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]);
    // A directory, and told so by its last letter.
    go.arg("-o").arg(places.programs().join(""));
    go.arg("tool");
    process::run(&mut go, Echo::Live)
        .map(drop)
        .context("cannot build the CSI sidecars")
}

/// Where the definitions of snapshots' objects are, one file a kind.
pub(super) fn snapshot_definitions(workspace: &Workspace) -> Result<PathBuf> {
    let mut go = golang::within(workspace, SIDECARS_MODULE)?;
    go.args(["list", "-m", "-f", "{{.Dir}}", SNAPSHOTS]);
    Ok(Path::new(answer(&mut go)?.trim()).join("config/crd"))
}

/// Which Kubernetes go.mod asks for, as `v1.36.3`.
fn version(go_mod: &str) -> Result<String> {
    let mut words = go_mod.lines().map(str::split_whitespace);
    let found = words.find_map(|mut words| match (words.next(), words.next()) {
        (Some("k8s.io/kubernetes"), version) => version.map(str::to_owned),
        _ => None,
    });
    found.context("tests/cluster/kubernetes/go.mod asks for no k8s.io/kubernetes")
}

/// Without these, it would take itself for a version before all others, and refuse what came later.
fn stamped(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let mut number = || numbers.next().unwrap_or_default();
    let variable = "-X k8s.io/component-base/version";
    format!(
        "{variable}.gitVersion={version} {variable}.gitMajor={} {variable}.gitMinor={}",
        number(),
        number()
    )
}

/// A name of the one program, whatever lay there.
fn link(path: &Path) -> Result<()> {
    let _ = fs::remove_file(path);
    symlink(PROGRAM, path).with_context(|| format!("cannot make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_is_told_which_version_it_is() {
        let go_mod =
            "module m\n\nrequire (\n\tk8s.io/kubectl v0.0.0\n\tk8s.io/kubernetes v1.36.3\n)\n";
        let version = version(go_mod).unwrap();
        assert_eq!(version, "v1.36.3");
        let flags = stamped(&version);
        assert!(flags.contains("gitVersion=v1.36.3 "), "{flags}");
        assert!(flags.ends_with("gitMinor=36"), "{flags}");
    }
}
