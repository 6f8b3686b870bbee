//! Mounts that are in place and yet are not what was put there: filesystems that the kernel gave up. A repeated call
//! looks at the thing itself; it is mounted anew where nobody uses it, and never exchanged beneath a pod.

use std::fs;
use std::path::Path;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Cloud, CsiVolume, Disk, Node, Site, mounted_as, refused, text};
use nix::mount::{MsFlags, mount};
use tonic::Code;

/// A disk whose filesystem will be of that type.
#[track_caller]
fn disk_with<'a>(site: &'a Site, fs_type: &str) -> CsiVolume<'a> {
    let disk = site.disk("pvc-1");
    disk.used_as(mounted_as(fs_type, Mode::SingleNodeMultiWriter))
}

fn remount(point: &Path, flags: MsFlags, options: &str) {
    let none = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | flags;
    mount(none, point, none, flags, Some(options)).expect("ours");
}

/// An error that the kernel finds, after which it lets nobody write.
fn meets_an_error(point: &Path) {
    remount(point, MsFlags::empty(), "errors=remount-ro");
    let lines = Node::mount_lines_beneath(point);
    let words = lines.first().expect("mounted").split(' ');
    let source = words.skip_while(|word| *word != "-").nth(2);
    let name = source.and_then(|source| source.strip_prefix("/dev/"));
    let file = format!("/sys/fs/ext4/{}/trigger_fs_error", name.expect("a device"));
    fs::write(file, "for a test").expect("ext4 has it");
}

/// What older kernels do after an error, and what people do.
fn turns_read_only(point: &Path) {
    remount(point, MsFlags::MS_RDONLY, "");
}

fn shuts_down(point: &Path) {
    let output = Node::run("xfs_io", &["-x", "-c", "shutdown", text(point)]);
    assert!(output.status.success(), "{output:?}");
}

fn is_writable(directory: &Path) -> bool {
    let file = directory.join("probe");
    fs::write(&file, "x").is_ok() && fs::remove_file(file).is_ok()
}

/// What brings a filesystem, mounted there, to its end.
type End = fn(&Path);

/// How a filesystem of that type ends.
const ENDS: [(&str, End); 3] = [
    ("ext4", meets_an_error),
    ("ext4", turns_read_only),
    ("xfs", shuts_down),
];

#[test]
fn a_dead_filesystem_is_refused_while_a_pod_has_it_and_mounted_anew_when_it_is_gone() {
    let site = Site::new();
    for (fs_type, ends) in ENDS {
        let disk = disk_with(&site, fs_type).in_use("pod-1");
        fs::write(disk.target("pod-1").join("hello"), "kept").expect("writable");
        // What was not written yet is lost with a filesystem.
        let synced = Node::run("sync", &["-f", text(&disk.staging())]);
        assert!(synced.status.success(), "{synced:?}");
        ends(&disk.staging());
        assert!(!is_writable(&disk.target("pod-1")));
        for (call, answer) in [
            ("to a new pod", disk.publish("pod-2")),
            ("to the same pod", disk.publish("pod-1")),
            ("staged again", disk.stage()),
        ] {
            let message = refused(answer, Code::FailedPrecondition);
            let target = disk.target("pod-1");
            for words in [text(&target), "unstage", "delete the pod"] {
                assert!(message.contains(words), "{call}: {message}");
            }
        }
        assert!(!disk.target("pod-2").exists(), "made and left behind");
        disk.unpublish("pod-1").expect("unpublished");
        disk.stage().expect("mounted anew");
        disk.publish("pod-2").expect("published");
        assert!(is_writable(&disk.target("pod-2")), "{fs_type}");
        let kept = fs::read_to_string(disk.target("pod-2").join("hello"));
        assert_eq!(kept.expect("there"), "kept");
        disk.release("pod-2");
    }
    site.is_clean();
}

