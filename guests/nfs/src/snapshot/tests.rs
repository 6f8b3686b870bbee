//! Snapshots on a share that stops working at any moment.

use drivebay_guest::error::whole_if_still_there;
use drivebay_guest::fake::{Cut, FakeTree};
use drivebay_guest::layout::{SnapshotId as _, VolumeId as _};

use super::*;
use crate::provision::{self, tests::half_removed_meanwhile};
use crate::volume_id::VolumeId;

fn volume(name: &str, source: Option<&str>) -> crate::volume_spec::VolumeSpec {
    let request = drivebay_guest::types::CreateRequest {
        name: name.into(),
        capacity: CapacityRange {
            required_bytes: Some(10),
            limit_bytes: None,
        },
        parameters: [("server", "s"), ("share", "/export")]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
        capabilities: Vec::new(),
        source_snapshot_id: None,
        accessibility_requirements: Vec::new(),
    };
    let source = source.map(|id| VolumeSource::Snapshot(id.into()));
    crate::volume_spec::VolumeSpec::from_request(&request, source).expect("good")
}

fn spec(name: &str, source: &str, parameters: &[(&str, &str)]) -> Result<SnapshotSpec, Error> {
    SnapshotSpec::from_request(&CreateRequest {
        name: name.into(),
        source_volume_id: source.into(),
        parameters: parameters
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
    })
}

fn cut(tree: &FakeTree, name: &str, source: &str) -> Result<Snapshot, Error> {
    create(tree, &spec(name, source, &[])?)
}

fn remove(tree: &FakeTree, id: &str) -> Result<(), Error> {
    delete(tree, &SnapshotId::parse(id).expect("an id"))
}

/// A share with a volume, in which there is a file.
fn share() -> FakeTree {
    let tree = FakeTree::new();
    provision::create(&tree, &volume("pvc-1", None)).expect("made");
    tree.put("pvc-1/file", "then");
    tree
}

const VOLUME: &str = "s#export#pvc-1##";
const SNAPSHOT: &str = "s#export#snap-1#snap-1#pvc-1";

#[test]
fn a_snapshot_lies_where_the_kubernetes_driver_has_it() {
    let tree = share();
    let snapshot = cut(&tree, "snap-1", VOLUME).expect("cut");
    assert_eq!(snapshot.id, SNAPSHOT);
    assert!(tree.has("snap-1/pvc-1.tar.gz"));
    assert_eq!(tree.mode("snap-1"), 0o700);
}

#[test]
fn a_snapshot_is_cut_once_whatever_was_cut_off() {
    for when in [Cut::Before, Cut::After] {
        for step in 1..12 {
            let tree = share();
            tree.cut_at(step, when);
            let first = cut(&tree, "snap-1", VOLUME);
            assert_eq!(first.is_err(), tree.go_on(), "{first:?}");
            let there = get(&tree, &SnapshotId::parse(SNAPSHOT).expect("an id"));
            let second = cut(&tree, "snap-1", VOLUME).expect("cut");
            tree.put("pvc-1/file", "now");
            let third = cut(&tree, "snap-1", VOLUME).expect("the same");
            assert_eq!(second, third);
            // Whoever looked in between saw the same or nothing.
            assert!(there.is_err() || there.expect("there") == second);
            assert!(second.size_bytes > 0 && second.created_at_seconds > 0);
            assert_eq!(
                get(&tree, &SnapshotId::parse(SNAPSHOT).expect("an id")).expect("there"),
                second
            );
            provision::create(&tree, &volume("new", Some(SNAPSHOT))).expect("restored");
            assert_eq!(tree.text("new/file").as_deref(), Some("then"));
        }
    }
}

