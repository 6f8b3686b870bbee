//! A disk's performance changes with its claim's class of attributes.

use serde_json::json;

use crate::class::Class;
use crate::cloud;
use crate::installation::CLASS;
use crate::kubectl::{eventually, get};
use crate::site::{Site, claim, pod};
use crate::turns::beside_others;

#[test]
#[ignore = "needs a cluster"]
fn a_disk_gets_the_performance_of_its_claims_new_class() {
    let _turn = beside_others();
    let slower = Class::of_attributes("test-slower", &json!({ "performanceLevel": "PL0" }));
    let site = Site::new("attributes");
    site.apply(&[claim("data", CLASS, 40), pod("app", "data")]);
    site.is_ready("app");
    let volume = site.is_bound("data");
    let handle = get(&["pv", &volume])["spec"]["csi"]["volumeHandle"].clone();
    let disk = handle.as_str().expect("an id");
    assert!(cloud::disk(disk).expect("made").to_string().contains("PL1"));
    let patch = json!({ "spec": { "volumeAttributesClassName": slower.name() } });
    site.kubectl(&["patch", "pvc", "data", "--patch", &patch.to_string()]);
    eventually("the claim to have the class", || {
        site.get("pvc", "data")["status"]["currentVolumeAttributesClassName"] == slower.name()
    });
    assert!(
        cloud::disk(disk)
            .expect("there")
            .to_string()
            .contains("PL0")
    );
}
