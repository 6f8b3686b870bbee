//! What a disk holds when it comes is kept, where the kernel mounts it as what may be mounted.

use super::*;

const WRITE: Access = Access::ReadWrite;

/// Made by somebody else.
fn holding(fs_type: &'static str, size: u64) -> LoopDisk {
    let disk = LoopDisk::new(size);
    let program = match fs_type {
        "ext2" => "mkfs.ext2",
        "ext3" => "mkfs.ext3",
        _ => "mkfs.xfs",
    };
    tool(program, &["-q", disk.node_text()]);
    disk
}

fn held(disk: &LoopDisk) -> String {
    match disk.inspect().expect("readable") {
        DeviceContent::Filesystem(name) => name,
        other @ (DeviceContent::Blank | DeviceContent::Other(_)) => panic!("it holds {other:?}"),
    }
}

fn shown_type(place: &MountPoint) -> String {
    let entry = crate::sys::mount_at(&place.directory());
    let entry = entry.expect("readable").expect("mounted");
    entry.fs_type.clone()
}

#[test]
#[ignore = "needs root: loop devices"]
fn ext2_and_ext3_are_mounted_as_ext4_and_stay_what_they_are() {
    for fs_type in ["ext2", "ext3"] {
        let (disk, place) = (holding(fs_type, 16 * MIB), MountPoint::new());
        for keep in [&["ext4"][..], &["ext4", "xfs"]] {
            let kept = disk.ensure_one_of("ext4", keep, WRITE);
            assert_eq!(kept, Ok(Reply::Done), "{fs_type}");
        }
        let mounted = place.mount_one_of(&disk, &["ext4", "xfs"], WRITE);
        assert_eq!(mounted, Ok(Reply::Done), "{fs_type}");
        assert_eq!(shown_type(&place), "ext4");
        fs::write(place.directory().join("file"), "kept").expect("writable");
        let again = place.mount_one_of(&disk, &["ext4", "xfs"], WRITE);
        assert_eq!(again, Ok(Reply::Done), "{fs_type}");
        drop(place);
        assert_eq!(held(&disk), fs_type);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn any_granted_filesystem_will_do_where_none_was_asked_for() {
    let (disk, place) = (holding("xfs", 320 * MIB), MountPoint::new());
    let kept = disk.ensure_one_of("ext4", &["ext4", "xfs"], WRITE);
    assert_eq!(kept, Ok(Reply::Done));
    let mounted = place.mount_one_of(&disk, &["ext4", "xfs"], WRITE);
    assert_eq!(mounted, Ok(Reply::Done));
    fs::write(place.directory().join("file"), "written").expect("writable");
    let blank = LoopDisk::new(16 * MIB);
    let made = blank.ensure_one_of("ext4", &["ext4", "xfs"], WRITE);
    assert_eq!(made, Ok(Reply::Done));
    assert_eq!(held(&blank), "ext4");
}

#[test]
#[ignore = "needs root: loop devices"]
fn another_filesystem_than_the_asked_one_is_left_alone() {
    for (fs_type, asked, size) in [
        ("xfs", "ext4", 320 * MIB),
        ("ext3", "xfs", 16 * MIB),
        ("ext3", "ext2", 16 * MIB),
    ] {
        let disk = holding(fs_type, size);
        let before = disk.bytes();
        let fault = disk.ensure(asked).expect_err("another");
        assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
        let words = format!("not {asked}: it holds {fs_type}");
        assert!(fault.message.contains(&words), "{fault}");
        assert!(disk.bytes() == before, "{fs_type} was written to");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_filesystem_that_is_not_granted_is_neither_checked_nor_mounted() {
    let (disk, place) = (holding("ext3", 16 * MIB), MountPoint::new());
    let before = disk.bytes();
    let fault = disk.ensure_one_of("xfs", &["xfs"], WRITE);
    assert_eq!(fault.expect_err("left").kind, FaultKind::Precondition);
    let fault = place.mount_one_of(&disk, &["xfs"], WRITE);
    assert_eq!(fault.expect_err("denied").kind, FaultKind::Denied);
    assert!(disk.bytes() == before, "it was written to");
}

#[test]
#[ignore = "needs root: loop devices"]
fn ext2_and_ext3_grow_as_ext4_does() {
    for fs_type in ["ext2", "ext3"] {
        let disk = holding(fs_type, 64 * MIB);
        disk.resize(128 * MIB);
        let grown = disk.grow();
        // It is mounted nowhere any more: only then can it be held exclusively.
        disk.while_held(|| ());
        if growing::grows_or_says_why(grown) {
            assert_eq!(disk.filesystem_bytes(), 128 * MIB, "{fs_type}");
        }
        assert_eq!(held(&disk), fs_type);
        assert_eq!(
            disk.ensure_one_of("ext4", &["ext4"], WRITE),
            Ok(Reply::Done)
        );
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn ext2_and_ext3_grow_where_they_are_mounted() {
    for fs_type in ["ext2", "ext3"] {
        let (disk, place) = (holding(fs_type, 64 * MIB), MountPoint::new());
        let mounted = place.mount_one_of(&disk, &["ext4"], WRITE);
        assert_eq!(mounted, Ok(Reply::Done));
        disk.resize(128 * MIB);
        let grown = growing::grow_mounted(&place.directory(), Some(128 * MIB));
        let grown = growing::grows_or_says_why(grown);
        drop(place);
        if grown {
            assert_eq!(disk.filesystem_bytes(), 128 * MIB, "{fs_type}");
        }
    }
}
