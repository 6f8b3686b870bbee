//! Volumes on a share that stops working at any moment.

use drivebay_guest::fake::{Cut, FakeTree, PARTIAL};
use drivebay_guest::layout::VolumeId as _;
use drivebay_guest::name::key;

use super::*;
use crate::parameter_names as names;

/// More steps than anything here takes.
const STEPS: usize = 40;

pub(crate) fn spec_from(
    name: &str,
    bytes: u64,
    parameters: &[(&str, &str)],
    source: Option<VolumeSource>,
) -> VolumeSpec {
    let all = [&[("server", "s"), ("share", "/export")], parameters].concat();
    let request = CreateRequest {
        name: name.into(),
        capacity: CapacityRange {
            required_bytes: Some(bytes),
            limit_bytes: None,
        },
        parameters: all.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
        capabilities: Vec::new(),
        source_snapshot_id: None,
        accessibility_requirements: Vec::new(),
    };
    VolumeSpec::from_request(&request, source).expect("good")
}

pub(crate) fn spec(name: &str, parameters: &[(&str, &str)]) -> VolumeSpec {
    spec_from(name, 10, parameters, None)
}

pub(crate) fn clone_of(id: &str, name: &str) -> VolumeSpec {
    spec_from(name, 10, &[], Some(VolumeSource::Volume(id.into())))
}

pub(crate) fn remove(tree: &FakeTree, id: &str) -> Result<(), Error> {
    delete(tree, &VolumeId::parse(id).expect("an id"))
}

/// A volume with a file in it.
pub(crate) fn filled(tree: &FakeTree, name: &str, parameters: &[(&str, &str)]) -> String {
    let spec = spec(name, parameters);
    let info = create(tree, &spec).expect("made");
    tree.put(
        &format!("{}/file", spec.volume.record.sub_dir.as_str()),
        name,
    );
    info.id
}

/// Cuts the work off at every step, before and after it, and has it done again until it is.
fn killed_anywhere(
    prepare: impl Fn() -> FakeTree,
    work: impl Fn(&FakeTree) -> Result<(), Error>,
    check: impl Fn(&FakeTree),
) {
    for cut in [Cut::Before, Cut::After] {
        let mut step = 1;
        loop {
            let tree = prepare();
            tree.cut_at(step, cut);
            let first = work(&tree);
            let was_cut = tree.go_on();
            assert_eq!(first.is_err(), was_cut, "step {step}: {first:?}");
            work(&tree).unwrap_or_else(|error| panic!("{cut:?} step {step}: {error:?}"));
            check(&tree);
            if !was_cut {
                break;
            }
            step += 1;
            assert!(step < STEPS, "no end");
        }
    }
}

#[test]
fn making_a_volume_again_finds_it_whatever_was_cut_off() {
    let parameters = [("subDir", "shop/data"), ("mountPermissions", "2770")];
    let work = |tree: &FakeTree| create(tree, &spec("pvc-1", &parameters)).map(drop);
    killed_anywhere(FakeTree::new, work, |tree| {
        assert_eq!(tree.mode("shop/data"), 0o2770);
        let info = get(tree, "s#export#shop/data#pvc-1#").expect("there");
        assert_eq!(info.capacity_bytes, 10);
    });
}

#[test]
fn a_copy_is_whole_or_no_volume_whatever_was_cut_off() {
    let prepare = || {
        let tree = FakeTree::new();
        filled(&tree, "one", &[]);
        tree
    };
    let source = "s#export#one##";
    let work = |tree: &FakeTree| {
        let made = create(tree, &clone_of(source, "two")).map(drop);
        let is_whole = tree.text("two/file").as_deref() == Some("one");
        assert!(
            is_whole || get(tree, "s#export#two##").is_err(),
            "half a copy"
        );
        made
    };
    killed_anywhere(prepare, work, |tree| {
        let info = get(tree, "s#export#two##").expect("there");
        assert_eq!(info.source, Some(VolumeSource::Volume(source.into())));
    });
}

#[test]
fn a_volume_is_removed_without_a_trace_whatever_was_cut_off() {
    for (sub_dir, on_delete, left) in [
        (None, "delete", &[][..]),
        (Some("shop/data"), "", &[]),
        (
            Some("shop/data"),
            "retain",
            &["shop", "shop/data", "shop/data/file"],
        ),
        (
            Some("shop/data"),
            "archive",
            &[
                "archived-shop",
                "archived-shop/data",
                "archived-shop/data/file",
            ],
        ),
    ] {
        let parameters: Vec<_> = sub_dir
            .map(|s| ("subDir", s))
            .into_iter()
            .chain([("onDelete", on_delete)])
            .collect();
        let prepare = || {
            let tree = FakeTree::new();
            filled(&tree, "pvc-1", &parameters);
            tree
        };
        let id = spec("pvc-1", &parameters).volume.record.id;
        killed_anywhere(
            prepare,
            |tree| remove(tree, &id),
            |tree| {
                assert_eq!(tree.paths(), left, "{id}");
                assert!(matches!(get(tree, &id), Err(Error::NotFound(_))) || on_delete == "retain");
            },
        );
    }
}

