use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

use super::super::files::open_local;
use super::super::work_limits::Endings;
use super::*;
use crate::worker::JobLimits;

fn copy_tree(dir: &Dir, source: &str, to: &str) -> Result<Reply, Fault> {
    super::copy_tree(dir, source, to, &Bounds::of_a_call())
}

fn scratch() -> (tempfile::TempDir, Dir) {
    let scratch = tempfile::tempdir().expect("a directory");
    let dir = open_local(scratch.path()).expect("open");
    (scratch, dir)
}

fn set_time(path: &Path, nanoseconds: u64) {
    let file = fs::File::open(path).expect("open");
    file.set_modified(UNIX_EPOCH + Duration::from_nanos(nanoseconds))
        .expect("set");
}

#[test]
fn everything_about_a_tree_is_copied() {
    let (scratch, dir) = scratch();
    let at = |path: &str| scratch.path().join(path);
    fs::create_dir_all(at("source/sub/empty")).expect("made");
    fs::write(at("source/sub/file"), "content").expect("written");
    fs::hard_link(at("source/sub/file"), at("source/second")).expect("linked");
    fs::write(at("source/empty"), "").expect("written");
    symlink("../anywhere//", at("source/link")).expect("linked");
    nix::unistd::mkfifo(&at("source/pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(at("source/socket")).expect("bound");
    fs::File::create(at("source/sparse"))
        .expect("made")
        .set_len(64 << 20)
        .expect("longer");
    fsetxattr(
        fs::File::open(at("source/sub/file")).expect("open"),
        "user.comment",
        b"a\nb",
        XattrFlags::empty(),
    )
    .expect("set");
    fs::set_permissions(at("source/sub/file"), fs::Permissions::from_mode(0o4751)).expect("set");
    fs::set_permissions(at("source/sub/empty"), fs::Permissions::from_mode(0o1777)).expect("set");
    set_time(&at("source/sub/file"), 1_234_567_890_123_456_789);
    set_time(&at("source/sub"), 1_000_000_000_000_000_001);
    set_time(&at("source"), 1_000_000_000_000_000_002);

    assert_eq!(copy_tree(&dir, "source", "copy"), Ok(Reply::Done));

    for path in [
        "",
        "sub",
        "sub/empty",
        "sub/file",
        "second",
        "empty",
        "pipe",
        "socket",
        "sparse",
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
    assert_eq!(fs::read(at("copy/second")).expect("read"), b"content");
    assert_eq!(
        at("copy/second").metadata().expect("stat").ino(),
        at("copy/sub/file").metadata().expect("stat").ino()
    );
    assert_ne!(
        at("copy/second").metadata().expect("stat").ino(),
        at("source/second").metadata().expect("stat").ino()
    );
    assert_eq!(
        fs::read_link(at("copy/link")).expect("read").as_os_str(),
        "../anywhere//"
    );
    assert!(at("copy/sparse").metadata().expect("stat").blocks() < 100);
    let mut value = [0; 16];
    let length = fgetxattr(
        fs::File::open(at("copy/sub/file")).expect("open"),
        "user.comment",
        &mut value[..],
    )
    .expect("read");
    assert_eq!(&value[..length], b"a\nb");
}

#[test]
fn what_is_there_is_neither_replaced_nor_merged() {
    let (scratch, dir) = scratch();
    fs::create_dir_all(scratch.path().join("source/a")).expect("made");
    fs::create_dir(scratch.path().join("copy")).expect("made");
    assert_eq!(
        copy_tree(&dir, "source", "copy").expect_err("refused").kind,
        FaultKind::Exists
    );
    assert_eq!(
        copy_tree(&dir, "missing", "new").expect_err("refused").kind,
        FaultKind::NotFound
    );
    assert_eq!(
        fs::read_dir(scratch.path().join("copy"))
            .expect("read")
            .count(),
        0
    );
}

#[test]
fn the_leftover_of_a_killed_job_does_not_reach_the_copy() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("source")).expect("made");
    fs::write(scratch.path().join("source/file"), "whole").expect("written");
    fs::create_dir_all(scratch.path().join(".copy.drivebay-partial/stale")).expect("made");
    fs::write(scratch.path().join(".copy.drivebay-partial/file"), "ha").expect("written");
    assert_eq!(copy_tree(&dir, "source", "copy"), Ok(Reply::Done));
    assert_eq!(
        fs::read(scratch.path().join("copy/file")).expect("read"),
        b"whole"
    );
    assert!(!scratch.path().join("copy/stale").exists());
    assert!(!scratch.path().join(".copy.drivebay-partial").exists());
}

#[test]
fn a_copy_beneath_its_source_is_refused_and_leaves_nothing() {
    let (scratch, dir) = scratch();
    fs::create_dir_all(scratch.path().join("source/sub")).expect("made");
    for to in ["source/copy", "source/sub/copy"] {
        assert_eq!(
            copy_tree(&dir, "source", to).expect_err("refused").kind,
            FaultKind::Invalid,
            "{to}"
        );
    }
    assert_eq!(
        fs::read_dir(scratch.path().join("source/sub"))
            .expect("read")
            .count(),
        0
    );
}

#[test]
fn a_single_file_and_a_single_symlink_are_copied_too() {
    let (scratch, dir) = scratch();
    fs::write(scratch.path().join("file"), "content").expect("written");
    symlink("/etc/passwd", scratch.path().join("link")).expect("linked");
    assert_eq!(copy_tree(&dir, "file", "copy"), Ok(Reply::Done));
    assert_eq!(copy_tree(&dir, "link", "copied-link"), Ok(Reply::Done));
    assert_eq!(
        fs::read(scratch.path().join("copy")).expect("read"),
        b"content"
    );
    assert_eq!(
        fs::read_link(scratch.path().join("copied-link"))
            .expect("read")
            .as_os_str(),
        "/etc/passwd"
    );
}

#[test]
fn a_tree_deeper_than_any_path_is_copied() {
    let (scratch, dir) = scratch();
    let top = fs::File::open(scratch.path()).expect("open");
    mkdirat(&top, "source", Mode::RWXU).expect("made");
    let mut here = open_child(top.as_fd(), OsStr::new("source")).expect("open");
    for _ in 0..3000 {
        mkdirat(&here, "d", Mode::RWXU).expect("made");
        here = open_child(here.as_fd(), OsStr::new("d")).expect("open");
    }
    assert_eq!(copy_tree(&dir, "source", "copy"), Ok(Reply::Done));
    for name in ["source", "copy"] {
        crate::worker::server::files::tree::remove(top.as_fd(), OsStr::new(name), Path::new(name))
            .expect("removed");
    }
}

#[test]
#[ignore = "needs root: chown, mknod"]
fn owners_capabilities_and_device_nodes_are_copied() {
    use rustix::fs::mknodat;
    let (scratch, dir) = scratch();
    let at = |path: &str| scratch.path().join(path);
    fs::create_dir(at("source")).expect("made");
    fs::write(at("source/file"), "x").expect("written");
    std::os::unix::fs::chown(at("source/file"), Some(1234), Some(5678)).expect("chowned");
    std::os::unix::fs::chown(at("source"), Some(12), Some(34)).expect("chowned");
    // Version 2, with one capability permitted and effective.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let file = fs::File::open(at("source/file")).expect("open");
    fsetxattr(
        &file,
        "security.capability",
        &capability,
        XattrFlags::empty(),
    )
    .expect("set");
    let source = fs::File::open(at("source")).expect("open");
    let null = rustix::fs::makedev(1, 3);
    for (name, device) in [("whiteout", 0), ("null", null)] {
        mknodat(&source, name, FileType::CharacterDevice, Mode::RUSR, device).expect("made");
    }
    assert_eq!(copy_tree(&dir, "source", "copy"), Ok(Reply::Done));
    let found = |path: &str| at(path).metadata().expect("there");
    let owner = |path: &str| (found(path).uid(), found(path).gid());
    assert_eq!(
        (owner("copy"), owner("copy/file")),
        ((12, 34), (1234, 5678))
    );
    assert_eq!(
        (found("copy/whiteout").rdev(), found("copy/null").rdev()),
        (0, null)
    );
    let mut value = [0; 64];
    let copied = fs::File::open(at("copy/file")).expect("open");
    let length = fgetxattr(copied, "security.capability", &mut value[..]).expect("there");
    assert_eq!(&value[..length], &capability);
}

#[test]
fn a_program_that_is_written_to_while_it_is_copied_is_not_copied_as_what_it_was() {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("program");
    fs::write(&path, "x").expect("written");
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    set(0o6755);
    let file = fs::File::open(&path).expect("open");
    let before = fstat(&file).expect("stat");
    let mode = |stat: Stat| stat.st_mode & 0o7777;
    assert_eq!(as_it_is_now(&file, before).map(mode), Ok(0o6755));
    set(0o2700);
    assert_eq!(as_it_is_now(&file, before).map(mode), Ok(0o2755));
}

#[test]
fn a_second_name_is_not_made_of_what_a_symlink_leads_to() {
    let (scratch, dir) = scratch();
    let at = |path: &str| scratch.path().join(path);
    for made in ["copy", "outside", "source/a"] {
        fs::create_dir_all(at(made)).expect("made");
    }
    fs::write(at("outside/first"), "secret").expect("written");
    fs::write(at("source/a/first"), "x").expect("written");
    fs::hard_link(at("source/a/first"), at("source/second")).expect("linked");
    let stat = rustix::fs::lstat(at("source/second")).expect("there");
    let top = dir.open_dir("copy").expect("there").into_std_file().into();
    let bounds = Bounds::of_a_call();
    let mut copier = Copier::new(top, &bounds).expect("begun");
    copier
        .linked
        .insert(identity(&stat), PathBuf::from("a/first"));
    symlink("../outside", at("copy/a")).expect("exchanged by a pod");
    let source = fs::File::open(at("source")).expect("open");
    let site = Site {
        parent: source.as_fd(),
        name: OsStr::new("second"),
        path: Path::new("second"),
    };
    assert!(copier.entry(&site, &stat).is_err());
    assert!(!at("copy/second").exists());
}

/// As a walk finds it, before somebody removes it.
fn vanished(scratch: &tempfile::TempDir, name: &str) -> Stat {
    let path = scratch.path().join(name);
    let stat = rustix::fs::lstat(&path).expect("there");
    fs::remove_file(&path).expect("removed");
    stat
}

#[test]
fn what_vanishes_before_it_is_copied_is_left_out() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("copy")).expect("made");
    fs::write(scratch.path().join("file"), "x").expect("written");
    fs::hard_link(scratch.path().join("file"), scratch.path().join("other")).expect("linked");
    std::os::unix::fs::symlink("file", scratch.path().join("link")).expect("linked");
    let top = dir.open_dir("copy").expect("there").into_std_file().into();
    let bounds = Bounds::of_a_call();
    let mut copier = Copier::new(top, &bounds).expect("begun");
    let other = rustix::fs::lstat(scratch.path().join("other")).expect("there");
    for (name, stat) in [
        ("file", vanished(&scratch, "file")),
        ("link", vanished(&scratch, "link")),
        ("other", other),
    ] {
        let site = Site {
            parent: dir.as_fd(),
            name: OsStr::new(name),
            path: Path::new(name),
        };
        assert_eq!(copier.entry(&site, &stat), Ok(()), "{name}");
    }
    let copied: Vec<_> = fs::read_dir(scratch.path().join("copy"))
        .expect("read")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(copied, ["other"]);
}

