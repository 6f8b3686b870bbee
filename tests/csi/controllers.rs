//! Several controllers of one cloud, each with a journal of its own: the leader changed, or another plugin was there
//! before. What one of them did the others learn from the cloud, or not at all.

use std::fs;
use std::path::PathBuf;
use std::thread;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, VolumeCapability};
use drivebay_tests::{
    Cloud, Csi, CsiVolume, INSTANCE, Node, OTHER_INSTANCE, created, disk_request, eventually,
    mounted, raw, refused,
};
use serde_json::json;
use tonic::Code;

/// `drivebay serve` in one mode, with a state directory of its own.
struct Served {
    csi: Csi,
    node: Node,
}

impl Served {
    fn new(cloud: &Cloud, mode: &str) -> Self {
        let node = Node::with_disks(cloud);
        let csi = node.serve_with("alicloud-disk", &["--mode", mode]);
        Self { csi, node }
    }

    /// The same volume, as this process is asked about it.
    fn volume(&self, volume: &proto::Volume, capability: &VolumeCapability) -> CsiVolume<'_> {
        CsiVolume::existing(&self.csi, &self.node, volume.clone(), capability.clone())
    }
}

/// A cloud and two controllers of it.
struct Site {
    first: Served,
    second: Served,
    cloud: Cloud,
}

impl Site {
    fn new() -> Self {
        let cloud = Cloud::start();
        Self {
            first: Served::new(&cloud, "controller"),
            second: Served::new(&cloud, "controller"),
            cloud,
        }
    }

    /// A disk that the first controller made, as each of the two is asked about it.
    #[track_caller]
    fn disk(&self) -> (CsiVolume<'_>, CsiVolume<'_>) {
        let request = disk_request("pvc-1");
        let capability = request.volume_capabilities[0].clone();
        let volume = created(&self.first.csi, request);
        (
            self.first.volume(&volume, &capability),
            self.second.volume(&volume, &capability),
        )
    }

    /// At the end of a test.
    #[track_caller]
    fn is_clean(&self) {
        self.first.node.is_clean();
        self.second.node.is_clean();
        assert!(self.cloud.disks().is_empty());
    }
}

#[test]
fn a_volume_that_another_controller_detached_is_deleted_by_the_one_that_attached_it() {
    let site = Site::new();
    let (first, second) = site.disk();
    first.attach_to(INSTANCE).expect("attached");
    assert!(
        refused(first.delete(), Code::FailedPrecondition).contains(INSTANCE),
        "the node is not named"
    );
    second.detach_from(INSTANCE).expect("detached");
    first.delete().expect("deleted");
    first.delete().expect("gone already");
    site.is_clean();
}

#[test]
fn a_volume_that_another_controller_deleted_is_no_longer_in_use_for_the_one_that_attached_it() {
    let site = Site::new();
    let (first, second) = site.disk();
    first.attach_to(INSTANCE).expect("attached");
    second.detach_from("").expect("detached from every node");
    second.delete().expect("deleted");
    first.delete().expect("gone already");
    site.is_clean();
}

