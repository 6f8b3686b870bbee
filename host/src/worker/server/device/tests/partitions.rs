use super::*;

/// A GPT with these partitions, which the kernel is told of.
fn partitioned(size: u64, sizes: &[&str]) -> LoopDisk {
    let disk = LoopDisk::new(size);
    disk.partition("gpt", sizes);
    tool("partx", &["--add", disk.node_text()]);
    disk
}

fn partition_node(disk: &LoopDisk) -> String {
    format!("{}p1", disk.node_text())
}

#[test]
#[ignore = "needs root: loop devices"]
fn the_only_partition_stands_for_the_disk() {
    let disk = partitioned(64 * MIB, &["32M"]);
    let fault = disk.ensure("ext4").expect_err("no filesystem on it");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert!(
        fault.message.contains("on its only partition nothing"),
        "{fault}"
    );
    tool("mkfs.ext4", &["-q", &partition_node(&disk)]);
    assert_eq!(disk.inspect(), Ok(DeviceContent::Filesystem("ext4".into())));
    assert_eq!(disk.ensure("ext4"), Ok(Reply::Done));
    let place = MountPoint::new();
    assert_eq!(place.mount(&disk, Access::ReadWrite), Ok(Reply::Done));
    assert_eq!(
        place.mount(&disk, Access::ReadWrite),
        Ok(Reply::Done),
        "again"
    );
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_with_several_partitions_is_refused() {
    let disk = partitioned(64 * MIB, &["16M", "16M"]);
    tool("mkfs.ext4", &["-q", &partition_node(&disk)]);
    for fault in [
        disk.ensure("ext4").expect_err("two"),
        disk.grow().expect_err("two"),
        MountPoint::new()
            .mount(&disk, Access::ReadWrite)
            .expect_err("two"),
    ] {
        assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
        assert!(fault.message.contains("2 partitions"), "{fault}");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_partition_that_only_the_kernel_knows_keeps_a_disk_from_being_formatted() {
    let disk = partitioned(64 * MIB, &["32M"]);
    disk.write(0, &vec![0; 1 << 20]);
    disk.write(63 * MIB, &vec![0; 1 << 20]);
    let fault = disk.ensure("ext4").expect_err("the kernel has a partition");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_partition_grows_with_its_disk_before_it_is_mounted() {
    let disk = partitioned(64 * MIB, &["60M"]);
    tool("mkfs.ext4", &["-q", &partition_node(&disk)]);
    disk.resize(128 * MIB);
    if !growing::grows_or_says_why(disk.grow()) {
        return;
    }
    assert!(disk.filesystem_bytes() > 120 * MIB);
    assert_eq!(disk.ensure("ext4"), Ok(Reply::Done));
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_partition_grows_with_its_disk_while_it_is_mounted() {
    let disk = partitioned(400 * MIB, &["+"]);
    tool("mkfs.xfs", &["-q", &partition_node(&disk)]);
    let place = MountPoint::new();
    place.mount(&disk, Access::ReadWrite).expect("mounted");
    disk.resize(600 * MIB);
    let request = DeviceRequest::GrowMounted {
        mount_point: place.directory(),
        at_least_bytes: Some(600 * MIB),
    };
    assert_eq!(
        ask(&request, &disk.notes()),
        Ok(Reply::Device(DeviceReply::Size(600 * MIB)))
    );
    drop(place);
    assert!(disk.filesystem_bytes() > 590 * MIB);
}