#[test]
fn what_is_being_removed_is_no_volume_and_no_place_for_a_new_one() {
    let tree = FakeTree::new();
    let id = filled(&tree, "pvc-1", &[]);
    // What comes before the record keeps others out.
    tree.cut_at(4, Cut::After);
    remove(&tree, &id).expect_err("cut off");
    tree.go_on();
    assert!(matches!(get(&tree, &id), Err(Error::NotFound(_))));
    let again = create(&tree, &spec("pvc-1", &[]));
    assert!(matches!(again, Err(Error::InProgress(_))), "{again:?}");
    remove(&tree, &id).expect("done");
    create(&tree, &spec("pvc-1", &[])).expect("anew");
}

#[test]
fn another_request_for_the_name_is_refused() {
    let tree = FakeTree::new();
    let source = filled(&tree, "one", &[]);
    filled(&tree, "pvc-1", &[]);
    for other in [
        spec_from("pvc-1", 11, &[], None),
        spec("pvc-1", &[("mountPermissions", "0770")]),
        spec("pvc-1", &[("onDelete", "retain")]),
        spec("pvc-1", &[("subDir", "pvc-1")]),
        clone_of(&source, "pvc-1"),
    ] {
        assert!(
            matches!(create(&tree, &other), Err(Error::AlreadyExists(_))),
            "{other:?}"
        );
    }
    create(&tree, &spec_from("pvc-1", 9, &[], None)).expect("large enough");
}

#[test]
fn a_retained_directory_is_used_again_with_what_is_in_it() {
    let tree = FakeTree::new();
    let class = [("subDir", "shop/data"), ("onDelete", "retain")];
    let id = filled(&tree, "pvc-1", &class);
    remove(&tree, &id).expect("retained");
    create(&tree, &spec("pvc-2", &class)).expect("made");
    assert_eq!(tree.text("shop/data/file").as_deref(), Some("pvc-1"));
    // A copy has the content of its source and nothing else.
    let source = filled(&tree, "one", &[]);
    let copy = spec_from("pvc-3", 10, &class, Some(VolumeSource::Volume(source)));
    assert!(matches!(create(&tree, &copy), Err(Error::AlreadyExists(_))));
}

