use super::*;

pub(super) fn grow_mounted(place: &Path, at_least_bytes: Option<u64>) -> Result<Reply, Fault> {
    let request = DeviceRequest::GrowMounted {
        mount_point: place.to_owned(),
        at_least_bytes,
    };
    ask(&request, Path::new("/no/notes"))
}

/// Where ext cannot be grown at all, the refusal has to say what is missing. The VM has what this machine
/// may lack.
pub(super) fn grows_or_says_why(grown: Result<Reply, Fault>) -> bool {
    match grown {
        Ok(_) => true,
        Err(fault) if !may_grow_ext() => {
            assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
            assert!(fault.message.contains("CAP_SYS_RESOURCE"), "{fault}");
            false
        }
        Err(fault) => panic!("not grown: {fault}"),
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn filesystems_grow_before_they_are_mounted() {
    for fs_type in ["ext4", "xfs"] {
        let disk = LoopDisk::new(320 * MIB);
        disk.ensure(fs_type).expect("made");
        assert_eq!(disk.grow(), Ok(Reply::Done), "nothing to do");
        assert_eq!(disk.filesystem_bytes(), 320 * MIB);
        disk.resize(640 * MIB);
        let grown = disk.grow();
        // It is mounted nowhere any more: only then can it be held exclusively.
        disk.while_held(|| ());
        assert_eq!(disk.ensure(fs_type), Ok(Reply::Done));
        if fs_type == "xfs" {
            assert_eq!(grown, Ok(Reply::Done));
        } else if !grows_or_says_why(grown) {
            continue;
        }
        assert_eq!(disk.filesystem_bytes(), 640 * MIB, "{fs_type}");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_filesystem_that_is_mounted_elsewhere_can_be_grown_from_its_device() {
    let disk = LoopDisk::new(64 * MIB);
    disk.ensure("ext4").expect("made");
    let place = MountPoint::new();
    place.mount(&disk, Access::ReadWrite).expect("mounted");
    disk.resize(128 * MIB);
    let grown = grows_or_says_why(disk.grow());
    drop(place);
    if grown {
        assert_eq!(disk.filesystem_bytes(), 128 * MIB);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn filesystems_grow_where_they_are_mounted() {
    for fs_type in ["ext4", "xfs"] {
        let disk = LoopDisk::new(320 * MIB);
        disk.ensure(fs_type).expect("made");
        let place = MountPoint::new();
        place.mount(&disk, Access::ReadWrite).expect("mounted");
        let early = grow_mounted(&place.directory(), Some(640 * MIB));
        assert_eq!(early, Ok(Reply::Device(DeviceReply::Size(320 * MIB))));
        disk.resize(640 * MIB);
        let grown = grow_mounted(&place.directory(), Some(640 * MIB));
        if fs_type == "ext4" && !grows_or_says_why(grown.clone()) {
            continue;
        }
        assert_eq!(grown, Ok(Reply::Device(DeviceReply::Size(640 * MIB))));
        let again = grow_mounted(&place.directory(), Some(640 * MIB));
        assert_eq!(again, grown);
        drop(place);
        assert_eq!(disk.filesystem_bytes(), 640 * MIB, "{fs_type}");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_raw_device_has_nothing_to_grow_but_its_size_is_told() {
    let disk = LoopDisk::new(4 * MIB);
    let place = MountPoint::new();
    let bound = disk.on(DeviceOperation::Bind {
        target: place.file(),
        access: Access::ReadWrite,
    });
    assert_eq!(bound, Ok(Reply::Done));
    let early = grow_mounted(&place.file(), Some(8 * MIB));
    assert_eq!(early, Ok(Reply::Device(DeviceReply::Size(4 * MIB))));
    disk.resize(8 * MIB);
    assert_eq!(
        grow_mounted(&place.file(), Some(8 * MIB)),
        Ok(Reply::Device(DeviceReply::Size(8 * MIB)))
    );
}

#[test]
#[ignore = "needs root: loop devices"]
fn what_cannot_be_grown_is_named() {
    let fault = grow_mounted(Path::new("/proc"), None).expect_err("no disk");
    assert_eq!(fault.kind, FaultKind::Unsupported, "{fault}");
    let directory = tempfile::tempdir().expect("a directory");
    let fault = grow_mounted(directory.path(), None).expect_err("not mounted");
    assert_eq!(fault.kind, FaultKind::NotFound, "{fault}");
    let disk = LoopDisk::new(4 * MIB);
    let fault = disk.grow().expect_err("blank");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
}
