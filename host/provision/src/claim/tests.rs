//! Claims as the API server has them, and what is written down of them.

use serde_json::{Value, json};

use super::*;
use crate::next_step::Claim;

fn provisioner() -> Provisioner {
    Provisioner("alicloud/disk".to_owned())
}

fn claim(change: &dyn Fn(&mut Value)) -> PersistentVolumeClaim {
    let mut claim = json!({
        "metadata": {
            "namespace": "shop", "name": "data", "uid": "u-1",
            "annotations": { "volume.kubernetes.io/storage-provisioner": "alicloud/disk" },
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "disks",
            "resources": { "requests": { "storage": "20Gi" } },
        },
    });
    change(&mut claim);
    serde_json::from_value(claim).expect("a claim")
}

fn class(change: &dyn Fn(&mut Value)) -> StorageClass {
    let mut class = json!({
        "metadata": { "name": "disks" },
        "provisioner": "alicloud/disk",
        "parameters": { "type": "cloud_ssd", "csi.storage.k8s.io/fstype": "xfs" },
    });
    change(&mut class);
    serde_json::from_value(class).expect("a class")
}

fn holder() -> Holder {
    Holder("here".to_owned())
}

/// What is written down for a claim that names no snapshot.
fn written(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node_labels: Option<&BTreeMap<String, String>>,
) -> Result<Intent, ClaimError> {
    let reach = Reach::SomePlaces;
    intent(
        claim,
        class,
        reach,
        node_labels,
        NamedSnapshots::Refuse,
        &holder(),
    )
}

#[test]
fn a_claim_wants_a_volume_if_it_is_ours_and_has_none() {
    let wants = |change: &dyn Fn(&mut Value)| wanted(&claim(change), &provisioner());
    assert_eq!(wants(&|_| {}), Wanted::VolumeOf("disks".to_owned()));
    let changes: [&dyn Fn(&mut Value); 5] = [
        &|claim| claim["spec"]["volumeName"] = json!("pv"),
        &|claim| claim["metadata"]["deletionTimestamp"] = json!("2026-11-30T00:00:00Z"),
        &|claim| claim["metadata"]["annotations"] = json!({}),
        &|claim| claim["metadata"]["annotations"] = json!({ PROVISIONER[0]: "another/disk" }),
        &|claim| claim["spec"]["storageClassName"] = json!(""),
    ];
    for change in changes {
        assert_eq!(wants(change), Wanted::Nothing);
    }
    let older = wants(&|claim| {
        claim["metadata"]["annotations"] = json!({ PROVISIONER[1]: "alicloud/disk", CLASS: "old" });
    });
    assert_eq!(older, Wanted::VolumeOf("old".to_owned()));
}

#[test]
fn a_class_that_waits_for_a_pod_waits_for_its_node() {
    let waits = class(&|class| class["volumeBindingMode"] = json!("WaitForFirstConsumer"));
    let chosen = claim(&|claim| claim["metadata"]["annotations"][SELECTED_NODE] = json!("n"));
    assert!(!is_due(&claim(&|_| {}), &waits, &provisioner()));
    assert!(is_due(&chosen, &waits, &provisioner()));
    assert!(is_due(&claim(&|_| {}), &class(&|_| {}), &provisioner()));
    let anothers = class(&|class| class["provisioner"] = json!("another/disk"));
    assert!(!is_due(&chosen, &anothers, &provisioner()));
}

#[test]
fn what_is_to_be_made_is_written_down_as_the_claim_and_its_class_say() {
    let labels = [("topology.kubernetes.io/zone".to_owned(), "a".to_owned())].into();
    let chosen = claim(&|claim| claim["metadata"]["annotations"][SELECTED_NODE] = json!("n"));
    let made = written(&chosen, &class(&|_| {}), Some(&labels)).expect("an intent");
    assert_eq!(made.volume_name().0, "pvc-u-1");
    assert_eq!((made.required_bytes, made.limit_bytes), (20 << 30, None));
    assert_eq!(
        (made.fs_type.as_str(), made.reclaim_policy.as_str()),
        ("xfs", "Delete")
    );
    assert_eq!(made.node.as_deref(), Some("n"));
    assert_eq!(
        made.places,
        [[("topology.kubernetes.io/zone".to_owned(), "a".to_owned())]]
    );
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        made.parameters,
        [
            pair("type", "cloud_ssd"),
            pair("csi.storage.k8s.io/pv/name", "pvc-u-1"),
            pair("csi.storage.k8s.io/pvc/name", "data"),
            pair("csi.storage.k8s.io/pvc/namespace", "shop"),
        ]
    );
}

#[test]
fn a_node_without_a_zone_is_told_unless_the_class_names_one() {
    let chosen = claim(&|claim| claim["metadata"]["annotations"][SELECTED_NODE] = json!("n"));
    let labels = [("kubernetes.io/hostname".to_owned(), "n".to_owned())].into();
    let refused = written(&chosen, &class(&|_| {}), Some(&labels));
    let said = refused.expect_err("refused").to_string();
    assert!(
        said.contains("\"n\"") && said.contains("topology.kubernetes.io/zone"),
        "{said}"
    );
    let names = class(&|class| class["parameters"]["zoneid"] = json!("a"));
    let made = written(&chosen, &names, Some(&labels)).expect("an intent");
    assert!(made.places.is_empty());
}

