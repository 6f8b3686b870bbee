//! PersistentVolumes that other drivers' provisioners wrote: the option in their spelling, and a name that is
//! all there is when the volume is detached.

use std::fs;

use drivebay_tests::{NODE_ID, Node, Volume};

/// As the disks of `alicloud/disk` are: named like the disk, which the option says too.
#[test]
fn a_disk_that_is_named_like_its_volume_is_detached_where_nothing_else_is_known() {
    let node = Node::with_local("d-1");
    for key in ["volume", "Volume", "VOLUME"] {
        let volume = Volume::new(&node, "d-1", &[(key, "d-1")]);
        volume.attach().succeeds();
        // The controller was moved to another machine, whose journal is empty.
        fs::remove_dir_all(node.path("state/journal")).expect("writable");
        assert_eq!(volume.is_attached().json["attached"], true, "{key}");
        node.call(&["detach", "d-1", NODE_ID]).succeeds();
        assert_eq!(volume.is_attached().json["attached"], false, "{key}");
        node.is_clean();
    }
}

#[test]
fn the_options_spelling_may_change_from_call_to_call() {
    let node = Node::with_local("d-1");
    let spelled = |key| Volume::new(&node, "d-1", &[(key, "d-1")]);
    let pod = node.pod("web");
    spelled("Volume").attach().succeeds();
    spelled("volume").mount_device().succeeds();
    spelled("VOLUME").mount_device().succeeds();
    spelled("vOLUME").mount(&pod).succeeds();
    spelled("volume").unmount(&pod).succeeds();
    spelled("volume").unmount_device().succeeds();
    spelled("volume").detach().succeeds();
    node.is_clean();
}

#[test]
fn a_node_that_is_not_named_means_every_node() {
    let node = Node::with_local("d-1");
    let volume = Volume::new(&node, "d-1", &[]);
    volume.attach().succeeds();
    node.call(&["detach", "d-1", ""]).succeeds();
    assert_eq!(volume.is_attached().json["attached"], false);
    node.is_clean();
}