#[test]
fn restoring_is_whole_or_nothing_whatever_was_cut_off() {
    for when in [Cut::Before, Cut::After] {
        for step in 1..12 {
            let tree = share();
            cut(&tree, "snap-1", VOLUME).expect("cut");
            tree.cut_at(step, when);
            let first = provision::create(&tree, &volume("new", Some(SNAPSHOT)));
            assert_eq!(first.is_err(), tree.go_on());
            let is_whole = tree.text("new/file").is_some();
            assert!(is_whole || provision::get(&tree, "s#export#new##").is_err());
            let info = provision::create(&tree, &volume("new", Some(SNAPSHOT))).expect("restored");
            assert_eq!(info.source, Some(VolumeSource::Snapshot(SNAPSHOT.into())));
            assert_eq!(tree.text("new/file").as_deref(), Some("then"));
        }
    }
}

#[test]
fn a_snapshot_is_removed_without_a_trace_whatever_was_cut_off() {
    for when in [Cut::Before, Cut::After] {
        for step in 1..6 {
            let tree = share();
            let before = tree.paths();
            cut(&tree, "snap-1", VOLUME).expect("cut");
            tree.cut_at(step, when);
            let first = remove(&tree, SNAPSHOT);
            assert_eq!(first.is_err(), tree.go_on());
            if first.is_err() && step > 1 {
                let again = cut(&tree, "snap-1", VOLUME);
                assert!(
                    matches!(again, Err(Error::InProgress(_)) | Ok(_)),
                    "{again:?}"
                );
            }
            remove(&tree, SNAPSHOT).expect("removed");
            remove(&tree, SNAPSHOT).expect("still removed");
            assert_eq!(tree.paths(), before);
        }
    }
}

#[test]
fn a_name_taken_by_another_volumes_snapshot_is_refused() {
    let tree = share();
    provision::create(&tree, &volume("pvc-2", None)).expect("made");
    cut(&tree, "snap-1", VOLUME).expect("cut");
    assert!(matches!(
        cut(&tree, "snap-1", "s#export#pvc-2##"),
        Err(Error::AlreadyExists(_))
    ));
    // Nor is what lies there by chance taken for one.
    assert!(matches!(
        cut(&tree, "pvc-2", VOLUME),
        Err(Error::AlreadyExists(_))
    ));
}

#[test]
fn a_volume_has_to_be_there() {
    let tree = share();
    for missing in ["fake-vol-id", "s#export#gone##"] {
        assert!(
            matches!(cut(&tree, "snap-1", missing), Err(Error::NotFound(_))),
            "{missing}"
        );
    }
    for missing in ["fake-snapshot-id", "s#export#gone##pvc-1"] {
        let restored = provision::create(&tree, &volume("new", Some(missing)));
        assert!(matches!(restored, Err(Error::NotFound(_))), "{missing}");
    }
    assert!(!tree.has("new") && !tree.has("snap-1"));
}

