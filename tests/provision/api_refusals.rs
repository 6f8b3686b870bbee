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
