//! Volumes without CSI: kubelet execs the shim that a DaemonSet has put onto the node.

use serde_json::{Value, json};

use crate::class::Class;
use crate::cloud;
use crate::expansion::{ask_for, size};
use crate::flexvolume_claims::{PROVISIONER, claims_become_disks_that_go_as_their_policy_says};
use crate::installation::{
    CLASS, CONTROLLER, DISK_DRIVER, NODES, apply, delete, is_ready, rolled_out,
};
use crate::kubectl::{eventually, get, kubectl, kubectl_with, node_agrees, node_says, try_kubectl};
use crate::migrate::{pods_find_their_data_there_and_back, written_by_flexvolume};
use crate::site::{Site, claim, pod, pod_with};
use crate::turns::alone;

const OVERLAY: &str = "flexvolume-claims";

const SHIM: &str = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/alicloud~disk/disk";

/// In one test, because to take one driver away and bring the other takes the longest of it.
#[test]
#[ignore = "needs a cluster"]
fn volumes_and_claims_are_served_by_flexvolume_alone_and_migrate() {
    let _turn = alone();
    is_ready();
    let class = Class::of_xfs("test-flexvolume-xfs");
    let (site, other) = (Site::new("flexvolume"), Site::new("flexvolume-grows"));
    let written = Disk::made_by_csi(&site, CLASS);
    let grown = Disk::made_by_csi(&other, class.name());
    let flexvolume = FlexVolume::installed();
    a_pod_writes_to_a_disk(&written);
    a_claim_grows_while_a_pod_uses_it(&grown, class.name());
    a_server_that_is_not_granted_is_refused_by_name();
    claims_become_disks_that_go_as_their_policy_says();
    let site = Site::new("migrate");
    let migrating = written_by_flexvolume(&site);
    drop(flexvolume);
    is_ready();
    pods_find_their_data_there_and_back(&site, &migrating);
}

#[track_caller]
fn a_pod_writes_to_a_disk(disk: &Disk<'_>) {
    let site = disk.site;
    let volume = disk.volume("", "ext4");
    site.apply(&[volume, disk.claim(""), pod("app", "data")]);
    site.is_ready("app");
    assert_eq!(
        site.exec("app", "echo kept > /data/file; sync; cat /data/file"),
        "kept"
    );
    assert_eq!(cloud::attachments(&disk.id), [cloud::INSTANCE]);
    site.delete_pod("app");
    disk.is_free();
    site.apply(&[pod("next", "data")]);
    site.is_ready("next");
    assert_eq!(site.exec("next", "cat /data/file"), "kept");
    site.delete_pod("next");
    disk.is_free();
}

#[track_caller]
fn a_claim_grows_while_a_pod_uses_it(disk: &Disk<'_>, class: &str) {
    let site = disk.site;
    let volume = disk.volume(class, "xfs");
    site.apply(&[volume, disk.claim(class), pod("app", "data")]);
    site.is_ready("app");
    site.exec("app", "echo kept > /data/file");
    let before = size(site, "app");
    ask_for(site, "40Gi");
    eventually("the filesystem to grow", || {
        size(site, "app") > before * 3 / 2
    });
    eventually("the claim to say so", || {
        site.get("pvc", "data")["status"]["capacity"]["storage"] == "40Gi"
    });
    assert_eq!(site.exec("app", "cat /data/file"), "kept");
    let grown = cloud::disk(&disk.id).expect("it is there");
    assert_eq!(grown["size"], 40, "{grown}");
    site.delete_pod("app");
    disk.is_free();
}

#[track_caller]
fn a_server_that_is_not_granted_is_refused_by_name() {
    let site = Site::new("flexvolume-nfs");
    let options = json!({ "server": "filer.example.com", "share": "/exports" });
    let volume = json!({ "flexVolume": { "driver": "k8s/nfs", "options": options } });
    site.apply(&[pod_with("app", &volume, "sleep 1000")]);
    eventually("the refusal to be seen at the pod", || {
        let events = site.events_of("app");
        events.contains("FailedMount") && events.contains("not granted")
    });
}

/// The shim and the provisioner of its claims instead of CSI, which comes back when this is dropped.
pub(crate) struct FlexVolume;

impl FlexVolume {
    #[track_caller]
    pub(crate) fn installed() -> Self {
        delete("both");
        let installed = Self;
        apply(OVERLAY);
        rolled_out(NODES, "daemonset/drivebay-flexvolume");
        rolled_out(CONTROLLER, PROVISIONER);
        eventually("the shim to be on the node", || {
            node_agrees(&["test", "-x", SHIM])
        });
        installed
    }
}

impl Drop for FlexVolume {
    fn drop(&mut self) {
        delete(OVERLAY);
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

/// A disk that is there already and that no object of the cluster tells of, as one that was made in the cloud's console. It
/// is deleted when this is dropped, by CSI again.
struct Disk<'a> {
    site: &'a Site,
    id: String,
}

impl<'a> Disk<'a> {
    /// Made and formatted for a claim of that class, which goes and leaves it.
    #[track_caller]
    fn made_by_csi(site: &'a Site, class: &str) -> Self {
        site.apply(&[claim("made", class, 20), pod("maker", "made")]);
        site.is_ready("maker");
        let name = site.is_bound("made");
        let volume = get(&["pv", &name]);
        let id = volume["spec"]["csi"]["volumeHandle"]
            .as_str()
            .expect("an id");
        let id = id.to_owned();
        let disk = Self { site, id };
        let retained = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
        kubectl(&["patch", "pv", &name, "--patch", &retained.to_string()]);
        site.delete_pod("maker");
        site.kubectl(&["delete", "pvc", "made", "--timeout=300s"]);
        kubectl(&["delete", "pv", &name, "--timeout=300s"]);
        disk.is_free();
        disk
    }

    #[track_caller]
    fn is_free(&self) {
        eventually("the disk to be detached", || {
            cloud::attachments(&self.id).is_empty()
        });
    }

    /// Bound to nobody's claim but that of [`Self::claim`].
    fn volume(&self, class: &str, filesystem: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": { "name": self.id },
            "spec": {
                "capacity": { "storage": "20Gi" },
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": class,
                "flexVolume": {
                    "driver": "alicloud/disk",
                    "fsType": filesystem,
                    "options": { "volumeId": self.id },
                },
            },
        })
    }

    /// A volume of CSI's whose claim is gone, so that it is deleted with its disk.
    fn released(&self) -> Value {
        let provisioned = json!({ "pv.kubernetes.io/provisioned-by": DISK_DRIVER });
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": { "name": self.id, "annotations": provisioned },
            "spec": {
                "capacity": { "storage": "20Gi" },
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "",
                "csi": { "driver": DISK_DRIVER, "volumeHandle": self.id },
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": "default",
                    "name": "gone",
                    "uid": "00000000-0000-4000-8000-000000000000",
                },
            },
        })
    }

    fn claim(&self, class: &str) -> Value {
        let mut claim = claim("data", class, 20);
        claim["spec"]["volumeName"] = json!(self.id);
        claim
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // One after the other: each of them stays for as long as the one before has it.
        for what in ["pod", "pvc"] {
            let all = ["delete", what, "--all", "--timeout=60s"];
            let _ = self.site.try_kubectl(&all);
        }
        let _ = try_kubectl(&["delete", "pv", &self.id, "--timeout=60s"]);
        let released = kubectl_with(&["apply"], &[self.released()]);
        if !std::thread::panicking() {
            released.expect("a volume of the disk");
            eventually("the disk to be deleted", || cloud::disk(&self.id).is_none());
        }
    }
}
