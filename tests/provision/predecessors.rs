//! Beside another controller that answers to the same name nothing is made, and whoever reads the log knows what to do.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::site::{PREDECESSOR, Provisioner, Site};

/// The Deployment of the controller of old; nobody makes pods of it here.
fn deployment(replicas: u32) -> Value {
    let labels = json!({ "app": PREDECESSOR });
    json!({
        "metadata": { "name": PREDECESSOR },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": PREDECESSOR, "image": PREDECESSOR }] },
            },
        },
    })
}

fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

/// What that one writes to a claim that it is going to serve, renewed so long ago.
fn record(age: Duration) -> Value {
    let renewed = Timestamp::from(SystemTime::now() - age);
    let whole = Timestamp {
        nanos: 0,
        ..renewed
    };
    let record = json!({
        "holderIdentity": "0f6ff2a6-9a3a-11ea-8d2f-00163e02bf02",
        "leaseDurationSeconds": 15,
        "acquireTime": whole.to_string(),
        "renewTime": whole.to_string(),
        "leaderTransitions": 0,
    });
    json!({ "metadata": { "annotations": { "control-plane.alpha.kubernetes.io/leader": record.to_string() } } })
}

/// It has ended by itself, and has said all of that.
#[track_caller]
fn refuses(site: &Site, mut provisioner: Provisioner, parts: &[&str]) {
    site.eventually("it to end", || provisioner.has_failed());
    let log = site.log();
    for part in parts {
        assert!(log.contains(part), "{part} is not in {log}");
    }
}

#[test]
fn beside_a_deployment_that_answers_to_its_name_it_does_not_start_and_says_how_to_take_it_away() {
    let site = Site::with_class("beside");
    site.api().create(&deployments("beside"), &deployment(1));
    site.claim("data", &json!({}));
    let command = "`kubectl -n beside scale deployment alicloud-disk-controller --replicas=0`";
    let found = "Deployment beside/alicloud-disk-controller runs";
    refuses(&site, site.provisioner(), &[found, command, "beside/disk"]);
    assert_eq!((site.disks().len(), site.intents().len()), (0, 0));
    let scaled = json!({ "spec": { "replicas": 0 } });
    site.api()
        .patch(&format!("{}/{PREDECESSOR}", deployments("beside")), &scaled);
    let _provisioner = site.provisioner();
    site.is_bound("data");
}

#[test]
fn one_that_works_ends_when_such_a_deployment_appears() {
    let site = Site::with_class("beside-later");
    let provisioner = site.provisioner();
    site.claim("data", &json!({}));
    site.is_bound("data");
    site.api()
        .create(&deployments("beside-later"), &deployment(1));
    let found = "Deployment beside-later/alicloud-disk-controller runs";
    refuses(&site, provisioner, &[found]);
}

#[test]
fn nothing_is_made_for_a_claim_that_another_serves_now() {
    let site = Site::with_class("served");
    site.claim("data", &json!({}));
    site.patch_claim("data", &record(Duration::ZERO));
    let found = "0f6ff2a6-9a3a-11ea-8d2f-00163e02bf02 makes a volume for claim served/data";
    refuses(
        &site,
        site.provisioner(),
        &[found, "kubectl get deployments"],
    );
    assert_eq!((site.disks().len(), site.intents().len()), (0, 0));
}

#[test]
fn a_claim_that_another_served_once_gets_its_disk() {
    let site = Site::with_class("served-once");
    site.claim("data", &json!({}));
    site.patch_claim("data", &record(Duration::from_secs(300)));
    let _provisioner = site.provisioner();
    site.is_bound("data");
}

#[test]
fn where_nobody_may_look_for_another_nothing_is_made() {
    let site = Site::with_class("may-not-look");
    let role = format!("{}-predecessor", site.account());
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/may-not-look/rolebindings";
    site.api().delete(&format!("{roles}/{role}"));
    let found = "cannot look whether Deployment may-not-look/alicloud-disk-controller runs";
    refuses(&site, site.provisioner(), &[found, "forbidden"]);
}
