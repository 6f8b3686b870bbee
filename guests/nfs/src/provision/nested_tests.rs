//! Directories inside one another, made and removed in any order.

use drivebay_guest::exports::snapshots::CreateRequest;
use drivebay_guest::fake::{Cut, FakeTree, PARTIAL};
use drivebay_guest::layout::SnapshotId as _;
use drivebay_guest::name::key;
use drivebay_guest::prelude::*;

use crate::provision::tests::{clone_of, filled, remove, spec, spec_from};
use crate::provision::{create, get};
use crate::snapshot;
use crate::snapshot_id::SnapshotId;

mod at_once;

/// More questions and steps than anything here takes.
const STEPS: usize = 200;

const OUTER: &str = "s#export#shop#outer#";
const INNER: &str = "s#export#shop/data#inner#";

fn outer(on_delete: &str) -> crate::volume_spec::VolumeSpec {
    spec("outer", &[("subDir", "shop"), ("onDelete", on_delete)])
}

fn inner() -> crate::volume_spec::VolumeSpec {
    spec("inner", &[("subDir", "shop/data")])
}

#[track_caller]
fn refuses(answer: Result<impl std::fmt::Debug, Error>, what: &str) {
    assert!(
        matches!(&answer, Err(Error::AlreadyExists(m)) if m.contains(what)),
        "{answer:?}"
    );
}

#[track_caller]
fn keeps(answer: Result<(), Error>, what: &str) {
    assert!(
        matches!(&answer, Err(Error::FailedPrecondition(m)) if m.contains(what)),
        "{answer:?}"
    );
}

/// What a version before this one left behind: volumes inside one another, and no note of it.
fn nested_by_an_older_version(on_delete: &str) -> FakeTree {
    let tree = FakeTree::new();
    filled(&tree, "inner", &[("subDir", "shop/data")]);
    let elsewhere = FakeTree::new();
    create(&elsewhere, &outer(on_delete)).expect("made");
    for path in [
        format!(".drivebay/volumes/{}", key("outer")),
        format!(".drivebay/directories/{}/{}", key("shop"), key("outer")),
    ] {
        tree.put(&path, &elsewhere.text(&path).expect("noted"));
    }
    forget_index(&tree);
    tree.put("shop/file", "outer");
    tree
}

fn forget_index(tree: &FakeTree) {
    use drivebay_guest::tree::Tree;
    for path in ["inside", "indexed"] {
        tree.remove_tree(&format!(".drivebay/{path}"))
            .expect("removed");
    }
}

#[test]
fn no_volume_is_made_around_or_inside_another_whatever_the_order_and_the_spelling() {
    for on_delete in ["delete", "archive", "retain"] {
        for spelled in [
            "shop/data",
            "/shop//data/",
            "shop/data/deep",
            "shop/d/e/e/p",
        ] {
            let inner = spec("inner", &[("subDir", spelled), ("onDelete", on_delete)]);
            let tree = FakeTree::new();
            create(&tree, &outer(on_delete)).expect("made");
            refuses(create(&tree, &inner), &outer(on_delete).volume.record.id);

            let tree = FakeTree::new();
            create(&tree, &inner).expect("made");
            refuses(create(&tree, &outer(on_delete)), &inner.volume.record.id);
            for name in ["shop", "/shop/", "//shop"] {
                let class = [("subDir", name), ("onDelete", on_delete)];
                refuses(create(&tree, &spec("x", &class)), &inner.volume.record.id);
            }
            // Its own directory too, which nobody chose.
            refuses(create(&tree, &spec("shop", &[])), &inner.volume.record.id);
        }
    }
}

#[test]
fn neighbours_are_no_one_anothers_business() {
    let tree = FakeTree::new();
    for directory in ["shop/data", "shop/data2", "shop2", "shopper/data", "SHOP"] {
        filled(&tree, directory, &[("subDir", directory)]);
    }
    filled(&tree, "again", &[("subDir", "shop/data")]);
    for directory in ["shop/data2", "shop2", "shopper/data", "SHOP"] {
        remove(
            &tree,
            &spec(directory, &[("subDir", directory)]).volume.record.id,
        )
        .expect("removed");
    }
    assert!(tree.has("shop/data/file"));
}

#[test]
fn a_server_that_takes_capitals_for_small_letters_has_one_directory_under_both_names() {
    let tree = FakeTree::that_takes_capitals_for_small();
    filled(&tree, "inner", &[("subDir", "Shop/Data")]);
    refuses(create(&tree, &outer("delete")), "#Shop/Data#inner#");
    let id = filled(&tree, "again", &[("subDir", "shop/data")]);
    remove(&tree, &id).expect("noted");
    assert!(tree.has("shop/data/file"), "the other one's data are gone");
}

#[test]
fn a_directory_that_was_chosen_does_not_become_that_of_one_volume_alone() {
    let tree = FakeTree::new();
    filled(&tree, "inner", &[("subDir", "shop")]);
    refuses(create(&tree, &spec("shop", &[])), "s#export#shop#inner#");
    refuses(
        create(&tree, &clone_of("s#export#shop#inner#", "shop")),
        "#inner#",
    );
}

#[test]
fn a_volume_that_holds_another_is_not_removed_before_it() {
    for on_delete in ["delete", "archive", "retain"] {
        let tree = nested_by_an_older_version(on_delete);
        for _ in 0..2 {
            keeps(remove(&tree, OUTER), INNER);
            assert!(tree.has("shop/file") && tree.has("shop/data/file"));
            get(&tree, OUTER).expect("a volume still");
        }
        remove(&tree, INNER).expect("removed");
        assert!(tree.has("shop/file") && !tree.has("shop/data"));
        remove(&tree, OUTER).expect("removed");
        assert_eq!(tree.has("shop/file"), on_delete == "retain");
    }
}