#[test]
fn a_directory_that_several_volumes_use_goes_with_the_last() {
    let tree = FakeTree::new();
    let class = [("subDir", "shared")];
    let ids = ["pvc-1", "pvc-2"].map(|name| filled(&tree, name, &class));
    remove(&tree, &ids[0]).expect("removed");
    assert!(tree.has("shared/file"));
    assert!(get(&tree, &ids[1]).is_ok());
    remove(&tree, &ids[1]).expect("removed");
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn a_note_that_was_never_finished_keeps_no_directory() {
    let tree = FakeTree::new();
    let id = filled(&tree, "pvc-1", &[("subDir", "data")]);
    let half = format!(".drivebay/directories/{}/.1-2{PARTIAL}", key("data"));
    tree.put(&half, "");
    remove(&tree, &id).expect("removed");
    assert_eq!(tree.paths(), [half]);
    let another = filled(&tree, "pvc-2", &[("subDir", "data")]);
    remove(&tree, &another).expect("removed");
    assert!(!tree.has("data"));
}

#[test]
fn nobody_gets_into_the_directory_of_another_volume_or_snapshot() {
    let tree = FakeTree::new();
    let id = filled(&tree, "pvc-1", &[]);
    let request = drivebay_guest::exports::snapshots::CreateRequest {
        name: "snap-1".into(),
        source_volume_id: id,
        parameters: Vec::new(),
    };
    let snapshot = crate::snapshot::SnapshotSpec::from_request(&request).expect("good");
    crate::snapshot::create(&tree, &snapshot).expect("cut");
    for sub_dir in ["pvc-1", "pvc-1/inside", "snap-1", "snap-1/inside"] {
        let spy = create(&tree, &spec("spy", &[("subDir", sub_dir)]));
        assert!(matches!(spy, Err(Error::AlreadyExists(_))), "{sub_dir}");
    }
    for id in [
        "s#export#pvc-1#spy#",
        "s#export#snap-1##",
        "s#export#snap-1/pvc-1.tar.gz##",
    ] {
        assert!(
            matches!(remove(&tree, id), Err(Error::FailedPrecondition(_))),
            "{id}"
        );
    }
    assert!(tree.has("pvc-1/file") && tree.has("snap-1/pvc-1.tar.gz"));
}

#[test]
fn an_archive_never_replaces_an_older_one() {
    let tree = FakeTree::new();
    let class = [("subDir", "data"), ("onDelete", "archive")];
    for name in ["pvc-1", "pvc-2"] {
        let id = filled(&tree, name, &class);
        remove(&tree, &id).expect("archived");
    }
    assert_eq!(tree.text("archived-data/file").as_deref(), Some("pvc-1"));
    let second = format!("archived-data-{}/file", key("pvc-2"));
    assert_eq!(tree.text(&second).as_deref(), Some("pvc-2"));
}

#[test]
fn a_volume_of_the_kubernetes_driver_is_found_grown_copied_and_removed() {
    let tree = FakeTree::new();
    tree.put("old/file", "kept");
    for id in ["s#export#old", "s#export#old##", "s/export/old"] {
        let info = get(&tree, id).expect("there");
        assert_eq!((info.id.as_str(), info.capacity_bytes), (id, 0));
        let capacity = CapacityRange {
            required_bytes: Some(7),
            limit_bytes: None,
        };
        assert_eq!(expand(&tree, id, &capacity).expect("a promise"), 7);
    }
    create(&tree, &clone_of("s#export#old##", "new")).expect("copied");
    assert_eq!(tree.text("new/file").as_deref(), Some("kept"));
    remove(&tree, "s#export#old##archive").expect("archived");
    assert!(tree.has("archived-old/file") && !tree.has("old"));
    remove(&tree, "s#export#gone##").expect("nothing to do");
}

#[test]
fn a_volume_grows_and_never_shrinks() {
    let tree = FakeTree::new();
    let id = filled(&tree, "pvc-1", &[]);
    let range = |required, limit| CapacityRange {
        required_bytes: Some(required),
        limit_bytes: limit,
    };
    assert_eq!(expand(&tree, &id, &range(20, None)).expect("larger"), 20);
    assert_eq!(
        expand(&tree, &id, &range(5, None)).expect("large enough"),
        20
    );
    assert!(matches!(
        expand(&tree, &id, &range(5, Some(6))),
        Err(Error::OutOfRange(_))
    ));
    assert_eq!(get(&tree, &id).expect("there").capacity_bytes, 20);
    for missing in ["fake-vol-id", "s#export#gone##"] {
        assert!(
            matches!(
                expand(&tree, missing, &range(5, None)),
                Err(Error::NotFound(_))
            ),
            "{missing}"
        );
    }
}

#[test]
fn a_source_has_to_be_there_and_on_the_same_share() {
    let tree = FakeTree::new();
    for source in ["fake-vol-id", "s#export#gone##"] {
        assert!(
            matches!(
                create(&tree, &clone_of(source, "two")),
                Err(Error::NotFound(_))
            ),
            "{source}"
        );
    }
    for source in ["other#export#one##", "s#other#one##"] {
        assert!(
            matches!(
                create(&tree, &clone_of(source, "two")),
                Err(Error::InvalidArgument(_))
            ),
            "{source}"
        );
    }
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn a_source_that_goes_while_it_is_copied_leaves_nothing() {
    let tree = FakeTree::new();
    let id = filled(&tree, "one", &[]);
    let copy = clone_of(&id, "two");
    // The record is written; the copy is not begun.
    tree.cut_at(3, Cut::After);
    create(&tree, &copy).expect_err("cut off");
    tree.go_on();
    remove(&tree, &id).expect("removed");
    assert!(matches!(create(&tree, &copy), Err(Error::NotFound(_))));
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn the_longest_name_and_a_strange_one_get_volumes_of_their_own() {
    let tree = FakeTree::new();
    let long = "n".repeat(128);
    let names_of = [long.as_str(), &long[1..], "a/b", "a#b", ".."];
    let ids = names_of.map(|name| create(&tree, &spec(name, &[])).expect("made").id);
    for (index, id) in ids.iter().enumerate() {
        assert!(id.len() <= 128 && !ids[..index].contains(id), "{id}");
        get(&tree, id).expect("there");
        remove(&tree, id).expect("removed");
    }
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn a_long_directory_is_found_by_its_record() {
    let tree = FakeTree::new();
    let (namespace, claim) = ("n".repeat(63), "c".repeat(200));
    let class = [
        ("subDir", "${pvc.metadata.namespace}/${pvc.metadata.name}"),
        (names::PVC_NAMESPACE.name(), namespace.as_str()),
        (names::PVC_NAME.name(), &claim),
    ];
    let id = filled(&tree, "pvc-1", &class);
    assert!(id.len() <= 128, "{id}");
    let info = get(&tree, &id).expect("there");
    assert!(
        info.context
            .contains(&("subdir".into(), format!("{namespace}/{claim}")))
    );
    remove(&tree, &id).expect("removed");
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn what_is_no_directory_is_no_volume() {
    let tree = FakeTree::new();
    tree.put("file", "x");
    assert!(matches!(
        get(&tree, "s#export#file##"),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        create(&tree, &spec("file", &[])),
        Err(Error::AlreadyExists(_))
    ));
}

/// Has a source half removed, or wholly, between any two steps of copying it, and then again and again.
pub(crate) fn half_removed_meanwhile(
    prepare: impl Fn() -> FakeTree,
    source: &str,
    copy: impl Fn(&FakeTree) -> Result<(), Error>,
    is_whole: impl Fn(&FakeTree) -> bool,
) {
    // A removal has fewer steps.
    for cut in 1..STEPS / 3 {
        for step in 0..STEPS * 2 {
            let tree = prepare();
            let before = VolumeId::parse(source).expect("an id");
            let after = before.clone();
            tree.meanwhile(step, move |tree| {
                tree.cut_at(cut, Cut::Midway);
                drop(delete(tree, &before));
                tree.go_on();
            });
            let mut answers = vec![copy(&tree)];
            if !tree.had_meanwhile() {
                assert!(step > 10, "nothing was in between");
                break;
            }
            answers.push(copy(&tree));
            delete(&tree, &after).expect("removed");
            answers.extend([copy(&tree), copy(&tree)]);
            assert!(
                answers.iter().all(Result::is_err) || is_whole(&tree),
                "{cut} {step}: {answers:?}"
            );
            if answers.iter().all(Result::is_err) {
                assert!(
                    matches!(answers.last(), Some(Err(Error::NotFound(_)))),
                    "{cut} {step}: {answers:?}"
                );
                assert!(tree.paths().is_empty(), "{cut} {step}: {:?}", tree.paths());
            }
        }
    }
}

#[test]
fn what_is_left_of_a_volume_that_is_being_removed_is_no_copy() {
    for on_delete in ["delete", "retain"] {
        for source in ["s#export#one##", "s#export#theirs##"] {
            half_removed_meanwhile(
                || {
                    let tree = FakeTree::new();
                    let name = if source.contains("one") {
                        "one"
                    } else {
                        "theirs"
                    };
                    match name {
                        "one" => drop(filled(&tree, name, &[])),
                        // The driver's directory has to be there.
                        _ => remove(&tree, &filled(&tree, "other", &[])).expect("removed"),
                    }
                    tree.put(&format!("{name}/file"), "whole");
                    tree
                },
                source,
                |tree| {
                    let source = Some(VolumeSource::Volume(source.into()));
                    let class = [("subDir", "two"), ("onDelete", on_delete)];
                    create(tree, &spec_from("two", 10, &class, source)).map(drop)
                },
                |tree| tree.text("two/file").as_deref() == Some("whole"),
            );
        }
    }
}

#[test]
fn a_source_that_goes_after_it_was_copied_leaves_nothing_whatever_was_cut_off() {
    let class = [("subDir", "shop/two"), ("onDelete", "retain")];
    for step in 1..STEPS {
        for again in 1..STEPS {
            let tree = FakeTree::new();
            let id = filled(&tree, "one", &[]);
            let copy = spec_from("two", 10, &class, Some(VolumeSource::Volume(id.clone())));
            tree.cut_at(step, Cut::After);
            create(&tree, &copy).map_or_else(drop, drop);
            if !tree.go_on() || get(&tree, &copy.volume.record.id).is_ok() {
                break;
            }
            remove(&tree, &id).expect("removed");
            tree.cut_at(again, Cut::After);
            create(&tree, &copy).expect_err("no source");
            let was_cut = tree.go_on();
            let answers = [0; 2].map(|_| create(&tree, &copy));
            assert!(
                matches!(answers[1], Err(Error::NotFound(_))),
                "{step} {again}: {answers:?}"
            );
            assert!(
                tree.paths().is_empty(),
                "{step} {again}: {:?}",
                tree.paths()
            );
            if !was_cut {
                break;
            }
        }
    }
}
