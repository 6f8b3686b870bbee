//! Bulk work that a guest has the host do: bounded in everything, gone after those who wait for it, and never in a
//! guest's way once it was killed.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Child;

use drivebay_tests::{Answer, Node, RESULT, WatGuest, eventually, pod_options, send, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SHIM: &str = "drivebay~hostile/hostile";

const GRANTS: &str = r#"
component = "hostile"
flexvolume = "drivebay/hostile"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-write"
"#;

/// Whatever a call did in the pool, it mounted nothing.
const DONE: &str = "nothing is mounted";

/// Opens the granted directory. By the first letter of the volume's name, which is the path, it unpacks the file
/// `archive` there or removes that directory; its answer is the host's.
fn guest() -> WatGuest {
    let core = r#"
        (import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
        (import "drivebay:driver/files@0.1.0" "[method]directory.extract-archive" (func $extract (param i32 i32 i32 i32 i32 i32)))
        (import "drivebay:driver/files@0.1.0" "[method]directory.rmdir" (func $remove (param i32 i32 i32 i32)))
        (data (i32.const 1024) "poolarchive")
    "#;
    let stage = format!(
        r#"
        (call $open (i32.const 1024) (i32.const 4) (i32.const 128))
        (if (i32.eq (i32.load8_u (local.get $id)) (i32.const {remove}))
            (then (call $remove (i32.load (i32.const 132)) (local.get $id) (local.get $id_length) (i32.const {RESULT})))
            (else (call $extract (i32.load (i32.const 132)) (i32.const 1028) (i32.const 7) (local.get $id)
                (local.get $id_length) (i32.const {RESULT}))))
        "#,
        remove = u32::from(b'r')
    );
    WatGuest::named("hostile")
        .imports("mounts")
        .imports("files")
        .core(core)
        .stage(&stage)
}

struct Bulk {
    node: Node,
}

impl Bulk {
    fn with_limits(limits: &str) -> Self {
        let node = Node::empty();
        let grants = GRANTS.replace("POOL", text(&node.path("pool")));
        node.add_driver("hostile", &format!("{grants}{limits}"));
        node.install(&[&guest().write(node.path("hostile.wasm"))]);
        Self { node }
    }

    /// An archive of one member, whose size has nothing behind it: unpacking it takes minutes and, where it is a
    /// comment, no space.
    fn put_archive(&self, kind: u8, bytes: u64) {
        let file = fs::File::create(self.node.path("pool/archive")).expect("writable");
        file.write_all_at(&header(kind, bytes), 0).expect("written");
        file.set_len(512 + bytes.next_multiple_of(512) + 1024)
            .expect("longer");
    }

    fn start(&self, path: &str) -> Child {
        let pod = self.node.pod(path);
        self.node
            .callout(SHIM, &["mount", text(&pod), &pod_options(path, &[])])
            .spawn()
            .expect("the shim runs")
    }

    #[track_caller]
    fn call(&self, path: &str) -> Answer {
        answer_of(self.start(path))
    }

    /// The job of a call that waits for it.
    fn job(&self) -> Pid {
        let mut jobs = Vec::new();
        eventually("a job to run", || {
            jobs = self.node.jobs();
            !jobs.is_empty()
        });
        jobs[0]
    }

    /// Names of unfinished work in a directory of the pool.
    fn unfinished(&self, directory: &str) -> Vec<PathBuf> {
        let names = fs::read_dir(self.node.path("pool").join(directory)).expect("readable");
        names
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.to_string_lossy().ends_with(".drivebay-partial"))
            .collect()
    }
}

impl Drop for Bulk {
    /// Also after a failure.
    fn drop(&mut self) {
        for job in self.node.jobs() {
            // It may have ended by now.
            let _ = kill(job, Signal::SIGKILL);
        }
    }
}

#[track_caller]
fn answer_of(shim: Child) -> Answer {
    Answer::of(&shim.wait_with_output().expect("ours"))
}

/// Of a tar member, as POSIX has it.
fn header(kind: u8, bytes: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, "member");
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(136, "00000000000\0");
    put(148, "        ");
    put(257, "ustar\0");
    header[156] = kind;
    // A size that octal digits have no room for is written as a number, with the highest bit set.
    header[124] = 0x80;
    header[128..136].copy_from_slice(&bytes.to_be_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

const COMMENT: u8 = b'g';
const FILE: u8 = b'0';

const TEBIBYTE: u64 = 1 << 40;

#[test]
fn many_jobs_at_once_are_bounded_and_gone_soon_after_their_callers() {
    let bulk = Bulk::with_limits(
        "[limits]\ndeadline = \"2s\"\n[limits.jobs]\nat-once = 3\nunattended = \"1s\"\n",
    );
    bulk.put_archive(COMMENT, TEBIBYTE);
    let mut shims: Vec<Child> = (0..24)
        .map(|number| bulk.start(&format!("x{number}")))
        .collect();
    let mut most = 0;
    eventually("the callers to be answered", || {
        most = most.max(bulk.node.jobs().len());
        shims
            .iter_mut()
            .all(|shim| shim.try_wait().expect("ours").is_some())
    });
    assert!((1..=3).contains(&most), "{most} jobs ran at once");
    for shim in shims {
        let answer = answer_of(shim);
        let ours = [
            "(limits.jobs.at-once = 3)",
            "repeat the call within 1s to join it",
        ];
        let said = answer.message();
        assert!(ours.iter().any(|words| said.contains(words)), "{said}");
    }
    eventually("the jobs to end", || bulk.node.jobs().is_empty());
    assert_eq!(bulk.unfinished(""), Vec::<PathBuf>::new());
}

#[test]
fn a_job_ends_at_its_own_limit_of_time_while_somebody_waits_for_it() {
    let bulk = Bulk::with_limits("[limits.jobs]\ntime = \"1s\"\n");
    bulk.put_archive(COMMENT, TEBIBYTE);
    bulk.call("x").fails_with("(limits.jobs.time = \"1s\")");
    assert_eq!(bulk.unfinished(""), Vec::<PathBuf>::new());
    assert!(bulk.node.path("pool/archive").exists());
    assert!(bulk.node.jobs().is_empty());
}

#[test]
fn what_an_archive_expands_to_is_bounded_and_nothing_of_it_stays() {
    let bulk = Bulk::with_limits("[limits.jobs]\nsize = \"8MiB\"\n");
    bulk.put_archive(FILE, TEBIBYTE);
    bulk.call("x").fails_with("(limits.jobs.size = \"8MiB\")");
    assert_eq!(bulk.unfinished(""), Vec::<PathBuf>::new());
    assert!(!bulk.node.path("pool/x").exists());
    assert!(bulk.node.path("pool/archive").exists());
}

#[test]
fn a_job_that_is_refused_memory_says_which_limit_it_met() {
    let bulk = Bulk::with_limits("[limits.jobs]\nmemory = \"512KiB\"\n");
    bulk.put_archive(COMMENT, TEBIBYTE);
    bulk.call("x")
        .fails_with("(limits.jobs.memory = \"512KiB\")");
}

#[test]
fn what_a_killed_job_left_keeps_nothing_from_being_removed() {
    let bulk = Bulk::with_limits("");
    bulk.put_archive(COMMENT, TEBIBYTE);
    fs::create_dir(bulk.node.path("pool/r")).expect("writable");
    let shim = bulk.start("x");
    let job = bulk.job();
    eventually("the job to begin", || bulk.unfinished("").len() == 1);
    send(job, Signal::SIGKILL);
    answer_of(shim).fails_with("was killed");
    let left = bulk.unfinished("");
    assert_eq!(left.len(), 1, "it was to leave something");
    // As it would lie there, had the guest made something in the directory that it removes next.
    fs::rename(&left[0], bulk.node.path("pool/r/.y.drivebay-partial")).expect("ours");
    bulk.call("r").fails_with(DONE);
    assert!(!bulk.node.path("pool/r").exists());
}

#[test]
fn the_next_job_removes_what_a_killed_one_left() {
    let bulk = Bulk::with_limits("");
    bulk.put_archive(COMMENT, TEBIBYTE);
    let shim = bulk.start("x");
    let job = bulk.job();
    eventually("the job to begin", || bulk.unfinished("").len() == 1);
    send(job, Signal::SIGKILL);
    answer_of(shim).fails_with("was killed");
    assert_eq!(bulk.unfinished("").len(), 1);
    bulk.put_archive(COMMENT, 0);
    bulk.call("y").fails_with(DONE);
    assert_eq!(bulk.unfinished(""), Vec::<PathBuf>::new());
    assert!(bulk.node.path("pool/y").is_dir());
}

#[test]
fn jobs_end_before_anything_else_where_memory_is_short() {
    let bulk = Bulk::with_limits("[limits]\ndeadline = \"20s\"\n");
    bulk.put_archive(COMMENT, TEBIBYTE);
    let mut shim = bulk.start("x");
    let job = bulk.job();
    let score = |process: i32| {
        let text = fs::read_to_string(format!("/proc/{process}/oom_score_adj")).unwrap_or_default();
        text.trim().parse::<i32>().unwrap_or(i32::MIN)
    };
    eventually("the job to say so", || score(job.as_raw()) == 1000);
    let own = score(i32::try_from(shim.id()).expect("a number of a process"));
    assert!((-1000..1000).contains(&own), "the shim has {own}");
    let allows = |name: &str, value: &str| {
        let limits = fs::read_to_string(format!("/proc/{job}/limits")).expect("it runs");
        let line = limits.lines().find(|line| line.starts_with(name));
        let mut words = line.expect("the kernel's").split_whitespace();
        words.any(|word| word == value)
    };
    eventually("the job to bound its memory", || {
        allows("Max data size", &(512 << 20).to_string())
    });
    assert!(allows("Max core file size", "0"));
    send(job, Signal::SIGKILL);
    assert!(shim.wait().expect("ours").success());
}
