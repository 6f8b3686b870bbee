//! SELinux's labels, as kubelet hands them on: on a kernel that was started with SELinux, in a boot of these tests' own.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use drivebay_tests::csi_proto::volume_capability::AccessType;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto};
use drivebay_tests::{Cloud, CsiVolume, Node, mounted_as, repository};

use crate::lab::{FILER, shell};
use crate::pod::Pod;

/// As kubelet writes it: in double quotes, because of its comma.
fn context(categories: &str) -> String {
    format!("context=\"system_u:object_r:container_file_t:s0:{categories}\"")
}

/// Mounts the share with that label, for a pod of that name.
fn mount(pod: &Pod, label: &str) -> drivebay_tests::Answer {
    pod.mount(&[
        ("server", FILER),
        ("share", "/alpha"),
        ("mountOptions", label),
    ])
}

/// Gives the kernel a policy; what it answered to a label before it had one. Once for all tests: it cannot be taken back.
fn policy() -> &'static str {
    static BEFORE: OnceLock<String> = OnceLock::new();
    BEFORE.get_or_init(|| {
        shell("mount -t selinuxfs selinuxfs /sys/fs/selinux");
        let pod = Pod::new("too-early");
        let refused = mount(&pod, &context("c1,c2"));
        shell("secilc --policyvers=31 --output=/run/policy --filecontext=/run/file_contexts tests/vm/labels.cil");
        let policy = fs::read("/run/policy").expect("compiled");
        fs::write("/sys/fs/selinux/load", policy).expect("the kernel takes it");
        refused.text
    })
}

/// What the kernel shows of the mounts at a path.
fn shown(path: &Path) -> String {
    Node::mount_lines_beneath(path).join("\n")
}

#[test]
#[ignore = "needs the VM's SELinux"]
fn pods_have_one_share_with_labels_of_their_own_once_there_is_a_policy() {
    crate::lab::node();
    let before = policy();
    assert!(before.contains("has loaded no policy"), "{before}");
    let pods = [(Pod::new("one"), "c1,c2"), (Pod::new("two"), "c3,c4")];
    for (pod, categories) in &pods {
        mount(pod, &context(categories)).succeeds();
    }
    for (pod, categories) in &pods {
        let shown = shown(&pod.directory);
        assert!(shown.contains(&context(categories)), "{shown}");
    }
    // What is unknown to the policy is named as such.
    let unknown = Pod::new("unknown");
    mount(&unknown, "context=system_u:object_r:nobody_t:s0").fails_with("may not know the label");
    for (pod, _) in &pods {
        pod.unmount().succeeds();
    }
}

#[test]
#[ignore = "needs the VM's SELinux"]
fn a_disk_and_its_binds_have_the_label_that_it_was_staged_with() {
    crate::lab::node();
    policy();
    shell("modprobe -a virtio_blk ext4 xfs");
    let target = repository().join("target");
    let backing = format!("{0}={0}", target.display());
    let cloud = Cloud::start_with(&["--devices", "qemu", "--backing", &backing]);
    let grants = cloud.grants(&cloud.key_in_files());
    let options = "mount-options = [";
    let node = Node::with_disk_grants(&grants.replace(options, &format!("{options}\"context\", ")));
    let csi = node.serve("alicloud-disk");
    for fs_type in ["ext4", "xfs"] {
        let mut capability: proto::VolumeCapability =
            mounted_as(fs_type, Mode::SingleNodeMultiWriter);
        if let Some(AccessType::Mount(mount)) = &mut capability.access_type {
            mount.mount_flags = vec![context("c1,c2")];
        }
        let disk = CsiVolume::disk(&csi, &node, fs_type).used_as(capability);
        let disk = disk.in_use("pod-1");
        for path in [disk.staging(), disk.target("pod-1")] {
            let shown = shown(&path);
            assert!(shown.contains(&context("c1,c2")), "{shown}");
        }
        disk.publish("pod-1").expect("again");
        disk.release("pod-1");
    }
    node.is_clean();
}
