//! Tells when to look at directories again: at each change, and now and then without one.
//!
//! Events are a convenience. They are refused where a node has no inotify instance left, they are lost where a mount
//! comes to lie over a directory, and none comes from other nodes of a network filesystem. So whoever waits is woken
//! after a while all the same, by a clock that nobody sets.

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sys::{DirectoryEvents, Heard, WatchedDirectory, wait_readable};

/// Between two looks, whatever was heard. kubelet itself takes a minute to bring a ConfigMap to a node.
pub const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// Events of one change come within a few milliseconds: kubelet's swap of a ConfigMap alone makes a dozen.
const QUIET: Duration = Duration::from_millis(20);

/// However it goes on after that, it is looked at.
const LONGEST_SETTLING: Duration = Duration::from_millis(200);

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Something changed, perhaps.
    Changed,
    /// It is time to look anyway.
    Timeout,
    /// Whoever has the [`Stopper`] wants it to end; each further wait ends at once.
    Stopped,
}

/// A set of directories, and the next reason to look at them.
#[derive(Debug)]
pub struct Watch {
    directories: Vec<Directory>,
    events: Option<DirectoryEvents>,
    subscribe: fn() -> io::Result<DirectoryEvents>,
    has_told: bool,
    poll_interval: Duration,
    stop: PipeReader,
    stopper: Stopper,
}

/// Ends a [`Watch`] from another thread.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<PipeWriter>);

/// Whether the same directories are watched as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    AsBefore,
    Anew,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polled {
    Stop,
    Event,
    Nothing,
}

/// One directory of the set, there or not.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    itself: Option<WatchedDirectory>,
    /// The nearest one above that is there, and the name by which this one would appear in it.
    above: Option<(WatchedDirectory, OsString)>,
}

impl Stopper {
    /// Wakes whoever waits.
    pub fn stop(&self) {
        // It is never read, so that one byte is enough for good; where the pipe is full there is one.
        let _ = (&*self.0).write(&[0]);
    }
}

impl Watch {
    /// Over directories, some of which may be missing. What changes from now on is told.
    ///
    /// # Errors
    /// Where no pipe is to be had.
    pub fn new(
        directories: impl IntoIterator<Item = PathBuf>,
        poll_interval: Duration,
    ) -> io::Result<Self> {
        Self::with(directories, poll_interval, DirectoryEvents::subscribe)
    }

    fn with(
        directories: impl IntoIterator<Item = PathBuf>,
        poll_interval: Duration,
        subscribe: fn() -> io::Result<DirectoryEvents>,
    ) -> io::Result<Self> {
        let (stop, stopper) = io::pipe()?;
        let directory = |path| Directory {
            path,
            itself: None,
            above: None,
        };
        let mut watch = Self {
            directories: directories.into_iter().map(directory).collect(),
            events: None,
            subscribe,
            has_told: false,
            poll_interval,
            stop,
            stopper: Stopper(Arc::new(stopper)),
        };
        watch.arm();
        Ok(watch)
    }

    /// What ends it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Until something changed since the last wait, and not after `until` or the poll interval.
    pub fn wait(&mut self, until: Instant) -> Woken {
        // A directory that came since then may have changed before it was watched.
        if self.arm() == Armed::Anew {
            return self.settle();
        }
        let until = until.min(Instant::now() + self.poll_interval);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.poll(left) == Polled::Stop {
                return Woken::Stopped;
            }
            if self.hear() {
                return self.settle();
            }
            if Instant::now() >= until {
                return Woken::Timeout;
            }
        }
    }

    /// Until it is quiet, so that a flood of changes makes few looks.
    fn settle(&self) -> Woken {
        let until = Instant::now() + LONGEST_SETTLING;
        while Instant::now() < until {
            match self.poll(QUIET) {
                Polled::Stop => return Woken::Stopped,
                Polled::Nothing => break,
                Polled::Event => {
                    self.hear();
                }
            }
        }
        Woken::Changed
    }

    fn poll(&self, timeout: Duration) -> Polled {
        let mut fds = vec![self.stop.as_fd()];
        fds.extend(self.events.as_ref().map(AsFd::as_fd));
        match wait_readable(&fds, timeout)[..] {
            [true, ..] => Polled::Stop,
            [_, true] => Polled::Event,
            _ => Polled::Nothing,
        }
    }

    /// Takes what has arrived. Whether any of it is of a directory of the set: those above are full of others' files.
    fn hear(&self) -> bool {
        let heard = self.events.as_ref().map(DirectoryEvents::read);
        let is_ours = |heard: &Heard| match heard {
            Heard::TooMuch => true,
            Heard::In(place, name) => self.directories.iter().any(|directory| {
                let appears = |(above, awaited): &(WatchedDirectory, OsString)| {
                    above == place && name.as_ref().is_none_or(|name| name == awaited)
                };
                directory.itself == Some(*place) || directory.above.as_ref().is_some_and(appears)
            }),
        };
        heard.unwrap_or_default().iter().any(is_ours)
    }

    /// Watches what lies at each path now.
    fn arm(&mut self) -> Armed {
        match self.try_arm() {
            Ok(armed) => armed,
            Err(error) => {
                self.events = None;
                for directory in &mut self.directories {
                    (directory.itself, directory.above) = (None, None);
                }
                if !self.has_told {
                    tracing::warn!(%error, "changes of directories are not told by the kernel (see fs.inotify.max_user_instances and max_user_watches); they are looked at every {:?} instead", self.poll_interval);
                }
                self.has_told = true;
                Armed::AsBefore
            }
        }
    }

    fn try_arm(&mut self) -> io::Result<Armed> {
        let events = match self.events.take() {
            Some(events) => events,
            None => (self.subscribe)()?,
        };
        let before = self.watched();
        let mut armed = Armed::AsBefore;
        for directory in &mut self.directories {
            if directory.arm(&events)? == Armed::Anew {
                armed = Armed::Anew;
            }
        }
        let now = self.watched();
        for directory in before {
            if !now.contains(&directory) {
                events.forget(directory);
            }
        }
        self.events = Some(events);
        Ok(armed)
    }

    fn watched(&self) -> Vec<WatchedDirectory> {
        let of = |directory: &Directory| {
            let above = directory.above.as_ref().map(|(above, _)| *above);
            directory.itself.into_iter().chain(above)
        };
        self.directories.iter().flat_map(of).collect()
    }
}

