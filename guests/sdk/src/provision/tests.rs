//! Volumes of the sample backend on a share that stops working at any moment.

use super::*;
use crate::fake::{Cut, FakeTree};
use crate::layout::sample::{Sample, SampleVolume};

fn store(tree: &FakeTree) -> Store<'_, Sample> {
    Store::of(tree)
}

/// A new volume of ten bytes at least, by its id.
pub(crate) fn wanted(id: &str, source: Option<VolumeSource>) -> NewVolume<SampleVolume> {
    let parsed = SampleVolume::parse(id).expect("an id");
    NewVolume {
        capacity: CapacityRange {
            required_bytes: Some(10),
            limit_bytes: None,
        },
        record: VolumeRecord {
            state: State::Making,
            id: id.into(),
            name: parsed.name().into(),
            sub_dir: parsed.sub_dir().expect("a directory"),
            capacity_bytes: 10,
            mode: None,
            source,
        },
        id: parsed,
    }
}

/// A volume with a file in it.
pub(crate) fn filled(tree: &FakeTree, id: &str) {
    let wanted = wanted(id, None);
    store(tree).create_volume(&wanted).expect("made");
    let directory = wanted.record.sub_dir.as_str();
    tree.put(&format!("{directory}/file"), wanted.id.name());
}

pub(crate) fn remove(tree: &FakeTree, id: &str) -> Result<(), Error> {
    store(tree).delete_volume(&SampleVolume::parse(id).expect("an id"))
}

const ONE: &str = "one#one#delete";

fn clone_of_one(id: &str) -> NewVolume<SampleVolume> {
    wanted(id, Some(VolumeSource::Volume(ONE.into())))
}

#[test]
fn whatever_is_cut_off_a_retry_makes_one_volume_and_then_finds_it() {
    for cut in [Cut::Before, Cut::After] {
        for step in 1..40 {
            let tree = FakeTree::new();
            filled(&tree, ONE);
            let copy = clone_of_one("shop/two#two#delete");
            tree.cut_at(step, cut);
            let first = store(&tree).create_volume(&copy);
            let was_cut = tree.go_on();
            assert_eq!(first.is_err(), was_cut, "{step}: {first:?}");
            let again = store(&tree).create_volume(&copy).expect("made");
            assert_eq!(again.state, State::Ready);
            assert_eq!(tree.text("shop/two/file").as_deref(), Some("one"));
            if !was_cut {
                break;
            }
        }
    }
}

#[test]
fn a_class_decides_what_becomes_of_a_directory() {
    for (on_delete, left) in [
        ("delete", &[][..]),
        ("retain", &["shop", "shop/data", "shop/data/file"]),
        (
            "archive",
            &[
                "archived-shop",
                "archived-shop/data",
                "archived-shop/data/file",
            ],
        ),
    ] {
        let tree = FakeTree::new();
        let id = format!("shop/data#one#{on_delete}");
        filled(&tree, &id);
        remove(&tree, &id).expect("removed");
        remove(&tree, &id).map_or_else(drop, drop);
        let paths = tree.paths();
        let beneath = |path: &&String| !path.starts_with('.');
        assert!(paths.iter().filter(beneath).eq(left), "{paths:?}");
    }
}

#[test]
fn a_volume_for_the_same_name_has_to_be_the_same() {
    let tree = FakeTree::new();
    filled(&tree, "two#two#delete");
    filled(&tree, ONE);
    for other in [
        wanted("one#one#retain", None),
        wanted("elsewhere#one#delete", None),
        wanted(ONE, Some(VolumeSource::Volume("two#two#delete".into()))),
    ] {
        let refused = store(&tree).create_volume(&other);
        assert!(matches!(refused, Err(Error::AlreadyExists(_))), "{other:?}");
    }
    let mut larger = wanted(ONE, None);
    larger.capacity.required_bytes = Some(11);
    let refused = store(&tree).create_volume(&larger);
    assert!(matches!(refused, Err(Error::AlreadyExists(m)) if m.ends_with("has another size")));
}

#[test]
fn what_another_driver_made_is_found_by_its_id_and_promises_any_size() {
    let tree = FakeTree::new();
    tree.put("theirs/file", "kept");
    let id = "theirs#theirs#delete";
    let (_, record) = store(&tree).get_volume(id).expect("there");
    assert_eq!((record.id.as_str(), record.capacity_bytes), (id, 0));
    let capacity = wanted(id, None).capacity;
    assert_eq!(store(&tree).expand_volume(id, &capacity), Ok(10));
    filled(&tree, ONE);
    let grown = CapacityRange {
        required_bytes: Some(20),
        limit_bytes: None,
    };
    assert_eq!(store(&tree).expand_volume(ONE, &grown), Ok(20));
    assert_eq!(store(&tree).expand_volume(ONE, &capacity), Ok(20));
}

#[test]
fn a_directory_that_is_gone_though_nobody_deleted_its_volume_is_data_that_were_lost() {
    let tree = FakeTree::new();
    filled(&tree, ONE);
    let told = || store(&tree).volume_health(ONE);
    assert_eq!(told(), Ok(Vec::new()));
    tree.remove_tree("one").expect("by somebody else");
    assert!(matches!(told().as_deref(), Ok([lost]) if lost.severity == "data-loss"));
    remove(&tree, ONE).expect("deleted");
    assert!(matches!(told(), Err(Error::NotFound(_))));
}

#[test]
fn a_silent_server_and_a_missing_share_are_trouble_of_their_volumes() {
    for (error, reason) in [
        (error!(Unavailable: "silent"), "ServerUnreachable"),
        (error!(NotFound: "no such export"), "ShareMissing"),
    ] {
        let told = health_in(Err::<(), _>(error), |()| Ok(Vec::new()));
        assert!(matches!(told.as_deref(), Ok([told]) if told.reason == reason));
    }
    let denied = error!(Denied: "no grant");
    assert!(health_in(Err::<(), _>(denied), |()| Ok(Vec::new())).is_err());
}
