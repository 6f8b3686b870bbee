//! Each rule, with what it lets through and what it refuses.

use super::super::convert::{Asked, snapshot_info, volume_info};
use super::*;
use crate::bindings::drivebay::driver::types as wit;
use crate::error::{Condition, GuestText};
use crate::store::Parameter;
use crate::volume::{CreateVolume, SnapshotId, VolumeId, VolumeSource};

fn manifest() -> Manifest {
    let parameter = |name: &str, need| Parameter {
        name: GuestText::name(name),
        scope: Scope::Volume,
        need,
        default: None,
        meaning: GuestText::default(),
    };
    Manifest {
        component_sha256: String::new(),
        code_sha256: String::new(),
        imports: Vec::new(),
        exports: Vec::new(),
        description: Description {
            name: GuestText::name("disk"),
            version: GuestText::name("1.2.3"),
            summary: GuestText::default(),
            parameters: vec![
                parameter("volumeId", Need::Required),
                parameter("tags/*", Need::Optional),
            ],
        },
    }
}

fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(text).collect()
}

/// Takes what is good, and says of what is not whose answer it is, to what, and in which field.
#[track_caller]
fn refused<T: fmt::Debug>(answer: Result<T, DriverError>, field: &str, words: &str) {
    let error = answer.expect_err("refused");
    assert_eq!(error.condition(), Condition::Internal);
    let text = error.to_string();
    let begin = format!("guest disk 1.2.3 answered export.function with a wrong {field}: ");
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains(words), "{text}");
    assert!(!text.chars().any(is_harmful), "{text:?}");
    assert!(text.len() < 1024, "{text}");
}

fn request() -> CreateVolume {
    CreateVolume {
        name: "pvc-1".to_owned(),
        capacity: CapacityRange {
            required_bytes: Some(10),
            limit_bytes: Some(20),
        },
        parameters: Parameters::default(),
        capabilities: Vec::new(),
        source: Some(VolumeSource::Snapshot(SnapshotId("s-1".to_owned()))),
        places: Vec::new(),
    }
}

fn volume() -> wit::VolumeInfo {
    wit::VolumeInfo {
        id: "d-1".to_owned(),
        capacity_bytes: 15,
        context: texts(&[("volumeid", "d-1"), ("tags/Team", "a"), ("tags/team", "b")]),
        source: Some(wit::VolumeSource::Snapshot("s-1".to_owned())),
        accessible_topology: vec![texts(&[("topology.kubernetes.io/zone", "a")])],
        published_node_ids: vec!["node-1".to_owned()],
    }
}

fn snapshot() -> wit::Snapshot {
    wit::Snapshot {
        id: "s-1".to_owned(),
        source_volume_id: "d-1".to_owned(),
        size_bytes: 1,
        created_at_seconds: 1_800_000_000,
        ready_to_use: true,
        group_id: Some("g-1".to_owned()),
    }
}

/// A field and what is wrong with it.
type Wrong<T> = (&'static str, &'static str, fn(&mut T));

const OF_ANY_VOLUME: [Wrong<wit::VolumeInfo>; 17] = [
    ("id", "it has 0 bytes", |volume| volume.id.clear()),
    ("id", "it has 2000 bytes", |volume| {
        volume.id = "x".repeat(2000)
    }),
    ("capacity-bytes", "are more than", |volume| {
        volume.capacity_bytes = u64::MAX
    }),
    ("context", "holds the character U+0000", |volume| {
        volume.context[0].0.push('\0')
    }),
    ("context", "holds the character U+000A", |volume| {
        volume.context[0].1.push('\n')
    }),
    ("context", "holds the character U+202E", |volume| {
        volume.context[0].1.push('\u{202e}')
    }),
    ("context", "more than 4096", |volume| {
        volume.context[0].1 = "x".repeat(1 << 20)
    }),
    ("context", "an empty key", |volume| {
        volume.context[0].0.clear()
    }),
    ("context", "twice", |volume| {
        volume.context.push(volume.context[0].clone())
    }),
    ("source", "it has 0 bytes", |volume| {
        volume.source = Some(wit::VolumeSource::Volume(String::new()))
    }),
    ("source", "U+001B", |volume| {
        volume.source = Some(wit::VolumeSource::Snapshot("\u{1b}".to_owned()))
    }),
    ("accessible-topology", "no key of a topology", |volume| {
        volume.accessible_topology[0][0].0 = "a/b/c".to_owned()
    }),
    ("accessible-topology", "no value of a topology", |volume| {
        volume.accessible_topology[0][0].1 = "a b".to_owned()
    }),
    ("accessible-topology", "in different cases", |volume| {
        volume.accessible_topology[0].extend(
            texts(&[
                ("Topology.kubernetes.io/zone", "b"),
                ("ZONE", "a"),
                ("zone", "a"),
            ])
            .into_iter()
            .skip(1),
        )
    }),
    ("accessible-topology", "128 may be", |volume| {
        volume.accessible_topology = vec![Vec::new(); 129]
    }),
    ("published-node-ids", "it has 193 bytes", |volume| {
        volume.published_node_ids[0] = "x".repeat(193)
    }),
    ("published-node-ids", "1024 may be", |volume| {
        volume.published_node_ids = vec!["n".to_owned(); 1025]
    }),
];

