//! Volumes, classes and places as Alibaba's own CSI driver has them: what was written for it goes on working.

use std::collections::HashMap;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, volume_content_source};
use drivebay_tests::{
    Cloud, Csi, CsiVolume, Disk, GIB, INSTANCE, Node, Site, created, disk_request, raw, refused,
};
use serde_json::{Value, json};
use tonic::Code;

const ZONE: &str = "topology.diskplugin.csi.alibabacloud.com/zone";
const STANDARD_ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const ECS_INSTANCE: &str = "alibabacloud.com/ecs-instance-id";

/// The zone of this machine.
const HERE: &str = "cn-hangzhou-g";
const ELSEWHERE: &str = "cn-hangzhou-h";

#[track_caller]
fn node_says(site: &Site) -> HashMap<String, String> {
    let info = site.csi.node_get_info(proto::NodeGetInfoRequest {});
    let place = info.expect("a node").accessible_topology;
    place.expect("a place").segments
}

/// The disk behind a volume, as the cloud has it.
#[track_caller]
fn in_the_cloud(site: &Site, id: &str) -> Value {
    let disks = site.cloud.disks();
    let found = disks.into_iter().find(|disk| disk["id"] == id);
    found.expect("it is there")
}

fn words(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// A disk of a class with these parameters, for a pod that can be in these places.
fn request(
    name: &str,
    gib: u64,
    class: &[(&str, &str)],
    places: &[HashMap<String, String>],
) -> proto::CreateVolumeRequest {
    let place = |segments: &HashMap<String, String>| proto::Topology {
        segments: segments.clone(),
    };
    let places: Vec<proto::Topology> = places.iter().map(place).collect();
    proto::CreateVolumeRequest {
        capacity_range: Some(proto::CapacityRange {
            required_bytes: (gib * GIB).cast_signed(),
            limit_bytes: 0,
        }),
        parameters: words(class),
        accessibility_requirements: (!places.is_empty()).then(|| proto::TopologyRequirement {
            requisite: places.clone(),
            preferred: places,
        }),
        ..disk_request(name)
    }
}

/// What that driver's CreateVolume returns beside its class, and the provisioner stores.
const RETURNED: [(&str, &str); 6] = [
    (
        "csi.alibabacloud.com/label-prefix/topology.kubernetes.io/region",
        "cn-hangzhou",
    ),
    (
        "csi.alibabacloud.com/label-prefix/csi.alibabacloud.com/disktype",
        "cloud_essd.PL1",
    ),
    (
        "csi.alibabacloud.com/annotation-prefix/csi.alibabacloud.com/volume-topology",
        r#"{"nodeSelectorTerms":[]}"#,
    ),
    ("csi.alibabacloud.com/disk-snapshot-id", "s-1"),
    ("type", "cloud_essd"),
    ("shared", "enable"),
];

const PROVISIONED: (&str, &str) = (
    "storage.kubernetes.io/csiProvisionerIdentity",
    "1700000000000-8081-diskplugin.csi.alibabacloud.com",
);

#[test]
fn a_volume_is_used_with_everything_that_the_other_driver_returned_for_it() {
    let site = Site::new();
    let mut volume = CsiVolume::disk(&site.csi, &site.node, "pvc-1");
    volume.context = words(&[&RETURNED[..], &[PROVISIONED]].concat());
    volume.attach().expect("attached");
    volume
        .publish_context
        .insert("ofTheOtherDriver".into(), "x".into());
    for _ in 0..2 {
        volume.stage().expect("staged");
        volume.publish("web").expect("published");
    }
    let validated =
        site.csi
            .validate_volume_capabilities(proto::ValidateVolumeCapabilitiesRequest {
                volume_id: volume.id.clone(),
                volume_context: volume.context.clone(),
                volume_capabilities: vec![volume.capability.clone()],
                ..proto::ValidateVolumeCapabilitiesRequest::default()
            });
    assert!(validated.expect("validated").confirmed.is_some());
    volume.release("web");
    site.is_clean();
}

#[test]
fn an_option_with_a_domain_is_left_to_whoever_wrote_it_and_a_bare_one_has_to_be_known() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let options = [("volumeId", &*id), ("example.com/owner", "storage")];
    let disk = Disk::with_options(&node, "some-pv", &options).staged();
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    let misspelt = [("volumeId", &*id), ("volumId", "x")];
    let disk = Disk::with_options(&node, "some-pv", &misspelt);
    disk.attach().fails_with("volumId");
}

