use std::process::{Command, Stdio};
use std::thread::sleep;

use super::superblock::FsType;
use super::*;
use crate::worker::start::start;

/// Everything up to the moment in which a worker is killed: the intent is noted, and mkfs runs.
fn killed_while_formatting(disk: &LoopDisk, fs_type: FsType, after: Duration) {
    note(disk, fs_type);
    let program = format!("mkfs.{}", fs_type.name());
    #[expect(
        clippy::disallowed_methods,
        reason = "one that can be killed is needed"
    )]
    let mut mkfs = Command::new(program);
    mkfs.args(["-q", disk.node_text()])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let starting = alone();
    let mut mkfs = start(&mut mkfs).expect("started");
    drop(starting);
    sleep(after);
    let _ = mkfs.kill();
    mkfs.wait().expect("ended");
}

fn note(disk: &LoopDisk, fs_type: FsType) {
    let open = Disk::open(&disk.wanted()).expect("here");
    let note = format_intent::FormatIntent::of(&open, fs_type).expect("known");
    note.write(&disk.notes(), &open).expect("written");
}

/// What mke2fs leaves that is killed before it writes the superblock.
fn leave_half_done(disk: &LoopDisk) {
    disk.write(4096, &[7; 512]);
    disk.write(8 * MIB, &[7; 4096]);
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_format_that_was_killed_anywhere_is_finished_by_the_next_try() {
    for fs_type in [FsType::Ext4, FsType::Xfs] {
        for millis in [0, 2, 4, 8, 12, 16, 20, 30, 50] {
            let disk = LoopDisk::new(512 * MIB);
            killed_while_formatting(&disk, fs_type, Duration::from_millis(millis));
            let found = disk.inspect();
            assert_eq!(
                disk.ensure(fs_type.name()),
                Ok(Reply::Done),
                "killed after {millis} ms, which left {found:?}"
            );
            assert_eq!(
                disk.inspect(),
                Ok(DeviceContent::Filesystem(fs_type.name().into()))
            );
            let place = MountPoint::new();
            place.mount(&disk, Access::ReadWrite).expect("mounted");
            assert_eq!(fs::read_dir(disk.notes()).expect("there").count(), 0);
        }
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn an_unfinished_xfs_is_finished_only_by_whoever_began_it() {
    let unfinished = || {
        let disk = LoopDisk::new(320 * MIB);
        disk.ensure("xfs").expect("made");
        disk.write(126, &[1]);
        disk
    };
    let disk = unfinished();
    let fault = disk.ensure("xfs").expect_err("nobody noted it");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert!(fault.message.contains("unfinished xfs"), "{fault}");
    note(&disk, FsType::Ext4);
    disk.ensure("ext4")
        .expect_err("xfs is not what mke2fs leaves");
    note(&disk, FsType::Xfs);
    assert_eq!(disk.ensure("xfs"), Ok(Reply::Done));
}

#[test]
#[ignore = "needs root: loop devices"]
fn half_a_filesystem_without_a_note_is_unknown_data() {
    let disk = LoopDisk::new(64 * MIB);
    leave_half_done(&disk);
    let before = disk.bytes();
    let fault = disk.ensure("ext4").expect_err("nobody noted it");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert!(disk.bytes() == before);
    note(&disk, FsType::Ext4);
    assert_eq!(disk.ensure("ext4"), Ok(Reply::Done));
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_note_says_nothing_after_the_disk_was_away() {
    let mut disk = LoopDisk::new(64 * MIB);
    note(&disk, FsType::Ext4);
    leave_half_done(&disk);
    disk.detach();
    disk.attach();
    let before = disk.bytes();
    let fault = disk
        .ensure("ext4")
        .expect_err("somebody may have written to it");
    assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    assert!(disk.bytes() == before);
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_note_says_nothing_about_another_size_filesystem_or_disk() {
    let disk = LoopDisk::new(64 * MIB);
    leave_half_done(&disk);
    note(&disk, FsType::Xfs);
    disk.ensure("ext4").expect_err("xfs was noted");
    note(&disk, FsType::Ext4);
    disk.resize(65 * MIB);
    disk.ensure("ext4").expect_err("it had another size");
    let other = LoopDisk::new(64 * MIB);
    leave_half_done(&other);
    fs::create_dir_all(other.notes()).expect("made");
    disk.resize(64 * MIB);
    note(&disk, FsType::Ext4);
    let [from, to] =
        [&disk, &other].map(|disk| disk.notes().join(format!("{}.formatting", disk.serial)));
    fs::copy(from, to).expect("copied");
    other.ensure("ext4").expect_err("it is another disk's");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_note_that_cannot_be_read_allows_nothing() {
    let disk = LoopDisk::new(64 * MIB);
    leave_half_done(&disk);
    fs::create_dir_all(disk.notes()).expect("made");
    for text in ["", "{}", "null"] {
        let file = disk.notes().join(format!("{}.formatting", disk.serial));
        fs::write(file, text).expect("written");
        let fault = disk.ensure("ext4").expect_err("no note");
        assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn what_anybody_recognises_is_left_alone_in_spite_of_a_note() {
    for (at, magic) in [
        (0, &b"LUKS\xba\xbe\x00\x02"[..]),
        (512, b"LABELONE\x01"),
        (0x8001, b"CD001\x01"),
        // SquashFS and bcache: known to blkid alone.
        (
            0,
            b"hsqs\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0",
        ),
    ] {
        let disk = LoopDisk::new(64 * MIB);
        note(&disk, FsType::Ext4);
        disk.write(at, magic);
        let before = disk.bytes();
        let fault = disk.ensure("ext4").expect_err("somebody's");
        assert_eq!(fault.kind, FaultKind::Precondition, "{fault}");
        assert!(disk.bytes() == before);
    }
}

#[test]
#[ignore = "needs root: loop devices"]
fn nothing_is_formatted_where_the_intent_cannot_be_noted() {
    let disk = LoopDisk::new(64 * MIB);
    fs::write(disk.notes(), "a file where the directory should be").expect("written");
    let fault = disk.ensure("ext4").expect_err("no note");
    assert!(
        fault.message.contains("nothing was written to it"),
        "{fault}"
    );
    assert_eq!(disk.inspect(), Ok(DeviceContent::Blank));
}
