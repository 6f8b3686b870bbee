//! What a request asks for, in the words of every driver whose classes are understood.

use drivebay_guest::prelude::*;

use super::*;
use crate::fake::{self, node};

fn spec(parameters: &[(&str, &str)], gib: u64) -> Result<VolumeSpec<'static>, Error> {
    wanted_at(parameters, gib, Vec::new())
}

fn wanted_at(
    parameters: &[(&str, &str)],
    gib: u64,
    places: Vec<Topology>,
) -> Result<VolumeSpec<'static>, Error> {
    let request = fake::request("pvc-1", gib, parameters, places);
    VolumeSpec::from_request(Box::leak(Box::new(request)), "cn-hangzhou")
}

fn refusal(parameters: &[(&str, &str)]) -> String {
    match spec(parameters, 20) {
        Err(Error::InvalidArgument(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

fn attempts(parameters: &[(&str, &str)], gib: u64, source: Option<u64>) -> Vec<String> {
    named(spec(parameters, gib).expect("wanted").attempts(source).0)
}

fn named(attempts: Vec<Attempt<'_>>) -> Vec<String> {
    let place = |zone: Option<&str>| zone.unwrap_or("everywhere").to_owned();
    attempts
        .into_iter()
        .map(|a| format!("{} {} {}", a.kind, place(a.zone), a.gib))
        .collect()
}

#[test]
fn words_of_the_old_provisioner_are_understood() {
    let parameters = [
        ("zoneid", "z-a"),
        ("regionid", "cn-hangzhou"),
        ("fstype", "xfs"),
        ("readonly", "true"),
    ];
    let spec = spec(&parameters, 20).expect("wanted");
    assert_eq!(spec.zones, ["z-a"]);
    assert_eq!(
        spec.context,
        [
            ("fsType".into(), "xfs".into()),
            ("readOnly".into(), "true".into())
        ]
    );
}

#[test]
fn every_zone_is_tried_with_every_category_that_has_the_size() {
    let parameters = [
        ("zoneId", "a,b"),
        ("type", "cloud_essd,cloud_auto"),
        ("performanceLevel", "PL3,PL1"),
    ];
    assert_eq!(
        attempts(&parameters, 30, None),
        [
            "cloud_essd PL1 a 30",
            "cloud_auto a 30",
            "cloud_essd PL1 b 30",
            "cloud_auto b 30"
        ]
    );
}

#[test]
fn what_the_first_node_takes_comes_first_and_what_no_node_takes_is_not_made() {
    let places = || {
        vec![
            node("a", "i-1", &["cloud_efficiency", "cloud_ssd"]),
            node("a", "i-2", &["cloud_essd"]),
            node("b", "i-3", &["cloud_essd"]),
            zone::place("c"),
        ]
    };
    let class = [("type", "cloud_essd,cloud_efficiency")];
    let (attempts, reasons) = wanted_at(&class, 20, places())
        .expect("wanted")
        .attempts(None);
    assert_eq!(
        named(attempts),
        [
            "cloud_efficiency a 20",
            "cloud_essd PL1 a 20",
            "cloud_essd PL1 b 20",
            "cloud_essd PL1 c 20",
            "cloud_efficiency c 20"
        ]
    );
    assert!(
        matches!(&reasons[..], [Error::Exhausted(m)] if m.contains("i-3") && m.contains("efficiency"))
    );
}

#[test]
fn one_node_alone_is_the_chosen_one() {
    let class = [("type", "cloud_essd")];
    let places = vec![node("a", "i-1", &["cloud_efficiency"])];
    let (attempts, reasons) = wanted_at(&class, 20, places)
        .expect("wanted")
        .attempts(None);
    assert!(attempts.is_empty());
    assert!(matches!(&reasons[..], [Error::Exhausted(m)] if m.contains("i-1")));
}

#[test]
fn an_ephemeral_disk_is_for_the_first_instance_that_takes_it() {
    let premium = "elastic_ephemeral_disk_premium";
    let places = vec![
        node("a", "i-1", &["cloud_essd"]),
        node("a", "i-2", &[premium]),
    ];
    let spec = wanted_at(&[("type", premium)], 64, places).expect("wanted");
    assert_eq!(spec.attempts(None).0.len(), 1);
    assert_eq!(spec.instance_in("a", premium), Some("i-2"));
}

#[test]
fn an_ephemeral_disk_wants_to_know_its_instance() {
    let class = [("type", "elastic_ephemeral_disk_premium")];
    let spec = |places| wanted_at(&class, 64, places).expect("wanted");
    let (attempts, reasons) = spec(vec![zone::place("a")]).attempts(None);
    assert!(attempts.is_empty());
    assert!(
        matches!(&reasons[..], [Error::InvalidArgument(m)] if m.contains("WaitForFirstConsumer"))
    );
    let zoned = [class[0], ("zoneId", "a")];
    let region = vec![vec![(zone::REGION.into(), "cn-hangzhou".into())]];
    let (attempts, _) = wanted_at(&zoned, 64, region)
        .expect("wanted")
        .attempts(None);
    assert!(attempts.is_empty());
    let chosen = spec(vec![node("a", "i-1", &[]), node("a", "i-2", &[])]);
    assert_eq!(chosen.attempts(None).0.len(), 1);
    assert_eq!(chosen.instance_in("a", class[0].1), Some("i-1"));
}

#[test]
fn words_of_the_csi_driver_are_understood() {
    let arn = r#"[{"Rolearn":"acs:ram::1:role/r","RoleType":"service"},{"Rolearn":"x","AssumeRoleFor":"2"}]"#;
    let class = [
        ("multiAttach", "Enabled"),
        ("encrypted", "true"),
        ("kmsKeyId", "of-the-class"),
        ("alibabacloud.com/kms-key-id", "of-the-claim"),
        ("alibabacloud.com/createdisk-arn", arn),
    ];
    let spec = spec(&class, 20).expect("wanted");
    assert_eq!(
        (spec.multi_attach, spec.kms_key),
        (MultiAttach::Enabled, Some("of-the-claim"))
    );
    let roles: Vec<String> = spec.roles.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        roles,
        [
            "Arn.1.Rolearn=acs:ram::1:role/r",
            "Arn.1.RoleType=service",
            "Arn.2.Rolearn=x",
            "Arn.2.AssumeRoleFor=2"
        ]
    );
    for bad in ["x", "{}", "[{}]", r#"["acs:ram::1:role/r"]"#] {
        let said = refusal(&[("alibabacloud.com/createdisk-arn", bad)]);
        assert!(said.contains("Rolearn"), "{said}");
    }
}

#[test]
fn a_regional_disk_keeps_its_place_in_the_order_and_has_no_zone() {
    let kinds = "cloud_ssd,cloud_regional_disk_auto,cloud_efficiency";
    assert_eq!(
        attempts(&[("zoneId", "a"), ("type", kinds)], 20, None),
        [
            "cloud_ssd a 20",
            "cloud_regional_disk_auto everywhere 20",
            "cloud_efficiency a 20"
        ]
    );
    assert!(
        !spec(&[("type", "cloud_regional_disk_auto")], 20)
            .expect("wanted")
            .lacks_zone()
    );
    assert!(spec(&[], 20).expect("wanted").lacks_zone());
}

#[test]
fn places_that_name_a_region_only_are_no_places_for_disks_of_a_zone() {
    let region = || vec![vec![(zone::REGION.into(), "cn-hangzhou".into())]];
    let kinds = [("type", "cloud_ssd,cloud_regional_disk_auto")];
    let spec = wanted_at(&kinds, 20, region()).expect("wanted");
    assert!(!spec.lacks_zone(), "this node's zone may be another");
    let (attempts, reasons) = spec.attempts(None);
    assert_eq!(named(attempts), ["cloud_regional_disk_auto everywhere 20"]);
    assert!(matches!(&reasons[..], [Error::InvalidArgument(m)] if m.contains("zoneId")));
}

#[test]
fn an_ephemeral_disk_is_not_made_from_a_snapshot() {
    let spec = spec(
        &[("zoneId", "a"), ("type", "elastic_ephemeral_disk_premium")],
        64,
    )
    .expect("wanted");
    let (attempts, reasons) = spec.attempts(Some(64));
    assert!(attempts.is_empty() && matches!(reasons[..], [Error::Unsupported(_)]));
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name_and_with_the_reason() {
    for (name, value) in [
        ("dataCacheMode", "writeback"),
        ("sysConfig", "a=b"),
        ("readIOPS", "1"),
        ("omitfsck", "true"),
        ("restrictToHpnZone", "always"),
        ("regionId", "cn-beijing"),
    ] {
        assert!(refusal(&[(name, value)]).contains(name), "{name}");
    }
    for harmless in [
        ("omitfsck", "false"),
        ("restrictToHpnZone", "never"),
        ("sysConfig", ""),
    ] {
        spec(&[harmless], 20).expect("harmless");
    }
}

#[test]
fn contradictions_are_refused() {
    assert!(refusal(&[("kmsKeyId", "k")]).contains("encrypted"));
    assert!(refusal(&[("storageClusterId", "c")]).contains("performanceLevel"));
    assert!(refusal(&[("multiAttach", "perhaps")]).contains("true or false"));
}

#[test]
fn several_nodes_share_a_disk_only_where_that_is_safe() {
    let capability = |mode: &str, kind| {
        [VolumeCapability {
            mode: mode.into(),
            kind,
        }]
    };
    let files = || {
        AccessType::Filesystem(FilesystemAccess {
            fs_type: String::new(),
            mount_options: Vec::new(),
        })
    };
    let (enabled, disabled) = (MultiAttach::Enabled, MultiAttach::Disabled);
    for (shared, mode, kind) in [
        (disabled, "SINGLE_NODE_WRITER", files()),
        (enabled, "MULTI_NODE_READER_ONLY", files()),
        (enabled, "MULTI_NODE_MULTI_WRITER", AccessType::Block),
    ] {
        check_capabilities(shared, &capability(mode, kind)).expect("safe");
    }
    for (shared, mode, kind) in [
        (disabled, "MULTI_NODE_READER_ONLY", files()),
        (disabled, "MULTI_NODE_MULTI_WRITER", AccessType::Block),
        (enabled, "MULTI_NODE_MULTI_WRITER", files()),
        (enabled, "SOME_NODES_WRITER", AccessType::Block),
    ] {
        let refused = check_capabilities(shared, &capability(mode, kind));
        assert!(matches!(refused, Err(Error::Unsupported(_))));
    }
}

#[test]
fn what_the_host_takes_in_no_context_is_refused_before_a_disk_is_made() {
    for name in ["fsType", "mkfsOptions"] {
        for value in ["-m\n0", "-L\u{202e}x", "\0"] {
            let said = refusal(&[(name, value)]);
            assert!(said.contains(name), "{said}");
            assert!(!said.chars().any(is_harmful), "{said:?}");
        }
    }
    assert!(spec(&[("mkfsOptions", "-m 0 -L größe")], 20).is_ok());
}
