//! Whoever is killed at whatever step, and whatever becomes of the claim meanwhile: one disk for a claim that waits, and none
//! for one that is gone.

use serde_json::json;

use crate::gate::{Moment, Request};
use crate::site::{REGION, Site};

/// What becomes of the claim while nobody works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Waits,
    Goes,
}

const INTENT: Request = Request {
    method: "POST",
    path: "/configmaps",
};
const VOLUME: Request = Request {
    method: "POST",
    path: "/persistentvolumes",
};
pub(crate) const SETTLED: Request = Request {
    method: "PATCH",
    path: "/configmaps",
};
pub(crate) const REMOVED: Request = Request {
    method: "DELETE",
    path: "/configmaps",
};
pub(crate) const DELETED: Request = Request {
    method: "DELETE",
    path: "/persistentvolumes",
};
pub(crate) const RELEASED: Request = Request {
    method: "PATCH",
    path: "/persistentvolumes",
};

/// Each request that makes a volume, before and after the API server has carried it out.
pub(crate) const MAKING: [(Moment, Request); 8] = [
    (Moment::Before, INTENT),
    (Moment::After, INTENT),
    (Moment::Before, VOLUME),
    (Moment::After, VOLUME),
    (Moment::Before, SETTLED),
    (Moment::After, SETTLED),
    (Moment::Before, REMOVED),
    (Moment::After, REMOVED),
];

/// Those that take one away.
pub(crate) const DELETING: [(Moment, Request); 4] = [
    (Moment::Before, DELETED),
    (Moment::After, DELETED),
    (Moment::Before, RELEASED),
    (Moment::After, RELEASED),
];

/// One claim, whose provisioner is killed there; then another comes.
#[track_caller]
fn is_survived(site: &Site, name: &str, killed: (Moment, Request), meanwhile: Meanwhile) {
    let provisioner = site.doomed_provisioner();
    let sprung = site.gate.trap(killed.0, killed.1);
    site.claim(name, &json!({}));
    sprung.recv().expect("the request comes");
    provisioner.kill();
    assert!(site.disks().len() <= 1, "{killed:?}");
    if meanwhile == Meanwhile::Goes {
        site.delete_claim(name);
    }
    let provisioner = site.doomed_provisioner();
    if meanwhile == Meanwhile::Waits {
        site.is_bound(name);
        site.eventually("what was written down to go", || site.intents().is_empty());
        assert_eq!(site.disks().len(), 1, "{killed:?}");
        site.delete_claim(name);
    }
    site.nothing_is_left();
    provisioner.kill();
}

#[test]
fn a_claim_that_waits_gets_one_disk_wherever_its_maker_was_killed() {
    let site = Site::with_class("crashes");
    for (number, killed) in MAKING.into_iter().enumerate() {
        is_survived(&site, &format!("data-{number}"), killed, Meanwhile::Waits);
    }
    let made = site.cloud.requests("CreateDisk");
    assert_eq!(
        made, 8,
        "one disk for each claim, and none to look for another"
    );
}

#[test]
fn a_claim_that_goes_leaves_nothing_wherever_its_maker_was_killed() {
    let site = Site::with_class("crashes-gone");
    for (number, killed) in MAKING.into_iter().enumerate() {
        is_survived(&site, &format!("data-{number}"), killed, Meanwhile::Goes);
    }
}

#[test]
fn a_disk_whose_reply_was_lost_with_its_maker_is_found_again() {
    for (name, meanwhile) in [
        ("lost-reply", Meanwhile::Waits),
        ("lost-reply-gone", Meanwhile::Goes),
    ] {
        let site = Site::with_class(name);
        let provisioner = site.doomed_provisioner();
        site.cloud
            .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply" }));
        site.claim("data", &json!({}));
        site.eventually("the disk to be made", || site.disks().len() == 1);
        provisioner.kill();
        site.cloud.clear_faults();
        if meanwhile == Meanwhile::Goes {
            site.delete_claim("data");
        }
        let _provisioner = site.provisioner();
        if meanwhile == Meanwhile::Waits {
            site.is_bound("data");
            assert_eq!(site.disks().len(), 1);
            site.delete_claim("data");
        }
        site.nothing_is_left();
        assert_eq!(
            site.cloud.requests("CreateDisk"),
            1,
            "it was looked for first"
        );
    }
}

