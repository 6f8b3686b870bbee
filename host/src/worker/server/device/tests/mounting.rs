use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::worker::TargetKind;
use crate::worker::server::target::{bind_mount, prepare_target, remove_target};

const READ: Access = Access::ReadOnly;
const WRITE: Access = Access::ReadWrite;

fn formatted(fs_type: &str) -> LoopDisk {
    let size = if fs_type == "xfs" { 320 } else { 16 };
    let disk = LoopDisk::new(size * MIB);
    disk.ensure(fs_type).expect("made");
    disk
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_is_mounted_once_and_asked_for_again() {
    for fs_type in ["ext4", "xfs"] {
        let (disk, place) = (formatted(fs_type), MountPoint::new());
        assert_eq!(place.mount(&disk, WRITE), Ok(Reply::Done));
        fs::write(place.directory().join("file"), "kept").expect("writable");
        assert_eq!(place.mount(&disk, WRITE), Ok(Reply::Done));
        let fault = place.mount(&disk, READ).expect_err("otherwise");
        assert_eq!(fault.kind, FaultKind::Exists, "{fault}");
        // Checking what is mounted is the kernel's business.
        assert_eq!(disk.ensure(fs_type), Ok(Reply::Done));
        umount2(&place.directory(), MntFlags::empty()).expect("only one mount");
        assert!(!place.directory().join("file").exists());
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn another_disk_at_the_target_is_named() {
    let (disk, other, place) = (formatted("ext4"), formatted("ext4"), MountPoint::new());
    place.mount(&other, WRITE).expect("mounted");
    let fault = place.mount(&disk, WRITE).expect_err("occupied");
    assert_eq!(fault.kind, FaultKind::Exists, "{fault}");
    assert!(fault.message.contains(other.node_text()), "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_mounted_for_reading_refuses_writes() {
    let (disk, place) = (formatted("ext4"), MountPoint::new());
    place.mount(&disk, READ).expect("mounted");
    assert!(fs::write(place.directory().join("file"), "no").is_err());
}

#[test]
#[ignore = "needs root: loop devices"]
fn options_reach_the_kernel() {
    let (disk, place) = (formatted("xfs"), MountPoint::new());
    let mount = |options: &[(&str, Option<&str>)]| {
        disk.on(DeviceOperation::Mount {
            target: place.directory(),
            options: options
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
                .collect(),
            access: WRITE,
            filesystems: vec!["xfs".into()],
        })
    };
    let fault = mount(&[("no-such-option", None)]).expect_err("unknown");
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    let options = [
        ("noatime", None),
        ("nouuid", None),
        ("logbsize", Some("64k")),
    ];
    assert_eq!(mount(&options), Ok(Reply::Done));
    let table = fs::read_to_string("/proc/self/mountinfo").expect("readable");
    let place = place.directory();
    let place = place.to_str().expect("a name");
    let line = table.lines().find(|line| line.contains(place));
    let line = line.expect("mounted");
    for option in ["noatime", "nouuid", "logbsize=64k"] {
        assert!(line.contains(option), "{line}");
    }
}

/// The words for the absence of a flag are none of the filesystem's.
#[test]
#[ignore = "needs root: loop devices"]
fn words_for_what_is_so_anyway_mount_a_disk() {
    for fs_type in ["ext4", "xfs"] {
        let (disk, place) = (formatted(fs_type), MountPoint::new());
        for word in ["atime", "diratime", "norelatime", "nolazytime", "_netdev"] {
            let mounted = disk.on(DeviceOperation::Mount {
                target: place.directory(),
                options: vec![(word.to_owned(), None)],
                access: WRITE,
                filesystems: vec![fs_type.into()],
            });
            assert_eq!(mounted, Ok(Reply::Done), "{fs_type} {word}");
            umount2(&place.directory(), MntFlags::empty()).expect("mounted");
        }
    }
}

/// Copies of a disk have its UUID.
#[test]
#[ignore = "needs root: loop devices"]
fn two_xfs_of_one_uuid_are_mounted_at_once() {
    let (disk, copy) = (formatted("xfs"), LoopDisk::new(320 * MIB));
    copy.write(0, &disk.bytes());
    let (place, other) = (MountPoint::new(), MountPoint::new());
    assert_eq!(place.mount(&disk, WRITE), Ok(Reply::Done));
    assert_eq!(other.mount(&copy, WRITE), Ok(Reply::Done));
}

#[test]
#[ignore = "needs root: loop devices"]
fn what_is_mounted_or_bound_is_recognised_by_the_disk_beneath() {
    let (disk, other, place) = (formatted("ext4"), formatted("ext4"), MountPoint::new());
    let compare =
        |disk: &LoopDisk, target, access| disk.on(DeviceOperation::Compare { target, access });
    let kind = |answer: Result<Reply, Fault>| answer.expect_err("no").kind;
    let (directory, file) = (place.directory(), place.file());
    let nothing = compare(&disk, directory.clone(), WRITE);
    assert_eq!(kind(nothing), FaultKind::NotFound);
    place.mount(&disk, WRITE).expect("mounted");
    disk.on(DeviceOperation::Bind {
        target: file.clone(),
        access: WRITE,
    })
    .expect("bound");
    for target in [directory, file] {
        assert_eq!(compare(&disk, target.clone(), WRITE), Ok(Reply::Done));
        let otherwise = compare(&disk, target.clone(), READ);
        assert_eq!(kind(otherwise), FaultKind::Exists);
        let another = compare(&other, target, WRITE);
        assert_eq!(kind(another), FaultKind::Exists);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn only_granted_filesystems_are_mounted() {
    let (disk, place) = (formatted("ext4"), MountPoint::new());
    let fault = disk.on(DeviceOperation::Mount {
        target: place.directory(),
        options: Vec::new(),
        access: WRITE,
        filesystems: vec!["xfs".into()],
    });
    assert_eq!(fault.expect_err("denied").kind, FaultKind::Denied);
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_blank_disk_is_not_mounted() {
    let (disk, place) = (LoopDisk::new(4 * MIB), MountPoint::new());
    let fault = place.mount(&disk, WRITE).expect_err("blank");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_symlink_is_no_target() {
    let (disk, place) = (formatted("ext4"), MountPoint::new());
    fs::remove_dir(place.directory()).expect("removed");
    symlink("/mnt", place.directory()).expect("linked");
    let fault = place.mount(&disk, WRITE).expect_err("a symlink");
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    fs::remove_file(place.directory()).expect("removed");
}

#[test]
#[ignore = "needs root: loop devices"]
fn the_raw_device_appears_at_a_file() {
    let (disk, place) = (LoopDisk::new(4 * MIB), MountPoint::new());
    let bind = |access| {
        disk.on(DeviceOperation::Bind {
            target: place.file(),
            access,
        })
    };
    assert_eq!(bind(WRITE), Ok(Reply::Done));
    assert_eq!(bind(WRITE), Ok(Reply::Done), "again");
    let metadata = fs::metadata(place.file()).expect("there");
    assert!(metadata.file_type().is_block_device());
    let node = fs::metadata(disk.node()).expect("there");
    assert_eq!(metadata.rdev(), node.rdev());
    assert_eq!(bind(READ).expect_err("otherwise").kind, FaultKind::Exists);
    umount2(&place.file(), MntFlags::empty()).expect("only one mount");
    assert!(fs::metadata(place.file()).expect("there").is_file());
    assert_eq!(bind(READ), Ok(Reply::Done));
    assert_eq!(bind(READ), Ok(Reply::Done), "again");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_raw_device_is_bound_onto_no_directory_and_over_no_other_device() {
    let (disk, other, place) = (
        LoopDisk::new(4 * MIB),
        LoopDisk::new(4 * MIB),
        MountPoint::new(),
    );
    let bind = |disk: &LoopDisk, target| {
        let access = WRITE;
        disk.on(DeviceOperation::Bind { target, access })
    };
    let fault = bind(&disk, place.directory()).expect_err("a directory");
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    bind(&other, place.file()).expect("bound");
    let fault = bind(&disk, place.file()).expect_err("occupied");
    assert_eq!(fault.kind, FaultKind::Exists, "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_staged_raw_device_is_bound_for_a_pod() {
    let (disk, staging, pod) = (LoopDisk::new(4 * MIB), MountPoint::new(), MountPoint::new());
    let staged = disk.on(DeviceOperation::Bind {
        target: staging.file(),
        access: WRITE,
    });
    assert_eq!(staged, Ok(Reply::Done));
    bind_mount(&staging.file(), &pod.file(), WRITE).expect("bound");
    let metadata = fs::metadata(pod.file()).expect("there");
    assert!(metadata.file_type().is_block_device());
    let fault = bind_mount(&staging.file(), &pod.directory(), WRITE).expect_err("a directory");
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
}

#[test]
fn a_target_for_a_device_is_an_empty_file_for_root_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("target");
    let (device, plain) = (TargetKind::Device, TargetKind::Directory);
    assert_eq!(prepare_target(&target, device), Ok(Reply::Created));
    assert_eq!(prepare_target(&target, device), Ok(Reply::Done));
    let metadata = fs::metadata(&target).expect("there");
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o177, 0);
    assert_eq!(
        prepare_target(&target, plain).expect_err("a file").kind,
        FaultKind::Invalid
    );
    assert_eq!(remove_target(&target), Ok(Reply::Done));
    assert_eq!(remove_target(&target), Ok(Reply::Done), "again");
    assert!(!target.exists());
}

#[test]
fn a_file_with_content_is_not_removed_as_a_target() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("target");
    fs::write(&target, "somebody's").expect("written");
    let fault = remove_target(&target).expect_err("not ours");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    let full = remove_target(directory.path()).expect_err("not empty");
    assert_eq!(full.kind, FaultKind::Precondition, "{full}");
    assert_eq!(fs::read_to_string(&target).expect("there"), "somebody's");
    let link = directory.path().join("link");
    symlink(&target, &link).expect("writable");
    let fault = remove_target(&link).expect_err("not ours");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    fs::create_dir(directory.path().join("directory")).expect("made");
    let directory = directory.path().join("directory");
    let fault = prepare_target(&directory, TargetKind::Device).expect_err("a directory");
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
}