#[test]
fn an_id_of_another_driver_takes_no_volume_along() {
    let tree = FakeTree::new();
    filled(&tree, "inner", &[("subDir", "shop/data")]);
    for id in [
        "s#export#shop##",
        "s#export#shop#theirs#archive",
        "s#export#shop##retain",
        "s/export/shop",
    ] {
        keeps(remove(&tree, id), INNER);
    }
    let class = [("subDir", "market")];
    filled(&tree, "outer", &class);
    tree.put("market/theirs/file", "theirs");
    keeps(
        remove(&tree, "s#export#market/theirs##"),
        "s#export#market#outer#",
    );
    assert!(tree.has("shop/data/file") && tree.has("market/theirs/file"));
}

#[test]
fn a_volume_of_a_share_inside_a_volume_is_seen() {
    let tree = FakeTree::new();
    let elsewhere = FakeTree::new();
    create(&elsewhere, &spec("inner", &[("share", "/export/shop")])).expect("made");
    filled(&tree, "outer", &[("subDir", "shop")]);
    let record = format!(".drivebay/volumes/{}", key("inner"));
    tree.put(
        &format!("shop/{record}"),
        &elsewhere.text(&record).expect("made"),
    );
    tree.put("shop/inner/file", "inner");
    keeps(remove(&tree, OUTER), "inner");
    refuses(
        create(&tree, &spec("x", &[("subDir", "shop/inner")])),
        OUTER,
    );
    assert!(tree.has("shop/inner/file"));

    let tree = FakeTree::new();
    tree.put(
        &format!("shop/{record}"),
        &elsewhere.text(&record).expect("made"),
    );
    let note = format!(".drivebay/directories/{}/{}", key("inner"), key("inner"));
    tree.put(&format!("shop/{note}"), "");
    refuses(create(&tree, &outer("delete")), "inner");
    for directory in ["shop/inner", "shop/inner/deeper"] {
        refuses(create(&tree, &spec("x", &[("subDir", directory)])), "inner");
    }
    create(&tree, &spec("x", &[("subDir", "shop/beside")])).expect("made");
}

#[test]
fn an_archive_is_not_put_into_a_volume() {
    let tree = FakeTree::new();
    let id = filled(
        &tree,
        "inner",
        &[("subDir", "shop/data"), ("onDelete", "archive")],
    );
    filled(&tree, "archived-shop", &[]);
    keeps(remove(&tree, &id), "s#export#archived-shop##");
    assert!(tree.has("shop/data/file") && !tree.has("archived-shop/data"));
}

#[test]
fn snapshots_and_volumes_stay_out_of_one_another() {
    let tree = FakeTree::new();
    let source = filled(&tree, "one", &[]);
    let snapshot = |name: &str| {
        let request = CreateRequest {
            name: name.into(),
            source_volume_id: source.clone(),
            parameters: Vec::new(),
        };
        snapshot::create(
            &tree,
            &snapshot::SnapshotSpec::from_request(&request).expect("good"),
        )
    };
    let cut = snapshot("snap").expect("cut");
    refuses(create(&tree, &spec("x", &[("subDir", "snap/x")])), &cut.id);
    // The volume is being made: its directory is not there yet.
    tree.cut_at(9, Cut::After);
    let late = spec("late", &[("subDir", "snap-2/x")]);
    create(&tree, &late).expect_err("cut off");
    tree.go_on();
    assert!(!tree.has("snap-2"));
    refuses(snapshot("snap-2"), &late.volume.record.id);
    create(&tree, &late).expect("made");
    snapshot::delete(&tree, &SnapshotId::parse(&cut.id).expect("an id")).expect("removed");
}

#[test]
fn a_copy_is_not_made_inside_its_source_nor_around_it() {
    let tree = FakeTree::new();
    filled(&tree, "inner", &[("subDir", "shop/data")]);
    for directory in ["shop", "shop/data/copy"] {
        let source = Some(VolumeSource::Volume(INNER.into()));
        let copy = spec_from("copy", 10, &[("subDir", directory)], source);
        refuses(create(&tree, &copy), INNER);
    }
}

#[test]
fn a_refusal_leaves_nothing_behind() {
    let tree = FakeTree::new();
    filled(&tree, "inner", &[("subDir", "shop/data")]);
    let before = tree.paths();
    create(&tree, &outer("delete")).expect_err("refused");
    assert_eq!(tree.paths(), before);
    remove(&tree, INNER).expect("removed");
    create(&tree, &outer("delete")).expect("nothing in the way");
}

#[test]
fn what_was_cut_off_is_in_nobodys_way_for_ever() {
    for cut in [Cut::Before, Cut::After] {
        for step in 1..STEPS {
            let tree = FakeTree::new();
            tree.cut_at(step, cut);
            let first = create(&tree, &inner());
            if !tree.go_on() {
                break;
            }
            first.expect_err("cut off");
            // Somebody else comes first, or is told why not; then the first one goes on, and comes to an end.
            let other = create(&tree, &outer("delete"));
            let again = create(&tree, &inner());
            assert!(
                other.is_ok() != again.is_ok(),
                "{step}: {other:?} {again:?}"
            );
            let (id, kept) = match other.is_ok() {
                true => (OUTER, "shop"),
                false => (INNER, "shop/data"),
            };
            assert!(tree.has(kept));
            remove(&tree, id).expect("nothing is inside it");
            assert!(tree.paths().is_empty(), "{step}: {:?}", tree.paths());
        }
    }
}
