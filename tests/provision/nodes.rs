//! Where a pod has to come first, its node says where the volume is made; and another node is chosen where none can be.

use serde_json::json;

use crate::site::Site;

const SELECTED: &str = "volume.kubernetes.io/selected-node";

/// A node in a zone, which is gone with this.
struct Node<'a> {
    site: &'a Site,
    name: &'static str,
}

impl<'a> Node<'a> {
    #[track_caller]
    fn new(site: &'a Site, name: &'static str, zone: &str) -> Self {
        let labels = json!({
            "topology.kubernetes.io/zone": zone,
            "topology.kubernetes.io/region": "cn-hangzhou",
        });
        Self::labelled(site, name, &labels)
    }

    #[track_caller]
    fn labelled(site: &'a Site, name: &'static str, labels: &serde_json::Value) -> Self {
        let node = json!({ "metadata": { "name": name, "labels": labels } });
        site.api().create("/api/v1/nodes", &node);
        Self { site, name }
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        self.site
            .api()
            .delete(&format!("/api/v1/nodes/{}", self.name));
    }
}

/// As the scheduler does it.
#[track_caller]
fn choose(site: &Site, node: &str) {
    site.patch_claim(
        "data",
        &json!({ "metadata": { "annotations": { SELECTED: node } } }),
    );
}

/// The node that is chosen for the claim.
fn chosen(site: &Site) -> Option<String> {
    let claim = site.found_claim("data")?;
    claim["metadata"]["annotations"][SELECTED]
        .as_str()
        .map(str::to_owned)
}

#[track_caller]
fn waiting(name: &'static str) -> Site {
    let site = Site::new(name);
    site.class(&json!({
        "volumeBindingMode": "WaitForFirstConsumer",
        "parameters": { "type": "cloud_essd", "performanceLevel": "PL0" },
    }));
    site.claim("data", &json!({}));
    site
}

#[test]
fn a_disk_is_made_in_the_zone_of_the_chosen_node() {
    let site = waiting("chosen");
    let _node = Node::new(&site, "chosen-node", "cn-hangzhou-h");
    let _provisioner = site.provisioner();
    // One that need not wait comes after it, and is made.
    site.api().create(
        "/apis/storage.k8s.io/v1/storageclasses",
        &json!({
            "metadata": { "name": "chosen-at-once" },
            "provisioner": "chosen/disk",
            "parameters": { "type": "cloud_essd", "performanceLevel": "PL0", "zoneid": "cn-hangzhou-g" },
        }),
    );
    site.claim("at-once", &json!({ "storageClassName": "chosen-at-once" }));
    site.is_bound("at-once");
    assert_eq!(site.disks().len(), 1, "nobody has chosen for the other");
    choose(&site, "chosen-node");
    let volume = site.is_bound("data");
    let term = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0];
    assert_eq!(
        term["matchExpressions"][0]["values"],
        json!(["cn-hangzhou-h"])
    );
}

#[test]
fn a_node_where_no_disk_can_be_made_is_given_back() {
    let site = waiting("given-back");
    let _full = Node::new(&site, "given-back-full", "cn-hangzhou-h");
    let _other = Node::new(&site, "given-back-other", "cn-hangzhou-g");
    site.cloud.fault(&json!({
        "action": "CreateDisk", "kind": "error-before", "times": 100, "status": 403, "code": "OperationDenied.NoStock",
        "when": { "ZoneId": "cn-hangzhou-h" },
    }));
    let _provisioner = site.provisioner();
    choose(&site, "given-back-full");
    site.eventually("the node to be given back", || chosen(&site).is_none());
    site.is_told("data", &["ProvisioningFailed", "NoStock"]);
    choose(&site, "given-back-other");
    let volume = site.is_bound("data");
    assert!(
        volume["spec"]["nodeAffinity"]
            .to_string()
            .contains("cn-hangzhou-g")
    );
    assert_eq!(site.disks().len(), 1);
}

#[test]
fn a_node_of_old_labels_reaches_its_disk_by_them() {
    let site = waiting("old-labels");
    let label = "failure-domain.beta.kubernetes.io/zone";
    let _old = Node::labelled(&site, "old-labels-node", &json!({ label: "cn-hangzhou-h" }));
    let _provisioner = site.provisioner();
    choose(&site, "old-labels-node");
    let volume = site.is_bound("data");
    let term = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0];
    let expected = json!([{ "key": label, "operator": "In", "values": ["cn-hangzhou-h"] }]);
    assert_eq!(term["matchExpressions"], expected);
}

#[test]
fn a_node_without_a_zone_is_told_and_no_disk_is_made() {
    let site = waiting("no-zone");
    let _node = Node::labelled(&site, "no-zone-node", &json!({}));
    let _provisioner = site.provisioner();
    choose(&site, "no-zone-node");
    site.is_told(
        "data",
        &[
            "ProvisioningFailed",
            "no-zone-node",
            "topology.kubernetes.io/zone",
        ],
    );
    assert_eq!(site.cloud.requests("CreateDisk"), 0);
}

#[test]
fn a_node_that_is_gone_is_given_back() {
    let site = waiting("gone-node");
    let _provisioner = site.provisioner();
    choose(&site, "no-such-node");
    site.eventually("the node to be given back", || chosen(&site).is_none());
    assert_eq!(site.disks().len(), 0);
}