const OF_A_NEW_VOLUME: [Wrong<wit::VolumeInfo>; 8] = [
    ("id", "not 1 to 128", |volume| volume.id = "x".repeat(129)),
    (
        "capacity-bytes",
        "less than the 10 that were required",
        |volume| volume.capacity_bytes = 9,
    ),
    (
        "capacity-bytes",
        "more than the 20 that were allowed",
        |volume| volume.capacity_bytes = 21,
    ),
    (
        "context",
        "the key \"color\", which identity.describe does not know",
        |volume| volume.context.extend(texts(&[("color", "red")])),
    ),
    ("context", "in different cases", |volume| {
        volume.context.extend(texts(&[("VOLUMEID", "d-2")]))
    }),
    ("context", "it lacks \"volumeId\"", |volume| {
        volume.context.clear()
    }),
    (
        "source",
        "not what the volume was to begin with",
        |volume| volume.source = None,
    ),
    (
        "source",
        "not what the volume was to begin with",
        |volume| volume.source = Some(wit::VolumeSource::Volume("s-1".to_owned())),
    ),
];

#[test]
fn a_volume_is_taken_as_it_is_told_or_refused_with_the_field_that_is_wrong() {
    let (manifest, request) = (manifest(), request());
    let answered = Answered::by(&manifest, "export.function");
    let known = VolumeId("d-1".to_owned());
    let asked = [Asked::Made(&request), Asked::Known(&known), Asked::Listed];
    for asked in asked {
        let taken = volume_info(answered, volume(), asked).expect("good");
        assert_eq!(taken.id, known);
        assert_eq!(taken.context.pairs(), volume().context);
        for (field, words, spoil) in OF_ANY_VOLUME {
            let mut spoilt = volume();
            spoil(&mut spoilt);
            if field == "id" && matches!(asked, Asked::Known(_)) {
                refused(volume_info(answered, spoilt, asked), "id", "was asked for");
            } else {
                refused(volume_info(answered, spoilt, asked), field, words);
            }
        }
    }
    for (field, words, spoil) in OF_A_NEW_VOLUME {
        let mut spoilt = volume();
        spoil(&mut spoilt);
        refused(volume_info(answered, spoilt, asked[0]), field, words);
    }
}

#[test]
fn a_new_volume_may_carry_words_that_no_guest_has_to_know() {
    let (manifest, request) = (manifest(), request());
    let answered = Answered::by(&manifest, "export.function");
    let made = |others: &[(&str, &str)]| {
        let mut made = volume();
        made.context.extend(texts(others));
        volume_info(answered, made, Asked::Made(&request))
    };
    for key in ["readOnly", "READONLY", "csi.storage.k8s.io/pvc/name"] {
        let taken = made(&[(key, "true")]).expect("good");
        assert_eq!(taken.context.get(key), Some("true"));
    }
    refused(made(&[("example/a", "b")]), "context", "does not know");
    let twice = made(&[("readOnly", "true"), ("readonly", "false")]);
    refused(twice, "context", "in different cases");
}

#[test]
fn another_volume_than_was_asked_for_is_refused_and_a_long_id_of_another_driver_is_not() {
    let manifest = manifest();
    let answered = Answered::by(&manifest, "export.function");
    let other = VolumeId("d-2".to_owned());
    refused(
        volume_info(answered, volume(), Asked::Known(&other)),
        "id",
        "it is \"d-1\", and \"d-2\" was asked for",
    );
    let mut long = volume();
    long.id = "x".repeat(1024);
    assert!(volume_info(answered, long, Asked::Listed).is_ok());
}

#[test]
fn a_backend_without_sizes_and_one_that_takes_over_what_there_is_are_believed() {
    let manifest = manifest();
    let answered = Answered::by(&manifest, "export.function");
    let mut request = request();
    request.source = None;
    let mut taken_over = volume();
    taken_over.capacity_bytes = 0;
    assert!(volume_info(answered, taken_over, Asked::Made(&request)).is_ok());
}