#[test]
fn a_volume_that_another_controller_detached_is_attached_anew_in_another_way() {
    let site = Site::new();
    let (first, second) = site.disk();
    let reading = first.used_as(mounted(Mode::SingleNodeReaderOnly));
    first.attach_to(INSTANCE).expect("attached");
    refused(reading.attach_to(INSTANCE), Code::AlreadyExists);
    second.detach_from(INSTANCE).expect("detached");
    reading.attach_to(INSTANCE).expect("attached anew");
    assert_eq!(site.cloud.attachments(&first.id), [INSTANCE]);
    refused(first.attach_to(INSTANCE), Code::AlreadyExists);
    first.detach_from(INSTANCE).expect("detached");
    first.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn a_volume_that_another_controller_attached_is_not_deleted_and_is_detached_by_its_id_alone() {
    let site = Site::new();
    let (first, second) = site.disk();
    first.attach_to(INSTANCE).expect("attached");
    second.detach_from(INSTANCE).expect("detached");
    second.attach_to(OTHER_INSTANCE).expect("attached there");
    let message = refused(first.delete(), Code::FailedPrecondition);
    assert!(message.contains(OTHER_INSTANCE), "{message}");
    let message = refused(first.attach_to(INSTANCE), Code::FailedPrecondition);
    assert!(message.contains(OTHER_INSTANCE), "{message}");
    first.detach_from(INSTANCE).expect("not attached there");
    assert_eq!(site.cloud.attachments(&first.id), [OTHER_INSTANCE]);
    first.detach_from(OTHER_INSTANCE).expect("detached");
    first.delete().expect("deleted");
    second.delete().expect("gone already");
    site.is_clean();
}

#[test]
fn a_shared_disk_is_on_two_nodes_until_both_are_done_whoever_attached_and_whoever_detaches() {
    let site = Site::new();
    let nodes = [INSTANCE, OTHER_INSTANCE].map(|id| (id, Served::new(&site.cloud, "node")));
    let capability = raw(Mode::MultiNodeMultiWriter);
    let mut request = disk_request("pvc-1");
    request.volume_capabilities = vec![capability.clone()];
    let multi_attach = ("multiAttach".to_owned(), "true".to_owned());
    request.parameters.extend([multi_attach]);
    let volume = created(&site.first.csi, request);
    let [first, second] =
        [&site.first, &site.second].map(|served| served.volume(&volume, &capability));

    for (controller, (id, node)) in [&first, &second].into_iter().zip(&nodes) {
        let mut there = node.volume(&volume, &capability);
        there.publish_context = controller.attach_to(id).expect("attached");
        there.stage().expect("staged");
        there.publish("pod").expect("published");
    }
    let mut attachments = site.cloud.attachments(&volume.volume_id);
    attachments.sort();
    assert_eq!(attachments, [INSTANCE, OTHER_INSTANCE]);

    for (_, node) in &nodes {
        refused(first.delete(), Code::FailedPrecondition);
        refused(second.delete(), Code::FailedPrecondition);
        let there = node.volume(&volume, &capability);
        there.unpublish("pod").expect("unpublished");
        there.unstage().expect("unstaged");
    }
    // Each by the controller that did not attach it.
    second.detach_from(INSTANCE).expect("detached");
    assert_eq!(site.cloud.attachments(&volume.volume_id), [OTHER_INSTANCE]);
    let message = refused(first.delete(), Code::FailedPrecondition);
    assert!(message.contains(OTHER_INSTANCE), "{message}");
    first.detach_from(OTHER_INSTANCE).expect("detached");
    second.delete().expect("deleted");
    first.delete().expect("gone already");
    nodes.iter().for_each(|(_, node)| node.node.is_clean());
    site.is_clean();
}

#[test]
fn a_controller_that_lost_its_journal_makes_no_second_disk_and_leaves_none_attached() {
    let site = Site::new();
    let (first, second) = site.disk();
    first.attach_to(INSTANCE).expect("attached");
    fs::remove_dir_all(site.first.node.path("state/journal")).expect("it had one");
    for controller in [&site.first, &site.second] {
        let again = created(&controller.csi, disk_request("pvc-1"));
        assert_eq!(again.volume_id, first.id);
    }
    assert_eq!(site.cloud.disks().len(), 1);
    refused(first.delete(), Code::FailedPrecondition);
    refused(second.delete(), Code::FailedPrecondition);
    first.detach_from(INSTANCE).expect("detached by its id");
    assert_eq!(site.cloud.attachments(&first.id), Vec::<String>::new());
    first.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn a_controller_killed_while_it_attached_finds_out_what_the_other_made_of_it() {
    let site = Site::new();
    let (first, second) = site.disk();
    site.cloud
        .fault(&json!({ "action": "AttachDisk", "kind": "slow-reply", "millis": 20_000 }));
    thread::scope(|scope| {
        let cut_off = scope.spawn(|| first.attach_to(INSTANCE));
        eventually("the attachment to begin", || site.cloud.fired() > 0);
        site.first.csi.kill();
        cut_off.join().expect("no panic").expect_err("killed");
    });
    site.cloud.clear_faults();
    assert_ne!(site.first.node.journal(), Vec::<PathBuf>::new());
    Csi::at_last("the attachment", || second.attach_to(INSTANCE));
    second.detach_from(INSTANCE).expect("detached");
    site.first.csi.start_again(&site.first.node);
    Csi::at_last("the deletion", || first.delete());
    site.is_clean();
}
