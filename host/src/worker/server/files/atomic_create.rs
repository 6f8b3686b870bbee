//! Things that appear whole or not at all.
//!
//! They are made beside their place under a name that guests can neither see nor write, synced, and then
//! moved there without replacing anything. Whoever makes one that takes long holds a lock on it (flock(2)), so that
//! what nobody holds is a leftover; the lock is known to this node alone. So a leftover loses its name before anything
//! of it is removed, and whoever finishes one looks whether it still has its name.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, Stat, Uid, fchmod, fchown,
    flock, fstat, fsync, linkat, mkdirat, openat, renameat, renameat_with, statat, syncfs,
    unlinkat,
};
use rustix::io::{self, Errno, fcntl_dupfd_cloexec};

use super::attributes::{MODE_BITS, SET_ID};
use super::leftovers::{self, Found};
use super::openat2::open_child;
use super::partial_name::{SUFFIX, partial_name};
use super::resolved_path::{ResolvedPath, failed};
use super::tree::identity;
use crate::worker::server::work_limits::Bounds;
use crate::worker::{Fault, FaultKind, Reply};

/// Of new files: the contract has `set-mode` for those who want more.
const FILE_MODE: Mode = Mode::from_raw_mode(0o600);

/// Names are unlikely to collide; a leftover of a killed worker on another node might.
const ATTEMPTS: usize = 8;

/// How long one who sweeps may take between his look at something and its new name, and how often we look whether he has.
const SWEPT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);

/// A tree or a large file on its way to its place. Whatever it holds is removed unless it got there.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    target: &'a ResolvedPath,
    name: OsString,
    finished: bool,
    /// What was made, held for as long as it is built; none for what is made in one step.
    held: OnceCell<OwnedFd>,
}

impl<'a> Build<'a> {
    /// Refuses a place that is taken, and removes what killed jobs left in the directory. One job at a time builds at
    /// a place of this node; [`Build::finish`] notices one of another node.
    pub(crate) fn begin(target: &'a ResolvedPath) -> Result<Self, Fault> {
        match statat(&target.parent, &target.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Ok(_) => return Err(taken(target)),
            Err(error) => return Err(failed("look at", &target.path, error)),
        }
        let name = partial_name(&target.name);
        if leftovers::remove_unless_held(target.parent.as_fd(), &name)? == Found::Held {
            return Err(Fault::new(
                FaultKind::Busy,
                format!(
                    "{:?} is being made already; repeat the call later",
                    target.path
                ),
            ));
        }
        leftovers::sweep(target.parent.as_fd());
        Ok(Self {
            target,
            name,
            finished: false,
            held: OnceCell::new(),
        })
    }

