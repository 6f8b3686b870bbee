//! The parent's side: start a worker, ask it, end it.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::serve::Order;
use super::{DirectoryOrigin, Fault, FaultKind, Kernel, Reply, Request, job};
use crate::sys::Lock;

/// How long a killed worker may take to disappear before it counts as stuck in the kernel.
const GRACE: Duration = Duration::from_secs(2);

/// The workers of one call, started when first needed.
#[derive(Debug)]
struct Workers {
    lock: Lock,
    jobs: PathBuf,
    host: Option<Worker>,
    private: Option<Worker>,
    stuck: bool,
}

/// In which mount namespace a worker lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The node's: what it mounts stays.
    Host,
    /// Its own: what it mounts is gone with it, also after kill -9.
    Private,
}

impl Workers {
    fn new(lock: Lock, jobs: PathBuf) -> Self {
        Self {
            lock,
            jobs,
            host: None,
            private: None,
            stuck: false,
        }
    }

    fn worker(&mut self, place: Place) -> Result<&mut Worker, Fault> {
        let slot = match place {
            Place::Host => &mut self.host,
            Place::Private => &mut self.private,
        };
        match slot {
            Some(worker) => Ok(worker),
            empty => Ok(empty.insert(Worker::start(place, &self.lock)?)),
        }
    }

    fn forget(&mut self, place: Place) {
        match place {
            Place::Host => self.host = None,
            Place::Private => self.private = None,
        }
    }
}

impl Kernel for Workers {
    fn call(&mut self, request: Request, deadline: Instant) -> Result<Reply, Fault> {
        if job::is_job(&request) {
            return job::run(&self.jobs, &request, deadline);
        }
        let place = place_of(&request);
        let worker = self.worker(place)?;
        match worker.ask(&request, deadline) {
            Ok(answer) => answer,
            Err(lost) => {
                // A worker that did not answer is not asked again; the next request gets a fresh one.
                let fault = worker.end(lost, &purpose(&request));
                tracing::warn!(%fault, "a worker was given up");
                self.forget(place);
                self.stuck |= fault.kind == FaultKind::Stuck;
                Err(fault)
            }
        }
    }
}

/// The workers of one call, asked by the driver and by its guest's host functions in turn.
#[derive(Debug, Clone)]
pub struct SharedWorkers(Arc<Mutex<Workers>>);

impl SharedWorkers {
    /// For one call. Every worker inherits the lock and so keeps it until it is really gone. `jobs` is the
    /// directory where bulk work notes its state.
    pub fn new(lock: Lock, jobs: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(Workers::new(lock, jobs))))
    }

    /// Whether a worker could not be killed: what it was asked to do may still happen.
    pub fn is_stuck(&self) -> bool {
        self.0.lock().map_or(true, |workers| workers.stuck)
    }
}

impl Kernel for SharedWorkers {
    fn call(&mut self, request: Request, deadline: Instant) -> Result<Reply, Fault> {
        match self.0.lock() {
            Ok(mut workers) => workers.call(request, deadline),
            Err(_) => Err(Fault::new(
                FaultKind::Other,
                "an earlier request of this call panicked",
            )),
        }
    }
}

fn place_of(request: &Request) -> Place {
    match request {
        Request::OpenDirectory {
            directory: DirectoryOrigin::Remote(_),
        }
        | Request::Files {
            directory: DirectoryOrigin::Remote(_),
            ..
        } => Place::Private,
        Request::Resolve { .. }
        | Request::PrepareTarget { .. }
        | Request::RemoveTarget { .. }
        | Request::MountRemote { .. }
        | Request::BindDirectory { .. }
        | Request::CompareDirectory { .. }
        | Request::BindMount { .. }
        | Request::Unmount { .. }
        | Request::OpenDirectory { .. }
        | Request::Files { .. } => Place::Host,
    }
}

/// What the person who reads about a missing answer has to look at.
fn purpose(request: &Request) -> String {
    match request {
        Request::Resolve { host } => format!("looking up {host:?}"),
        Request::MountRemote { remote, .. } => format!("mounting {}", remote.source_text()),
        Request::OpenDirectory {
            directory: DirectoryOrigin::Remote(remote),
        }
        | Request::Files {
            directory: DirectoryOrigin::Remote(remote),
            ..
        } => format!("working on {}", remote.source_text()),
        Request::OpenDirectory {
            directory: DirectoryOrigin::Local(path),
        }
        | Request::Files {
            directory: DirectoryOrigin::Local(path),
            ..
        } => format!("working on {}", path.display()),
        Request::Unmount { target, .. } => format!("unmounting {}", target.display()),
        Request::PrepareTarget { target }
        | Request::RemoveTarget { target }
        | Request::BindDirectory { target, .. }
        | Request::CompareDirectory { target, .. }
        | Request::BindMount { target, .. } => format!("working on {}", target.display()),
    }
}

