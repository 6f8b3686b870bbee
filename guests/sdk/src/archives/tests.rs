//! Snapshots of the sample backend on a share that stops working at any moment.

use super::*;
use crate::bindings::types::VolumeSource;
use crate::fake::{Cut, FakeTree};
use crate::layout::sample::{Sample, SampleSnapshot};
use crate::provision::tests::{filled, remove as remove_volume, wanted as wanted_volume};
use crate::tree::Tree;

const ONE: &str = "one#one#delete";
const SNAPSHOT: &str = "snap@one";

fn store(tree: &FakeTree) -> Store<'_, Sample> {
    Store::of(tree)
}

fn id() -> SampleSnapshot {
    SampleSnapshot::parse(SNAPSHOT).expect("an id")
}

fn wanted(source: &str) -> NewSnapshot<SampleSnapshot> {
    NewSnapshot {
        id: id(),
        name: "snap".into(),
        source_volume_id: source.into(),
    }
}

#[test]
fn a_snapshot_keeps_what_the_volume_held_whatever_is_cut_off() {
    for cut in [Cut::Before, Cut::After] {
        for step in 1..12 {
            let tree = FakeTree::new();
            filled(&tree, ONE);
            tree.cut_at(step, cut);
            let first = store(&tree).create_snapshot(&wanted(ONE));
            assert_eq!(first.is_err(), tree.go_on(), "{step}: {first:?}");
            let made = store(&tree).create_snapshot(&wanted(ONE)).expect("cut");
            tree.put("one/file", "later");
            assert_eq!(store(&tree).get_snapshot(&id()), Ok(made));
            let restored = wanted_volume(
                "new#new#delete",
                Some(VolumeSource::Snapshot(SNAPSHOT.into())),
            );
            store(&tree).create_volume(&restored).expect("restored");
            assert_eq!(tree.text("new/file").as_deref(), Some("one"));
        }
    }
}

#[test]
fn a_snapshot_goes_without_a_trace_and_one_whose_volume_went_never_comes() {
    let tree = FakeTree::new();
    filled(&tree, ONE);
    let before = tree.paths();
    store(&tree).create_snapshot(&wanted(ONE)).expect("cut");
    for _ in 0..2 {
        store(&tree).delete_snapshot(&id()).expect("removed");
        assert_eq!(tree.paths(), before);
    }
    tree.cut_at(3, Cut::After);
    store(&tree)
        .create_snapshot(&wanted(ONE))
        .expect_err("cut off");
    tree.go_on();
    remove_volume(&tree, ONE).expect("removed");
    let answer = store(&tree).create_snapshot(&wanted(ONE));
    assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn a_name_is_one_volumes_and_what_lies_there_by_chance_is_no_snapshot() {
    let tree = FakeTree::new();
    filled(&tree, ONE);
    filled(&tree, "two#two#delete");
    tree.put("snap/file", "somebody's");
    let by_chance = store(&tree).create_snapshot(&wanted(ONE));
    assert!(matches!(by_chance, Err(Error::AlreadyExists(_))));
    tree.remove_tree("snap").expect("removed");
    store(&tree).create_snapshot(&wanted(ONE)).expect("cut");
    let other = store(&tree).create_snapshot(&wanted("two#two#delete"));
    assert!(matches!(other, Err(Error::AlreadyExists(_))));
}

#[test]
fn what_another_driver_packed_is_found_by_its_id() {
    let tree = FakeTree::new();
    tree.put("snap/one.tar", "/file\0old\0");
    let found = store(&tree).get_snapshot(&id()).expect("there");
    assert_eq!(
        (found.source_volume_id.as_str(), found.size_bytes),
        (ONE, 10)
    );
    store(&tree).delete_snapshot(&id()).expect("removed");
    assert!(!tree.has("snap"));
}
