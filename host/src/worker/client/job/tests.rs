use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;
use crate::worker::client::worker_settings::WorkerLimits;
use crate::worker::server::job::{carry_out, watch};
use crate::worker::server::work_limits::Endings;

/// A worker that is a thread; it holds the lock as the process would.
struct Threaded {
    done: mpsc::Receiver<()>,
    _thread: JoinHandle<()>,
}

impl Running for Threaded {
    fn wait(self, deadline: Instant) -> Option<ExitStatus> {
        match self
            .done
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => Some(ExitStatus::default()),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
        }
    }
}

struct Scratch {
    outer: tempfile::TempDir,
    started: AtomicUsize,
    limits: JobLimits,
}

/// What a worker does besides its job.
#[derive(Clone)]
enum Behaviour {
    Prompt,
    /// Begins its work when told to.
    Slow(std::sync::Arc<std::sync::Barrier>),
    /// Is killed before it has a result.
    Killed,
}

impl Scratch {
    fn new() -> Self {
        let outer = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(outer.path().join("pool/source")).expect("made");
        fs::write(outer.path().join("pool/source/file"), "content").expect("written");
        Self {
            outer,
            started: AtomicUsize::new(0),
            limits: JobLimits::default(),
        }
    }

    fn request(&self, source: &str, to: &str) -> Request {
        let directory = DirectoryOrigin::Local(self.outer.path().join("pool"));
        Request::Files {
            directory,
            operation: FileOperation::Copy {
                source: source.into(),
                to: to.into(),
            },
        }
    }

    /// Unpacks an archive that says of something of no use that it is a tebibyte long: reading it takes minutes.
    fn endless(&self, to: &str) -> Request {
        let archive = self.outer.path().join("pool/endless");
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XGlobalHeader);
        header.set_size(1 << 40);
        header.set_cksum();
        let file = fs::File::create(archive).expect("made");
        (&file).write_all(header.as_bytes()).expect("written");
        file.set_len(1 << 41).expect("longer");
        Request::Files {
            directory: DirectoryOrigin::Local(self.outer.path().join("pool")),
            operation: FileOperation::Extract {
                source: "endless".into(),
                to: to.into(),
            },
        }
    }

    /// Whether nothing unfinished is in the pool.
    fn is_clean(&self) -> bool {
        let names = fs::read_dir(self.outer.path().join("pool")).expect("read");
        names
            .map(|entry| entry.expect("entry").file_name())
            .all(|name| !name.to_string_lossy().ends_with(".drivebay-partial"))
    }

    fn run(
        &self,
        request: &Request,
        patience: Duration,
        behaviour: &Behaviour,
    ) -> Result<Reply, Fault> {
        let start = |lock: &ByteLocks, text: &[u8]| {
            self.started.fetch_add(1, Ordering::SeqCst);
            let (job, held) = (
                text.to_vec(),
                lock.as_fd().try_clone_to_owned().expect("cloned"),
            );
            let (tell, done) = mpsc::channel();
            let behaviour = behaviour.clone();
            let thread = thread::spawn(move || {
                if let Behaviour::Slow(begin) = &behaviour {
                    begin.wait();
                }
                if !matches!(behaviour, Behaviour::Killed) {
                    let job: Job = serde_json::from_slice(&job).expect("a job");
                    let endings = Endings::none_yet();
                    watch::over(&job, endings.clone()).expect("watched");
                    carry_out(job, endings).expect("noted");
                }
                drop(held);
                drop(tell);
            });
            Ok(Threaded {
                done,
                _thread: thread,
            })
        };
        run_in(&self.site(), request, Instant::now() + patience, start)
    }

    fn site(&self) -> WorkSite {
        WorkSite::new(
            "local",
            self.outer.path().join("jobs"),
            self.outer.path().join("run/slots"),
            self.limits,
            WorkerLimits::default(),
        )
    }

    fn results(&self) -> usize {
        let names = fs::read_dir(self.outer.path().join("jobs")).expect("read");
        names
            .filter(|entry| {
                entry
                    .as_ref()
                    .expect("entry")
                    .path()
                    .extension()
                    .is_some_and(|end| end == "result")
            })
            .count()
    }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

#[test]
fn bulk_work_is_a_job_and_nothing_else_is() {
    let scratch = Scratch::new();
    assert!(is_job(&scratch.request("a", "b")));
    let directory = DirectoryOrigin::Local("/".into());
    assert!(!is_job(&Request::Files {
        directory,
        operation: FileOperation::Usage
    }));
    assert!(!is_job(&Request::Resolve { host: "x".into() }));
}

