//! Of several processes one works; another takes over from one that ends, however it ends.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::gate::{Moment, Request};
use crate::site::Site;

const LEASE: Request = Request {
    method: "GET",
    path: "/leases",
};

#[test]
fn another_process_takes_over_from_one_that_was_killed() {
    let site = Site::with_class("leaders");
    let first = site.doomed_provisioner();
    site.eventually("a leader", || site.leader().is_some());
    let before = site.leader();
    let _second = site.provisioner();
    site.claim("data", &json!({}));
    site.is_bound("data");
    assert_eq!(site.leader(), before, "the first one leads still");
    first.kill();
    site.claim("next", &json!({}));
    site.is_bound("next");
    assert_ne!(site.leader(), before);
    assert_eq!(site.disks().len(), 2);
}

#[test]
fn a_process_that_is_not_answered_when_it_asks_who_leads_asks_again() {
    let site = Site::with_class("silent");
    let asked = site.gate.trap(Moment::Before, LEASE);
    let _provisioner = site.provisioner();
    asked.recv().expect("the request comes");
    site.claim("data", &json!({}));
    site.is_bound("data");
}

#[test]
fn a_process_that_stood_still_while_another_took_over_makes_nothing_more_and_ends() {
    let site = Site::with_class("stood-still");
    let mut first = site.provisioner_of_one_at_once_for("6s");
    site.cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply" }));
    site.claim("data", &json!({}));
    site.eventually("the disk to be made", || site.disks().len() == 1);
    site.claim("next", &json!({}));
    site.eventually("both to be written down", || site.intents().len() == 2);
    let before = site.leader();
    first.send(Signal::SIGSTOP);
    site.cloud.clear_faults();
    // It is not told at once that it leads no more, and goes on with what waited for its turn.
    let _silence = site.gate.trap(Moment::Before, LEASE);
    site.delete_claim("next");
    let _second = site.provisioner_elsewhere();
    let volume = site.is_bound("data");
    assert_ne!(site.leader(), before);
    site.eventually("what was written down to go", || site.intents().is_empty());
    let asked = ["CreateDisk", "DeleteDisk"].map(|action| site.cloud.requests(action));
    first.send(Signal::SIGCONT);
    site.eventually("the first one to end", || first.has_failed());
    let asked_since = ["CreateDisk", "DeleteDisk"].map(|action| site.cloud.requests(action));
    assert_eq!(asked_since, asked, "made and deleted");
    let disks = site.disks();
    assert_eq!(
        volume["spec"]["flexVolume"]["options"]["VolumeId"],
        disks[0].as_str()
    );
    assert_eq!((disks.len(), site.volumes().len()), (1, 1));
}

#[test]
fn a_process_that_is_told_to_end_finishes_what_it_is_at_and_gives_the_lease_up() {
    let site = Site::with_class("told-to-end");
    let provisioner = site.provisioner();
    site.cloud
        .fault(&json!({ "action": "CreateDisk", "kind": "slow-reply", "millis": 1500 }));
    site.claim("data", &json!({}));
    site.eventually("the disk to be made", || site.disks().len() == 1);
    provisioner.stop();
    site.is_bound("data");
    assert!(site.intents().is_empty());
    assert_eq!(site.leader(), None);
}
