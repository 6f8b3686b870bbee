//! Directories of volumes inside one another, on one share or on two.

use std::fs;

use crate::provisioner::{Call, Share, id};

#[test]
#[ignore = "needs the VM's NFS"]
fn no_volume_is_made_inside_another_or_around_it_and_none_goes_with_another() {
    let share = Share::new("nested");
    let sub_dir = |name: &str, path: &str, on_delete: &str| {
        let call = share.create(name, &[]).parameter("onDelete", on_delete);
        call.parameter("subDir", path)
    };
    let inner = sub_dir("inner", "shop/data", "delete").succeeds();
    let table = share.at("shop/data/table");
    fs::write(&table, "rows").expect("writable");
    for on_delete in ["delete", "archive", "retain"] {
        for path in ["shop", "/shop//", "shop/data/deep"] {
            let said = sub_dir("other", path, on_delete).fails("already-exists");
            assert!(said.contains(id(&inner)), "{said}");
        }
        // As another driver would have made it.
        let outer = share.id(&format!("shop#outer#{on_delete}"));
        let said = Call::new(&["delete-volume", &outer]).fails("failed-precondition");
        assert!(said.contains(id(&inner)), "{said}");
    }
    // A share of its own, inside a volume.
    let outer = sub_dir("outer", "market", "delete").succeeds();
    let inside = Share {
        name: format!("{}/market", share.name),
    };
    let claim = inside.create("pvc-1", &[]).succeeds();
    fs::write(inside.at("pvc-1/table"), "rows").expect("writable");
    let said = Call::new(&["delete-volume", id(&outer)]).fails("failed-precondition");
    assert!(said.contains(id(&claim)), "{said}");
    for table in [table, inside.at("pvc-1/table")] {
        assert_eq!(fs::read_to_string(table).expect("kept"), "rows");
    }
    for volume in [&claim, &outer, &inner] {
        Call::new(&["delete-volume", id(volume)]).succeeds();
    }
    share.is_empty();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn of_two_volumes_that_are_made_at_once_inside_one_another_at_most_one_is() {
    let share = Share::new("nested-race");
    for round in 0..3 {
        let directories = [format!("{round}"), format!("{round}/data")];
        let calls = directories.map(|directory| {
            let call = share.create(&format!("at {directory}"), &[]);
            call.parameter("subDir", &directory)
        });
        let running = calls.each_ref().map(Call::start);
        let made = running.map(|mut call| call.wait().expect("ours").success());
        assert_ne!(made, [true, true]);
        // Who is told of the other may ask again; one of them gets it at last.
        let again: Vec<bool> = calls.iter().map(Call::is_done).collect();
        assert_eq!(again.iter().filter(|done| **done).count(), 1, "{again:?}");
    }
}
