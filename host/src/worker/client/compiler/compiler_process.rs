//! The process in which a component is read, compiled and asked who it is: this executable again, bounded in time and
//! memory, with nothing of ours but two pipes.
//!
//! What goes in and comes out is bytes to this file. The parent does none of the work itself, whatever becomes of the
//! worker.

use std::io::{self, ErrorKind, Read, Write};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::worker::command_line::{COMPILE, PATIENCE, Priority, THIS_PROGRAM, WORKER_NAME};
use crate::worker::start::start;

/// A compiler that is given more of a node's processors is done little sooner.
const MAX_THREADS: usize = 4;

/// What is read of a worker's last words: a panic's message, or that there was no memory.
const LAST_WORDS: u64 = 4 << 10;

/// How a process says that there was none for its heap, or for the stack of one more thread.
const NO_MEMORY: [&str; 2] = ["memory allocation of ", "ThreadPoolBuildError"];

/// What compiling one component may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Wall time, where somebody waits.
    pub time: Duration,
    /// Bytes of memory of the process that does it.
    pub memory_bytes: usize,
}

impl Default for CompileLimits {
    /// A component of 18 MB, with Python in it, takes 15 seconds of a processor, which is a minute on a node with much
    /// else to do, and between 300 and 500 MiB. Less than a call's own deadline, so that the limit is told.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(90),
            memory_bytes: 1 << 30,
        }
    }
}

impl CompileLimits {
    /// By the clock.
    fn wall_time(self, priority: Priority) -> Duration {
        match priority {
            Priority::Call => self.time,
            Priority::Background => self.time.saturating_mul(PATIENCE),
        }
    }

    /// What that much wall time would be of all processors that it may use.
    fn processor_time(self) -> Duration {
        self.time
            .saturating_mul(u32::try_from(threads()).unwrap_or(u32::MAX))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CompileWorkerError {
    /// It cannot be started.
    #[error("cannot start a worker process")]
    NotStarted(#[source] io::Error),
    /// It was not done in time, and was killed.
    #[error("it was not done after {0:?}")]
    Time(Duration),
    /// It wanted more memory than it may have.
    #[error("it needed more than {0} bytes of memory")]
    Memory(usize),
    /// It ended for another reason.
    #[error("the worker process {0}")]
    Ended(String),
}

/// Has a worker of this executable answer the input, within the limits.
///
/// # Errors
/// [`CompileWorkerError`]; the worker is gone then.
pub fn ask_compiler(
    limits: CompileLimits,
    priority: Priority,
    input: Vec<u8>,
) -> Result<Vec<u8>, CompileWorkerError> {
    let deadline = Instant::now() + limits.wall_time(priority);
    let mut worker = Worker::start(limits, priority, input)?;
    let answer = worker.answer(limits, deadline);
    let status = match &answer {
        Ok(Some(_)) => worker.wait(deadline),
        Ok(None) | Err(_) => worker.kill(),
    };
    let last_words = worker.last_words();
    match (answer, status) {
        (Ok(Some(answer)), Some(status)) if status.success() => Ok(answer),
        (Ok(None), _) | (_, None) => Err(CompileWorkerError::Time(limits.time)),
        (_, Some(status)) if status.signal() == Some(Signal::SIGXCPU as i32) => {
            Err(CompileWorkerError::Time(limits.time))
        }
        _ if NO_MEMORY.iter().any(|said| last_words.contains(said)) => {
            Err(CompileWorkerError::Memory(limits.memory_bytes))
        }
        (Err(error), Some(_)) => Err(CompileWorkerError::Ended(format!("failed: {error}"))),
        (Ok(Some(_)), Some(status)) => Err(CompileWorkerError::Ended(ending(status, &last_words))),
    }
}

struct Worker {
    child: Child,
    /// Its input is written and its last words are read beside us, so that neither keeps us from the deadline.
    writing: Option<JoinHandle<()>>,
    hearing: Option<JoinHandle<String>>,
}

impl Worker {
    fn start(
        limits: CompileLimits,
        priority: Priority,
        input: Vec<u8>,
    ) -> Result<Self, CompileWorkerError> {
        let not_started = CompileWorkerError::NotStarted;
        let mut child = spawn(limits, priority).map_err(not_started)?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let writing = std::thread::spawn(move || {
            // A worker that ended reads no more; why, its status tells.
            let _ = stdin.map(|mut stdin| stdin.write_all(&input));
        });
        let hearing = std::thread::spawn(move || {
            let mut words = Vec::new();
            let _ = stderr.map(|stderr| stderr.take(LAST_WORDS).read_to_end(&mut words));
            String::from_utf8_lossy(&words).into_owned()
        });
        Ok(Self {
            child,
            writing: Some(writing),
            hearing: Some(hearing),
        })
    }

    /// All it says; nothing where it still speaks at the deadline.
    fn answer(&mut self, limits: CompileLimits, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let mut stdout = self.child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let (mut answer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Also where it says something all the time.
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(
                &mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)],
                timeout,
            ) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(errno.into()),
            }
            match stdout.read(&mut chunk)? {
                0 => return Ok(Some(answer)),
                count => answer.extend_from_slice(&chunk[..count]),
            }
            // It could not have held it.
            if answer.len() > limits.memory_bytes {
                return Err(io::Error::other("its answer has no end"));
            }
        }
    }

    /// How it ended, if it does before the deadline.
    fn wait(&mut self, deadline: Instant) -> Option<ExitStatus> {
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.kill();
        None
    }

    fn kill(&mut self) -> Option<ExitStatus> {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        self.child.wait().ok()
    }

    fn last_words(&mut self) -> String {
        self.writing.take().map(JoinHandle::join);
        let heard = self.hearing.take().map(JoinHandle::join);
        heard.and_then(Result::ok).unwrap_or_default()
    }
}

/// As many as wasmtime compiles with.
fn threads() -> usize {
    available_parallelism()
        .map_or(1, NonZero::get)
        .min(MAX_THREADS)
}

fn spawn(limits: CompileLimits, priority: Priority) -> io::Result<Child> {
    #[expect(
        clippy::disallowed_methods,
        reason = "sys is where child processes are made"
    )]
    let mut command = Command::new(THIS_PROGRAM);
    command
        .arg0(WORKER_NAME)
        .arg(COMPILE)
        .arg(limits.wall_time(priority).as_secs().to_string())
        .arg(limits.memory_bytes.to_string())
        .arg(priority.word())
        .arg(limits.processor_time().as_secs().to_string())
        .env_clear()
        // Of the pool of threads that wasmtime compiles with.
        .env("RAYON_NUM_THREADS", threads().to_string())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    start(&mut command)
}

fn ending(status: ExitStatus, last_words: &str) -> String {
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) if signal == Signal::SIGKILL as i32 => {
            "was killed, which the kernel does where the node or the container has no memory left"
                .to_owned()
        }
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, code) => format!("ended with code {}", code.unwrap_or_default()),
    };
    match last_words.trim() {
        "" => how,
        words => format!("{how}: {}", words.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_waits_for_may_take_longer_by_the_clock_and_no_more_of_the_processors() {
        let limits = CompileLimits {
            time: Duration::from_secs(3),
            ..CompileLimits::default()
        };
        assert_eq!(limits.wall_time(Priority::Call), Duration::from_secs(3));
        assert_eq!(
            limits.wall_time(Priority::Background),
            Duration::from_secs(30)
        );
        let longest = limits.wall_time(Priority::Call) * u32::try_from(MAX_THREADS).expect("few");
        assert!((limits.time..=longest).contains(&limits.processor_time()));
    }
}
