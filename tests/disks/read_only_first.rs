//! A pod that only reads comes first, and kubelet has the volume staged for it alone; then one comes that writes.
//! It is told why it has to wait, and can write when nobody only reads. What reads goes on reading, and does not write.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{
    Cloud, CsiVolume, DEVICE, Disk, Node, Volume, device, mounted, options, pod_options, text,
};
use tonic::Code;

const READS: [(&str, &str); 1] = [("kubernetes.io/readwrite", "ro")];

#[track_caller]
fn cannot_be_written(directory: &Path) {
    let refusal = fs::write(directory.join("no"), "").expect_err("read-only");
    assert_eq!(refusal.kind(), ErrorKind::ReadOnlyFilesystem);
}

#[track_caller]
fn shows_what_is_written(reader: &Path, writer: &Path) {
    fs::write(writer.join("news"), "written").expect("writable");
    let read = fs::read_to_string(reader.join("news")).expect("the same volume");
    assert_eq!(read, "written");
    cannot_be_written(reader);
}

/// A disk with a filesystem, which nobody uses.
#[track_caller]
fn formatted(node: &Node, fs_type: &str) -> String {
    let id = node.create_disk("pvc-1", 20);
    let disk = Disk::with_options(node, &id, &[("kubernetes.io/fsType", fs_type)]).staged();
    disk.unmount_device().succeeds();
    disk.detach().succeeds();
    id
}

const WHY: &str = "the pod that had it first on this node only reads";

#[test]
fn a_pod_that_writes_waits_for_those_that_only_read_and_then_writes() {
    for fs_type in ["ext4", "xfs"] {
        let cloud = Cloud::start();
        let node = Node::with_disks(&cloud);
        let id = formatted(&node, fs_type);
        let fs_type = ("kubernetes.io/fsType", fs_type);
        let reads = Disk::with_options(&node, &id, &[fs_type, READS[0]]).staged();
        let writes = Disk::with_options(&node, &id, &[fs_type]);
        let (reader, writer) = (node.pod("reader"), node.pod("writer"));
        reads.mount(&reader).succeeds();
        cannot_be_written(&reader);
        cannot_be_written(&reads.staging());
        let attached = device(&reads.attach().succeeds());
        node.unchanged_by(|| {
            writes.mount(&writer).fails_with(WHY);
            // A kubelet that restarted stages for whichever pod it looks at first.
            writes.mount_device(&attached).fails_with(WHY);
        });
        cannot_be_written(&reader);

        // kubelet does not stage again while a pod wants the volume.
        reads.unmount(&reader).succeeds();
        writes.mount(&writer).succeeds();
        reads.mount(&reader).succeeds();
        shows_what_is_written(&reader, &writer);
        for _ in 0..2 {
            writes.mount(&writer).succeeds();
            reads.mount(&reader).succeeds();
            reads.mount_device(&attached).succeeds();
            writes.mount_device(&attached).succeeds();
        }
        shows_what_is_written(&reader, &writer);

        writes.unmount(&writer).succeeds();
        reads.release(&reader);
        node.is_clean();
    }
}

#[test]
fn attached_on_mount_a_pod_that_writes_waits_and_then_writes_too() {
    let cloud = Cloud::start();
    let grants = cloud.grants(&cloud.key_in_files());
    let line = "flexvolume = \"alicloud/disk\"";
    let grants = grants.replace(line, &format!("{line}\nflexvolume-attach = \"on-mount\""));
    let node = Node::with_disk_grants(&grants);
    let id = node.create_disk("pvc-1", 20);
    let writes = Disk::new(&node, &id);
    let reads = Disk::with_options(&node, &id, &READS);
    let (reader, writer) = (node.pod("reader"), node.pod("writer"));
    writes.mount(&writer).succeeds();
    writes.unmount(&writer).succeeds();

    reads.mount(&reader).succeeds();
    cannot_be_written(&reader);
    node.unchanged_by(|| {
        writes.mount(&writer).fails_with(WHY);
    });
    cannot_be_written(&reader);
    reads.unmount(&reader).succeeds();
    writes.mount(&writer).succeeds();
    reads.mount(&reader).succeeds();
    shows_what_is_written(&reader, &writer);
    reads.unmount(&reader).succeeds();
    writes.unmount(&writer).succeeds();
    assert_eq!(cloud.attachments(&id), Vec::<String>::new());
    node.is_clean();
}

#[test]
fn a_directory_is_bound_for_writing_once_nobody_only_reads_it() {
    let node = Node::with_local("v1");
    let reads = Volume::new(&node, "v1", &READS).staged();
    let (reader, writer) = (node.pod("reader"), node.pod("writer"));
    reads.mount(&reader).succeeds();
    let writing = pod_options("v1", &[]);
    let stage = [
        "mountdevice",
        text(&reads.staging()),
        DEVICE,
        &options("v1", &[]),
    ]
    .map(str::to_owned);
    let stage: Vec<&str> = stage.iter().map(String::as_str).collect();
    node.unchanged_by(|| {
        node.call(&["mount", text(&writer), &writing])
            .fails_with(WHY);
        node.call(&stage).fails_with(WHY);
    });
    cannot_be_written(&reader);
    reads.unmount(&reader).succeeds();

    node.call(&stage).succeeds();
    node.call(&["mount", text(&writer), &writing]).succeeds();
    fs::write(writer.join("news"), "written").expect("writable");
    // Afterwards one that reads has no need of a staging of its own.
    reads.mount_device().succeeds();
    reads.mount(&reader).succeeds();
    shows_what_is_written(&reader, &writer);
}

#[test]
fn a_volume_that_says_read_only_itself_stays_so_for_every_pod() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let id = formatted(&node, "ext4");
    let disk = Disk::with_options(&node, &id, &[("readOnly", "true")]).staged();
    let (first, second) = (node.pod("first"), node.pod("second"));
    for pod in [&first, &second] {
        disk.mount(pod).succeeds();
        cannot_be_written(pod);
    }
    cannot_be_written(&disk.staging());
    disk.unmount(&second).succeeds();
    disk.release(&first);
}

/// CSI stages in an access mode, and all who publish have the same: another one is a mistake of the caller's.
#[test]
fn csi_publishes_nothing_for_writing_that_was_staged_to_be_read() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let writes = CsiVolume::disk(&csi, &node, "pvc-1").in_use("writer");
    writes.unpublish("writer").expect("unpublished");
    writes.unstage().expect("unstaged");
    let reads = writes.used_as(mounted(Mode::SingleNodeReaderOnly));
    reads.stage().expect("staged");
    let refusal = writes.publish("writer").expect_err("staged to be read");
    assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
    assert!(
        refusal.message().contains("staged read-only"),
        "{refusal:?}"
    );
    reads.publish("reader").expect("published");
    cannot_be_written(&reads.target("reader"));
    writes.release("reader");
}
