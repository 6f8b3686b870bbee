use super::*;

fn mounted(mode: i32) -> Option<proto::VolumeCapability> {
    Some(proto::VolumeCapability {
        access_mode: Some(proto::volume_capability::AccessMode { mode }),
        access_type: Some(proto::volume_capability::AccessType::Mount(
            proto::volume_capability::MountVolume::default(),
        )),
    })
}

#[test]
fn what_is_missing_is_named() {
    for (error, words) in [
        (volume_id("").expect_err("empty"), "lacks volume_id"),
        (staging("").expect_err("empty"), "lacks staging_target_path"),
        (
            capability(None).expect_err("none"),
            "lacks volume_capability",
        ),
        (
            capability(Some(proto::VolumeCapability::default())).expect_err("empty"),
            "lacks volume_capability.access_mode",
        ),
        (
            capabilities(Vec::new()).expect_err("none"),
            "volume_capabilities",
        ),
        (
            capability(mounted(0)).expect_err("unknown"),
            "access_mode.mode",
        ),
        (
            capability(mounted(99)).expect_err("of a later version"),
            "access_mode.mode",
        ),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn only_single_writers_and_readers_of_one_node_have_one_target() {
    let one: Vec<i32> = (1..=7)
        .filter(|mode| {
            let capability = capability(mounted(*mode)).expect("known");
            sharing(capability.mode) == Sharing::OneTarget
        })
        .collect();
    assert_eq!(one, [1, 2, 6]);
}

#[test]
fn reader_modes_and_the_flag_make_a_mount_read_only() {
    assert_eq!(
        access(AccessMode::MultiNodeReaderOnly, false),
        Access::ReadOnly
    );
    assert_eq!(access(AccessMode::SingleNodeWriter, true), Access::ReadOnly);
    assert_eq!(
        access(AccessMode::SingleNodeWriter, false),
        Access::ReadWrite
    );
}

#[test]
fn sizes_below_nothing_are_refused_and_zero_says_nothing() {
    let given = |required_bytes, limit_bytes| {
        range(Some(proto::CapacityRange {
            required_bytes,
            limit_bytes,
        }))
    };
    assert_eq!(given(0, 0).expect("nothing said"), CapacityRange::default());
    assert!(given(-1, 0).is_err());
    assert!(given(1, -1).is_err());
    assert_eq!(given(1, 2).expect("both").limit_bytes, Some(2));
}

#[test]
fn preferred_places_come_first_and_each_once() {
    let place = |zone: &str| proto::Topology {
        segments: [("zone".to_owned(), zone.to_owned())].into(),
    };
    let places = places(Some(proto::TopologyRequirement {
        requisite: vec![place("a"), place("b"), place("c")],
        preferred: vec![place("b")],
    }));
    let zones: Vec<&str> = places.iter().map(|place| place.0[0].1.as_str()).collect();
    assert_eq!(zones, ["b", "a", "c"]);
}

#[test]
fn a_map_that_is_too_large_is_refused_by_its_name() {
    let map: Map = [("key".to_owned(), "x".repeat(MAX_MAP))].into();
    let error = check_size("volume_context", &map).expect_err("too large");
    assert!(
        error.to_string().contains("volume_context has 4099 bytes"),
        "{error}"
    );
}
