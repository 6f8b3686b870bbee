//! What the API server refuses is told, and the cloud is not asked for it again and again.

use serde_json::{Value, json};

use crate::site::Site;

fn role(site: &Site) -> (String, Value) {
    let path = format!(
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/{}",
        site.account()
    );
    let role = site.api().find(&path).expect("it is there");
    (path, role["rules"].clone())
}

#[test]
fn a_volume_whose_object_is_refused_is_told_and_bound_once_it_is_not() {
    let site = Site::with_class("refused-object");
    let _provisioner = site.provisioner();
    site.claim("first", &json!({}));
    site.is_bound("first");
    let (path, rules) = role(&site);
    let fewer = rules.to_string().replace("\"create\",", "");
    let fewer: Value = serde_json::from_str(&fewer).expect("JSON");
    let mut fewer = fewer.as_array().expect("a list").clone();
    fewer.push(
        json!({ "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"] }),
    );
    site.api().patch(&path, &json!({ "rules": fewer }));
    site.claim("data", &json!({}));
    site.is_told(
        "data",
        &["ProvisioningFailed", "was made, and is kept", "forbidden"],
    );
    site.api().patch(&path, &json!({ "rules": rules }));
    site.is_bound("data");
    assert_eq!(site.disks().len(), 2);
    assert_eq!(site.cloud.requests("CreateDisk"), 2);
}

#[test]
fn an_intent_that_is_refused_is_told_and_no_cloud_is_asked() {
    let site = Site::with_class("refused-intent");
    let _provisioner = site.provisioner();
    site.claim("first", &json!({}));
    site.is_bound("first");
    site.eventually("what was written down to go", || site.intents().is_empty());
    let quota =
        json!({ "metadata": { "name": "none" }, "spec": { "hard": { "count/configmaps": "0" } } });
    let quotas = "/api/v1/namespaces/refused-intent/resourcequotas";
    let made = site.api().create(quotas, &quota);
    let status =
        json!({ "status": { "hard": made["spec"]["hard"], "used": { "count/configmaps": "0" } } });
    site.api().patch(&format!("{quotas}/none/status"), &status);
    site.claim("data", &json!({}));
    site.is_told("data", &["ProvisioningFailed", "exceeded quota"]);
    assert_eq!(site.cloud.requests("CreateDisk"), 1);
    site.api().delete(&format!("{quotas}/none"));
    site.is_bound("data");
}
