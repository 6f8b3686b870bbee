//! Snapshots of claims, and claims made of snapshots.

use serde_json::{Value, json};

use crate::installation::CLASS;
use crate::kubectl::eventually;
use crate::site::{Site, claim, pod};
use crate::turns::beside_others;

#[test]
#[ignore = "needs a cluster"]
fn a_claim_made_of_a_snapshot_has_what_was_there_then() {
    let _turn = beside_others();
    let site = Site::new("snapshots");
    site.apply(&[claim("data", CLASS, 20), pod("app", "data")]);
    site.is_ready("app");
    site.exec("app", "echo before > /data/file; sync");
    site.apply(&[snapshot("cut", "data")]);
    eventually("the snapshot to be ready to use", || {
        site.get("volumesnapshot", "cut")["status"]["readyToUse"] == true
    });
    site.exec("app", "echo after > /data/file; sync");

    site.apply(&[restored("copy", "cut"), pod("reader", "copy")]);
    site.is_ready("reader");
    assert_eq!(site.exec("reader", "cat /data/file"), "before");
    assert_eq!(site.exec("app", "cat /data/file"), "after");

    site.kubectl(&["delete", "volumesnapshot", "cut", "--timeout=300s"]);
}

#[test]
#[ignore = "needs a cluster"]
fn snapshots_of_a_group_of_claims_are_of_one_moment() {
    let _turn = beside_others();
    let site = Site::new("group-snapshots");
    for name in ["one", "two"] {
        let mut member = claim(name, CLASS, 20);
        member["metadata"]["labels"] = json!({ "group": "both" });
        site.apply(&[member, pod(name, name)]);
    }
    for name in ["one", "two"] {
        site.is_ready(name);
        site.exec(name, "echo before > /data/file; sync");
    }
    site.apply(&[json!({
        "apiVersion": "groupsnapshot.storage.k8s.io/v1",
        "kind": "VolumeGroupSnapshot",
        "metadata": { "name": "cut" },
        "spec": {
            "volumeGroupSnapshotClassName": CLASS,
            "source": { "selector": { "matchLabels": { "group": "both" } } },
        },
    })]);
    eventually("the group to be ready to use", || {
        site.get("volumegroupsnapshot", "cut")["status"]["readyToUse"] == true
    });
    let members = site.all("volumesnapshots");
    assert_eq!(members.len(), 2, "{members:#?}");
    let first = members[0]["metadata"]["name"].as_str().expect("a name");
    site.apply(&[restored("copy", first), pod("reader", "copy")]);
    site.is_ready("reader");
    assert_eq!(site.exec("reader", "cat /data/file"), "before");
    site.kubectl(&["delete", "volumegroupsnapshot", "cut", "--timeout=300s"]);
}

fn snapshot(name: &str, claim: &str) -> Value {
    json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": { "name": name },
        "spec": {
            "volumeSnapshotClassName": CLASS,
            "source": { "persistentVolumeClaimName": claim },
        },
    })
}

fn restored(name: &str, snapshot: &str) -> Value {
    let mut claim = claim(name, CLASS, 20);
    claim["spec"]["dataSource"] = json!({
        "apiGroup": "snapshot.storage.k8s.io",
        "kind": "VolumeSnapshot",
        "name": snapshot,
    });
    claim
}
