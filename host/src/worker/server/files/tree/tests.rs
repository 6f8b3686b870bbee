//! Walks through trees that change meanwhile.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::*;

fn open(path: &Path) -> OwnedFd {
    fs::File::open(path).expect("a directory").into()
}

#[test]
fn a_tree_deeper_than_any_path_or_descriptor_table_is_removed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let top = open(scratch.path());
    rustix::fs::mkdirat(&top, "deep", Mode::RWXU).expect("made");
    let mut here = open_child(top.as_fd(), OsStr::new("deep")).expect("open");
    for _ in 0..3000 {
        rustix::fs::mkdirat(&here, "d", Mode::RWXU).expect("made");
        here = open_child(here.as_fd(), OsStr::new("d")).expect("open");
    }
    remove(top.as_fd(), OsStr::new("deep"), Path::new("deep")).expect("removed");
    assert!(!scratch.path().join("deep").exists());
}

#[test]
fn symlinks_are_removed_and_what_they_point_to_is_not() {
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |name: &str| -> PathBuf { scratch.path().join(name) };
    fs::create_dir_all(at("keep")).expect("made");
    fs::write(at("keep/file"), "x").expect("written");
    fs::create_dir(at("tree")).expect("made");
    std::os::unix::fs::symlink(at("keep"), at("tree/link")).expect("linked");
    std::os::unix::fs::symlink(at("keep"), at("top-link")).expect("linked");
    let top = open(scratch.path());
    for name in ["tree", "top-link", "missing"] {
        remove(top.as_fd(), OsStr::new(name), Path::new(name)).expect(name);
        assert!(at(name).symlink_metadata().is_err(), "{name}");
    }
    assert!(at("keep/file").exists());
}

#[test]
fn the_way_up_is_believed_only_if_it_leads_where_the_walk_came_from() {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(scratch.path().join("a/b")).expect("made");
    fs::create_dir(scratch.path().join("elsewhere")).expect("made");
    let a = open(&scratch.path().join("a"));
    let b = open(&scratch.path().join("a/b"));
    let came_from = identity(&fstat(&a).expect("stat"));
    assert!(open_parent(b.as_fd(), came_from).is_ok());
    fs::rename(
        scratch.path().join("a/b"),
        scratch.path().join("elsewhere/b"),
    )
    .expect("moved");
    assert_eq!(
        open_parent(b.as_fd(), came_from).map(drop),
        Err(Errno::BUSY)
    );
}

/// Notes what it sees, and has something moved away when it gets somewhere.
struct Recorder<'a> {
    seen: Vec<PathBuf>,
    left: Vec<PathBuf>,
    at: &'a Path,
    moved: (PathBuf, PathBuf),
    bounds: Bounds,
}

impl Visitor for Recorder<'_> {
    const PASSED_OVER: &'static [Errno] = VANISHED;

    fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn enter(&mut self, site: &Site<'_>, _: BorrowedFd<'_>, _: &Stat) -> Result<(), Fault> {
        self.seen.push(site.path.to_owned());
        if site.path == self.at {
            fs::rename(&self.moved.0, &self.moved.1).expect("moved");
        }
        Ok(())
    }

    fn leave(&mut self, site: &Site<'_>, _: Option<BorrowedFd<'_>>, _: &Stat) -> Result<(), Fault> {
        self.left.push(site.path.to_owned());
        Ok(())
    }

    fn entry(&mut self, site: &Site<'_>, _: &Stat) -> Result<(), Fault> {
        self.seen.push(site.path.to_owned());
        Ok(())
    }
}

#[test]
fn a_directory_that_goes_away_while_it_is_read_does_not_keep_the_rest_from_being_read() {
    for gone in ["w", "w/a", "w/a/b"] {
        let scratch = tempfile::tempdir().expect("a directory");
        let at = |name: &str| scratch.path().join(name);
        fs::create_dir_all(at("tree/w/a/b/c")).expect("made");
        for number in 0..10 {
            fs::create_dir(at(&format!("tree/{number}"))).expect("made");
        }
        let mut recorder = Recorder {
            seen: Vec::new(),
            left: Vec::new(),
            at: Path::new("w/a/b/c"),
            moved: (at(&format!("tree/{gone}")), at("elsewhere")),
            bounds: Bounds::of_a_call(),
        };
        walk(open(&at("tree")), Path::new(""), &mut recorder).expect("the rest is there");
        recorder.seen.sort();
        recorder.left.sort();
        assert_eq!(recorder.seen.len(), 14, "{gone}: {:?}", recorder.seen);
        assert_eq!(recorder.seen, recorder.left, "{gone}");
    }
}

/// Says of the first directories that their server no longer knows them.
struct Exchanged {
    left: usize,
    entered: usize,
    bounds: Bounds,
}

impl Visitor for Exchanged {
    const PASSED_OVER: &'static [Errno] = VANISHED;

    fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn enter(&mut self, site: &Site<'_>, _: BorrowedFd<'_>, _: &Stat) -> Result<(), Fault> {
        if self.left > 0 {
            self.left -= 1;
            return Err(failed("look at", site.path, Errno::STALE));
        }
        self.entered += 1;
        Ok(())
    }

    fn leave(&mut self, _: &Site<'_>, _: Option<BorrowedFd<'_>>, _: &Stat) -> Result<(), Fault> {
        Ok(())
    }

    fn entry(&mut self, _: &Site<'_>, _: &Stat) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn a_directory_that_somebody_replaced_when_it_was_opened_is_opened_again_and_not_for_ever() {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::create_dir(scratch.path().join("comes-and-goes")).expect("made");
    let walked = |left| {
        let mut exchanged = Exchanged {
            left,
            entered: 0,
            bounds: Bounds::of_a_call(),
        };
        let walked = walk(open(scratch.path()), Path::new(""), &mut exchanged);
        (walked.is_ok(), exchanged.entered)
    };
    assert_eq!(walked(TRIES - 1), (true, 1));
    assert_eq!(walked(TRIES), (false, 0));
}

#[test]
fn names_come_back_as_they_were() {
    let mut names = Names(b"\0a\0\xff b".to_vec());
    assert_eq!(names.pop().expect("a name").as_bytes(), b"\xff b");
    assert_eq!(names.pop().expect("a name"), "a");
    assert_eq!(names.pop(), None);
}

#[test]
#[ignore = "needs root: mounts"]
fn a_mount_beneath_is_denied_and_what_it_holds_stays() {
    use nix::mount::{MsFlags, mount, umount};
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |name: &str| -> PathBuf { scratch.path().join(name) };
    fs::create_dir_all(at("tree/tmpfs")).expect("made");
    fs::create_dir_all(at("tree-two/bind")).expect("made");
    fs::create_dir_all(at("keep")).expect("made");
    mount(
        Some("none"),
        &at("tree/tmpfs"),
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .expect("mounted");
    mount(
        Some(&at("keep")),
        &at("tree-two/bind"),
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .expect("mounted");
    fs::write(at("tree/tmpfs/file"), "x").expect("written");
    fs::write(at("keep/file"), "x").expect("written");
    let top = open(scratch.path());
    let refused =
        ["tree", "tree-two"].map(|name| remove(top.as_fd(), OsStr::new(name), Path::new(name)));
    let kept = at("tree/tmpfs/file").exists() && at("keep/file").exists();
    umount(&at("tree/tmpfs")).expect("unmounted");
    umount(&at("tree-two/bind")).expect("unmounted");
    assert!(kept);
    assert!(
        refused.iter().all(|refused| refused
            .as_ref()
            .is_err_and(|fault| fault.kind == FaultKind::Denied)),
        "{refused:?}"
    );
}
