//! Who gets at a volume: one pod, a group, a pod that is not root, and nobody after its pod.

use serde_json::json;

use crate::installation::CLASS;
use crate::kubectl::{eventually, try_get};
use crate::site::{Site, claim, pod, pod_with};
use crate::turns::beside_others;

#[test]
#[ignore = "needs a cluster"]
fn a_volume_for_one_pod_is_given_to_one_at_a_time() {
    let _turn = beside_others();
    let site = Site::new("one-pod");
    let mut only = claim("data", CLASS, 20);
    only["spec"]["accessModes"] = json!(["ReadWriteOncePod"]);
    site.apply(&[only, pod("first", "data")]);
    site.is_ready("first");
    site.apply(&[pod("second", "data")]);
    eventually("the second pod to be kept waiting", || {
        site.events_of("second").contains("ReadWriteOncePod")
    });
    site.delete_pod("first");
    site.is_ready("second");
}

#[test]
#[ignore = "needs a cluster"]
fn a_pod_that_is_not_root_writes_by_its_group() {
    let _turn = beside_others();
    let site = Site::new("fs-group");
    let mut app = pod("app", "data");
    app["spec"]["securityContext"] =
        json!({ "runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "runAsNonRoot": true });
    site.apply(&[claim("data", CLASS, 20), app]);
    site.is_ready("app");
    site.exec("app", "echo written > /data/file");
    assert_eq!(site.exec("app", "stat -c '%u %g' /data/file"), "1000 2000");
}

#[test]
#[ignore = "needs a cluster"]
fn a_volume_of_a_pod_alone_comes_and_goes_with_it() {
    let _turn = beside_others();
    let site = Site::new("ephemeral");
    let template = claim("unused", CLASS, 20)["spec"].clone();
    let volume = json!({ "ephemeral": { "volumeClaimTemplate": { "spec": template } } });
    let wait = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
    site.apply(&[pod_with("app", &volume, wait)]);
    site.is_ready("app");
    let volume = site.is_bound("app-data");
    site.exec("app", "echo written > /data/file");
    site.delete_pod("app");
    eventually("the pod's claim and volume to be gone", || {
        site.find("pvc", "app-data").is_none() && try_get(&["pv", &volume]).is_none()
    });
}
