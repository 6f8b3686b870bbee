//! Claims of FlexVolume's classes: a disk for each, which the shim mounts.

use serde_json::json;

use crate::class::Class;
use crate::cloud;
use crate::expansion::{ask_for, size};
use crate::installation::{CONTROLLER, node, rolled_out};
use crate::kubectl::{eventually, get, kubectl, try_get, try_kubectl};
use crate::site::{Site, claim, pod};

pub(crate) const PROVISIONER: &str = "deployment/drivebay-alicloud-disk-provisioner";

/// Where it writes down what it is going to make.
const INTENTS: &str = "drivebay-provisioning";

/// The shim and the provisioner are there.
#[track_caller]
pub(crate) fn claims_become_disks_that_go_as_their_policy_says() {
    let _zone = Zone::of_the_node();
    let class = class("test-flexvolume-claims");
    a_disk_is_written_to_and_grows_and_goes(class.name());
    a_retained_disk_outlives_its_claim(class.name());
    nothing_is_written_down();
}

#[track_caller]
fn a_disk_is_written_to_and_grows_and_goes(class: &str) {
    let site = Site::new("flexvolume-claims");
    site.apply(&[claim("data", class, 40), pod("app", "data")]);
    site.is_ready("app");
    let volume = Volume::of(&site, "data");
    assert_eq!(cloud::attachments(&volume.disk), [cloud::INSTANCE]);
    site.exec("app", "echo kept > /data/file");
    let before = size(&site, "app");
    ask_for(&site, "60Gi");
    eventually("the filesystem to grow", || size(&site, "app") > before);
    let grown = cloud::disk(&volume.disk).expect("it is there");
    assert_eq!(grown["size"], 60, "{grown}");
    site.delete_pod("app");
    site.apply(&[pod("next", "data")]);
    site.is_ready("next");
    assert_eq!(site.exec("next", "cat /data/file"), "kept");
    site.delete_pod("next");
    volume.goes_with_its_claim(&site);
}

#[track_caller]
fn a_retained_disk_outlives_its_claim(class: &str) {
    let site = Site::new("flexvolume-retained");
    site.apply(&[claim("data", class, 40), pod("app", "data")]);
    site.is_ready("app");
    let volume = Volume::of(&site, "data");
    volume.follows("Retain");
    site.delete_pod("app");
    site.kubectl(&["delete", "pvc", "data", "--timeout=300s"]);
    eventually("the volume to be released", || {
        get(&["pv", &volume.name])["status"]["phase"] == "Released"
    });
    // Another process looks at all that there is.
    kubectl(&["rollout", "restart", "--namespace", CONTROLLER, PROVISIONER]);
    rolled_out(CONTROLLER, PROVISIONER);
    assert!(cloud::disk(&volume.disk).is_some(), "{}", volume.disk);
    volume.follows("Delete");
    volume.is_gone();
}

/// The FlexVolume that a claim is bound to, and its disk.
pub(crate) struct Volume {
    pub(crate) claim: &'static str,
    pub(crate) name: String,
    pub(crate) disk: String,
}

impl Volume {
    #[track_caller]
    pub(crate) fn of(site: &Site, claim: &'static str) -> Self {
        let name = site.is_bound(claim);
        let volume = get(&["pv", &name]);
        let source = &volume["spec"]["flexVolume"];
        assert_eq!(source["driver"], "alicloud/disk", "{volume}");
        let disk = source["options"]["VolumeId"].as_str().expect("a disk");
        let disk = disk.to_owned();
        Self { claim, name, disk }
    }

    #[track_caller]
    fn follows(&self, policy: &str) {
        let patch = json!({ "spec": { "persistentVolumeReclaimPolicy": policy } });
        kubectl(&["patch", "pv", &self.name, "--patch", &patch.to_string()]);
    }

    #[track_caller]
    pub(crate) fn goes_with_its_claim(&self, site: &Site) {
        site.kubectl(&["delete", "pvc", self.claim, "--timeout=300s"]);
        self.is_gone();
    }

    #[track_caller]
    fn is_gone(&self) {
        eventually("the disk to be deleted", || {
            cloud::disk(&self.disk).is_none()
        });
        eventually("its PersistentVolume to be gone", || {
            try_get(&["pv", &self.name]).is_none()
        });
    }
}

/// Of XFS, which may grow while it is mounted on any machine.
#[track_caller]
pub(crate) fn class(name: &'static str) -> Class {
    let parameters = json!({ "type": "cloud_essd", "performanceLevel": "PL0", "fstype": "xfs" });
    Class::of_flexvolume(name, &parameters)
}

#[track_caller]
fn nothing_is_written_down() {
    eventually("what was written down to be gone", || {
        let label = "drivebay.dev/provisioned-driver";
        let left = get(&["configmaps", "--namespace", INTENTS, "--selector", label]);
        left["items"].as_array().is_some_and(Vec::is_empty)
    });
}

/// What a cloud's controller manager writes on nodes; it goes when this is dropped.
pub(crate) struct Zone(String);

impl Zone {
    #[track_caller]
    pub(crate) fn of_the_node() -> Self {
        let node = node();
        let label = "topology.kubernetes.io/zone=cn-hangzhou-g";
        kubectl(&["label", "node", &node, label]);
        Self(node)
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = try_kubectl(&["label", "node", &self.0, "topology.kubernetes.io/zone-"]);
    }
}
