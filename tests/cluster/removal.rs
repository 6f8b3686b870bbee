//! `kubectl delete -k` leaves nothing but volumes.

use crate::cloud;
use crate::installation::{
    CLASS, CONTROLLER, NODES, apply, delete, is_ready, mounts_of, registered,
};
use crate::kubectl::{eventually, try_get, try_kubectl};
use crate::site::{Site, claim, pod};
use crate::turns::alone;

#[test]
#[ignore = "needs a cluster"]
fn what_is_deleted_leaves_nothing_but_the_volumes() {
    let _turn = alone();
    is_ready();
    let site = Site::new("removal");
    site.apply(&[claim("data", CLASS, 20), pod("app", "data")]);
    site.is_ready("app");
    let volume = site.is_bound("data");
    site.delete_pod("app");
    eventually("the disk to be detached", || {
        cloud::disks()
            .iter()
            .all(|disk| cloud::attachments(disk).is_empty())
    });
    let disks = cloud::disks();

    let installed = Installed::deleted();
    for namespace in [NODES, CONTROLLER] {
        assert!(
            try_get(&["namespace", namespace]).is_none(),
            "{namespace} is left"
        );
    }
    let left = try_kubectl(&[
        "get",
        "--output=name",
        "--all-namespaces",
        "--selector",
        "app.kubernetes.io/name=drivebay",
        "clusterroles,clusterrolebindings,csidrivers,storageclasses,volumesnapshotclasses,pods,configmaps,secrets",
    ]);
    assert_eq!(left.expect("an answer"), "");
    eventually("kubelet to forget the drivers", || registered().is_empty());
    assert_eq!(
        cloud::disks(),
        disks,
        "a volume's disk went with its driver"
    );
    assert!(try_get(&["pv", &volume]).is_some());
    let mounts = mounts_of("/plugins/kubernetes.io/csi/");
    assert!(mounts.is_empty(), "{mounts:?}");

    drop(installed);
    site.apply(&[pod("again", "data")]);
    site.is_ready("again");
}

/// Everything that `kubectl delete -k` takes, and that comes back when this is dropped.
struct Installed;

impl Installed {
    #[track_caller]
    fn deleted() -> Self {
        delete("both");
        Self
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        apply("both");
        if !std::thread::panicking() {
            is_ready();
        }
    }
}
