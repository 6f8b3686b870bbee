//! Hot-plugged virtio disks with serial numbers of their own, which is what a cloud's disks are.

use std::fs;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::Path;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto};
use drivebay_tests::{
    Cloud, Csi, CsiVolume, Disk, GIB, NODE_NAME, Node, device, eventually, raw, repository,
    run_kubelet, serial, text,
};
use nix::sys::statvfs::statvfs;
use tonic::Code;

use crate::lab::shell;

/// A cloud whose disks QEMU plugs in.
fn cloud() -> Cloud {
    let target = repository().join("target");
    let backing = format!("{0}={0}", target.display());
    shell("modprobe -a virtio_blk ext4 xfs");
    Cloud::start_with(&["--devices", "qemu", "--backing", &backing])
}

/// The kernel's names of the disks with that serial number.
fn disks_with(serial: &str) -> Vec<String> {
    let disks = fs::read_dir("/sys/block").expect("mounted").flatten();
    let names = disks.map(|disk| disk.file_name().to_string_lossy().into_owned());
    let has = |name: &String| {
        let known = fs::read_to_string(format!("/sys/block/{name}/serial"));
        known.is_ok_and(|known| known.trim() == serial)
    };
    names.filter(has).collect()
}

#[track_caller]
fn release(disk: &Disk<'_>, pod: &Path) {
    disk.release(pod);
    eventually("the disk to be unplugged", || {
        disks_with(serial(&disk.id)).is_empty()
    });
}

#[test]
fn kubelet_attaches_mounts_writes_to_and_detaches_a_disk_found_by_its_serial() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let id = node.create_disk("pvc-1", 20);
    let options = format!("volumeId={id}");
    run_kubelet(
        &node,
        &[
            "-driver",
            "alicloud/disk",
            "-options",
            &options,
            "-fs-type",
            "ext4",
            "-node-name",
            NODE_NAME,
            "-patience",
            "3m",
            "-scenario",
            "probe,attach,mount,restart",
        ],
    );
    assert_eq!(cloud.attachments(&id).len(), 0);
    assert!(disks_with(serial(&id)).is_empty());
    assert!(cloud.requests("AttachDisk") > 0);
    let magic = &cloud.head(&id, 2048)[1080..1082];
    assert_eq!(magic, [0x53, 0xef], "no ext4 was made");
}

#[test]
fn a_disk_is_found_by_its_serial_where_no_udev_makes_links() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    assert!(!disk.link().exists(), "udev runs");
    assert_eq!(disks_with(serial(&disk.id)).len(), 1);
    let pod = node.pod("web");
    disk.mount(&pod).succeeds();
    fs::write(pod.join("hello"), "on a real disk").expect("writable");
    release(&disk, &pod);
    let disk = disk.staged();
    disk.mount(&pod).succeeds();
    let seen = fs::read_to_string(pod.join("hello")).expect("kept");
    assert_eq!(seen, "on a real disk");
    release(&disk, &pod);
}

#[test]
fn a_link_that_leads_to_another_disk_is_not_followed() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let (ours, other) = (Disk::made(&node, "ours"), Disk::made(&node, "other"));
    let attached = device(&ours.attach().succeeds());
    let of_other = device(&other.attach().succeeds());
    eventually("the other disk", || {
        disks_with(serial(&other.id)).len() == 1
    });
    let wrong = disks_with(serial(&other.id)).remove(0);
    fs::create_dir_all("/dev/disk/by-id").expect("writable");
    symlink(Path::new("/dev").join(wrong), ours.link()).expect("writable");
    let answer = ours.mount_device(&attached);
    fs::remove_file(ours.link()).expect("ours");
    assert!(
        cloud.head(&other.id, 4 << 20).iter().all(|byte| *byte == 0),
        "the other disk was written to; the answer was {}",
        answer.text
    );
    // Whether the link was refused or the right disk found in spite of it: without the link it is found.
    ours.mount_device(&attached).succeeds();
    ours.unmount_device().succeeds();
    ours.detach().succeeds();
    other.mount_device(&of_other).succeeds();
    other.unmount_device().succeeds();
    other.detach().succeeds();
}

