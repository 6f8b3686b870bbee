//! A node with many volumes and many mounts: what a call costs is its own affair. Seen by what it asks the kernel
//! for, because time on a busy machine proves nothing: no list of everything that is there.

use std::fs;
use std::path::PathBuf;

use drivebay_tests::csi_proto as proto;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Cloud, CsiVolume, DISK, Disk, Node, Trace, Volume, device, mounted, text};

const LOCAL: &str = "drivebay~local/local";

/// How often a call may read the table of all mounts that needs to know what is mounted at its path: not at all,
/// where the kernel tells of that one mount with its source (statmount(2), Linux 6.14), else once.
fn table_reads() -> usize {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("readable");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    let version: (u32, u32) = (next(), next());
    usize::from(version < (6, 14))
}

#[track_caller]
fn asks_for_its_own_mount_alone(call: &str, trace: &Trace, tables: usize) {
    assert!(
        trace.tables() <= tables,
        "{call} read the table of mounts {} times",
        trace.tables()
    );
    assert_eq!(trace.namespaces(), Vec::<&str>::new(), "{call}");
}

/// The journal has a file for each volume, and one for each of their paths.
#[track_caller]
fn lists_no_volumes(call: &str, trace: &Trace, node: &Node) {
    let journal = node.path("state/journal/local");
    let listed = trace.listed();
    for crowded in [journal.clone(), journal.join("paths")] {
        assert!(
            !listed.contains(&crowded),
            "{call} listed {}",
            crowded.display()
        );
    }
}

#[test]
fn the_shim_asks_about_no_mount_and_no_volume_but_its_own() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let options = volume.pod_options();
    let mount = ["mount", text(&pod), &options];
    let unmount = ["unmount", text(&pod)];
    for (call, arguments, tables) in [
        ("mount", &mount[..], table_reads()),
        ("mount, already mounted", &mount, table_reads()),
        ("unmount", &unmount, 0),
        ("unmount, already unmounted", &unmount, 0),
    ] {
        let (answer, trace) = node.call_traced(LOCAL, arguments);
        answer.succeeds();
        asks_for_its_own_mount_alone(call, &trace, tables);
        lists_no_volumes(call, &trace, &node);
    }
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    node.is_clean();
}

#[test]
fn serve_asks_about_no_mount_and_no_volume_but_its_own() {
    let node = Node::with_local("v1");
    let csi = node.serve("local");
    let known = proto::Volume {
        volume_id: "v1".to_owned(),
        ..proto::Volume::default()
    };
    let volume = CsiVolume::existing(&csi, &node, known, mounted(Mode::MultiNodeMultiWriter));
    volume.stage().expect("staged");
    let target = volume.target("web");
    let stats = || volume.stats(text(&target)).map(drop);
    let (publish, unpublish) = (|| volume.publish("web"), || volume.unpublish("web"));
    for (call, work, tables) in [
        (
            "NodePublishVolume",
            &publish as &dyn Fn() -> _,
            table_reads(),
        ),
        (
            "NodePublishVolume, published already",
            &publish,
            table_reads(),
        ),
        ("NodeGetVolumeStats", &stats, table_reads()),
        ("NodeUnpublishVolume", &unpublish, 0),
    ] {
        let (answer, trace) = csi.traced(&node, work);
        answer.expect(call);
        asks_for_its_own_mount_alone(call, &trace, tables);
        lists_no_volumes(call, &trace, &node);
    }
    volume.unstage().expect("unstaged");
    node.is_clean();
}

/// The kernel copies every mount of the node into a new namespace.
#[test]
fn a_disk_that_has_not_grown_is_mounted_without_a_mount_namespace() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    let device = device(&disk.attach().succeeds());
    let staging = disk.staging();
    fs::create_dir_all(&staging).expect("writable");
    let options = disk.options();
    let arguments = ["mountdevice", text(&staging), &device, &options];
    let (answer, trace) = node.call_traced(DISK, &arguments);
    answer.succeeds();
    assert_eq!(trace.namespaces(), Vec::<&str>::new());
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    assert_eq!(node.journal(), Vec::<PathBuf>::new());
}