#[test]
fn a_word_that_a_person_misspelt_in_a_volume_or_anybody_in_a_class_is_refused() {
    let site = Site::new();
    let mut volume = CsiVolume::disk(&site.csi, &site.node, "pvc-1");
    volume.context = words(&[("shared", "enable")]);
    let said = refused(volume.attach(), Code::InvalidArgument);
    assert!(said.contains("\"shared\""), "{said}");
    let (label, value) = RETURNED[0];
    let class = request("pvc-2", 20, &[(label, value)], &[]);
    let said = refused(site.csi.create_volume(class), Code::InvalidArgument);
    assert!(said.contains(label), "{said}");
    volume.delete().expect("deleted");
    site.is_clean();
}

#[test]
fn tags_of_a_disk_are_set_and_removed_by_a_class_of_attributes() {
    let site = Site::new();
    let mut class = request(
        "pvc-1",
        20,
        &[("type", "cloud_essd"), ("diskTags", "team:a,stage:x")],
        &[],
    );
    class.mutable_parameters = words(&[("diskTags/team", "b")]);
    let id = created(&site.csi, class).volume_id;
    assert_eq!(in_the_cloud(&site, &id)["tags"]["team"], "b");
    let change = |pairs: &[(&str, &str)]| {
        site.csi
            .controller_modify_volume(proto::ControllerModifyVolumeRequest {
                volume_id: id.clone(),
                mutable_parameters: words(pairs),
                ..proto::ControllerModifyVolumeRequest::default()
            })
    };
    for _ in 0..2 {
        let pairs = [("diskTags/team", "c"), ("-diskTags/stage", "")];
        change(&pairs).expect("changed");
    }
    let disk = in_the_cloud(&site, &id);
    assert_eq!(
        (&disk["tags"]["team"], &disk["tags"]["stage"]),
        (&json!("c"), &Value::Null)
    );
    let own = [("-diskTags/csi.alibabacloud.com/volume-name", "")];
    refused(change(&own), Code::InvalidArgument);
}

#[test]
fn a_disk_is_shared_by_the_word_that_ecs_has_for_it() {
    let site = Site::new();
    let class = [("type", "cloud_essd"), ("multiAttach", "enabled")];
    let mut wanted = request("pvc-1", 20, &class, &[]);
    wanted.volume_capabilities = vec![raw(Mode::MultiNodeMultiWriter)];
    let id = created(&site.csi, wanted).volume_id;
    assert_eq!(in_the_cloud(&site, &id)["sharing"], "Enabled");
}

