//! The child's side: read a request, carry it out, answer, until the requests end.

use std::ffi::OsStr;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::fs::Dir;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::alarm;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::bounds::Bounds;
use super::{device, files, job, mount as mounting, network, nfs};
use crate::sys::rlimit;
use crate::worker::client::{self, measure};
use crate::worker::{DirectoryOrigin, Fault, FaultKind, Reply, Request};

/// argv[0] of a worker; both binaries serve.
pub(in crate::worker) const WORKER_NAME: &str = "drivebay-worker";

/// One line of a worker's input.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct Order<R> {
    pub(in crate::worker) request: R,
    /// Until the deadline.
    pub(in crate::worker) left: Duration,
    /// Where what must survive this worker is noted.
    pub(in crate::worker) notes: PathBuf,
}

/// How much longer than the deadline a worker lives that nobody kills, because its parent was killed first.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// Of a worker that a guest's words reach: the longest honest answer, ten thousand names, is a few MiB of text.
const MEMORY_BYTES: u64 = 1 << 30;

/// Whether this process was started as a worker.
pub fn is_worker(program: &OsStr) -> bool {
    program == WORKER_NAME
}

/// The whole life of a worker; the caller exits afterwards.
///
/// # Errors
/// Where its pipes break: the parent then sees the end of its replies and reports that.
pub fn serve_worker(place: Option<&OsStr>) -> io::Result<()> {
    // Modes are always said outright. Corrected afterwards instead, a directory made by a worker that was
    // killed in between would keep the wrong one.
    umask(Mode::empty());
    // Not where kubelet happens to be: that would keep a file system busy.
    std::env::set_current_dir("/")?;
    rlimit::end_before_the_host(match place == Some(OsStr::new(job::ARGUMENT)) {
        true => rlimit::OomScore::First,
        false => rlimit::OomScore::Worker,
    });
    if place == Some(OsStr::new(job::ARGUMENT)) {
        return job::serve();
    }
    if place == Some(OsStr::new(measure::ARGUMENT)) {
        rlimit::bound_memory(MEMORY_BYTES)?;
        return measure::serve();
    }
    if place == Some(OsStr::new(client::network::ARGUMENT)) {
        rlimit::bound_memory(MEMORY_BYTES)?;
        return network::serve();
    }
    let mut directories = Directories::default();
    answer_all(None, |request, notes| {
        bound_memory(&request)?;
        carry_out(request, notes, &mut directories)
    })
}

/// Programs for a device inherit what this process is allowed, and need as much as the filesystem is large.
fn bound_memory(request: &Request) -> Result<(), Fault> {
    let bounded = match matches!(request, Request::Device(_)) {
        true => rlimit::unbound_memory(),
        false => rlimit::bound_memory_for_now(MEMORY_BYTES),
    };
    bounded.map_err(|errno| {
        let message = format!("cannot bound a worker's memory: {}", errno.desc());
        Fault::new(FaultKind::Other, message)
    })
}

/// Reads a request, carries it out, answers, until the requests end, or none came for as long as `idle`.
pub(in crate::worker) fn answer_all(
    idle: Option<Duration>,
    mut carry_out: impl FnMut(Request, &Path) -> Result<Reply, Fault>,
) -> io::Result<()> {
    rest(idle);
    for line in io::stdin().lock().lines() {
        // It can hold a key.
        let line = Zeroizing::new(line?);
        let answer = match serde_json::from_str::<Order<Request>>(&line) {
            Ok(order) => {
                end_after(order.left + ORPHAN_GRACE);
                carry_out(order.request, &order.notes)
            }
            // The parser's own words can quote from the request, and that can hold a key.
            Err(_) => Err(Fault::new(
                FaultKind::Invalid,
                "the request makes no sense to the worker, which may be of another version; run `drivebay install`",
            )),
        };
        rest(idle);
        let mut text = Zeroizing::new(serde_json::to_vec(&answer)?);
        text.push(b'\n');
        let mut replies = io::stdout().lock();
        replies.write_all(&text)?;
        replies.flush()?;
    }
    Ok(())
}

/// Nothing to do now, for ever or for a while.
fn rest(idle: Option<Duration>) {
    match idle {
        Some(idle) => end_after(idle),
        None => drop(alarm::cancel()),
    }
}

/// Has the kernel kill this process, also in the midst of a system call, for whoever waits for the lock.
fn end_after(time: Duration) {
    alarm::set(u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1));
}

/// From here on, mounts of this process are seen by nobody and end with it. Only where nothing else will do: the
/// kernel copies every mount of the node.
pub(super) fn own_mount_namespace() -> Result<(), Fault> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .map_err(|errno| {
            let message = format!("cannot make a mount namespace: {}", errno.desc());
            Fault::new(FaultKind::Other, message)
        })
}

fn carry_out(
    request: Request,
    notes: &Path,
    directories: &mut Directories,
) -> Result<Reply, Fault> {
    match request {
        Request::PrepareTarget { target, kind } => mounting::prepare_target(&target, kind),
        Request::RemoveTarget { target } => mounting::remove_target(&target),
        Request::MountRemote {
            target,
            remote,
            access,
        } => nfs::mount_remote(&target, &remote, access),
        Request::BindDirectory {
            directory,
            path,
            target,
            access,
        } => {
            let beneath = files::open_beneath(directories.open(&directory)?, &path)?;
            mounting::bind(&beneath, &target, access)
        }
        Request::CompareDirectory {
            directory,
            path,
            target,
        } => {
            let beneath = files::open_beneath(directories.open(&directory)?, &path)?;
            mounting::compare(&beneath, &target)
        }
        Request::BindMount {
            from,
            target,
            access,
        } => mounting::bind_mount(&from, &target, access),
        Request::Unmount { target, flags } => mounting::unmount(&target, flags),
        Request::Measure { path } => measure::carry_out(&path),
        Request::OpenDirectory { directory } => directories.open(&directory).map(|_| Reply::Done),
        Request::Files {
            directory,
            operation,
        } => files::carry_out(
            directories.open(&directory)?,
            operation,
            notes,
            &Bounds::of_a_call(),
        ),
        Request::Device(request) => device::carry_out(&request, notes),
        Request::Resolve { .. } | Request::Reach(_) | Request::Https(_) => Err(Fault::new(
            FaultKind::Invalid,
            "a worker with privileges was asked to speak to the network",
        )),
    }
}

/// Directories that are open at once: each is a mount where it is remote, and a guest may name as many as it likes.
const MAX_DIRECTORIES: usize = 16;

/// Directories this worker has opened.
#[derive(Debug, Default)]
pub(super) struct Directories(Vec<(DirectoryOrigin, Dir)>);

impl Directories {
    pub(super) fn open(&mut self, origin: &DirectoryOrigin) -> Result<&Dir, Fault> {
        let at = match self.0.iter().position(|(known, _)| known == origin) {
            Some(at) => at,
            None => {
                let opened = match origin {
                    DirectoryOrigin::Local(path) => files::open_local(path)?,
                    DirectoryOrigin::Remote(source) => nfs::open_unseen(source)?,
                };
                if self.0.len() == MAX_DIRECTORIES {
                    self.0.remove(0);
                }
                self.0.push((origin.clone(), opened));
                self.0.len() - 1
            }
        };
        Ok(&self.0[at].1)
    }
}
