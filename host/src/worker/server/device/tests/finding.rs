use std::os::unix::fs::symlink;

use super::*;

/// A link in /dev/disk/by-id; gone at the end.
struct Link(PathBuf);

impl Link {
    fn new(name: &str, to: &Path) -> Self {
        // Another test may be taking the empty directory away.
        let _alone = alone();
        fs::create_dir_all(find::BY_ID).expect("made");
        let path = Path::new(find::BY_ID).join(name);
        symlink(to, &path).expect("linked");
        Self(path)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _alone = alone();
        let _ = fs::remove_file(&self.0);
        // Only where udev made none, so that they are empty.
        let _ = fs::remove_dir(find::BY_ID);
        let _ = fs::remove_dir("/dev/disk");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_is_found_without_any_link() {
    let disk = LoopDisk::new(4 * MIB);
    assert_eq!(find(disk.wanted()), Ok(DeviceReply::Found));
    assert_eq!(
        disk.on(DeviceOperation::Size),
        Ok(Reply::Device(DeviceReply::Size(4 * MIB)))
    );
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_is_found_again_under_another_name() {
    let mut disk = LoopDisk::new(4 * MIB);
    let first = disk.node().to_owned();
    disk.detach();
    // Takes the lowest number, which was the disk's.
    let others: Vec<LoopDisk> = (0..3).map(|_| LoopDisk::new(4 * MIB)).collect();
    disk.attach();
    assert_ne!(disk.node(), first);
    assert_eq!(find(disk.wanted()), Ok(DeviceReply::Found));
    drop(others);
}

#[test]
#[ignore = "needs root: loop devices"]
fn another_serial_is_another_disk() {
    let disk = LoopDisk::new(4 * MIB);
    let shorter = &disk.serial[..disk.serial.len() - 1];
    for serial in [shorter, &format!("{}0", disk.serial)] {
        let fault = find(wanted(serial, "loop-")).expect_err("not here");
        assert_eq!(fault.kind, FaultKind::NotFound, "{fault}");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_loop_device_behind_the_link_of_a_disk_is_not_seen() {
    let disk = LoopDisk::new(4 * MIB);
    let name = format!("virtio-{}", disk.serial);
    let _link = Link::new(&name, disk.node());
    let found = find(wanted(&disk.serial, "virtio-")).expect("looked");
    assert_eq!(
        found,
        DeviceReply::NotGranted {
            name: format!("loop-{}", disk.serial)
        }
    );
    let operation = DeviceOperation::Inspect;
    let wanted = wanted(&disk.serial, "virtio-");
    let request = DeviceRequest::On { wanted, operation };
    let fault = ask(&request, Path::new("/no/notes")).expect_err("denied");
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_link_that_leads_to_another_disk_is_not_believed() {
    let other = LoopDisk::new(4 * MIB);
    let serial = new_serial();
    let _link = Link::new(&format!("loop-{serial}"), other.node());
    let fault = find(wanted(&serial, "loop-")).expect_err("a lie");
    assert_eq!(fault.kind, FaultKind::NotFound, "{fault}");
    let truth = format!("whose serial is {:?}", other.serial);
    assert!(fault.message.contains(&truth), "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_link_that_lies_does_not_hide_the_disk_itself() {
    let (disk, other) = (LoopDisk::new(4 * MIB), LoopDisk::new(4 * MIB));
    let _link = Link::new(&format!("loop-{}", disk.serial), other.node());
    disk.ensure("ext4").expect("made");
    assert_eq!(other.inspect(), Ok(DeviceContent::Blank));
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_link_to_something_that_is_no_disk_is_not_opened() {
    let serial = new_serial();
    let _link = Link::new(&format!("loop-{serial}"), Path::new("/dev/null"));
    let fault = find(wanted(&serial, "loop-")).expect_err("no disk");
    assert_eq!(fault.kind, FaultKind::NotFound, "{fault}");
    assert!(fault.message.contains("cannot be opened"), "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn two_disks_of_one_serial_are_both_left_alone() {
    let disk = LoopDisk::new(4 * MIB);
    let mut twin = LoopDisk::detached(4 * MIB);
    fs::rename(twin.backing(), twin.directory.path().join(&disk.serial)).expect("renamed");
    twin.serial.clone_from(&disk.serial);
    twin.attach();
    let fault = disk.ensure("ext4").expect_err("two");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert!(fault.message.contains("2 devices claim"), "{fault}");
    drop(twin);
    assert_eq!(disk.inspect(), Ok(DeviceContent::Blank));
}

#[test]
#[ignore = "needs root: loop devices"]
fn patterns_decide_by_what_the_disk_says() {
    let disk = LoopDisk::new(4 * MIB);
    let mut wanted = disk.wanted();
    let name = format!("loop-{}", disk.serial);
    wanted.granted[0] = NamePattern {
        begins: name.clone(),
        ends: None,
    };
    assert_eq!(find(wanted.clone()), Ok(DeviceReply::Found));
    wanted.granted[0].begins.push('x');
    assert_eq!(find(wanted.clone()), Ok(DeviceReply::NotGranted { name }));
    wanted.granted.clear();
    assert!(matches!(find(wanted), Ok(DeviceReply::NotGranted { .. })));
}
