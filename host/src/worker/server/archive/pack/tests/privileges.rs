//! What an archive gives that its reader lacks, and to whom.

use super::*;
use crate::worker::WithheldFor;

/// By whom a program is run as somebody else, whatever the archive's header says of it besides.
#[test]
fn an_archive_that_anybody_could_have_written_gives_nothing_that_its_reader_lacks() {
    let capability = capability_record();
    let (outer, result) = Hostile::new()
        .with_mode(0o6755)
        .with(EntryType::Regular, "program", "", b"#!/bin/sh")
        .with(EntryType::Link, "second", "program", b"")
        .with(EntryType::Fifo, "pipe", "", b"")
        .with_mode(0o755)
        .with(EntryType::XHeader, "pax", "", &capability)
        .with(EntryType::Regular, "capable", "", b"x")
        .with(EntryType::Char, "null", "", b"")
        .with(EntryType::Block, "disk", "", b"")
        .with_mode(0o3775)
        .with(EntryType::Directory, "shared", "", b"")
        .extract();
    let Ok(Reply::Extracted(withheld)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(
        (withheld.set_id, withheld.capabilities, withheld.devices),
        (1, 1, 2)
    );
    assert_eq!(withheld.reason, WithheldFor::Provenance);
    let at = |name: &str| outer.path().join("granted/new").join(name);
    let mode = |name: &str| at(name).metadata().expect(name).mode() & 0o7777;
    assert_eq!(
        (mode("program"), mode("second"), mode("pipe")),
        (0o755, 0o755, 0o755)
    );
    assert_eq!(
        mode("shared"),
        0o3775,
        "a directory keeps its group and its sticky bit"
    );
    assert!(capability_of(&at("capable")).is_none());
    assert!(!at("null").exists() && !at("disk").exists());
}

/// What a privileged port takes: version 2, CAP_NET_BIND_SERVICE permitted and effective (linux/capability.h).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn capability_record() -> Vec<u8> {
    let key = b"SCHILY.xattr.security.capability=";
    let length = 3 + key.len() + CAPABILITY.len() + 1;
    [format!("{length} ").as_bytes(), key, &CAPABILITY, b"\n"].concat()
}

fn capability_of(path: &Path) -> Option<Vec<u8>> {
    let mut value = vec![0; 64];
    let file = fs::File::open(path).expect("open");
    let length = fgetxattr(file, "security.capability", &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// A tree with everything that a guest may not give.
fn fill_with_privileges(source: &Path) {
    use rustix::fs::{CWD, Mode, mknodat};
    fs::create_dir(source).expect("made");
    for (name, mode) in [
        ("set-user", 0o4711),
        ("set-group", 0o2755),
        ("plain", 0o1644),
    ] {
        fs::write(source.join(name), name).expect("written");
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(source.join(name), mode).expect("set");
    }
    fs::write(source.join("capable"), "x").expect("written");
    let capable = fs::File::open(source.join("capable")).expect("open");
    let flags = XattrFlags::empty();
    fsetxattr(capable, "security.capability", &CAPABILITY, flags).expect("set");
    let device = rustix::fs::makedev(1, 3);
    let mode = Mode::from_raw_mode(0o600);
    mknodat(
        CWD,
        source.join("null"),
        FileType::CharacterDevice,
        mode,
        device,
    )
    .expect("made");
    let device = rustix::fs::makedev(259, 70_000);
    mknodat(
        CWD,
        source.join("disk"),
        FileType::BlockDevice,
        mode,
        device,
    )
    .expect("made");
}

fn has_privileges(copy: &Path) -> bool {
    let mode = |name: &str| copy.join(name).metadata().expect(name).mode() & 0o7777;
    let number = |name: &str| copy.join(name).metadata().map(|found| found.rdev()).ok();
    assert_eq!((mode("plain"), mode("set-group") & 0o755), (0o1644, 0o755));
    assert_eq!(fs::read(copy.join("set-user")).expect("read"), b"set-user");
    let has = [
        mode("set-user") == 0o4711,
        mode("set-group") == 0o2755,
        capability_of(&copy.join("capable")).as_deref() == Some(&CAPABILITY),
        number("null") == Some(rustix::fs::makedev(1, 3)),
        number("disk") == Some(rustix::fs::makedev(259, 70_000)),
    ];
    assert!(has == [true; 5] || has == [false; 5], "{has:?}");
    has[0]
}

#[test]
#[ignore = "needs root: mknod, capabilities"]
fn an_archive_that_was_made_here_and_not_changed_gives_all_that_was_packed() {
    for compression in [Compression::None, Compression::Gzip] {
        let (scratch, dir) = scratch();
        let at = |path: &str| scratch.path().join(path);
        fill_with_privileges(&at("source"));
        let records = records(&scratch);
        archive_tree(&dir, "source", "archive", compression, &records).expect("archived");
        // Wherever it lies by now.
        fs::rename(at("archive"), at("moved")).expect("moved");
        whole(extract_archive(&dir, "moved", "copy", &records));
        assert!(has_privileges(&at("copy")));

        let elsewhere = Records::beneath(&at("other-notes"));
        let result = extract_archive(&dir, "moved", "other", &elsewhere);
        let Ok(Reply::Extracted(withheld)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(
            (withheld.set_id, withheld.capabilities, withheld.devices),
            (2, 1, 2)
        );
        assert!(!has_privileges(&at("other")));
    }
}

#[test]
#[ignore = "needs root: mknod, capabilities"]
fn an_archive_that_was_changed_by_one_byte_gives_none_of_it() {
    let (scratch, dir) = scratch();
    let at = |path: &str| scratch.path().join(path);
    fill_with_privileges(&at("source"));
    fs::write(at("source/note"), "an innocent line").expect("written");
    let records = records(&scratch);
    archive_tree(&dir, "source", "archive", Compression::None, &records).expect("archived");
    let mut bytes = fs::read(at("archive")).expect("read");
    let line = b"an innocent line";
    let found = bytes.windows(line.len()).position(|window| window == line);
    bytes[found.expect("packed")] = b'A';
    fs::write(at("archive"), bytes).expect("written");
    let result = extract_archive(&dir, "archive", "copy", &records);
    assert!(matches!(result, Ok(Reply::Extracted(withheld)) if withheld.is_any()));
    assert!(!has_privileges(&at("copy")));
}

#[test]
fn a_program_that_is_written_to_while_it_is_packed_is_not_packed_as_what_it_was() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("program");
    fs::write(&path, "x").expect("written");
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    set(0o4755);
    let file = fs::File::open(&path).expect("open");
    let stat = fstat(&file).expect("stat");
    let watched = Watched::of(&file, &stat, &[])
        .expect("looked at")
        .expect("watched");
    assert_eq!(watched.check(&path), Ok(()));
    set(0o755);
    assert_eq!(
        watched.check(&path).expect_err("changed").kind,
        FaultKind::Busy
    );
}