#[test]
fn a_job_that_ends_in_time_answers_and_leaves_no_result() {
    let scratch = Scratch::new();
    assert_eq!(
        scratch.run(&scratch.request("source", "copy"), LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
    assert!(scratch.outer.path().join("pool/copy/file").exists());
    let missing = scratch.run(
        &scratch.request("missing", "other"),
        LONG,
        &Behaviour::Prompt,
    );
    assert_eq!(missing.expect_err("refused").kind, FaultKind::NotFound);
    assert_eq!(scratch.results(), 0);
}

#[test]
fn a_job_that_takes_longer_goes_on_and_a_repeated_call_joins_it() {
    let scratch = Scratch::new();
    let request = scratch.request("source", "copy");
    let begin = std::sync::Arc::new(std::sync::Barrier::new(2));
    let slow = Behaviour::Slow(begin.clone());
    for _ in 0..2 {
        assert_eq!(
            scratch
                .run(&request, SHORT, &slow)
                .expect_err("running")
                .kind,
            FaultKind::Busy
        );
    }
    assert_eq!(
        scratch.started.load(Ordering::SeqCst),
        1,
        "the second call joined the first"
    );
    begin.wait();
    assert_eq!(
        scratch.run(&request, LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
    assert_eq!(scratch.results(), 0);
    assert_eq!(
        scratch
            .run(&request, LONG, &Behaviour::Prompt)
            .expect_err("a new call")
            .kind,
        FaultKind::Exists
    );
}

#[test]
fn another_job_that_makes_the_same_thing_waits() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.outer.path().join("pool/second")).expect("made");
    let begin = std::sync::Arc::new(std::sync::Barrier::new(2));
    let slow = Behaviour::Slow(begin.clone());
    assert!(
        scratch
            .run(&scratch.request("source", "copy"), SHORT, &slow)
            .is_err()
    );
    assert_eq!(
        scratch
            .run(
                &scratch.request("second", "copy"),
                SHORT,
                &Behaviour::Prompt
            )
            .expect_err("busy")
            .kind,
        FaultKind::Busy
    );
    begin.wait();
    assert_eq!(
        scratch
            .run(&scratch.request("second", "copy"), LONG, &Behaviour::Prompt)
            .expect_err("taken")
            .kind,
        FaultKind::Exists
    );
    assert_eq!(
        scratch.run(&scratch.request("source", "copy"), LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
}

#[test]
fn a_killed_job_is_reported_and_then_runs_anew() {
    let scratch = Scratch::new();
    let request = scratch.request("source", "copy");
    let killed = scratch
        .run(&request, LONG, &Behaviour::Killed)
        .expect_err("killed");
    assert!(killed.message.contains("without a result"), "{killed}");
    assert_eq!(
        scratch.run(&request, LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
}

#[test]
fn an_old_success_does_not_count_when_what_it_made_is_gone() {
    let scratch = Scratch::new();
    let request = scratch.request("source", "copy");
    let begin = std::sync::Arc::new(std::sync::Barrier::new(2));
    assert!(
        scratch
            .run(&request, SHORT, &Behaviour::Slow(begin.clone()))
            .is_err()
    );
    begin.wait();
    // Until the worker is gone, another job for the same place waits.
    let other = scratch.request("missing", "copy");
    assert!(scratch.run(&other, LONG, &Behaviour::Prompt).is_err());
    assert_eq!(scratch.results(), 1);
    fs::remove_dir_all(scratch.outer.path().join("pool/copy")).expect("removed");
    assert_eq!(
        scratch.run(&request, LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
    assert!(scratch.outer.path().join("pool/copy/file").exists());
}

#[test]
fn the_way_to_a_share_does_not_make_another_job() {
    let names = |address: &str, option: &str| {
        let remote = crate::worker::Remote {
            fs_type: "nfs".into(),
            server: "filer".into(),
            address: address.parse().expect("an address"),
            client: None,
            path: "/export".into(),
            options: vec![("vers".into(), Some(option.into()))],
            secrets: Vec::new(),
        };
        let operation = FileOperation::Copy {
            source: "a".into(),
            to: "b".into(),
        };
        Names::of(
            Path::new("/jobs"),
            &DirectoryOrigin::Remote(remote),
            &operation,
        )
        .map(|names| (names.lock, names.result))
    };
    assert_eq!(names("10.0.0.1", "4.1"), names("10.0.0.2", "3"));
}

#[test]
fn a_job_for_which_nobody_waits_any_more_ends_and_leaves_nothing() {
    let mut scratch = Scratch::new();
    scratch.limits.unattended = Duration::from_millis(200);
    let request = scratch.endless("out");
    let waited = scratch.run(&request, Duration::from_secs(1), &Behaviour::Prompt);
    let fault = waited.expect_err("running");
    assert_eq!(
        fault.kind,
        FaultKind::Busy,
        "it was to go on while its caller waited: {fault}"
    );
    assert!(!scratch.is_clean());
    let until = Instant::now() + LONG;
    while !scratch.is_clean() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(scratch.is_clean(), "it outlived its callers");
    assert_eq!(scratch.results(), 0);
}

#[test]
fn a_job_that_takes_longer_than_it_may_is_ended() {
    let mut scratch = Scratch::new();
    scratch.limits.time = Duration::from_millis(200);
    let fault = scratch
        .run(&scratch.endless("out"), LONG, &Behaviour::Prompt)
        .expect_err("ended");
    assert_eq!(fault.kind, FaultKind::Exhausted);
    assert!(
        fault.message.contains("(limits.jobs.time = \"200ms\")"),
        "{fault}"
    );
    assert!(scratch.is_clean());
    assert!(!scratch.outer.path().join("pool/out").exists());
}

#[test]
fn no_more_jobs_run_at_once_than_the_operator_says() {
    let mut scratch = Scratch::new();
    scratch.limits.at_once = 1;
    let begin = std::sync::Arc::new(std::sync::Barrier::new(2));
    let slow = Behaviour::Slow(begin.clone());
    assert!(
        scratch
            .run(&scratch.request("source", "copy"), SHORT, &slow)
            .is_err()
    );
    let other = scratch.request("source", "other");
    let fault = scratch
        .run(&other, SHORT, &Behaviour::Prompt)
        .expect_err("one too many");
    assert_eq!(fault.kind, FaultKind::Full);
    assert!(
        fault.message.contains("(limits.jobs.at-once = 1)"),
        "{fault}"
    );
    begin.wait();
    assert_eq!(
        scratch.run(&other, LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
}

#[test]
fn a_result_that_nobody_fetched_goes_after_a_day() {
    let scratch = Scratch::new();
    let notes = scratch.outer.path().join("jobs");
    fs::create_dir(&notes).expect("made");
    for name in ["old.result", "young.result", "other"] {
        fs::write(notes.join(name), "{}").expect("written");
    }
    let yesterday = std::time::SystemTime::now() - RESULT_LIFETIME;
    for name in ["old.result", "other"] {
        let file = fs::File::open(notes.join(name)).expect("open");
        file.set_modified(yesterday).expect("set");
    }
    let done = scratch.run(&scratch.request("source", "copy"), LONG, &Behaviour::Prompt);
    assert_eq!(done, Ok(Reply::Done));
    assert!(!notes.join("old.result").exists());
    assert!(notes.join("young.result").exists() && notes.join("other").exists());
}

#[test]
fn how_a_job_ended_without_a_result_is_told() {
    let scratch = Scratch::new();
    let Request::Files { operation, .. } = scratch.request("source", "copy") else {
        panic!("work beneath a directory")
    };
    let told = |signal| {
        without_result(
            &operation,
            ExitStatus::from_raw(signal),
            &JobLimits::default(),
        )
    };
    let memory = told(Signal::SIGABRT as i32);
    assert_eq!(memory.kind, FaultKind::Exhausted);
    assert!(
        memory.message.contains("(limits.jobs.memory = \"512MiB\")"),
        "{memory}"
    );
    assert!(told(Signal::SIGKILL as i32).message.contains("was killed"));
    assert!(told(0).message.contains("without a result"));
}

#[test]
fn a_job_of_a_version_that_locked_a_file_is_waited_for_and_the_file_goes() {
    let scratch = Scratch::new();
    let request = scratch.request("source", "copy");
    let (directory, operation) = parts(&request).expect("a job");
    let names = Names::of(&scratch.site().notes, directory, operation).expect("named");
    let former = Lock::acquire(&names.former_lock, Instant::now()).expect("free");
    let fault = scratch
        .run(&request, SHORT, &Behaviour::Prompt)
        .expect_err("it runs");
    assert_eq!(fault.kind, FaultKind::Busy, "{fault}");
    assert_eq!(scratch.started.load(Ordering::SeqCst), 0);
    drop(former);
    assert_eq!(
        scratch.run(&request, LONG, &Behaviour::Prompt),
        Ok(Reply::Done)
    );
    assert!(!names.former_lock.exists());
}
