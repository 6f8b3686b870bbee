//! Disks that come with a filesystem, and filesystems that nobody can make.

use std::fs;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Cloud, CsiVolume, Disk, Node, disk_request, mounted_as, text};
use tonic::Code;

/// Somebody else's disk, with a filesystem that somebody else made.
#[track_caller]
fn formatted(cloud: &Cloud, id: &str, fs_type: &str) {
    let program = format!("mkfs.{fs_type}");
    let made = Node::run(&program, &["-q", text(&cloud.backing(id))]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// The type that the kernel shows.
fn shown(disk: &Disk<'_>) -> String {
    let lines = Node::mount_lines_beneath(&disk.staging());
    let line = lines.first().expect("mounted");
    let (_, rest) = line.split_once(" - ").expect("a type");
    rest.split(' ').next().expect("one word").to_owned()
}

#[test]
fn a_disk_is_mounted_as_it_is_found_where_the_volume_allows_it() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    for (name, held, asked, mounted) in [
        ("pvc-1", "ext3", "", "ext4"),
        ("pvc-2", "ext3", "ext4", "ext4"),
        ("pvc-3", "ext2", "ext4", "ext4"),
        ("pvc-4", "xfs", "", "xfs"),
    ] {
        let id = node.create_disk(name, 20);
        formatted(&cloud, &id, held);
        let disk = Disk::with_options(&node, &id, &[("kubernetes.io/fsType", asked)]).staged();
        assert_eq!(shown(&disk), mounted, "{held} under {asked:?}");
        let pod = node.pod(name);
        disk.mount(&pod).succeeds();
        fs::write(pod.join("hello"), "written").expect("writable");
        disk.release(&pod);
    }
}

#[test]
fn another_filesystem_than_the_volume_names_is_left_alone() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    for (name, held, asked) in [("pvc-1", "xfs", "ext4"), ("pvc-2", "ext3", "xfs")] {
        let id = node.create_disk(name, 20);
        formatted(&cloud, &id, held);
        let before = cloud.head(&id, 1 << 20);
        let disk = Disk::with_options(&node, &id, &[("kubernetes.io/fsType", asked)]);
        let attached = disk.attach().succeeds();
        disk.mount_device(&drivebay_tests::device(&attached))
            .fails_with(&format!("not {asked}: it holds {held}"));
        disk.detach().succeeds();
        assert!(cloud.head(&id, 1 << 20) == before, "it was written to");
    }
}

#[test]
fn a_filesystem_that_may_not_be_made_is_refused_where_the_volume_is() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let mode = Mode::SingleNodeMultiWriter;
    let of_claim = |fs_type: &str| {
        let mut request = disk_request("pvc-1");
        request.volume_capabilities = vec![mounted_as(fs_type, mode)];
        request
    };
    let mut of_class = of_claim("");
    of_class.parameters.insert("FSTYPE".into(), "ntfs".into());
    for (request, fs_type) in [
        (of_claim("ntfs"), "ntfs"),
        (of_claim("ext2"), "ext2"),
        (of_class.clone(), "ntfs"),
    ] {
        let refused = csi.create_volume(request).expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
        let words = format!(
            "filesystem {fs_type:?} is not granted (grants.block-devices.filesystems = [\"ext4\", \"xfs\"])"
        );
        assert!(refused.message().contains(&words), "{}", refused.message());
    }
    assert_eq!(cloud.requests("CreateDisk"), 0);
    // The claim's word counts, and a raw device needs none.
    of_class.volume_capabilities = vec![mounted_as("xfs", mode)];
    let made = csi.create_volume(of_class.clone()).expect("made");
    let volume = made.volume.expect("a volume");
    let disk = CsiVolume::existing(&csi, &node, volume, mounted_as("xfs", mode));
    disk.delete().expect("deleted");
    of_class.volume_capabilities = vec![drivebay_tests::raw(mode)];
    let made = csi.create_volume(of_class).expect("made");
    let volume = made.volume.expect("a volume");
    let disk = CsiVolume::existing(&csi, &node, volume, drivebay_tests::raw(mode));
    disk.delete().expect("deleted");
}