#[test]
fn a_snapshot_is_taken_as_it_is_told_or_refused_with_the_field_that_is_wrong() {
    let manifest = manifest();
    let answered = Answered::by(&manifest, "export.function");
    assert!(snapshot_info(answered, snapshot(), Named::Snapshot).is_ok());
    let wrong: [Wrong<wit::Snapshot>; 7] = [
        ("id", "not 1 to 128", |snapshot| {
            snapshot.id = "x".repeat(129)
        }),
        ("id", "U+0000", |snapshot| snapshot.id.push('\0')),
        ("source-volume-id", "it has 0 bytes", |snapshot| {
            snapshot.source_volume_id.clear()
        }),
        ("size-bytes", "are more than", |snapshot| {
            snapshot.size_bytes = 1 << 63
        }),
        ("created-at-seconds", "after the year 9999", |snapshot| {
            snapshot.created_at_seconds = u64::MAX
        }),
        ("group-id", "it has 0 bytes", |snapshot| {
            snapshot.group_id = Some(String::new())
        }),
        ("group-id", "U+000A", |snapshot| {
            snapshot.group_id = Some("\n".to_owned())
        }),
    ];
    for (field, words, spoil) in wrong {
        let mut spoilt = snapshot();
        spoil(&mut spoilt);
        refused(
            snapshot_info(answered, spoilt, Named::Snapshot),
            field,
            words,
        );
    }
}

#[test]
fn what_attaching_says_goes_to_the_node_if_it_is_not_the_hosts_to_say() {
    let manifest = manifest();
    let answered = Answered::by(&manifest, "export.function");
    let pairs = texts(&[("serial", "x"), ("Serial", "y")]);
    let taken = answered.publish_context(pairs.clone()).expect("good");
    assert_eq!(taken.pairs(), pairs);
    for (pairs, words) in [
        (
            texts(&[("drivebay.dev/read-only", "true")]),
            "is the host's own",
        ),
        (texts(&[("a", "1"), ("a", "2")]), "the key \"a\" twice"),
        (texts(&[("a\u{7f}", "")]), "U+007F"),
        (
            texts(&[("a", &"x".repeat(4096))]),
            "4097 bytes, more than 4096",
        ),
    ] {
        refused(answered.publish_context(pairs), "publish context", words);
    }
}

#[test]
fn a_size_is_in_the_range_that_was_asked_for() {
    let manifest = manifest();
    let answered = Answered::by(&manifest, "export.function");
    let range = request().capacity;
    assert_eq!(answered.size("size", 20, range).expect("good"), 20);
    refused(answered.size("size", 0, range), "size", "less than the 10");
    refused(answered.size("size", 21, range), "size", "more than the 20");
    let any = CapacityRange::default();
    assert!(answered.size("size", 0, any).is_ok());
    refused(
        answered.size("size", u64::MAX, any),
        "size",
        "are more than",
    );
}

#[test]
fn a_page_ends_and_is_no_larger_than_was_asked_for() {
    let manifest = manifest();
    let answered = Answered::by(&manifest, "export.function");
    let token = |text: &str| Some(text.to_owned());
    let asked = PageToken("a".to_owned());
    assert_eq!(answered.token(None, Some(&asked)).expect("good"), None);
    assert_eq!(answered.token(token(""), None).expect("good"), None);
    let next = answered.token(token("b"), Some(&asked)).expect("good");
    assert_eq!(next, Some(PageToken("b".to_owned())));
    refused(
        answered.token(token("a"), Some(&asked)),
        "next-token",
        "asked with",
    );
    refused(answered.token(token("\r"), None), "next-token", "U+000D");
    refused(
        answered.token(token(&"x".repeat(1025)), None),
        "next-token, in bytes",
        "1024 may be",
    );
    assert!(answered.page("volumes", 3, 3).is_ok());
    assert!(answered.page("volumes", 3, 0).is_ok());
    refused(
        answered.page("volumes", 3, 2),
        "volumes",
        "there are 3, and 2 may be",
    );
}

#[test]
fn topologies_are_as_labels_are() {
    for key in [
        "zone",
        "topology.kubernetes.io/zone",
        "a.b/disktype.cloud_essd",
        "Z-1_x.y",
    ] {
        assert!(is_topology_key(key), "{key}");
    }
    for key in [
        "", "/", "a/", "/a", "A.b/c", "a..b/c", "-a/b", "a/-b", "a b", "a/b/c", "ä",
    ] {
        assert!(!is_topology_key(key), "{key}");
    }
    assert!(is_segment(&"x".repeat(63)));
    assert!(!is_segment(&"x".repeat(64)));
    assert!(!is_topology_key(&format!("{}/a", "x".repeat(254))));
}
