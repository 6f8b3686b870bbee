//! Mount options as users write them: read as mount(8) reads them, and held against what was granted.

use std::fs;
use std::path::Path;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto, volume_capability::AccessType};
use drivebay_tests::{Cloud, Csi, CsiVolume, Node, mounted_as, repository};
use tonic::Code;

/// What the shipped file of the disk driver grants.
fn shipped_options() -> String {
    let file = repository().join("deploy/drivers.d/alicloud-disk.toml");
    let text = fs::read_to_string(file).expect("shipped");
    let begin = text.find("mount-options = [").expect("it grants some");
    let end = text[begin..].find("]\n").expect("the list ends");
    text[begin..=begin + end].to_owned()
}

/// A node with the driver that has these options.
fn node_granting(cloud: &Cloud, options: &str) -> (Node, Csi) {
    let grants = cloud.grants(&cloud.key_in_files());
    let all = "mount-options = [\"noatime\", \"nouuid\", \"discard\"]";
    assert!(grants.contains(all), "{grants}");
    let node = Node::with_disk_grants(&grants.replace(all, options));
    let csi = node.serve("alicloud-disk");
    (node, csi)
}

fn with(flags: &[&str]) -> proto::VolumeCapability {
    let mut capability = mounted_as("ext4", Mode::SingleNodeMultiWriter);
    if let Some(AccessType::Mount(mount)) = &mut capability.access_type {
        mount.mount_flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    }
    capability
}

/// How the kernel shows what was staged: `rw,noatime`.
fn shown(volume: &CsiVolume<'_>) -> String {
    let lines = Node::mount_lines_beneath(&volume.staging());
    let line = lines.first().expect("staged");
    line.split(' ').nth(2).expect("its options").to_owned()
}

#[test]
fn words_that_every_filesystem_knows_are_read_as_mount_reads_them() {
    let cloud = Cloud::start();
    let (node, csi) = node_granting(&cloud, &shipped_options());
    let mut disk = CsiVolume::disk(&csi, &node, "pvc-1");
    disk.attach().expect("attached");
    for (flags, options) in [
        (&["rw", "noatime"][..], "rw,noatime"),
        (&["noatime", "_netdev"], "rw,noatime"),
        (&["defaults"], "rw,relatime"),
        (&["noatime,nodiratime"], "rw,noatime,nodiratime"),
        (&["norelatime", "atime", "diratime"], "rw,relatime"),
        (&["nosuid", "noexec,exec", "x-mine=1"], "rw,nosuid,relatime"),
        (&["user"], "rw,nosuid,nodev,noexec,relatime"),
        (&["ro", "noatime"], "ro,noatime"),
    ] {
        let volume = disk.used_as(with(flags));
        volume.stage().expect("staged");
        assert_eq!(shown(&volume), options, "{flags:?}");
        volume.unstage().expect("unstaged");
    }
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    node.is_clean();
}

#[test]
fn what_is_not_granted_is_refused_by_name_wherever_it_stands() {
    let cloud = Cloud::start();
    let (node, csi) = node_granting(&cloud, "mount-options = [\"noatime\", \"data=ordered\"]");
    let mut disk = CsiVolume::disk(&csi, &node, "pvc-1");
    disk.attach().expect("attached");
    for (flags, words) in [
        (&["noatime,lazytime"][..], "mount option \"lazytime\""),
        (&["rw", "nosuid"], "lacks \"nosuid\""),
        (&["suid=1"], "mount option \"suid\""),
        (&["defaults,remount"], "mount option \"remount\""),
        (
            &["data=writeback"],
            "mount option \"data=writeback\" is not granted (grants.block-devices.mount-options has \"data=ordered\")",
        ),
    ] {
        let refused = disk.used_as(with(flags)).stage().expect_err("refused");
        assert_eq!(refused.code(), Code::PermissionDenied, "{flags:?}");
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    let granted = disk.used_as(with(&["data=ordered", "noatime"]));
    granted.stage().expect("staged");
    granted.unstage().expect("unstaged");
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    node.is_clean();
}

/// As kubelet writes it, where a CSIDriver says seLinuxMount.
#[test]
fn a_label_is_granted_by_itself_and_goes_to_the_kernel_in_one_piece() {
    let cloud = Cloud::start();
    let label = |categories: &str| format!("system_u:object_r:container_file_t:s0:{categories}");
    let option = |categories: &str| format!("context=\"{}\"", label(categories));
    let granted = format!("mount-options = [\"context={}\"]", label("c1,c2"));
    let (node, csi) = node_granting(&cloud, &granted);
    let mut disk = CsiVolume::disk(&csi, &node, "pvc-1");
    disk.attach().expect("attached");
    let stage = |option: &str| disk.used_as(with(&[option])).stage();
    let other = stage(&option("c3,c4")).expect_err("another label");
    assert_eq!(other.code(), Code::PermissionDenied, "{other:?}");
    assert!(other.message().contains(&label("c1,c2")), "{other:?}");
    match Path::new("/sys/fs/selinux/status").exists() {
        true => {
            stage(&option("c1,c2")).expect("this machine has SELinux");
            disk.unstage().expect("unstaged");
        }
        false => {
            let refused = stage(&option("c1,c2")).expect_err("this machine has no SELinux");
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            for words in [label("c1,c2").as_str(), "this node has no SELinux"] {
                assert!(refused.message().contains(words), "{refused:?}");
            }
        }
    }
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
    node.is_clean();
}

/// Also where the option says it alone: what is asked for read-only is not written to.
#[test]
fn a_blank_disk_with_ro_among_its_options_is_not_formatted() {
    let cloud = Cloud::start();
    let (node, csi) = node_granting(&cloud, &shipped_options());
    let mut disk = CsiVolume::disk(&csi, &node, "pvc-1");
    disk.attach().expect("attached");
    for flags in [&["ro"][..], &["rw,ro"]] {
        let refused = disk.used_as(with(flags)).stage().expect_err("refused");
        assert_eq!(refused.code(), Code::FailedPrecondition, "{flags:?}");
    }
    let reader = proto::VolumeCapability {
        access_mode: mounted_as("", Mode::SingleNodeReaderOnly).access_mode,
        ..with(&["rw"])
    };
    let refused = disk.used_as(reader).stage().expect_err("refused");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let head = cloud.head(&disk.id, 1 << 16);
    assert!(head.iter().all(|byte| *byte == 0), "it was written to");
    disk.detach().expect("detached");
    disk.delete().expect("deleted");
}

#[test]
fn a_granted_word_that_looks_misspelt_fails_the_check_and_stops_nothing() {
    let cloud = Cloud::start_with(&["--devices", "none"]);
    let (node, _csi) = node_granting(&cloud, "mount-options = [\"noatme\"]");
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    let file = node.path("etc/drivers.d/alicloud-disk.toml");
    assert!(said.contains(&*file.to_string_lossy()), "{said}");
    assert!(
        said.contains("grants.block-devices.mount-options has \"noatme\"")
            && said.contains("did you mean \"noatime\"?"),
        "{said}"
    );
}

#[test]
fn the_shipped_files_grant_nothing_that_looks_misspelt() {
    let node = Node::empty();
    for driver in ["nfs", "alicloud-disk"] {
        let file = repository().join(format!("deploy/drivers.d/{driver}.toml"));
        node.add_driver(driver, &fs::read_to_string(file).expect("shipped"));
        node.install(&[&drivebay_tests::guest(driver)]);
    }
    let output = node.drivebay(&["check"]).output().expect("drivebay runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("did you mean"), "{said}");
    assert!(output.status.success(), "{said}");
}