#[test]
fn without_a_pod_the_class_says_where() {
    let class = class(&|class| {
        class["allowedTopologies"] = json!([{ "matchLabelExpressions":
            [{ "key": "topology.kubernetes.io/zone", "values": ["a", "b"] }] }]);
    });
    let made = written(&claim(&|_| {}), &class, None).expect("an intent");
    assert_eq!(made.places.len(), 2);
}

#[test]
fn what_flexvolume_cannot_do_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Value)| {
        written(&claim(change), &class(&|_| {}), None).expect_err("refused")
    };
    let block = refused(&|claim| claim["spec"]["volumeMode"] = json!("Block"));
    assert_eq!(block, ClaimError::Block);
    let mode = refused(&|claim| claim["spec"]["accessModes"] = json!(["ReadWriteOncePod"]));
    assert_eq!(mode, ClaimError::AccessMode("ReadWriteOncePod".to_owned()));
    assert_eq!(
        refused(&|claim| claim["spec"]["selector"] = json!({})),
        ClaimError::Selector
    );
    let source = json!({ "kind": "VolumeSnapshot", "name": "s" });
    let from = refused(&|claim| claim["spec"]["dataSource"] = source.clone());
    assert_eq!(from, ClaimError::DataSource);
    let with = refused(&|claim| claim["spec"]["volumeAttributesClassName"] = json!("gold"));
    assert_eq!(with, ClaimError::VolumeAttributes);
    let none = refused(&|claim| claim["spec"]["resources"] = json!({}));
    assert_eq!(none, ClaimError::NoSize);
}

#[test]
fn a_class_that_names_a_volume_makes_none_in_whatever_case() {
    for key in [
        "volume.alibabacloud.com/disk-id",
        "Volume.AlibabaCloud.com/Disk-ID",
    ] {
        let class = class(&|class| class["parameters"][key] = json!("d-old"));
        let refused = written(&claim(&|_| {}), &class, None).expect_err("refused");
        let said = refused.to_string();
        assert!(said.contains(key) && said.contains("\"disks\""), "{said}");
    }
}

#[test]
fn a_claim_of_the_same_name_is_not_the_same_claim() {
    let intent = crate::intent::tests::intent("u-1");
    let wants = |change: &dyn Fn(&mut Value)| still_wants(Some(&claim(change)), &intent);
    assert_eq!(wants(&|_| {}), Claim::Waits);
    assert_eq!(
        wants(&|claim| claim["spec"]["volumeName"] = json!("pvc-u-1")),
        Claim::Waits
    );
    assert_eq!(
        wants(&|claim| claim["spec"]["volumeName"] = json!("pv")),
        Claim::Gone
    );
    assert_eq!(
        wants(&|claim| claim["metadata"]["uid"] = json!("u-2")),
        Claim::Gone
    );
    let going = |claim: &mut Value| {
        claim["metadata"]["deletionTimestamp"] = json!("2026-11-30T00:00:00Z");
    };
    assert_eq!(wants(&going), Claim::Gone);
    assert_eq!(still_wants(None, &intent), Claim::Gone);
}

#[test]
fn a_snapshot_that_a_claim_names_is_taken_where_claims_may_choose() {
    let class = class(&|class| class["parameters"][SNAPSHOT] = json!("s-class"));
    let of = |annotation: &str, snapshots| {
        let named = claim(&|claim| claim["metadata"]["annotations"][annotation] = json!("s-1"));
        let made = intent(
            &named,
            &class,
            Reach::SomePlaces,
            None,
            snapshots,
            &holder(),
        )?;
        let said = made.parameters.into_iter();
        let said = said.filter(|(key, _)| key == SNAPSHOT);
        Ok::<_, ClaimError>(said.map(|(_, snapshot)| snapshot).collect::<Vec<_>>())
    };
    for annotation in SNAPSHOT_ANNOTATIONS {
        assert_eq!(
            of(annotation, NamedSnapshots::Restore),
            Ok(vec!["s-1".to_owned()])
        );
        let refused = of(annotation, NamedSnapshots::Refuse).expect_err("refused");
        assert_eq!(refused, ClaimError::NamesSnapshot { annotation });
    }
    let neither = of("another", NamedSnapshots::Refuse);
    assert_eq!(neither, Ok(vec!["s-class".to_owned()]));
}

#[test]
fn a_volume_that_every_node_reaches_is_made_in_no_place_and_asks_no_node_for_its_zone() {
    let of_a_node = claim(&|claim| claim["metadata"]["annotations"][SELECTED_NODE] = json!("n"));
    let class = class(&|_| {});
    let written = |reach| {
        let labels = BTreeMap::new();
        intent(
            &of_a_node,
            &class,
            reach,
            Some(&labels),
            NamedSnapshots::Refuse,
            &holder(),
        )
    };
    let everywhere = written(Reach::EveryNode).expect("an intent");
    assert!(everywhere.places.is_empty());
    let refused = written(Reach::SomePlaces).expect_err("refused");
    assert!(matches!(refused, ClaimError::NoZone { .. }), "{refused}");
}

#[test]
fn a_place_is_named_by_the_chosen_node_or_by_the_class() {
    let chosen = claim(&|claim| claim["metadata"]["annotations"][SELECTED_NODE] = json!("n"));
    let anywhere = class(&|_| {});
    let somewhere = class(&|class| {
        class["allowedTopologies"] = json!([{ "matchLabelExpressions": [
            { "key": topology::ZONE, "values": ["z"] },
        ] }]);
    });
    assert!(names_places(&chosen, &anywhere));
    assert!(names_places(&claim(&|_| {}), &somewhere));
    assert!(!names_places(&claim(&|_| {}), &anywhere));
}