#[test]
fn a_disk_that_was_detached_beneath_a_pod_is_noticed_and_mounted_anew_when_the_pod_is_gone() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let mut disk = CsiVolume::disk(&csi, &node, "pvc-1").in_use("pod-1");
    fs::write(disk.target("pod-1").join("hello"), "kept").expect("writable");
    shell("sync");
    let pulled_out = disk.publish_context.clone();
    // As by the console, or by a controller that gave this node up.
    disk.detach().expect("detached");
    eventually("the disk to be unplugged", || {
        disks_with(serial(&disk.id)).is_empty()
    });
    disk.publish_context = pulled_out;
    is_missed(&csi, &disk);
    for answer in [disk.stage(), disk.publish("pod-1"), disk.publish("pod-2")] {
        let status = answer.expect_err("the disk is gone");
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        let target = disk.target("pod-1");
        assert!(status.message().contains(text(&target)), "{status:?}");
    }
    disk.attach().expect("attached");
    eventually("the disk", || disks_with(serial(&disk.id)).len() == 1);
    let status = disk.publish("pod-2").expect_err("pod-1 has the dead one");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    disk.unpublish("pod-1").expect("unpublished");
    disk.publish("pod-2").expect("mounted anew");
    let seen = fs::read_to_string(disk.target("pod-2").join("hello"));
    assert_eq!(seen.expect("kept"), "kept");
    disk.stage().expect("again");
    disk.release("pod-2");
    node.is_clean();
}

/// The node's health says so, of the volume and of the storage behind it.
#[track_caller]
fn is_missed(csi: &Csi, disk: &CsiVolume<'_>) {
    let answer = csi.node_get_volume_health(proto::NodeGetVolumeHealthRequest {
        volume_id: disk.id.clone(),
        volume_publish_path: text(&disk.target("pod-1")).to_owned(),
        staging_target_path: text(&disk.staging()).to_owned(),
    });
    let health = answer.expect("told").volume_health.expect("its health");
    let first = health.health_statuses.first().expect("it is gone");
    assert_eq!(first.reason, "DeviceMissing", "{health:?}");
    assert_eq!(first.status(), proto::VolumeHealthErrorType::Inaccessible);
    let request = proto::NodeGetStorageHealthRequest::default();
    let storage = csi.node_get_storage_health(request).expect("told");
    let [told] = &storage.backend_health[..] else {
        panic!("{storage:?}");
    };
    assert_eq!(
        told.status(),
        proto::StorageHealthErrorType::StorageDegraded
    );
    assert!(told.message.contains(&disk.id), "{storage:?}");
}

#[test]
fn a_raw_device_whose_disk_was_detached_is_noticed_too() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let csi = node.serve("alicloud-disk");
    let disk = CsiVolume::disk(&csi, &node, "raw");
    let mut disk = disk
        .used_as(raw(Mode::SingleNodeMultiWriter))
        .in_use("pod-1");
    disk.detach().expect("detached");
    eventually("the disk to be unplugged", || {
        disks_with(serial(&disk.id)).is_empty()
    });
    let status = disk.publish("pod-1").expect_err("the disk is gone");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    disk.unpublish("pod-1").expect("unpublished");
    disk.attach().expect("attached");
    disk.stage().expect("bound anew");
    disk.publish("pod-1").expect("published");
    let size = fs::File::open(disk.target("pod-1")).and_then(|mut raw| raw.seek(SeekFrom::End(0)));
    assert_eq!(size.expect("the disk"), 20 * GIB);
    disk.release("pod-1");
    node.is_clean();
}

#[test]
fn a_disk_grows_while_a_pod_writes_to_it() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    for fs_type in ["ext4", "xfs"] {
        let id = node.create_disk(&format!("pvc-{fs_type}"), 20);
        let disk = Disk::with_options(&node, &id, &[("kubernetes.io/fsType", fs_type)]).staged();
        let pod = node.pod("web");
        disk.mount(&pod).succeeds();
        fs::write(pod.join("hello"), "kept").expect("writable");
        let (volume, filesystem) = disk.expand(24);
        volume.succeeds();
        filesystem.succeeds();
        let usage = statvfs(&pod).expect("mounted");
        assert!(
            usage.blocks() * usage.fragment_size() > 23 * GIB,
            "{fs_type}"
        );
        release(&disk, &pod);
    }
}

#[test]
fn udevs_link_leads_to_the_disk_and_goes_with_it() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    shell("/usr/lib/systemd/systemd-udevd --daemon");
    let disk = Disk::made(&node, "pvc-1").staged();
    eventually("udev's link", || disk.link().exists());
    let pod = node.pod("web");
    disk.mount(&pod).succeeds();
    release(&disk, &pod);
    eventually("the link to go", || !disk.link().exists());
    shell("kill $(busybox pidof systemd-udevd)");
}
