//! A disk's performance changes with its claim's class of attributes.

use serde_json::{Value, json};

use crate::cloud;
use crate::installation::{CLASS, DISK_DRIVER};
use crate::kubectl::{eventually, get, kubectl_with, try_kubectl};
use crate::site::{Site, claim, pod};
use crate::turns::beside_others;

const SLOWER: &str = "test-slower";

fn slower() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttributesClass",
        "metadata": { "name": SLOWER },
        "driverName": DISK_DRIVER,
        "parameters": { "performanceLevel": "PL0" },
    })
}

struct Class;

impl Drop for Class {
    fn drop(&mut self) {
        let _ = try_kubectl(&["delete", "volumeattributesclass", SLOWER]);
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_disk_gets_the_performance_of_its_claims_new_class() {
    let _turn = beside_others();
    kubectl_with(&["apply"], &[slower()]).expect("a class");
    let _class = Class;
    let site = Site::new("attributes");
    site.apply(&[claim("data", CLASS, 40), pod("app", "data")]);
    site.is_ready("app");
    let volume = site.is_bound("data");
    let handle = get(&["pv", &volume])["spec"]["csi"]["volumeHandle"].clone();
    let disk = handle.as_str().expect("an id");
    assert!(cloud::disk(disk).expect("made").to_string().contains("PL1"));
    let patch = json!({ "spec": { "volumeAttributesClassName": SLOWER } });
    site.kubectl(&["patch", "pvc", "data", "--patch", &patch.to_string()]);
    eventually("the claim to have the class", || {
        site.get("pvc", "data")["status"]["currentVolumeAttributesClassName"] == SLOWER
    });
    assert!(
        cloud::disk(disk)
            .expect("there")
            .to_string()
            .contains("PL0")
    );
}
