use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

use super::*;
use crate::worker::JobLimits;
use crate::worker::server::archive::extract;
use crate::worker::server::files::open_local;
use crate::worker::server::work_limits::Endings;

mod limits;
mod privileges;

fn archive_tree(
    dir: &Dir,
    source: &str,
    to: &str,
    compression: Compression,
    records: &Records,
) -> Result<Reply, Fault> {
    super::archive_tree(dir, source, to, compression, records, &Bounds::of_a_call())
}

fn extract_archive(dir: &Dir, source: &str, to: &str, records: &Records) -> Result<Reply, Fault> {
    extract::extract_archive(dir, source, to, records, &Bounds::of_a_call())
}

fn scratch() -> (tempfile::TempDir, Dir) {
    let scratch = tempfile::tempdir().expect("a directory");
    let dir = open_local(scratch.path()).expect("open");
    (scratch, dir)
}

/// Where no test looks for what it made.
fn records(scratch: &tempfile::TempDir) -> Records {
    Records::beneath(&scratch.path().join("notes"))
}

/// All that there was to give was given.
fn whole(answer: Result<Reply, Fault>) {
    assert!(
        matches!(answer, Ok(Reply::Extracted(withheld)) if !withheld.is_any()),
        "{answer:?}"
    );
}

fn fill(source: &Path) {
    let at = |path: &str| source.join(path);
    let long = "l".repeat(120);
    fs::create_dir_all(at("sub").join(&long)).expect("made");
    fs::write(at("sub").join(&long).join("file"), "content").expect("written");
    fs::hard_link(at("sub").join(&long).join("file"), at("second")).expect("linked");
    fs::write(at("new\nline"), vec![7; 1_000_000]).expect("written");
    symlink("../".repeat(60), at("link")).expect("linked");
    symlink("a//b/", at("odd-link")).expect("linked");
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let _gone = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
    let sparse = fs::File::create(at("sparse")).expect("made");
    sparse.write_all_at(b"middle", 32 << 20).expect("written");
    sparse.set_len(64 << 20).expect("longer");
    fs::File::create(at("hole"))
        .expect("made")
        .set_len(1 << 40)
        .expect("longer");
    fsetxattr(
        fs::File::open(at("second")).expect("open"),
        "user.comment",
        b"a\nb=c",
        XattrFlags::empty(),
    )
    .expect("set");
    fs::set_permissions(at("second"), fs::Permissions::from_mode(0o4751)).expect("set");
    for (path, time) in [
        ("second", 1_234_567_890_123_456_789),
        ("sub", 1_000_000_000_000_000_001),
    ] {
        fs::File::open(at(path))
            .expect("open")
            .set_modified(UNIX_EPOCH + Duration::from_nanos(time))
            .expect("set");
    }
}

#[test]
fn what_is_archived_comes_out_the_same() {
    for compression in [Compression::None, Compression::Gzip] {
        let (scratch, dir) = scratch();
        let at = |path: &str| scratch.path().join(path);
        fs::create_dir(at("source")).expect("made");
        fill(&at("source"));
        let Ok(Reply::Size(size)) =
            archive_tree(&dir, "source", "archive", compression, &records(&scratch))
        else {
            panic!("not archived")
        };
        assert_eq!(at("archive").metadata().expect("stat").len(), size);
        assert!(size < 2 << 20, "holes were packed: {size}");
        whole(extract_archive(&dir, "archive", "copy", &records(&scratch)));

        let long = format!("sub/{}", "l".repeat(120));
        for path in [
            "",
            "sub",
            &long,
            &format!("{long}/file"),
            "second",
            "new\nline",
            "pipe",
            "sparse",
            "hole",
        ] {
            let (old, new) = (
                at("source").join(path).metadata().expect(path),
                at("copy").join(path).metadata().expect(path),
            );
            assert_eq!(
                (old.mode(), old.uid(), old.gid(), old.len()),
                (new.mode(), new.uid(), new.gid(), new.len()),
                "{path}"
            );
            assert_eq!(
                (old.mtime(), old.mtime_nsec()),
                (new.mtime(), new.mtime_nsec()),
                "{path}"
            );
        }
        assert!(!at("copy/socket").exists());
        assert_eq!(at("copy/second").metadata().expect("stat").nlink(), 2);
        assert_eq!(
            fs::read(at("copy/new\nline")).expect("read"),
            vec![7; 1_000_000]
        );
        for link in ["link", "odd-link"] {
            assert_eq!(
                fs::read_link(at("copy").join(link))
                    .expect("read")
                    .as_os_str(),
                fs::read_link(at("source").join(link))
                    .expect("read")
                    .as_os_str()
            );
        }
        assert!(at("copy/sparse").metadata().expect("stat").blocks() < 100);
        let mut bytes = [0; 6];
        fs::File::open(at("copy/sparse"))
            .expect("open")
            .read_exact_at(&mut bytes, 32 << 20)
            .expect("read");
        assert_eq!(&bytes, b"middle");
        let mut value = [0; 16];
        let length = fgetxattr(
            fs::File::open(at("copy/second")).expect("open"),
            "user.comment",
            &mut value[..],
        )
        .expect("read");
        assert_eq!(&value[..length], b"a\nb=c");
    }
}