impl Directory {
    /// Watches what lies at its path now. Where nothing does, or a link that may come to lead elsewhere, what lies above
    /// it as well.
    fn arm(&mut self, events: &DirectoryEvents) -> io::Result<Armed> {
        let itself = watch(events, &self.path)?;
        let above = match itself.is_none() || self.path.is_symlink() {
            true => self.nearest_above(events)?,
            false => None,
        };
        let is_as_before = itself == self.itself && above == self.above;
        (self.itself, self.above) = (itself, above);
        Ok(match is_as_before {
            true => Armed::AsBefore,
            false => Armed::Anew,
        })
    }

    fn nearest_above(
        &self,
        events: &DirectoryEvents,
    ) -> io::Result<Option<(WatchedDirectory, OsString)>> {
        let mut awaited = self.path.file_name();
        for above in self.path.ancestors().skip(1) {
            if let (Some(directory), Some(name)) = (watch(events, above)?, awaited) {
                return Ok(Some((directory, name.to_owned())));
            }
            awaited = above.file_name();
        }
        Ok(None)
    }
}

/// None where there is no such directory, or none that we may read. An error where the kernel has no watches left.
fn watch(events: &DirectoryEvents, path: &Path) -> io::Result<Option<WatchedDirectory>> {
    match events.watch(path) {
        Ok(directory) => Ok(Some(directory)),
        Err(error) if is_refusal(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::thread;

    use super::*;

    /// So long that a test which waits for it has failed.
    const NEVER: Duration = Duration::from_secs(20);

    fn over(path: &Path) -> Watch {
        Watch::new([path.to_owned()], NEVER).expect("a pipe")
    }

    fn wait(watch: &mut Watch) -> Woken {
        watch.wait(Instant::now() + NEVER)
    }

    /// Nothing more to be told.
    fn is_quiet(watch: &mut Watch) -> bool {
        watch.wait(Instant::now() + Duration::from_millis(50)) == Woken::Timeout
    }

    #[test]
    fn each_change_of_a_directory_wakes() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        let mut watch = over(root.path());
        assert!(is_quiet(&mut watch));
        let changes: [(&str, &dyn Fn()); 6] = [
            ("made", &|| fs::create_dir(path("..dated")).expect("made")),
            ("linked", &|| {
                symlink("..dated", path("..data_tmp")).expect("linked")
            }),
            ("swapped", &|| {
                fs::rename(path("..data_tmp"), path("..data")).expect("renamed")
            }),
            ("written", &|| {
                fs::write(path("nfs.wasm"), "x").expect("written")
            }),
            ("written again", &|| {
                fs::write(path("nfs.wasm"), "y").expect("written")
            }),
            ("removed", &|| {
                fs::remove_file(path("nfs.wasm")).expect("removed")
            }),
        ];
        for (what, change) in changes {
            change();
            assert_eq!(wait(&mut watch), Woken::Changed, "{what}");
            assert!(is_quiet(&mut watch), "{what}");
        }
        fs::read_dir(root.path()).expect("readable").count();
        assert!(is_quiet(&mut watch), "a look is no change");
    }

    #[test]
    fn a_directory_that_goes_and_comes_back_is_watched_again() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("above/source");
        let mut watch = over(&path);
        assert!(is_quiet(&mut watch));
        fs::write(root.path().join("else"), "").expect("written");
        assert!(is_quiet(&mut watch), "others' files above it are no news");
        fs::create_dir(root.path().join("above")).expect("made");
        assert_eq!(wait(&mut watch), Woken::Changed);
        for round in 0..3 {
            fs::create_dir(&path).expect("made");
            assert_eq!(wait(&mut watch), Woken::Changed, "came, {round}");
            while !is_quiet(&mut watch) {}
            fs::write(path.join("nfs.wasm"), "x").expect("written");
            assert_eq!(wait(&mut watch), Woken::Changed, "changed, {round}");
            fs::remove_dir_all(&path).expect("removed");
            assert_eq!(wait(&mut watch), Woken::Changed, "went, {round}");
            while !is_quiet(&mut watch) {}
        }
        assert!(watch.watched().len() <= 2, "{watch:?}");
    }

    #[test]
    fn a_link_that_comes_to_lead_elsewhere_wakes() {
        let root = tempfile::tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("one")).expect("made");
        fs::create_dir(path("two")).expect("made");
        symlink("one", path("current")).expect("linked");
        let mut watch = over(&path("current"));
        symlink("two", path("next")).expect("linked");
        fs::rename(path("next"), path("current")).expect("swapped");
        assert_eq!(wait(&mut watch), Woken::Changed);
        while !is_quiet(&mut watch) {}
        fs::write(path("two/nfs.wasm"), "x").expect("written");
        assert_eq!(wait(&mut watch), Woken::Changed);
        fs::write(path("one/nfs.wasm"), "x").expect("written");
        while !is_quiet(&mut watch) {}
    }

    #[test]
    fn what_changed_before_it_was_watched_is_not_missed() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("source");
        fs::create_dir(&path).expect("made");
        let mut watch = over(&path);
        assert!(is_quiet(&mut watch));
        // As a mount over it: no event tells of another directory at the same path.
        watch.directories[0].itself = None;
        assert_eq!(wait(&mut watch), Woken::Changed);
    }

    #[test]
    fn a_flood_of_changes_makes_few_looks() {
        let root = tempfile::tempdir().expect("a directory");
        let mut watch = over(root.path());
        let path = root.path().to_owned();
        let flood = thread::spawn(move || {
            let begun = Instant::now();
            for number in 0..1000 {
                fs::write(path.join("..data_tmp"), number.to_string()).expect("written");
                fs::rename(path.join("..data_tmp"), path.join("..data")).expect("renamed");
            }
            begun.elapsed()
        });
        let mut looks = 0;
        while !flood.is_finished() {
            if watch.wait(Instant::now() + Duration::from_millis(100)) == Woken::Changed {
                looks += 1;
            }
        }
        let length = flood.join().expect("ended");
        // Whoever floods may be kept from it for longer than it takes to be called quiet.
        let most = 2 + length.as_millis() / QUIET.as_millis();
        assert!((1..=most).contains(&looks), "{looks} looks in {length:?}");
        assert!(is_quiet(&mut watch) || is_quiet(&mut watch));
    }

    #[test]
    fn without_events_there_is_a_poll() {
        let root = tempfile::tempdir().expect("a directory");
        let refuse = || Err(io::Error::from_raw_os_error(nix::libc::EMFILE));
        let interval = Duration::from_millis(30);
        let mut watch = Watch::with([root.path().to_owned()], interval, refuse).expect("a pipe");
        for _ in 0..3 {
            let begun = Instant::now();
            fs::write(root.path().join("nfs.wasm"), "x").expect("written");
            assert_eq!(wait(&mut watch), Woken::Timeout);
            assert!((interval..NEVER).contains(&begun.elapsed()));
        }
        // As soon as events are to be had they are taken, and what changed before is looked at.
        watch.subscribe = DirectoryEvents::subscribe;
        assert_eq!(wait(&mut watch), Woken::Changed);
    }

    #[test]
    fn waiting_ends_at_its_time_at_the_interval_and_when_it_is_stopped() {
        let root = tempfile::tempdir().expect("a directory");
        let mut watch = over(root.path());
        let begun = Instant::now();
        assert_eq!(watch.wait(begun), Woken::Timeout);
        assert_eq!(
            watch.wait(begun + Duration::from_millis(30)),
            Woken::Timeout
        );
        assert!(begun.elapsed() >= Duration::from_millis(30));
        watch.poll_interval = Duration::from_millis(30);
        assert_eq!(wait(&mut watch), Woken::Timeout);
        assert!(begun.elapsed() < NEVER);
        watch.poll_interval = NEVER;
        let stopper = watch.stopper();
        let stopping = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            stopper.stop();
        });
        assert_eq!(wait(&mut watch), Woken::Stopped);
        assert_eq!(wait(&mut watch), Woken::Stopped);
        stopping.join().expect("ended");
    }
}