#[test]
fn callers_that_staged_already_and_only_publish_get_a_filesystem_that_was_mounted_anew() {
    let site = Site::new();
    for (fs_type, ends) in ENDS {
        let disk = disk_with(&site, fs_type).in_use("pod-1");
        ends(&disk.staging());
        disk.unpublish("pod-1").expect("unpublished");
        disk.publish("pod-2").expect("published");
        assert!(is_writable(&disk.target("pod-2")), "{fs_type}");
        disk.publish("pod-2").expect("again");
        disk.stage().expect("again");
        disk.release("pod-2");
    }
    site.is_clean();
}

#[test]
fn a_dead_staging_is_mounted_anew_also_for_another_use() {
    let site = Site::new();
    for (fs_type, ends) in ENDS {
        let disk = disk_with(&site, fs_type).in_use("pod-1");
        let reading = disk.used_as(mounted_as(fs_type, Mode::MultiNodeReaderOnly));
        let status = reading.stage().expect_err("staged otherwise, and alive");
        assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
        ends(&disk.staging());
        let message = refused(reading.stage(), Code::FailedPrecondition);
        assert!(message.contains(text(&disk.target("pod-1"))), "{message}");
        disk.unpublish("pod-1").expect("unpublished");
        reading.stage().expect("mounted anew");
        reading.publish("pod-2").expect("published");
        reading.release("pod-2");
    }
    site.is_clean();
}

#[test]
fn a_mount_that_the_journal_does_not_know_counts_as_use_too() {
    let site = Site::new();
    let disk = disk_with(&site, "ext4").in_use("pod-1");
    turns_read_only(&disk.staging());
    let elsewhere = site.node.pod("elsewhere");
    let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
    mount(Some(&disk.staging()), &elsewhere, none, bind, none).expect("root");
    disk.unpublish("pod-1").expect("unpublished");
    for answer in [disk.publish("pod-2"), disk.stage()] {
        let message = refused(answer, Code::FailedPrecondition);
        assert!(message.contains(text(&elsewhere)), "{message}");
    }
    nix::mount::umount(&elsewhere).expect("ours");
    disk.publish("pod-2").expect("published");
    assert!(is_writable(&disk.target("pod-2")));
    disk.release("pod-2");
    site.is_clean();
}

#[test]
fn what_is_read_only_because_it_was_asked_for_is_left_alone() {
    let site = Site::new();
    let disk = disk_with(&site, "ext4").in_use("pod-1");
    let mut reading = disk.publishing("pod-2");
    reading.readonly = true;
    for _ in 0..2 {
        let answer = site.csi.node_publish_volume(reading.clone());
        answer.expect("published");
    }
    disk.unpublish("pod-2").expect("unpublished");
    disk.release("pod-1");
    site.is_clean();
}

#[test]
fn flexvolume_refuses_and_mounts_anew_as_csi_does() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let (web, report) = (node.pod("web"), node.pod("report"));
    disk.mount(&web).succeeds();
    meets_an_error(&disk.staging());
    disk.mount(&report).fails_with(text(&web));
    disk.mount(&web).fails_with("read-only");
    disk.unmount(&web).succeeds();
    disk.mount(&report).succeeds();
    assert!(is_writable(&report));
    disk.release(&report);
    node.is_clean();
}

#[test]
fn where_the_first_mount_attaches_a_dead_filesystem_is_attached_and_mounted_anew() {
    let cloud = Cloud::start();
    let line = "flexvolume = \"alicloud/disk\"";
    let grants = cloud.grants(&cloud.key_in_files());
    let grants = grants.replace(line, &format!("{line}\nflexvolume-attach = \"on-mount\""));
    let node = Node::with_disk_grants(&grants);
    let disk = Disk::made(&node, "pvc-1");
    let (web, report) = (node.pod("web"), node.pod("report"));
    disk.mount(&web).succeeds();
    meets_an_error(&web);
    for pod in [&report, &web] {
        disk.mount(pod).fails_with(text(&web));
    }
    Node::holds_one_mount(&web);
    disk.unmount(&web).succeeds();
    disk.mount(&report).succeeds();
    assert!(is_writable(&report));
    disk.unmount(&report).succeeds();
    node.is_clean();
}