#[test]
fn a_file_that_is_written_anew_while_it_is_copied_is_copied_as_it_is_now() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("copy")).expect("made");
    fs::write(scratch.path().join("file"), "old").expect("written");
    let old = rustix::fs::lstat(scratch.path().join("file")).expect("there");
    fs::write(scratch.path().join("new"), "new").expect("written");
    fs::rename(scratch.path().join("new"), scratch.path().join("file")).expect("renamed");
    let top = dir.open_dir("copy").expect("there").into_std_file().into();
    let site = Site {
        parent: dir.as_fd(),
        name: OsStr::new("file"),
        path: Path::new("file"),
    };
    let bounds = Bounds::of_a_call();
    let mut copier = Copier::new(top, &bounds).expect("begun");
    assert_eq!(copier.entry(&site, &old), Ok(()));
    let copied = fs::read_to_string(scratch.path().join("copy/file"));
    assert_eq!(copied.expect("read"), "new");
}

#[test]
fn a_source_that_goes_while_it_is_copied_is_not_taken_for_copied() {
    let (scratch, dir) = scratch();
    fs::create_dir_all(scratch.path().join("source/a")).expect("made");
    let from = ResolvedPath::of(&dir, "source").expect("there");
    let stat = rustix::fs::lstat(scratch.path().join("source")).expect("there");
    assert_eq!(still_there(&from, &stat), Ok(()));
    fs::rename(scratch.path().join("source"), scratch.path().join("kept")).expect("moved");
    let gone = still_there(&from, &stat).expect_err("gone");
    assert_eq!(gone.kind, FaultKind::NotFound);
    fs::create_dir(scratch.path().join("source")).expect("made");
    let other = still_there(&from, &stat).expect_err("another");
    assert_eq!(other.kind, FaultKind::Busy);
}

