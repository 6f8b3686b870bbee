use super::*;

/// Too small for xfs: mkfs.xfs would refuse it anyway, but must not even be asked.
const SMALL: u64 = 16 * MIB;

/// Whatever is asked for, the disk stays as it is, and the refusal says what is on it.
fn assert_left_alone(disk: &LoopDisk, named: &str) {
    let before = disk.bytes();
    for fs_type in ["ext4", "xfs"] {
        let fault = disk.ensure(fs_type).expect_err(named);
        assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
        assert!(fault.message.contains(named), "{fault}");
        assert!(fault.message.contains("left alone"), "{fault}");
    }
    assert!(disk.bytes() == before, "{named} was changed");
    assert!(!disk.notes().exists(), "nothing was intended");
}

#[test]
#[ignore = "needs root: loop devices"]
fn blank_disks_get_the_filesystem_that_is_asked_for() {
    for fs_type in ["ext2", "ext3", "ext4", "xfs"] {
        let disk = LoopDisk::new(320 * MIB);
        assert_eq!(disk.inspect(), Ok(DeviceContent::Blank));
        assert_eq!(disk.ensure(fs_type), Ok(Reply::Done));
        assert_eq!(
            disk.inspect(),
            Ok(DeviceContent::Filesystem(fs_type.into()))
        );
        let made = disk.bytes();
        assert_eq!(disk.ensure(fs_type), Ok(Reply::Done), "again");
        // e2fsck notes when it was there; nothing else changes.
        assert!(made[1 << 20..] == disk.bytes()[1 << 20..]);
        let notes = fs::read_dir(disk.notes()).expect("made").count();
        assert_eq!(notes, 0, "the intent is forgotten");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn signatures_of_others_keep_a_disk_from_being_formatted() {
    for (at, magic, named) in [
        (0, &b"LUKS\xba\xbe\x00\x02"[..], "crypto_LUKS"),
        (512, b"LABELONE\x01", "LVM2_member"),
        (4086, b"SWAPSPACE2", "swap"),
        (0x8001, b"CD001\x01", "iso9660"),
        (0x10040, b"_BHRfS_M", "btrfs"),
        (4096, b"\xfc\x4e\x2b\xa9", "linux_raid_member"),
        (SMALL - 8192, b"\xfc\x4e\x2b\xa9", "linux_raid_member"),
    ] {
        let disk = LoopDisk::new(SMALL);
        disk.write(at, magic);
        assert_left_alone(&disk, named);
        assert_eq!(disk.inspect(), Ok(DeviceContent::Other(named.into())));
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn what_real_tools_made_keeps_a_disk_from_being_formatted() {
    let disk = LoopDisk::new(SMALL);
    tool("mkswap", &[disk.node_text()]);
    assert_left_alone(&disk, "swap");
    for label in ["gpt", "dos"] {
        let disk = LoopDisk::new(SMALL);
        disk.partition(label, &["8M"]);
        assert_left_alone(&disk, label);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn another_filesystem_is_never_replaced() {
    let disk = LoopDisk::new(320 * MIB);
    disk.ensure("xfs").expect("made");
    let before = disk.bytes();
    let fault = disk.ensure("ext4").expect_err("xfs is there");
    assert_eq!(fault.kind, FaultKind::Precondition);
    assert!(fault.message.contains("it holds xfs"), "{fault}");
    assert!(disk.bytes() == before);
    let disk = LoopDisk::new(SMALL);
    disk.ensure("ext4").expect("made");
    let fault = disk.ensure("xfs").expect_err("ext4 is there");
    assert!(fault.message.contains("it holds ext4"), "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn one_byte_in_either_margin_or_on_a_sampled_place_is_enough() {
    let size = 256 * MIB;
    for at in [
        0,
        1,
        MIB - 1,
        8 * MIB,
        64 * MIB,
        128 * MIB,
        size - MIB,
        size - 1,
    ] {
        let disk = LoopDisk::new(size);
        disk.write(at, &[1]);
        let fault = disk.ensure("ext4").expect_err("not blank");
        assert_eq!(fault.kind, FaultKind::Precondition, "byte {at}: {fault}");
        assert!(fault.message.contains("data of an unknown kind"), "{fault}");
        assert_eq!(disk.bytes()[usize::try_from(at).expect("small")], 1);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_that_cannot_be_read_is_never_blank() {
    // The kernel gives EIO for what lies behind the end of a loop device's file.
    for left in [SMALL - MIB / 2, SMALL / 2, 0] {
        let disk = LoopDisk::new(SMALL);
        let file = OpenOptions::new().write(true).open(disk.backing());
        file.expect("open").set_len(left).expect("cut");
        for fault in [
            disk.ensure("ext4").expect_err("unreadable"),
            disk.inspect().expect_err("unreadable"),
        ] {
            assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
            assert!(fault.message.contains("cannot read device"), "{fault}");
        }
        assert_eq!(disk.bytes().len() as u64, left, "nothing was written");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_that_is_too_small_to_be_judged_is_refused() {
    let disk = LoopDisk::new(2 * MIB);
    let fault = disk.ensure("ext4").expect_err("too small");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_that_somebody_uses_is_not_formatted() {
    let disk = LoopDisk::new(SMALL);
    disk.while_held(|| {
        let fault = disk.ensure("ext4").expect_err("in use");
        assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
        assert!(fault.message.contains("somebody uses it"), "{fault}");
        assert_eq!(disk.inspect(), Ok(DeviceContent::Blank));
    });
    assert_eq!(disk.ensure("ext4"), Ok(Reply::Done));
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_of_another_size_is_not_formatted() {
    let disk = LoopDisk::new(SMALL);
    let wanted = WantedDevice {
        size_bytes: Some(SMALL + 512),
        ..disk.wanted()
    };
    let operation = DeviceOperation::EnsureFilesystem {
        make: "ext4".into(),
        keep: vec!["ext4".into()],
        options: Vec::new(),
        access: Access::ReadWrite,
    };
    let request = DeviceRequest::On { wanted, operation };
    let fault = ask(&request, &disk.notes()).expect_err("another size");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    for size in [SMALL, SMALL + 512] {
        assert!(fault.message.contains(&size.to_string()), "{fault}");
    }
    assert_eq!(disk.inspect(), Ok(DeviceContent::Blank));
}

#[test]
#[ignore = "needs root: loop devices"]
fn reading_alone_formats_and_repairs_nothing() {
    let disk = LoopDisk::new(SMALL);
    let read = Access::ReadOnly;
    let fault = disk.ensure_with("ext4", read).expect_err("blank");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert_eq!(disk.inspect(), Ok(DeviceContent::Blank));
    disk.ensure("ext4").expect("made");
    break_filesystem(&disk);
    let before = disk.bytes();
    assert_eq!(disk.ensure_with("ext4", read), Ok(Reply::Done));
    assert!(disk.bytes() == before);
}

/// Takes the root directory away, and says that there were errors.
fn break_filesystem(disk: &LoopDisk) {
    for command in ["clri <2>", "set_super_value state 2"] {
        tool("debugfs", &["-w", "-R", command, disk.node_text()]);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_filesystem_that_needs_a_person_is_refused_and_named() {
    let disk = LoopDisk::new(SMALL);
    disk.ensure("ext4").expect("made");
    break_filesystem(&disk);
    let fault = disk.ensure("ext4").expect_err("broken");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert!(fault.message.contains("by hand"), "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_filesystem_that_repairs_itself_is_repaired() {
    let disk = LoopDisk::new(SMALL);
    disk.ensure("ext4").expect("made");
    for command in [
        "set_super_value free_blocks_count 7",
        "set_super_value state 2",
    ] {
        tool("debugfs", &["-w", "-R", command, disk.node_text()]);
    }
    assert_eq!(disk.ensure("ext4"), Ok(Reply::Done));
    tool("e2fsck", &["-f", "-n", disk.node_text()]);
}

#[test]
#[ignore = "needs root: loop devices"]
fn options_reach_mkfs_and_its_complaints_come_back() {
    let disk = LoopDisk::new(SMALL);
    let ensure = |options: &[&str]| {
        disk.on(DeviceOperation::EnsureFilesystem {
            make: "ext4".into(),
            keep: vec!["ext4".into()],
            options: options.iter().map(|word| (*word).to_owned()).collect(),
            access: Access::ReadWrite,
        })
    };
    let fault = ensure(&["-b", "1000"]).expect_err("no such block size");
    assert!(fault.message.contains("mkfs.ext4 failed"), "{fault}");
    assert!(fault.message.contains("block size"), "{fault}");
    assert_eq!(ensure(&["-b", "1024", "-L", "named"]), Ok(Reply::Done));
    assert_eq!(
        tool(
            "blkid",
            &["-p", "-o", "value", "-s", "LABEL", disk.node_text()]
        ),
        "named"
    );
}