/// Why no answer came.
enum Lost {
    Deadline,
    Ended(String),
}

#[derive(Debug)]
struct Worker {
    child: Child,
    requests: Option<ChildStdin>,
    replies: ChildStdout,
}

impl Worker {
    fn start(place: Place, lock: &Lock) -> Result<Self, Fault> {
        let argument = match place {
            Place::Host => "host",
            Place::Private => "private",
        };
        let (child, requests, replies) = spawn(argument, lock.as_fd().try_clone_to_owned())?;
        Ok(Self {
            child,
            requests: Some(requests),
            replies,
        })
    }

    fn ask(&mut self, request: &Request, deadline: Instant) -> Result<Result<Reply, Fault>, Lost> {
        let ended = |error: &dyn std::fmt::Display| Lost::Ended(error.to_string());
        let left = deadline.saturating_duration_since(Instant::now());
        let mut line =
            serde_json::to_vec(&Order { request, left }).map_err(|error| ended(&error))?;
        line.push(b'\n');
        let Some(requests) = self.requests.as_mut() else {
            return Err(ended(&"it was told to stop"));
        };
        requests.write_all(&line).map_err(|error| ended(&error))?;
        let reply = self.read_line(deadline)?;
        serde_json::from_slice(&reply).map_err(|error| ended(&error))
    }

    fn read_line(&mut self, deadline: Instant) -> Result<Vec<u8>, Lost> {
        let mut line = Vec::new();
        let mut chunk = [0; 8192];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut streams = [PollFd::new(self.replies.as_fd(), PollFlags::POLLIN)];
            match poll(&mut streams, timeout) {
                Ok(0) | Err(nix::errno::Errno::EINTR) if Instant::now() >= deadline => {
                    return Err(Lost::Deadline);
                }
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(Lost::Ended(error.to_string())),
            }
            let count = self
                .replies
                .read(&mut chunk)
                .map_err(|error| Lost::Ended(error.to_string()))?;
            line.extend_from_slice(&chunk[..count]);
            if line.ends_with(b"\n") {
                return Ok(line);
            }
            if count == 0 {
                return Err(Lost::Ended("it ended without an answer".to_owned()));
            }
        }
    }

    /// Kills the worker with all its children and waits until it is gone, for a while.
    fn end(&mut self, lost: Lost, purpose: &str) -> Fault {
        let gone = self.kill();
        match lost {
            Lost::Ended(reason) => Fault::new(
                FaultKind::Other,
                format!("{purpose}: the worker process failed: {reason}"),
            ),
            Lost::Deadline if gone => Fault::new(
                FaultKind::TimedOut,
                format!("{purpose} did not end within the deadline; check that its server answers"),
            ),
            Lost::Deadline => Fault::new(
                FaultKind::Stuck,
                format!(
                    "{purpose}: process {} is stuck in the kernel and cannot be killed; the volume stays locked until it ends",
                    self.child.id()
                ),
            ),
        }
    }

    fn kill(&mut self) -> bool {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }
}

impl Drop for Worker {
    /// An idle worker ends when its requests do. Waited for, because until then it holds the lock.
    fn drop(&mut self) {
        drop(self.requests.take());
        let until = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Starts this executable as a worker that holds the lock and none of our streams.
pub(super) fn spawn(
    argument: &str,
    lock: std::io::Result<OwnedFd>,
) -> Result<(Child, ChildStdin, ChildStdout), Fault> {
    let failed = |error: &dyn std::fmt::Display| {
        Fault::new(
            FaultKind::Other,
            format!("cannot start a worker process: {error}"),
        )
    };
    let lock = lock.map_err(|error| failed(&error))?;
    // The running executable itself, even if the file was replaced by an upgrade meanwhile. Nothing that
    // needs code between fork and exec is asked for, so that the standard library can spawn without copying
    // this process: that is why the lock takes the place of stderr.
    #[expect(
        clippy::disallowed_methods,
        reason = "sys is where child processes are made"
    )]
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(super::serve::WORKER_NAME)
        .arg(argument)
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(lock));
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(requests), Some(replies)) => Ok((child, requests, replies)),
        _ => Err(failed(&"it has no pipes")),
    }
}
