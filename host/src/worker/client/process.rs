//! One worker process: start it, ask it, end it.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::sys::Lock;
use crate::sys::byte_lock::ByteLocks;
use crate::worker::command_line::{Order, THIS_PROGRAM, WORKER_NAME};
use crate::worker::start::start;
use crate::worker::{Fault, FaultKind, HttpsRequest, Reply, Request};

/// How long a killed worker may take to disappear before it counts as stuck in the kernel.
const GRACE: Duration = Duration::from_secs(2);

/// Whether a request is the network's alone, and so nothing that root should do.
pub(super) fn is_for_the_network(request: &Request) -> bool {
    matches!(
        request,
        Request::Resolve { .. } | Request::Reach(_) | Request::Https(_)
    )
}

/// How long an answer of such a worker can be, which is not believed: it read what the network sent.
pub(super) fn longest_answer(request: &Request) -> usize {
    /// For addresses, or for an answer's head: what is escaped takes six times as much.
    const MAX_TEXT: usize = 512 << 10;
    let Request::Https(HttpsRequest::Send(message)) = request else {
        return MAX_TEXT;
    };
    // Bodies are base64.
    let body = message.max_response_bytes.div_ceil(3).saturating_mul(4);
    body.saturating_add(MAX_TEXT)
}

/// Why no answer came.
pub(super) enum Lost {
    Deadline,
    Ended(String),
}

/// Whose mounts a worker makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MountNamespace {
    /// The node's: what it mounts stays.
    Host,
    /// Its own: what it mounts is gone with it, also after kill -9. Where that takes a mount namespace it makes
    /// one, and never works for the node again.
    Private,
}

#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    requests: Option<ChildStdin>,
    replies: ChildStdout,
    /// Held for as long as the worker is there; none where there are no more than are kept.
    slot: Option<Arc<ByteLocks>>,
}

impl Worker {
    pub(super) fn start(
        namespace: MountNamespace,
        lock: &Lock,
        slot: Arc<ByteLocks>,
    ) -> Result<Self, Fault> {
        let argument = match namespace {
            MountNamespace::Host => "host",
            MountNamespace::Private => "private",
        };
        Self::over(
            spawn(argument, lock.as_fd().try_clone_to_owned())?,
            Some(slot),
        )
    }

    /// A worker that holds no lock.
    pub(super) fn start_unlocked(program: &Path, argument: &str) -> Result<Self, Fault> {
        Self::over(spawn_program(program, argument, Stdio::null())?, None)
    }

    /// A worker that reads nothing any more must not keep us from noticing the deadline.
    fn over(
        (child, requests, replies): Pipes,
        slot: Option<Arc<ByteLocks>>,
    ) -> Result<Self, Fault> {
        fcntl(&requests, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|errno| not_started(&errno))?;
        Ok(Self {
            child,
            requests: Some(requests),
            replies,
            slot,
        })
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn ask(
        &mut self,
        request: &Request,
        notes: &Path,
        deadline: Instant,
    ) -> Result<Result<Reply, Fault>, Lost> {
        let ended = |error: &dyn std::fmt::Display| Lost::Ended(error.to_string());
        let order = Order {
            request,
            left: deadline.saturating_duration_since(Instant::now()),
            notes: notes.to_owned(),
        };
        let line = serde_json::to_vec(&order).map_err(|error| ended(&error))?;
        // Requests and replies of the network hold keys.
        let mut line = Zeroizing::new(line);
        line.push(b'\n');
        self.write_line(&line, deadline)?;
        let longest = match is_for_the_network(request) {
            true => longest_answer(request),
            false => usize::MAX,
        };
        let reply = self.read_line(longest, deadline)?;
        // The parser's own words can quote from the reply.
        serde_json::from_slice(&reply).map_err(|_| ended(&"its answer cannot be read"))
    }

    fn write_line(&mut self, mut line: &[u8], deadline: Instant) -> Result<(), Lost> {
        let Some(requests) = self.requests.as_mut() else {
            return Err(Lost::Ended("it was told to stop".to_owned()));
        };
        while !line.is_empty() {
            match requests.write(line) {
                Ok(count) => line = &line[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait_for(requests.as_fd(), PollFlags::POLLOUT, deadline)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Lost::Ended(error.to_string())),
            }
        }
        Ok(())
    }

    fn read_line(&mut self, longest: usize, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Lost> {
        let mut line = Zeroizing::new(Vec::new());
        let mut chunk = Zeroizing::new([0; 8192]);
        loop {
            wait_for(self.replies.as_fd(), PollFlags::POLLIN, deadline)?;
            let count = self
                .replies
                .read(&mut *chunk)
                .map_err(|error| Lost::Ended(error.to_string()))?;
            line.extend_from_slice(&chunk[..count]);
            if line.ends_with(b"\n") {
                return Ok(line);
            }
            if line.len() > longest {
                return Err(Lost::Ended("its answer is too long".to_owned()));
            }
            if count == 0 {
                return Err(Lost::Ended("it ended without an answer".to_owned()));
            }
        }
    }

    /// Kills the worker with all its children and waits until it is gone, for a while.
    pub(super) fn end(&mut self, lost: Lost, purpose: &str) -> Fault {
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
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= until {
                return self.leave_behind();
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

impl Worker {
    /// One that the kernel does not let go keeps its slot as long as this process lives, or it does: else a dead server
    /// would gather any number of them.
    fn leave_behind(&mut self) {
        let Some(slot) = self.slot.take() else {
            return;
        };
        let Ok(id) = i32::try_from(self.child.id()) else {
            return;
        };
        let waiting = std::thread::Builder::new()
            .name("stuck-worker".to_owned())
            .spawn(move || {
                let _ = nix::sys::wait::waitpid(Pid::from_raw(id), None);
                drop(slot);
            });
        // Without a thread one more of them can be there.
        drop(waiting);
    }
}

/// Until the pipe is ready, or the deadline.
fn wait_for(pipe: BorrowedFd<'_>, ready: PollFlags, deadline: Instant) -> Result<(), Lost> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pipe, ready)], timeout) {
            Ok(0) | Err(Errno::EINTR) if Instant::now() >= deadline => return Err(Lost::Deadline),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(Lost::Ended(error.to_string())),
        }
    }
}

/// A worker with the way in and the way out.
type Pipes = (Child, ChildStdin, ChildStdout);

fn not_started(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(
        FaultKind::Other,
        format!("cannot start a worker process: {error}"),
    )
}

/// Starts this executable as a worker that holds the lock and none of our streams.
pub(super) fn spawn(argument: &str, lock: std::io::Result<OwnedFd>) -> Result<Pipes, Fault> {
    let lock = lock.map_err(|error| not_started(&error))?;
    spawn_program(Path::new(THIS_PROGRAM), argument, Stdio::from(lock))
}

fn spawn_program(program: &Path, argument: &str, stderr: Stdio) -> Result<Pipes, Fault> {
    // Nothing that needs code between fork and exec is asked for, so that the standard library can spawn
    // without copying this process: that is why the lock takes the place of stderr.
    #[expect(
        clippy::disallowed_methods,
        reason = "sys is where child processes are made"
    )]
    let mut command = Command::new(program);
    command
        .arg0(WORKER_NAME)
        .arg(argument)
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr);
    let mut child = start(&mut command).map_err(|error| not_started(&error))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(requests), Some(replies)) => Ok((child, requests, replies)),
        _ => Err(not_started(&"it has no pipes")),
    }
}
