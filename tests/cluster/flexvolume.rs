//! Volumes without CSI: kubelet execs the shim that a DaemonSet has put onto the node.

use serde_json::{Value, json};

use crate::cloud;
use crate::installation::{CLASS, NODES, apply, delete, is_ready, rolled_out};
use crate::kubectl::{eventually, get, kubectl, node_agrees, node_says};
use crate::site::{Site, claim, pod, pod_with};
use crate::turns::alone;

const SHIM: &str = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/alicloud~disk/disk";

#[test]
#[ignore = "needs a cluster"]
fn a_pod_writes_to_a_disk_by_flexvolume_alone() {
    let _turn = alone();
    is_ready();
    let site = Site::new("flexvolume");
    let disk = made_by_csi(&site);
    let _flexvolume = FlexVolume::installed();
    site.apply(&[volume(&disk), claim_of(&disk), pod("app", "data")]);
    site.is_ready("app");
    assert_eq!(
        site.exec("app", "echo kept > /data/file; sync; cat /data/file"),
        "kept"
    );
    assert_eq!(cloud::attachments(&disk), [cloud::INSTANCE]);
    site.delete_pod("app");
    eventually("the disk to be detached", || {
        cloud::attachments(&disk).is_empty()
    });
    site.apply(&[pod("next", "data")]);
    site.is_ready("next");
    assert_eq!(site.exec("next", "cat /data/file"), "kept");
    site.delete_pod("next");
    site.kubectl(&["delete", "pvc", "data"]);
    kubectl(&["delete", "pv", &disk]);
}

#[test]
#[ignore = "needs a cluster"]
fn a_volume_of_a_server_that_is_not_granted_is_refused_by_name() {
    let _turn = alone();
    let _flexvolume = FlexVolume::installed();
    let site = Site::new("flexvolume-nfs");
    let options = json!({ "server": "filer.example.com", "share": "/exports" });
    let volume = json!({ "flexVolume": { "driver": "k8s/nfs", "options": options } });
    site.apply(&[pod_with("app", &volume, "sleep 1000")]);
    eventually("the refusal to be seen at the pod", || {
        let events = site.events_of("app");
        events.contains("FailedMount") && events.contains("not granted")
    });
}

/// The shim instead of CSI, which comes back when this is dropped.
struct FlexVolume;

impl FlexVolume {
    #[track_caller]
    fn installed() -> Self {
        delete("both");
        let installed = Self;
        apply("flexvolume");
        rolled_out(NODES, "daemonset/drivebay-flexvolume");
        eventually("the shim to be on the node", || {
            node_agrees(&["test", "-x", SHIM])
        });
        installed
    }
}

impl Drop for FlexVolume {
    fn drop(&mut self) {
        delete("flexvolume");
        let left = [
            "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
            "/etc/drivebay/drivers.d",
            "/etc/drivebay/.installed",
        ];
        node_says(&[&["rm", "-rf"], &left[..]].concat());
        apply("both");
        if !std::thread::panicking() {
            is_ready();
        }
    }
}

/// A disk that is there already and that no object of the cluster tells of, as one that was made in the cloud's console.
#[track_caller]
fn made_by_csi(site: &Site) -> String {
    site.apply(&[claim("made", CLASS, 20), pod("maker", "made")]);
    site.is_ready("maker");
    let name = site.is_bound("made");
    let volume = get(&["pv", &name]);
    let disk = volume["spec"]["csi"]["volumeHandle"]
        .as_str()
        .expect("an id");
    let retained = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    kubectl(&["patch", "pv", &name, "--patch", &retained.to_string()]);
    site.delete_pod("maker");
    site.kubectl(&["delete", "pvc", "made", "--timeout=300s"]);
    kubectl(&["delete", "pv", &name, "--timeout=300s"]);
    eventually("the disk to be free", || {
        cloud::attachments(disk).is_empty()
    });
    disk.to_owned()
}

fn volume(disk: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": disk },
        "spec": {
            "capacity": { "storage": "20Gi" },
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
            "flexVolume": { "driver": "alicloud/disk", "fsType": "ext4", "options": { "volumeId": disk } },
        },
    })
}

fn claim_of(disk: &str) -> Value {
    let mut claim = claim("data", "", 20);
    claim["spec"]["volumeName"] = json!(disk);
    claim
}