#[test]
fn what_is_there_is_not_replaced() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("source")).expect("made");
    assert!(
        archive_tree(
            &dir,
            "source",
            "archive",
            Compression::Gzip,
            &records(&scratch)
        )
        .is_ok()
    );
    assert_eq!(
        archive_tree(
            &dir,
            "source",
            "archive",
            Compression::None,
            &records(&scratch)
        )
        .expect_err("refused")
        .kind,
        FaultKind::Exists
    );
    assert_eq!(
        extract_archive(&dir, "archive", "source", &records(&scratch))
            .expect_err("refused")
            .kind,
        FaultKind::Exists
    );
    assert_eq!(
        extract_archive(&dir, "missing", "new", &records(&scratch))
            .expect_err("refused")
            .kind,
        FaultKind::NotFound
    );
    assert_eq!(
        archive_tree(
            &dir,
            "archive",
            "new",
            Compression::None,
            &records(&scratch)
        )
        .expect_err("refused")
        .kind,
        FaultKind::Invalid
    );
}

#[test]
fn an_archive_beneath_its_source_is_refused_and_leaves_nothing() {
    let (scratch, dir) = scratch();
    fs::create_dir_all(scratch.path().join("source/sub")).expect("made");
    let refused = archive_tree(
        &dir,
        "source",
        "source/sub/archive",
        Compression::None,
        &records(&scratch),
    );
    assert_eq!(refused.expect_err("refused").kind, FaultKind::Invalid);
    assert_eq!(
        fs::read_dir(scratch.path().join("source/sub"))
            .expect("read")
            .count(),
        0
    );
}

/// An archive made by hand, member by member.
struct Hostile(Vec<u8>, u32);

impl Hostile {
    fn new() -> Self {
        Self(Vec::new(), 0o777)
    }

    /// Of the members that follow.
    fn with_mode(mut self, mode: u32) -> Self {
        self.1 = mode;
        self
    }

    fn with(mut self, kind: EntryType, path: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(self.1);
        header.set_uid(nix::unistd::geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        header.set_device_major(1).expect("ustar");
        header.set_device_minor(3).expect("ustar");
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    fn extract(mut self) -> (tempfile::TempDir, Result<Reply, Fault>) {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.extract_as_it_is()
    }

    fn extract_as_it_is(self) -> (tempfile::TempDir, Result<Reply, Fault>) {
        let outer = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(outer.path().join("granted/beside")).expect("made");
        fs::create_dir(outer.path().join("outside")).expect("made");
        fs::write(outer.path().join("granted/archive"), self.0).expect("written");
        let dir = open_local(&outer.path().join("granted")).expect("open");
        let result = extract_archive(&dir, "archive", "new", &records(&outer));
        assert_eq!(
            fs::read_dir(outer.path().join("outside"))
                .expect("read")
                .count(),
            0,
            "something got out"
        );
        assert_eq!(
            fs::read_dir(outer.path().join("granted/beside"))
                .expect("read")
                .count(),
            0,
            "something got beside"
        );
        let names = fs::read_dir(outer.path().join("granted"))
            .expect("read")
            .count();
        assert_eq!(
            names,
            if result.is_ok() { 3 } else { 2 },
            "half of it was left"
        );
        (outer, result)
    }

    fn refused(self) -> FaultKind {
        self.extract().1.expect_err("refused").kind
    }
}

#[test]
fn an_honest_archive_made_by_hand_is_extracted() {
    let (outer, result) = Hostile::new()
        .with(EntryType::Regular, "./a/b/file", "", b"content")
        .extract();
    whole(result);
    assert_eq!(
        fs::read(outer.path().join("granted/new/a/b/file")).expect("read"),
        b"content"
    );
}

#[test]
fn members_that_climb_or_are_absolute_are_denied() {
    for path in [
        "../beside/x",
        "a/../../beside/x",
        "/tmp/drivebay-hostile",
        "..",
        "a/..",
    ] {
        for kind in [
            EntryType::Regular,
            EntryType::Directory,
            EntryType::Symlink,
            EntryType::Fifo,
        ] {
            assert_eq!(
                Hostile::new().with(kind, path, "x", b"").refused(),
                FaultKind::Denied,
                "{path} {kind:?}"
            );
        }
    }
}

#[test]
fn members_are_not_written_through_symlinks_of_the_archive() {
    for target in ["../beside", "../../outside", "/tmp", "inside"] {
        let hostile = || {
            Hostile::new()
                .with(EntryType::Directory, "inside", "", b"")
                .with(EntryType::Symlink, "way", target, b"")
        };
        assert_eq!(
            hostile()
                .with(EntryType::Regular, "way/file", "", b"x")
                .refused(),
            FaultKind::Denied,
            "{target}"
        );
        assert_eq!(
            hostile()
                .with(EntryType::Directory, "way", "", b"")
                .refused(),
            FaultKind::Denied,
            "{target}"
        );
        assert_eq!(
            hostile()
                .with(EntryType::Regular, "way", "", b"x")
                .refused(),
            FaultKind::Invalid,
            "{target}"
        );
        assert_eq!(
            hostile()
                .with(EntryType::Link, "file", "way/x", b"")
                .refused(),
            FaultKind::Denied,
            "{target}"
        );
    }
}

#[test]
fn hard_links_reach_nothing_but_the_archive() {
    for link in ["../archive", "/etc/passwd", "a/../../archive"] {
        assert_eq!(
            Hostile::new()
                .with(EntryType::Link, "file", link, b"")
                .refused(),
            FaultKind::Denied,
            "{link}"
        );
    }
    assert_eq!(
        Hostile::new()
            .with(EntryType::Link, "file", "missing", b"")
            .refused(),
        FaultKind::Invalid
    );
    let (outer, result) = Hostile::new()
        .with(EntryType::Symlink, "way", "/etc/passwd", b"")
        .with(EntryType::Link, "file", "way", b"")
        .extract();
    whole(result);
    assert!(
        outer
            .path()
            .join("granted/new/file")
            .symlink_metadata()
            .expect("stat")
            .is_symlink()
    );
}

#[test]
fn unknown_members_are_refused() {
    for kind in [EntryType::GNUSparse, EntryType::new(b'Z')] {
        assert_eq!(
            Hostile::new().with(kind, "device", "", b"").refused(),
            FaultKind::Unsupported,
            "{kind:?}"
        );
    }
}

#[test]
fn half_an_archive_is_not_taken_for_a_whole_one() {
    let whole = || Hostile::new().with(EntryType::Regular, "file", "", &[7; 2000]);
    assert!(whole().extract().1.is_ok());
    assert_eq!(
        whole().extract_as_it_is().1.expect_err("refused").kind,
        FaultKind::Invalid
    );
    let mut cut = whole();
    cut.0.truncate(1200);
    assert_eq!(
        cut.extract_as_it_is().1.expect_err("refused").kind,
        FaultKind::Invalid
    );
}

#[test]
fn a_compressed_archive_with_a_wrong_checksum_is_refused() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("source")).expect("made");
    archive_tree(
        &dir,
        "source",
        "archive",
        Compression::Gzip,
        &records(&scratch),
    )
    .expect("archived");
    let mut bytes = fs::read(scratch.path().join("archive")).expect("read");
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    fs::write(scratch.path().join("archive"), bytes).expect("written");
    assert_eq!(
        extract_archive(&dir, "archive", "new", &records(&scratch))
            .expect_err("refused")
            .kind,
        FaultKind::Invalid
    );
    assert!(!scratch.path().join("new").exists());
}

