//! What waits for its turn is looked at once it has it, and not before.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{Site, VOLUMES};

/// The cloud answers one request for a disk only once its faults are cleared, and all others wait behind it.
#[track_caller]
fn hold_up(site: &Site) {
    let before = site.disks().len();
    site.cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply" }));
    site.claim("slow", &json!({}));
    site.eventually("the disk to be made", || site.disks().len() > before);
}

#[test]
fn a_volume_that_is_to_be_kept_by_the_time_of_its_turn_is_kept() {
    let site = Site::with_class("kept-in-queue");
    let _provisioner = site.provisioner_of_one_at_once();
    site.claim("data", &json!({}));
    let volume = site.is_bound("data");
    let (name, disk) = (
        &volume["metadata"]["name"],
        &volume["spec"]["flexVolume"]["options"]["VolumeId"],
    );
    let path = format!("{VOLUMES}/{}", name.as_str().expect("a name"));
    hold_up(&site);
    site.delete_claim("data");
    let current = || site.api().find(&path).expect("it is there");
    site.eventually("the volume to be released", || {
        current()["status"]["phase"] == "Released"
    });
    let keep = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    site.api().patch(&path, &keep);
    site.cloud.clear_faults();
    site.is_bound("slow");
    site.eventually("the finalizer to go", || {
        !current()["metadata"]["finalizers"]
            .to_string()
            .contains("external-provisioner")
    });
    assert!(site.disks().iter().any(|kept| disk == kept.as_str()));
    assert_eq!(site.cloud.requests("DeleteDisk"), 0);
}

#[test]
fn whoever_is_told_to_end_begins_nothing_that_still_waits_for_its_turn() {
    let site = Site::with_class("ends-in-queue");
    let provisioner = site.provisioner_of_one_at_once();
    hold_up(&site);
    site.claim("data", &json!({}));
    site.eventually("both to be written down", || site.intents().len() == 2);
    provisioner.send(nix::sys::signal::Signal::SIGTERM);
    site.eventually("it to take notice", || site.log().contains("told to end"));
    site.cloud.clear_faults();
    provisioner.stop();
    site.is_bound("slow");
    assert_eq!((site.disks().len(), site.intents().len()), (1, 1));
    assert_eq!(site.cloud.requests("CreateDisk"), 1);
    let _next = site.provisioner_of_one_at_once();
    site.is_bound("data");
    assert_eq!(site.disks().len(), 2);
}

#[test]
fn of_claims_that_wait_for_their_turn_the_oldest_comes_first() {
    let site = Site::with_class("oldest-first");
    let names = ["f", "a", "e", "b", "d", "c"];
    for name in names {
        site.claim(name, &json!({}));
        // Kubernetes tells of whole seconds when something was made.
        sleep(Duration::from_millis(1100));
    }
    // Whichever asks first is held up, and the others wait behind it.
    site.cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply" }));
    let _provisioner = site.provisioner_of_one_at_once();
    site.eventually("all to wait", || {
        site.disks().len() == 1 && site.intents().len() == names.len()
    });
    site.cloud.clear_faults();
    let volumes = names.map(|name| site.is_bound(name)["metadata"]["name"].clone());
    let made = site.cloud.disks_made();
    let made: Vec<Value> = made.iter().map(|disk| disk["name"].clone()).collect();
    let [first, others @ ..] = &made[..] else {
        panic!("no disk was made");
    };
    let mut oldest_first = volumes.to_vec();
    oldest_first.retain(|name| name != first);
    assert_eq!(others, oldest_first, "after {first}");
}
