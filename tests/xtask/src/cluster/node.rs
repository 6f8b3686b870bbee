//! The node: containerd, the pods' network, and kubelet, which is started again when it ends, as systemd would.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::control_plane::PATIENCE;
use super::namespaces::{Namespaces, wait_for};
use super::packages;
use super::places::{NODE, NODE_ADDRESS, PODS, Places};
use crate::process::command;

/// The images of every pod's first container and of tests' own.
pub(super) const PAUSE: &str = "cluster.local/pause:1";
pub(super) const BUSYBOX: &str = "cluster.local/busybox:1";

/// containerd's usual place.
const SOCKET: &str = "/run/containerd/containerd.sock";

/// Starts what runs containers.
pub(super) fn start_containerd(places: &Places, namespaces: &Namespaces) -> Result<()> {
    fs::create_dir_all(places.running("cni"))?;
    fs::write(places.running("cni/10-pods.conflist"), network())?;
    let config = places.running("containerd.toml");
    fs::write(&config, containerd_config(places))?;
    let mut containerd = command("containerd");
    containerd.arg("--config").arg(config);
    let mut containerd = namespaces.start("containerd", &containerd)?;
    containerd.wait_for("containerd", PATIENCE, || {
        namespaces.succeeds(&["ctr", "version"])
    })
}

/// Starts kubelet; the node is ready when this returns.
pub(super) fn start_kubelet(places: &Places, namespaces: &Namespaces) -> Result<()> {
    fs::write(places.running("kubelet.yaml"), kubelet_config())?;
    let mut kubelet = namespaces.start("kubelet", &kept(places))?;
    kubelet.wait_for("the node to be ready", PATIENCE, || {
        let condition = ["--for=condition=Ready", "--timeout=1s"];
        namespaces.succeeds(&[&["kubectl", "wait", "node", NODE][..], &condition].concat())
    })?;
    // Without it no pod is admitted.
    wait_for("the first service account", PATIENCE, || {
        namespaces.succeeds(&["kubectl", "get", "serviceaccount", "default"])
    })
}

/// Leaves kubelet alone while there is a file `kubelet.held`, so that a test can keep it down.
fn kept(places: &Places) -> Command {
    let (pid, held) = (
        places.running("kubelet.pid"),
        places.running("kubelet.held"),
    );
    let mut shell = command("sh");
    shell.args([
        "-c",
        "while :; do test -e \"$0\" || sh -c 'echo $$ > \"$0\"; exec \"$@\"' \"$@\"; sleep 1; done",
    ]);
    shell.arg(held).arg(pid);
    shell.arg("kubelet");
    shell.arg("--config").arg(places.running("kubelet.yaml"));
    shell.arg("--kubeconfig").arg(places.kubeconfig("kubelet"));
    shell.args(["--hostname-override", NODE, "--node-ip", NODE_ADDRESS]);
    shell
}

/// The node's own limits are switched off: it is as large as a machine that does other things besides. Some machines
/// have nothing but cgroup v1.
fn kubelet_config() -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1\n\
         kind: KubeletConfiguration\n\
         address: {NODE_ADDRESS}\n\
         authentication: {{ anonymous: {{ enabled: true }}, webhook: {{ enabled: false }} }}\n\
         authorization: {{ mode: AlwaysAllow }}\n\
         containerRuntimeEndpoint: unix://{SOCKET}\n\
         resolvConf: \"\"\n\
         makeIPTablesUtilChains: false\n\
         cgroupDriver: cgroupfs\n\
         cgroupsPerQOS: false\n\
         enforceNodeAllocatable: []\n\
         failCgroupV1: false\n\
         failSwapOn: false\n\
         evictionHard: {{ memory.available: 0%, nodefs.available: 0%, imagefs.available: 0%, nodefs.inodesFree: 0% }}\n\
         imageGCHighThresholdPercent: 100\n"
    )
}

/// Images and containers on a disk of the machine's: an overlay cannot lie upon the overlay that /var is here.
fn containerd_config(places: &Places) -> String {
    format!(
        r#"version = 2
root = "{run}/containerd"
state = "/run/containerd"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Where root may not lower a process's own score.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{run}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false
"#,
        run = places.run().display(),
        plugins = packages::network_plugins(places).display(),
        runc = packages::runc(places).display()
    )
}

/// Each pod has a network of its own, and a wire to the node.
fn network() -> String {
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "pods", "plugins": [{{"type": "ptp", "ipMasq": false, "mtu": 1500,
  "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{PODS}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"#
    )
}