    /// Makes something new under the name and holds it. Between the two, whoever sweeps the directory takes it for what a
    /// killed job left: then it is made once more.
    fn make<T: AsFd>(&self, new: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let until = Instant::now() + SWEPT;
        loop {
            let failure = match new() {
                Ok(made) if self.hold(&made)? => return Ok(made),
                // It lost its name, or is about to.
                Ok(_) => Errno::AGAIN,
                Err(error @ (Errno::NOENT | Errno::EXIST)) => error,
                Err(error) => return Err(error),
            };
            if Instant::now() >= until {
                return Err(failure);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Whether it is ours from here on, until it is finished or given up. Best effort where nothing can be held: directories
    /// on NFS. There others may take it for a leftover, which [`Build::finish`] notices.
    fn hold(&self, made: &impl AsFd) -> io::Result<bool> {
        let held = fcntl_dupfd_cloexec(made, 0)?;
        // Whoever sweeps holds what he is about to take away.
        if flock(&held, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Ok(false);
        }
        let ours = identity(&fstat(&held)?);
        let there = statat(&self.target.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let is_ours = there.is_ok_and(|there| identity(&there) == ours);
        if is_ours {
            let _ = self.held.set(held);
        }
        Ok(is_ours)
    }

    /// Where it is built until then.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// A new directory that nobody else can enter.
    pub(crate) fn make_directory(&self) -> Result<OwnedFd, Fault> {
        let parent = &self.target.parent;
        let made = self.make(|| {
            mkdirat(parent, &self.name, Mode::RWXU)?;
            open_child(parent.as_fd(), &self.name)
        });
        made.map_err(|error| failed("make directory", &self.name, error))
    }

    /// A new file that nobody else can open.
    pub(crate) fn make_file(&self) -> Result<File, Fault> {
        let made = self.make(|| new_file(&self.target.parent, &self.name));
        made.map_err(|error| failed("make file", &self.name, error))
    }

    /// Puts what was built into its place. `built` is what [`Build::name`] must still stand for.
    pub(crate) fn finish(mut self, built: &Stat) -> Result<(), Fault> {
        let wrong = |error| failed("finish", &self.target.path, error);
        syncfs(&self.target.parent).map_err(wrong)?;
        let now = match statat(&self.target.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => None,
            now => Some(identity(&now.map_err(wrong)?)),
        };
        if now != Some(identity(built)) {
            // What is there now is another's, and not whole; nothing is there if that has taken ours for a leftover.
            self.finished = true;
            let message = format!(
                "cannot finish {:?}: another node builds the same",
                self.target.path
            );
            return Err(Fault::new(FaultKind::Busy, message));
        }
        publish(self.target.parent.as_fd(), &self.name, self.target)?;
        self.finished = true;
        Ok(())
    }
}

impl Build<'_> {
    /// Not what another node has made under that name since, which then holds it or misses it.
    fn remove(&self) -> Result<(), Fault> {
        let parent = self.target.parent.as_fd();
        let Some(held) = self.held.get() else {
            return leftovers::remove_unless_held(parent, &self.name).map(|_| ());
        };
        let ours = fstat(held).map(|stat| identity(&stat));
        let there = statat(parent, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        match ours == there.map(|stat| identity(&stat)) {
            true => leftovers::take_away(&Bounds::of_a_call(), parent, &self.name),
            false => Ok(()),
        }
    }
}

impl Drop for Build<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort, to give the space back; the next attempt removes what is left.
            let _ = self.remove();
        }
    }
}

/// Moves a finished thing into its place; never replaces what is there.
fn publish(parent: BorrowedFd<'_>, name: &OsStr, to: &ResolvedPath) -> Result<(), Fault> {
    let moved = rename_without_replacing(parent, name, to.parent.as_fd(), &to.name)
        .and_then(|()| fsync(&to.parent));
    moved.map_err(|error| match error {
        Errno::EXIST | Errno::NOTEMPTY => taken(to),
        error => failed("move into place", &to.path, error),
    })
}

fn taken(target: &ResolvedPath) -> Fault {
    Fault::new(
        FaultKind::Exists,
        format!("{:?} exists already", target.path),
    )
}

/// NFS and some FUSE file systems know no `RENAME_NOREPLACE`. link(2) does the same for all but
/// directories; for those, rename(2) itself replaces nothing but an empty directory.
fn rename_without_replacing(
    from: BorrowedFd<'_>,
    source: &OsStr,
    into: BorrowedFd<'_>,
    to: &OsStr,
) -> io::Result<()> {
    match renameat_with(from, source, into, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => rename_by_other_means(from, source, into, to),
        moved => moved,
    }
}

fn rename_by_other_means(
    from: BorrowedFd<'_>,
    source: &OsStr,
    into: BorrowedFd<'_>,
    to: &OsStr,
) -> io::Result<()> {
    let moving = statat(from, source, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(moving.st_mode).is_dir() {
        return match statat(into, to, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => renameat(from, source, into, to),
            Err(error) => Err(error),
        };
    }
    match linkat(from, source, into, to, AtFlags::empty()) {
        Ok(()) => {}
        // A request that NFS sent twice, or an earlier attempt that died between the two steps.
        Err(Errno::EXIST)
            if statat(into, to, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|there| identity(&there) == identity(&moving)) => {}
        Err(error) => return Err(error),
    }
    unlinkat(from, source, AtFlags::empty())
}

/// Moves an entry without replacing anything.
pub(super) fn rename(source: &ResolvedPath, to: &ResolvedPath) -> Result<Reply, Fault> {
    let moved = rename_without_replacing(
        source.parent.as_fd(),
        &source.name,
        to.parent.as_fd(),
        &to.name,
    );
    moved.map_err(|error| match error {
        Errno::EXIST | Errno::NOTEMPTY => taken(to),
        error => failed("rename", &source.path, error),
    })?;
    let synced = fsync(&to.parent).and_then(|()| fsync(&source.parent));
    synced
        .map(|()| Reply::Done)
        .map_err(|error| failed("sync the rename of", &source.path, error))
}

/// Makes a small file that must not exist yet.
pub(super) fn create_file(target: &ResolvedPath, content: &[u8]) -> Result<Reply, Fault> {
    // Saves the work in the usual case; what decides is the rename.
    if statat(&target.parent, &target.name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(taken(target));
    }
    with_written(target, content, |name, _| {
        publish(target.parent.as_fd(), name, target)
    })
}

/// Replaces a small file, keeping its owner and mode, or makes it. Set-user-ID and set-group-ID were given to what it held.
pub(super) fn write_file(target: &ResolvedPath, content: &[u8]) -> Result<Reply, Fault> {
    with_written(target, content, |name, file| {
        let replaced = keep_attributes(target, file)
            .and_then(|()| renameat(&target.parent, name, &target.parent, &target.name))
            .and_then(|()| fsync(&target.parent));
        replaced.map_err(|error| failed("write", &target.path, error))
    })
}

fn keep_attributes(target: &ResolvedPath, file: &File) -> io::Result<()> {
    match statat(&target.parent, &target.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(old) if FileType::from_raw_mode(old.st_mode).is_file() => {
            let new = fstat(file)?;
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) {
                fchown(
                    file,
                    Some(Uid::from_raw(old.st_uid)),
                    Some(Gid::from_raw(old.st_gid)),
                )?;
            }
            fchmod(file, Mode::from_raw_mode(old.st_mode & MODE_BITS & !SET_ID))
        }
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

fn with_written(
    target: &ResolvedPath,
    content: &[u8],
    put: impl FnOnce(&OsStr, &File) -> Result<(), Fault>,
) -> Result<Reply, Fault> {
    let wrong = |error| failed("write", &target.path, error);
    let (name, mut file) = new_file_in(&target.parent).map_err(|error| wrong(error.into()))?;
    let done = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(wrong)
        .and_then(|()| put(&name, &file));
    if done.is_err() {
        // Best effort: a full disk is the usual reason, and the name is ours alone.
        let _ = unlinkat(&target.parent, &name, AtFlags::empty());
    }
    done.map(|()| Reply::Done)
}

/// A new file under a name of unfinished work.
pub(super) fn new_file_in(dir: &impl AsFd) -> io::Result<(OsString, File)> {
    let mut last = Errno::EXIST;
    for _ in 0..ATTEMPTS {
        let nanoseconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map(|since| since.as_nanos())
            .unwrap_or_default();
        let name = OsString::from(format!(".{}-{nanoseconds}{SUFFIX}", std::process::id()));
        match new_file(dir, &name) {
            Ok(file) => return Ok((name, file)),
            Err(error) => last = error,
        }
        if last != Errno::EXIST {
            break;
        }
    }
    Err(last)
}

fn new_file(parent: &impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, FILE_MODE).map(File::from)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn scratch() -> (tempfile::TempDir, OwnedFd) {
        let scratch = tempfile::tempdir().expect("a directory");
        let open = fs::File::open(scratch.path()).expect("open").into();
        (scratch, open)
    }

    fn to_in(dir: OwnedFd) -> ResolvedPath {
        ResolvedPath {
            parent: dir,
            name: "to".into(),
            path: "to".into(),
        }
    }

    #[test]
    fn without_noreplace_nothing_is_replaced_either() {
        let (scratch, dir) = scratch();
        let at = |name: &str| scratch.path().join(name);
        for name in ["file", "other"] {
            fs::write(at(name), name).expect("written");
        }
        for name in ["directory", "taken"] {
            fs::create_dir(at(name)).expect("made");
        }
        let moved = |source: &str, to: &str| {
            rename_by_other_means(dir.as_fd(), source.as_ref(), dir.as_fd(), to.as_ref())
        };
        assert_eq!(moved("file", "other"), Err(Errno::EXIST));
        assert_eq!(moved("file", "taken"), Err(Errno::EXIST));
        assert_eq!(moved("directory", "taken"), Err(Errno::EXIST));
        assert_eq!(moved("missing", "new"), Err(Errno::NOENT));
        assert_eq!(moved("file", "new"), Ok(()));
        assert_eq!(moved("directory", "new-directory"), Ok(()));
        assert_eq!(fs::read(at("new")).expect("read"), b"file");
        assert!(!at("file").exists() && !at("directory").exists());
    }

    #[test]
    fn a_move_that_died_between_its_two_steps_is_finished() {
        let (scratch, dir) = scratch();
        fs::write(scratch.path().join("file"), "x").expect("written");
        fs::hard_link(scratch.path().join("file"), scratch.path().join("to")).expect("linked");
        assert_eq!(
            rename_by_other_means(dir.as_fd(), "file".as_ref(), dir.as_fd(), "to".as_ref()),
            Ok(())
        );
        assert!(!scratch.path().join("file").exists());
    }

    #[test]
    fn what_is_made_while_others_sweep_is_there_and_held() {
        let (scratch, dir) = scratch();
        let target = to_in(dir);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        leftovers::sweep(target.parent.as_fd());
                    }
                });
            }
            let made: Vec<_> = (0..300)
                .map(|_| {
                    let build = Build::begin(&target)?;
                    let made = fstat(build.make_directory()?).expect("stat");
                    let there = fs::symlink_metadata(scratch.path().join(build.name()));
                    Ok::<_, Fault>(there.is_ok_and(|there| there.ino() == made.st_ino))
                })
                .collect();
            is_over.store(true, Ordering::Relaxed);
            for made in made {
                assert_eq!(made, Ok(true));
            }
        });
    }

    #[test]
    fn what_another_node_has_removed_is_not_finished() {
        let (scratch, dir) = scratch();
        let target = to_in(dir);
        let build = Build::begin(&target).expect("begun");
        let ours = fstat(build.make_directory().expect("made")).expect("stat");
        fs::remove_dir(scratch.path().join(build.name())).expect("removed by another");
        let fault = build.finish(&ours).expect_err("nothing there");
        assert_eq!(fault.kind, FaultKind::Busy, "{fault}");
    }

    #[test]
    fn what_another_node_has_begun_to_remove_is_not_finished() {
        let (scratch, dir) = scratch();
        let target = to_in(dir);
        let build = Build::begin(&target).expect("begun");
        let made = build.make_directory().expect("made");
        let partial = scratch.path().join(build.name());
        fs::write(partial.join("file"), "x").expect("written");
        // The other node knows nothing of the lock.
        let held = build.held.get().expect("held");
        flock(held, FlockOperation::Unlock).expect("unlocked");
        let no_time = Bounds::for_a_while(Duration::ZERO);
        let removal =
            leftovers::remove_unless_held_within(&no_time, target.parent.as_fd(), build.name());
        assert_eq!(removal.expect_err("no time").kind, FaultKind::Busy);
        let fault = build
            .finish(&fstat(made).expect("stat"))
            .expect_err("not whole");
        assert_eq!(fault.kind, FaultKind::Busy, "{fault}");
        assert!(!scratch.path().join("to").exists());

        // The next one about the same name goes on with it.
        leftovers::remove_beside(&target).expect("removed");
        assert_eq!(fs::read_dir(scratch.path()).expect("read").count(), 0);
    }

    #[test]
    fn what_is_given_up_goes_and_what_another_node_has_made_since_stays() {
        let (scratch, dir) = scratch();
        let target = to_in(dir);
        let build = Build::begin(&target).expect("begun");
        build.make_directory().expect("made");
        let partial = scratch.path().join(build.name());
        fs::write(partial.join("file"), "x").expect("written");
        drop(build);
        assert_eq!(fs::read_dir(scratch.path()).expect("read").count(), 0);

        let build = Build::begin(&target).expect("begun");
        build.make_directory().expect("made");
        fs::remove_dir(&partial).expect("removed by another");
        fs::create_dir(&partial).expect("made by another");
        fs::write(partial.join("file"), "theirs").expect("written");
        drop(build);
        assert!(partial.join("file").exists());
    }

    #[test]
    fn what_another_node_builds_under_the_same_name_is_not_taken_for_ours() {
        let (scratch, dir) = scratch();
        let target = to_in(dir);
        let build = Build::begin(&target).expect("begun");
        let ours = fstat(build.make_directory().expect("made")).expect("stat");
        let partial = scratch.path().join(build.name());
        fs::rename(&partial, scratch.path().join("ours")).expect("moved");
        fs::create_dir(&partial).expect("made by another");
        assert_eq!(
            build.finish(&ours).expect_err("not ours").kind,
            FaultKind::Busy
        );
        assert!(!scratch.path().join("to").exists());
        assert!(partial.exists());
    }
}