#[test]
fn a_volume_that_goes_before_the_archive_is_made_leaves_nothing() {
    let tree = share();
    tree.cut_at(3, Cut::After);
    cut(&tree, "snap-1", VOLUME).expect_err("cut off");
    tree.go_on();
    provision::delete(&tree, &VolumeId::parse(VOLUME).expect("an id")).expect("removed");
    assert!(matches!(
        cut(&tree, "snap-1", VOLUME),
        Err(Error::NotFound(_))
    ));
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn snapshots_of_the_kubernetes_driver_are_found_restored_and_removed() {
    for archive in ["snap-0/pvc-0.tar.gz", "snap-0/pvc-0.tar"] {
        let tree = share();
        let id = SnapshotId::parse("s#export#snap-0#snap-0#pvc-0").expect("an id");
        tree.put(archive, "/file\0old\0");
        let found = get(&tree, &id).expect("there");
        assert_eq!(
            (found.source_volume_id.as_str(), found.size_bytes),
            ("s#export#pvc-0##", 10)
        );
        provision::create(&tree, &volume("new", Some(&id.to_string()))).expect("restored");
        assert_eq!(tree.text("new/file").as_deref(), Some("old"));
        delete(&tree, &id).expect("removed");
        assert!(!tree.has("snap-0"));
    }
}

#[test]
fn an_id_does_not_remove_what_is_no_snapshot() {
    let tree = share();
    let refused = remove(&tree, "s#export#pvc-1##pvc-1");
    assert!(
        matches!(refused, Err(Error::FailedPrecondition(_))),
        "{refused:?}"
    );
    assert!(tree.has("pvc-1/file"));
}

#[test]
fn a_snapshot_lies_on_the_share_of_its_volume() {
    spec(
        "snap-1",
        VOLUME,
        &[
            ("server", "S"),
            ("share", "export/"),
            ("mountOptions", "nfsvers=4.1"),
        ],
    )
    .expect("the same");
    for (parameter, value) in [("server", "other"), ("share", "/other")] {
        let refused = spec("snap-1", VOLUME, &[(parameter, value)]);
        assert!(
            matches!(refused, Err(Error::InvalidArgument(m)) if m.contains("share of its volume")),
            "{value}"
        );
    }
}

#[test]
fn the_longest_names_get_snapshots_of_their_own() {
    let tree = FakeTree::new();
    let long = "n".repeat(128);
    let source = provision::create(&tree, &volume(&long, None))
        .expect("made")
        .id;
    let one = cut(&tree, &"s".repeat(128), &source).expect("cut");
    let other = cut(&tree, &"s".repeat(127), &source).expect("cut");
    assert_ne!(one.id, other.id);
    assert!(one.id.len() <= 128 && one.source_volume_id == source);
    remove(&tree, &one.id).expect("removed");
    assert_eq!(
        get(&tree, &SnapshotId::parse(&other.id).expect("an id")).expect("there"),
        other
    );
}

#[test]
fn what_was_only_missing_for_a_moment_is_not_said_to_be_gone() {
    let missing = || Err(Error::NotFound("no file".into()));
    assert!(matches!(
        whole_if_still_there(missing(), || Ok(())),
        Err(Error::Unavailable(m)) if m.starts_with("no file")
    ));
    let gone = whole_if_still_there(missing(), || Err(Error::NotFound("gone".into())));
    assert!(matches!(gone, Err(Error::NotFound(m)) if m == "gone"));
    let late = whole_if_still_there(Ok(()), missing);
    assert!(matches!(late, Err(Error::NotFound(_))), "{late:?}");
}

#[test]
fn a_volume_that_goes_after_the_archive_was_made_leaves_nothing_whatever_was_cut_off() {
    for step in 1..12 {
        for again in 1..8 {
            let tree = share();
            tree.cut_at(step, Cut::After);
            let first = cut(&tree, "snap-1", VOLUME);
            if !tree.go_on() || first.is_ok() {
                break;
            }
            provision::delete(&tree, &VolumeId::parse(VOLUME).expect("an id")).expect("removed");
            tree.cut_at(again, Cut::After);
            drop(cut(&tree, "snap-1", VOLUME));
            tree.go_on();
            let answers = [0; 2].map(|_| cut(&tree, "snap-1", VOLUME));
            let last = &answers[1];
            if get(&tree, &SnapshotId::parse(SNAPSHOT).expect("an id")).is_ok() {
                // The record was the last step: it was cut before the volume went.
                last.as_ref().expect("cut");
                continue;
            }
            assert!(matches!(last, Err(Error::NotFound(_))), "{last:?}");
            assert!(tree.paths().is_empty(), "{step}: {:?}", tree.paths());
        }
    }
}

#[test]
fn what_is_left_of_a_volume_that_is_being_removed_is_no_snapshot() {
    for id in [VOLUME, "s#export#theirs##"] {
        half_removed_meanwhile(
            || {
                let tree = share();
                if id != VOLUME {
                    provision::delete(&tree, &VolumeId::parse(VOLUME).expect("an id"))
                        .expect("removed");
                    tree.put("theirs/file", "then");
                }
                tree
            },
            id,
            |tree| cut(tree, "snap-1", id).map(drop),
            |tree| {
                let archives = ["snap-1/pvc-1.tar.gz", "snap-1/theirs.tar.gz"];
                archives
                    .iter()
                    .any(|archive| tree.text(archive).as_deref() == Some("/file\0then\0"))
            },
        );
    }
}