#[test]
fn annotations_of_claims_choose_the_snapshot_the_disk_and_the_key() {
    let site = Site::new();
    let disk = CsiVolume::disk(&site.csi, &site.node, "pvc-1").in_use("web");
    let cut = site.csi.create_snapshot(proto::CreateSnapshotRequest {
        name: "snapshot-1".into(),
        source_volume_id: disk.id.clone(),
        ..proto::CreateSnapshotRequest::default()
    });
    let snapshot = cut.expect("cut").snapshot.expect("a snapshot").snapshot_id;
    let arn = r#"[{"Rolearn":"acs:ram::1:role/kms","RoleType":"service","AssumeRoleFor":"1"}]"#;
    let class = [
        ("type", "cloud_essd"),
        ("encrypted", "true"),
        ("csi.alibabacloud.com/disk-snapshot-id", snapshot.as_str()),
        ("alibabacloud.com/kms-key-id", "key-of-the-claim"),
        ("alibabacloud.com/createdisk-arn", arn),
    ];
    let copy = Csi::at_last("the snapshot to be usable", || {
        site.csi.create_volume(request("pvc-2", 20, &class, &[]))
    });
    let copy = copy.volume.expect("a volume");
    let source = copy.content_source.and_then(|source| source.r#type);
    assert!(matches!(
        source,
        Some(volume_content_source::Type::Snapshot(source)) if source.snapshot_id == snapshot
    ));
    assert_eq!(
        in_the_cloud(&site, &copy.volume_id)["kms_key"],
        "key-of-the-claim"
    );
    let requests = site.cloud.last_requests();
    let made = requests.iter().rfind(|it| it["action"] == "CreateDisk");
    let made = made.expect("it was asked for").to_string();
    assert!(made.contains("acs:ram::1:role/kms"), "{made}");
    let word = [("volume.alibabacloud.com/disk-id", copy.volume_id.as_str())];
    let again = request("pvc-2", 20, &word, &[]);
    assert_eq!(created(&site.csi, again).volume_id, copy.volume_id);
    let of_another = request("pvc-3", 20, &word, &[]);
    let said = refused(site.csi.create_volume(of_another), Code::InvalidArgument);
    assert!(said.contains("pvc-2"), "{said}");
    let larger = request("pvc-4", 21, &word, &[]);
    let said = refused(site.csi.create_volume(larger), Code::InvalidArgument);
    assert!(said.contains("20 GiB"), "{said}");
    assert_eq!(site.cloud.disks().len(), 2);
    disk.release("web");
}

#[test]
fn a_node_says_its_place_by_every_key_that_volumes_and_classes_ask_for() {
    let site = Site::new();
    let said = node_says(&site);
    for (key, value) in [
        (ZONE, HERE),
        (STANDARD_ZONE, HERE),
        (REGION, "cn-hangzhou"),
        (ECS_INSTANCE, INSTANCE),
        ("node.csi.alibabacloud.com/disktype.cloud_essd", "available"),
    ] {
        assert_eq!(said.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[test]
fn a_disk_is_made_where_any_key_says_and_its_volume_asks_for_what_all_nodes_ever_said() {
    let site = Site::new();
    let class = [("type", "cloud_essd")];
    let both = [(STANDARD_ZONE, ELSEWHERE), (REGION, "cn-hangzhou")];
    for (name, place) in [
        ("pvc-1", &[(ZONE, ELSEWHERE)][..]),
        ("pvc-2", &[(STANDARD_ZONE, ELSEWHERE)]),
        ("pvc-3", &both),
        ("pvc-4", &[(ZONE, ELSEWHERE), (STANDARD_ZONE, ELSEWHERE)]),
    ] {
        let volume = created(&site.csi, request(name, 20, &class, &[words(place)]));
        assert_eq!(
            in_the_cloud(&site, &volume.volume_id)["zone"],
            ELSEWHERE,
            "{name}"
        );
        let places: Vec<_> = volume
            .accessible_topology
            .into_iter()
            .map(|place| place.segments)
            .collect();
        assert_eq!(places, [words(&[(ZONE, ELSEWHERE)])]);
    }
    let abroad = [words(&[(REGION, "cn-beijing"), (STANDARD_ZONE, ELSEWHERE)])];
    let answer = site
        .csi
        .create_volume(request("pvc-5", 20, &class, &abroad));
    refused(answer, Code::ResourceExhausted);
}

#[test]
fn a_category_that_the_pods_node_does_not_take_gives_way_to_the_next() {
    let site = Site::new();
    let kind = json!({ "instance_types": { "ecs.g7.xlarge": { "lacks": ["cloud_essd"] } } });
    site.cloud.set(&kind);
    let places = [node_says(&site)];
    let class = [("type", "cloud_essd,cloud_efficiency")];
    let volume = created(&site.csi, request("pvc-1", 20, &class, &places));
    assert_eq!(
        in_the_cloud(&site, &volume.volume_id)["category"],
        "cloud_efficiency"
    );
    let capability = disk_request("").volume_capabilities[0].clone();
    let volume = CsiVolume::existing(&site.csi, &site.node, volume, capability);
    volume.in_use("web").release("web");
    let none = request("pvc-2", 20, &[("type", "cloud_essd")], &places);
    let said = refused(site.csi.create_volume(none), Code::ResourceExhausted);
    assert!(said.contains(INSTANCE), "{said}");
    site.is_clean();
}

#[test]
fn an_ephemeral_disk_stays_with_the_pods_node_and_can_be_taken_off_it() {
    let site = Site::new();
    let class = [("type", "elastic_ephemeral_disk_premium")];
    let zone_alone = [words(&[(STANDARD_ZONE, HERE)])];
    let unplaced = request("pvc-1", 64, &class, &zone_alone);
    let said = refused(site.csi.create_volume(unplaced), Code::InvalidArgument);
    assert!(said.contains("WaitForFirstConsumer"), "{said}");
    let volume = created(&site.csi, request("pvc-1", 64, &class, &[node_says(&site)]));
    assert_eq!(
        volume.accessible_topology[0].segments,
        words(&[(ZONE, HERE), (ECS_INSTANCE, INSTANCE)])
    );
    let capability = disk_request("").volume_capabilities[0].clone();
    let volume = CsiVolume::existing(&site.csi, &site.node, volume, capability);
    volume.in_use("web").release("web");
    site.is_clean();
}