#[test]
fn sparse_maps_that_lie_are_refused() {
    let records = b"22 GNU.sparse.major=1\n29 GNU.sparse.realsize=10000\n";
    for map in [
        "1\n0\n20000\n",
        "2\n5000\n10\n0\n10\n",
        "1\n18446744073709551615\n5\n",
        "99999999999\n",
        "x\n",
        "1\n0\n",
        "0\n",
    ] {
        let mut content = map.as_bytes().to_vec();
        content.resize(BLOCK, 0);
        content.extend_from_slice(&[7; 30]);
        let hostile = Hostile::new()
            .with(EntryType::XHeader, "pax", "", records)
            .with(EntryType::Regular, "file", "", &content);
        assert_eq!(hostile.refused(), FaultKind::Invalid, "{map:?}");
    }
}

#[test]
fn what_vanishes_before_it_is_packed_is_left_out_and_its_other_name_is_not() {
    let (scratch, dir) = scratch();
    for name in ["file", "other"] {
        let _ = fs::remove_file(scratch.path().join(name));
    }
    fs::write(scratch.path().join("file"), "content").expect("written");
    fs::hard_link(scratch.path().join("file"), scratch.path().join("other")).expect("linked");
    std::os::unix::fs::symlink("file", scratch.path().join("link")).expect("linked");
    let found = ["file", "link", "other"].map(|name| {
        (
            name,
            rustix::fs::lstat(scratch.path().join(name)).expect("there"),
        )
    });
    for name in ["file", "link"] {
        fs::remove_file(scratch.path().join(name)).expect("removed");
    }
    let own = rustix::fs::lstat(scratch.path()).expect("there");
    let bounds = Bounds::of_a_call();
    let mut packer = Packer::new(Vec::new(), &own, &bounds);
    for (name, stat) in found {
        let site = Site {
            parent: dir.as_fd(),
            name: name.as_ref(),
            path: Path::new(name),
        };
        assert_eq!(packer.entry(&site, &stat), Ok(()), "{name}");
    }
    let archive = packer.out.into_inner().expect("written");
    fs::write(scratch.path().join("archive"), archive).expect("written");
    whole(extract_archive(&dir, "archive", "out", &records(&scratch)));
    let out = scratch.path().join("out");
    assert_eq!(
        fs::read_to_string(out.join("other")).expect("read"),
        "content"
    );
    assert_eq!(fs::read_dir(out).expect("read").count(), 1);
}