#[test]
fn a_disk_whose_reply_was_lost_is_not_forgotten_because_its_class_is_refused_since() {
    let site = Site::new("refused-since");
    site.class(&json!({ "parameters": {
        "type": "cloud_essd", "performanceLevel": "PL0", "zoneid": "cn-hangzhou-g", "regionId": REGION,
    } }));
    let provisioner = site.doomed_provisioner();
    site.cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply" }));
    site.claim("data", &json!({}));
    site.eventually("the disk to be made", || site.disks().len() == 1);
    provisioner.kill();
    site.cloud.clear_faults();
    let intents = site.intents();
    let intent = intents[0]["metadata"]["name"].as_str().expect("a name");
    site.delete_claim("data");
    site.grant_region("cn-beijing");
    let provisioner = site.doomed_provisioner();
    site.is_told(intent, &["VolumeFailedDelete", "regionId"]);
    assert_eq!((site.disks().len(), site.intents().len()), (1, 1));
    provisioner.kill();
    site.grant_region(REGION);
    let _provisioner = site.provisioner();
    site.nothing_is_left();
}

#[test]
fn a_claim_that_goes_while_its_disk_is_made_leaves_nothing() {
    let site = Site::with_class("in-the-midst");
    let _provisioner = site.provisioner();
    site.cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply" }));
    site.claim("data", &json!({}));
    site.eventually("the disk to be made", || site.disks().len() == 1);
    site.delete_claim("data");
    site.cloud.clear_faults();
    site.nothing_is_left();
    assert_eq!(site.cloud.requests("CreateDisk"), 1);
}

#[test]
fn a_volume_is_deleted_wherever_who_deletes_it_was_killed() {
    let site = Site::with_class("deleting");
    for (number, (moment, request)) in DELETING.into_iter().enumerate() {
        let name = format!("data-{number}");
        let provisioner = site.doomed_provisioner();
        site.claim(&name, &json!({}));
        site.is_bound(&name);
        site.eventually("what was written down to go", || site.intents().is_empty());
        let sprung = site.gate.trap(moment, request);
        site.delete_claim(&name);
        sprung.recv().expect("the request comes");
        provisioner.kill();
        let provisioner = site.doomed_provisioner();
        site.nothing_is_left();
        provisioner.kill();
    }
}

#[test]
fn a_disk_whose_deletion_was_not_answered_is_gone_and_so_is_its_volume() {
    let site = Site::with_class("deleting-lost");
    let provisioner = site.doomed_provisioner();
    site.claim("data", &json!({}));
    site.is_bound("data");
    site.cloud
        .fault(&json!({ "action": "DeleteDisk", "kind": "slow-reply" }));
    site.delete_claim("data");
    site.eventually("the disk to be deleted", || site.disks().is_empty());
    provisioner.kill();
    site.cloud.clear_faults();
    let _provisioner = site.provisioner();
    site.nothing_is_left();
}

#[test]
fn a_volume_of_another_keeps_its_name_and_the_disk_made_beside_it_goes() {
    let site = Site::with_class("taken");
    let provisioner = site.doomed_provisioner();
    let sprung = site.gate.trap(Moment::Before, VOLUME);
    site.claim("data", &json!({}));
    sprung.recv().expect("the request comes");
    provisioner.kill();
    let claim = site.found_claim("data").expect("it is there");
    let uid = claim["metadata"]["uid"].as_str().expect("a UID");
    let anothers = json!({
        "metadata": { "name": format!("pvc-{uid}") },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "another",
            "flexVolume": { "driver": "taken/disk", "options": { "VolumeId": "d-another" } },
        },
    });
    site.api().create(crate::site::VOLUMES, &anothers);
    let _provisioner = site.provisioner();
    site.is_told(
        "data",
        &["ProvisioningFailed", "d-another", "is there already"],
    );
    site.eventually("the disk to go", || {
        site.disks().is_empty() && site.intents().is_empty()
    });
    assert_eq!(site.volumes().len(), 1, "the other one stays");
    site.api()
        .delete(&format!("{}/pvc-{uid}", crate::site::VOLUMES));
}
