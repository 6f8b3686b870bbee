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
    let slow = json!({ "type": "cloud_essd", "performanceLevel": "PL0" });
    let slow = Class::of_disks("test-slow", &slow);
    let faster = Class::of_attributes("test-faster", &json!({ "performanceLevel": "PL1" }));
    let site = Site::new("attributes");
    site.apply(&[claim("data", slow.name(), 40), pod("app", "data")]);
    site.is_ready("app");
    let disk = disk_of(&site);
    assert!(performance(&disk).contains("PL0"));
    change(&site, &faster);
    eventually("the claim to have the class", || {
        site.get("pvc", "data")["status"]["currentVolumeAttributesClassName"] == faster.name()
    });
    assert!(performance(&disk).contains("PL1"));
}

#[test]
#[ignore = "needs a cluster"]
fn a_change_that_the_cloud_refuses_is_told_at_the_claim() {
    let _turn = beside_others();
    let lower = Class::of_attributes("test-lower", &json!({ "performanceLevel": "PL0" }));
    let site = Site::new("attributes-refused");
    site.apply(&[claim("data", CLASS, 40), pod("app", "data")]);
    site.is_ready("app");
    let disk = disk_of(&site);
    change(&site, &lower);
    eventually("the claim's events to say why", || {
        let events = site.events_of("data");
        events.contains("VolumeModifyFailed") && events.contains("InvalidPerformanceLevel")
    });
    assert!(performance(&disk).contains("PL1"));
}

#[track_caller]
fn change(site: &Site, class: &Class) {
    let patch = json!({ "spec": { "volumeAttributesClassName": class.name() } });
    site.kubectl(&["patch", "pvc", "data", "--patch", &patch.to_string()]);
}

/// The id of the disk that claim `data` has.
#[track_caller]
fn disk_of(site: &Site) -> String {
    let volume = get(&["pv", &site.is_bound("data")]);
    let handle = volume["spec"]["csi"]["volumeHandle"].as_str();
    handle.expect("an id").to_owned()
}

/// What the cloud says of a disk.
#[track_caller]
fn performance(disk: &str) -> String {
    cloud::disk(disk).expect("there").to_string()
}
