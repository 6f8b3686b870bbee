//! Two replicas of the controller, of which each sidecar has its own leader.

use serde_json::json;

use crate::installation::{CLASS, CONTROLLER, name, pods, rolled_out};
use crate::kubectl::{eventually, get, kubectl};
use crate::site::{Site, claim, pod};
use crate::turns::alone;

const PROVISIONER: &str = "diskplugin-csi-alibabacloud-com";
const ATTACHER: &str = "external-attacher-leader-diskplugin-csi-alibabacloud-com";

const COMPONENT: &str = "alicloud-disk-controller";
const DEPLOYMENT: &str = "deployment/drivebay-alicloud-disk-controller";

/// What one replica does is not written down where the other one looks: the cloud alone tells.
#[test]
#[ignore = "needs a cluster"]
fn one_replica_provisions_and_the_other_attaches() {
    let _turn = alone();
    rolled_out(CONTROLLER, DEPLOYMENT);
    let replicas = pods(CONTROLLER, COMPONENT)
        .iter()
        .map(name)
        .collect::<Vec<_>>();
    assert_eq!(replicas.len(), 2, "{replicas:?}");
    let [one, other] = [&replicas[0], &replicas[1]];
    lead(PROVISIONER, one);
    lead(ATTACHER, other);
    let site = Site::new("two-replicas");
    site.apply(&[claim("data", CLASS, 20), pod("app", "data")]);
    site.is_ready("app");
    site.exec("app", "echo written > /data/file");
    site.delete_pod("app");
    site.kubectl(&["delete", "pvc", "data", "--timeout=300s"]);
    assert!(
        leader(PROVISIONER).contains(one.as_str()) && leader(ATTACHER).contains(other.as_str())
    );
}

#[test]
#[ignore = "needs a cluster"]
fn the_other_replica_goes_on_when_the_leader_is_deleted() {
    let _turn = alone();
    rolled_out(CONTROLLER, DEPLOYMENT);
    let site = Site::new("leader-deleted");
    let leading = leader(PROVISIONER);
    let replicas = pods(CONTROLLER, COMPONENT);
    let pod_of_leader = replicas
        .iter()
        .map(name)
        .find(|name| leading.contains(name.as_str()));
    let pod_of_leader = pod_of_leader.expect("one of them leads");
    site.apply(&[claim("data", CLASS, 20)]);
    kubectl(&[
        "delete",
        "pod",
        "--namespace",
        CONTROLLER,
        "--wait=false",
        &pod_of_leader,
    ]);
    site.apply(&[pod("app", "data")]);
    site.is_ready("app");
    rolled_out(CONTROLLER, DEPLOYMENT);
}

/// Gives a lease to a replica, as if the one that had it had just lost it: it is taken away from whoever has it, until the
/// wanted one is the first to ask.
#[track_caller]
fn lead(lease: &str, replica: &str) {
    eventually(&format!("{replica} to lead {lease}"), || {
        if leader(lease).contains(replica) {
            return true;
        }
        // Whoever held it ends, and its pod starts it again; the others ask meanwhile.
        let patch = json!({ "spec": { "holderIdentity": "", "leaseDurationSeconds": 1 } });
        kubectl(&[
            "patch",
            "lease",
            lease,
            "--namespace",
            CONTROLLER,
            "--type",
            "merge",
            "--patch",
            &patch.to_string(),
        ]);
        std::thread::sleep(std::time::Duration::from_secs(5));
        false
    });
}

#[track_caller]
fn leader(lease: &str) -> String {
    let lease = get(&["lease", lease, "--namespace", CONTROLLER]);
    lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