#[test]
fn what_is_missing_of_the_copy_is_not_said_of_its_source() {
    let (scratch, dir) = scratch();
    fs::create_dir(scratch.path().join("source")).expect("made");
    let from = ResolvedPath::of(&dir, "source").expect("there");
    let lost = within(
        "copy",
        &from,
        Fault::new(FaultKind::NotFound, "no such file"),
    );
    assert_eq!(lost.kind, FaultKind::Busy);
    assert_eq!(lost.message, "cannot copy \"source\": no such file");
}

#[test]
fn a_tree_with_more_than_is_allowed_is_not_copied_and_nothing_of_the_copy_stays() {
    let (scratch, dir) = scratch();
    fs::create_dir_all(scratch.path().join("source/a/b/c")).expect("made");
    fs::write(scratch.path().join("source/file"), vec![1; 100_000]).expect("written");
    fs::hard_link(
        scratch.path().join("source/file"),
        scratch.path().join("source/other"),
    )
    .expect("linked");
    let defaults = JobLimits::default();
    for (limits, key) in [
        (
            JobLimits {
                depth: 2,
                ..defaults
            },
            "limits.jobs.depth = 2",
        ),
        (
            JobLimits {
                entries: 4,
                ..defaults
            },
            "limits.jobs.entries = 4",
        ),
        (
            JobLimits {
                size_bytes: 50 << 10,
                ..defaults
            },
            "limits.jobs.size = \"50KiB\"",
        ),
        (
            JobLimits {
                memory_bytes: 64,
                ..defaults
            },
            "limits.jobs.memory = \"0KiB\"",
        ),
    ] {
        let bounds = Bounds::of_a_job(limits, &dir, Endings::none_yet()).expect("cloned");
        let fault = super::copy_tree(&dir, "source", "copy", &bounds).expect_err("refused");
        assert_eq!(fault.kind, FaultKind::Exhausted, "{fault}");
        assert!(fault.message.contains(key), "{fault}");
        assert_eq!(fs::read_dir(scratch.path()).expect("read").count(), 1);
    }
}
