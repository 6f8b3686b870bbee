//! Volumes that start with the content of another, or of a snapshot: whole or not at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use drivebay_tests::{eventually, kill_hard, send};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chown};
use serde_json::{Value, json};

use crate::lab::{node, shell};
use crate::provisioner::{Call, Published, SERVER, Share, id};

/// So many files that a copy takes a while: one large file the server would copy by itself, at once.
const MANY: usize = 150;

/// Files of several kinds, with owners and modes.
fn fill(volume: &Path) {
    fs::create_dir(volume.join("below")).expect("writable");
    fs::write(volume.join("below/file"), "content").expect("writable");
    fs::set_permissions(volume.join("below/file"), fs::Permissions::from_mode(0o640))
        .expect("ours");
    chown(
        &volume.join("below/file"),
        Some(Uid::from_raw(1000)),
        Some(Gid::from_raw(2000)),
    )
    .expect("root");
    symlink("below/file", volume.join("link")).expect("writable");
}

#[track_caller]
fn is_filled(volume: &Path) {
    assert_eq!(
        fs::read_to_string(volume.join("link")).expect("a link"),
        "content"
    );
    let file = fs::metadata(volume.join("below/file")).expect("there");
    assert_eq!(
        (file.mode() & 0o7777, file.uid(), file.gid()),
        (0o640, 1000, 2000)
    );
}

fn cut(name: &str, volume: &Value) -> Call {
    Call::new(&["create-snapshot", "--name", name, "--source", id(volume)])
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_is_copied_and_leads_a_life_of_its_own() {
    let share = Share::new("clones");
    let source = share.create("one", &[]).succeeds();
    fill(&share.at("one"));
    let call = share.create("two", &["--from-volume", id(&source)]);
    let copy = call.succeeds();
    assert_eq!(copy["source"], json!({ "volume": id(&source) }));
    fs::write(share.at("one/below/file"), "changed").expect("writable");
    assert_eq!(call.succeeds(), copy);
    let pod = Published::of(&copy);
    is_filled(&pod.path);
    pod.unpublish();
    // The name stands for a copy of that source.
    share.create("two", &[]).fails("already-exists");
    share
        .create("one", &["--from-volume", id(&copy)])
        .fails("already-exists");
    for volume in [&source, &copy] {
        Call::new(&["delete-volume", id(volume)]).succeeds();
    }
    assert!(share.files().is_empty(), "{:?}", share.files());
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_snapshot_is_cut_once_restored_and_removed() {
    let share = Share::new("snapshots");
    let volume = share.create("pvc-1", &[]).succeeds();
    fill(&share.at("pvc-1"));
    let names = [
        "csi.storage.k8s.io/volumesnapshot/name=s",
        "csi.storage.k8s.io/volumesnapshotcontent/name=c",
    ];
    let call = cut("snap-1", &volume).with(&["--parameter", names[0], "--parameter", names[1]]);
    let snapshot = call.succeeds();
    assert_eq!(snapshot["id"], share.id("snap-1#snap-1#pvc-1"));
    assert_eq!(snapshot["source-volume-id"], volume["id"]);
    let archive = fs::metadata(share.at("snap-1/pvc-1.tar.gz")).expect("there");
    assert_eq!(snapshot["size-bytes"], archive.size());
    assert_eq!(snapshot["created-at-seconds"], archive.mtime());
    fs::write(share.at("pvc-1/below/file"), "changed").expect("writable");
    for again in [call, Call::new(&["get-snapshot", id(&snapshot)])] {
        assert_eq!(again.succeeds(), snapshot);
    }
    let other = share.create("pvc-2", &[]).succeeds();
    cut("snap-1", &other).fails("already-exists");

    // Also after its volume has gone.
    Call::new(&["delete-volume", id(&volume)]).succeeds();
    let restored = share
        .create("pvc-3", &["--from-snapshot", id(&snapshot)])
        .succeeds();
    assert_eq!(restored["source"], json!({ "snapshot": snapshot["id"] }));
    is_filled(&share.at("pvc-3"));
    for _ in 0..2 {
        Call::new(&["delete-snapshot", id(&snapshot)]).succeeds();
    }
    Call::new(&["get-snapshot", id(&snapshot)]).fails("not-found");
    share
        .create("pvc-4", &["--from-snapshot", id(&snapshot)])
        .fails("not-found");
    for volume in [&other, &restored] {
        Call::new(&["delete-volume", id(volume)]).succeeds();
    }
    share.is_empty();
}

/// As `tar` packs it for the other driver, and as that driver unpacks it.
#[test]
#[ignore = "needs the VM's NFS"]
fn snapshots_go_from_driver_to_driver() {
    let share = Share::new("exchange");
    fs::create_dir_all(share.at("pvc-0")).expect("writable");
    fill(&share.at("pvc-0"));
    let root = share.at("");
    for (compression, ending) in [("z", "tar.gz"), ("", "tar")] {
        let name = format!("snap-{ending}");
        shell(&format!(
            "cd '{}'; mkdir {name}; tar -C pvc-0 -c{compression}f {name}/pvc-0.{ending} .",
            root.display()
        ));
        let handle = share.id(&format!("{name}#{name}#pvc-0"));
        let found = Call::new(&["get-snapshot", &handle]).succeeds();
        assert_eq!(found["source-volume-id"], share.id("pvc-0##"));
        let volume = share
            .create(&name.replace("snap", "pvc"), &["--from-snapshot", &handle])
            .succeeds();
        is_filled(&share.at(volume["context"]["subdir"].as_str().expect("text")));
        Call::new(&["delete-snapshot", &handle]).succeeds();
        assert!(!share.at(&name).exists());
    }
    let volume = share
        .create("pvc-1", &["--from-volume", &share.id("pvc-0##")])
        .succeeds();
    cut("snap-1", &volume).succeeds();
    shell(&format!(
        "cd '{}'; mkdir out; tar -xzf snap-1/pvc-1.tar.gz -C out",
        root.display()
    ));
    is_filled(&share.at("out"));
}

/// A program that runs as its owner is one that only those who use a volume may have made.
#[test]
#[ignore = "needs the VM's NFS"]
fn programs_keep_their_marks_in_clones_and_in_snapshots_that_nobody_changed() {
    let share = Share::new("programs");
    let source = share.create("one", &[]).succeeds();
    let program = share.at("one/program");
    fs::write(&program, "x").expect("writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4711)).expect("ours");
    let mode = |volume: &str| {
        let copy = fs::metadata(share.at(volume).join("program")).expect("copied");
        copy.mode() & 0o7777
    };
    let two = share
        .create("two", &["--from-volume", id(&source)])
        .succeeds();
    assert_eq!(mode("two"), 0o4711);
    let snapshot = cut("snap", &source).succeeds();
    let restore = |name: &str| {
        share
            .create(name, &["--from-snapshot", id(&snapshot)])
            .succeeds()
    };
    let three = restore("three");
    assert_eq!(mode("three"), 0o4711);
    shell(&format!(
        "cd '{}'; gzip -d snap/one.tar.gz; gzip -1 snap/one.tar",
        share.at("").display()
    ));
    let four = restore("four");
    assert_eq!(mode("four"), 0o711);
    Call::new(&["delete-snapshot", id(&snapshot)]).succeeds();
    for volume in [&source, &two, &three, &four] {
        Call::new(&["delete-volume", id(volume)]).succeeds();
    }
    share.is_empty();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn the_longest_names_get_snapshots() {
    let share = Share::new("long");
    let volume = share.create(&"v".repeat(128), &[]).succeeds();
    fill(&share.at(volume["context"]["subdir"].as_str().expect("text")));
    let snapshot = cut(&"s".repeat(128), &volume).succeeds();
    let restored = share
        .create("pvc-1", &["--from-snapshot", id(&snapshot)])
        .succeeds();
    is_filled(&share.at("pvc-1"));
    for volume in [&volume, &restored] {
        Call::new(&["delete-volume", id(volume)]).succeeds();
    }
    Call::new(&["delete-snapshot", id(&snapshot)]).succeeds();
    share.is_empty();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn what_is_not_there_is_no_source() {
    let (share, other) = (Share::new("sources-a"), Share::new("sources-b"));
    let volume = other.create("pvc-1", &[]).succeeds();
    let snapshot = cut("snap-1", &volume).succeeds();
    for (from, source, condition) in [
        ("--from-volume", "fake-vol-id", "not-found"),
        ("--from-volume", &share.id("gone##"), "not-found"),
        ("--from-snapshot", "fake-snapshot-id", "not-found"),
        ("--from-snapshot", &share.id("gone##pvc-1"), "not-found"),
        ("--from-volume", id(&volume), "invalid-argument"),
        ("--from-snapshot", id(&snapshot), "invalid-argument"),
    ] {
        share.create("pvc-2", &[from, source]).fails(condition);
    }
    let cut = |source: &str| Call::new(&["create-snapshot", "--name", "s", "--source", source]);
    cut("fake-vol-id").fails("not-found");
    cut(&share.id("gone##")).fails("not-found");
    cut(id(&volume))
        .parameter("server", SERVER)
        .parameter("share", &share.name)
        .fails("invalid-argument");
    Call::new(&["delete-snapshot", "fake-snapshot-id"]).succeeds();
    Call::new(&["get-snapshot", "fake-snapshot-id"]).fails("not-found");
    assert!(share.files().is_empty(), "{:?}", share.files());
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    /// The caller: the work goes on without it.
    Caller,
    /// And the worker: as when the node goes down.
    Everything,
}

/// Kills a call in the midst of its bulk work, sees that nothing has come of it, and has it done again.
#[track_caller]
fn survives(killed: Killed, call: &Call, partial: &Path, nothing_yet: &Call) -> Value {
    let running = call.start();
    eventually("the work to begin", || {
        partial.exists() && !node().jobs().is_empty()
    });
    kill_hard(running);
    // Stopped, so that it cannot be over before we have looked. Not sooner: the kernel hangs up on what was stopped by
    // the time its parent dies.
    let jobs = node().jobs();
    jobs.iter().for_each(|job| send(*job, Signal::SIGSTOP));
    assert!(partial.exists(), "it was over too soon");
    nothing_yet.fails("not-found");
    let end = match killed {
        Killed::Caller => Signal::SIGCONT,
        Killed::Everything => Signal::SIGKILL,
    };
    jobs.iter().for_each(|job| send(*job, end));
    let made = call.succeeds_at_last();
    eventually("the job to end", || node().jobs().is_empty());
    made
}

fn fill_with_many(volume: &Path) {
    for number in 0..MANY {
        fs::write(volume.join(number.to_string()), format!("content {number}")).expect("room");
    }
}

#[track_caller]
fn has_many(volume: &Path) {
    for number in 0..MANY {
        let content = fs::read_to_string(volume.join(number.to_string())).expect("there");
        assert_eq!(content, format!("content {number}"));
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_copy_that_was_killed_is_made_whole_by_the_retry() {
    let share = Share::new("killed");
    let source = share.create("one", &[]).succeeds();
    fill_with_many(&share.at("one"));
    for killed in [Killed::Caller, Killed::Everything] {
        let copy = share.create("two", &["--from-volume", id(&source)]);
        let partial = share.at(".two.drivebay-partial");
        let get = Call::new(&["get-volume", &share.id("two##")]);
        let volume = survives(killed, &copy, &partial, &get);
        has_many(&share.at("two"));
        Call::new(&["delete-volume", id(&volume)]).succeeds();
    }
    let call = cut("snap", &source);
    let partial = share.at("snap/.one.tar.gz.drivebay-partial");
    let get = Call::new(&["get-snapshot", &share.id("snap#snap#one")]);
    let snapshot = survives(Killed::Everything, &call, &partial, &get);

    let restore = share.create("three", &["--from-snapshot", id(&snapshot)]);
    let partial = share.at(".three.drivebay-partial");
    let get = Call::new(&["get-volume", &share.id("three##")]);
    let volume = survives(Killed::Everything, &restore, &partial, &get);
    has_many(&share.at("three"));
    Call::new(&["delete-volume", id(&volume)]).succeeds();
    Call::new(&["delete-snapshot", id(&snapshot)]).succeeds();
    Call::new(&["delete-volume", id(&source)]).succeeds();
    share.is_empty();
}

/// Directories that come and go behind the client's back, as another client's do.
struct Churn {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Churn {
    fn below(volume: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (until, top) = (over.clone(), volume.join("comes-and-goes"));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                fs::create_dir_all(top.join("a/b")).expect("writable");
                fs::create_dir(top.join("c")).expect("writable");
                fs::write(top.join("a/b/file"), "x").expect("writable");
                fs::remove_dir_all(&top).expect("ours");
            }
        });
        Self {
            thread: Some(thread),
            over,
        }
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_volume_in_use_is_copied_and_cut_while_directories_in_it_come_and_go() {
    let share = Share::new("live");
    let source = share.create("one", &[]).succeeds();
    fill(&share.at("one"));
    for number in 0..10 {
        let directory = share.at("one/many").join(number.to_string());
        fs::create_dir_all(&directory).expect("writable");
        fs::write(directory.join("file"), "x").expect("writable");
    }
    let churn = Churn::below(&share.at("one"));
    for number in 0..4 {
        let name = format!("copy-{number}");
        share
            .create(&name, &["--from-volume", id(&source)])
            .succeeds();
        is_filled(&share.at(&name));
        let many = fs::read_dir(share.at(&name).join("many")).expect("copied");
        assert_eq!(many.count(), 10);
    }
    for number in 0..2 {
        cut(&format!("snap-{number}"), &source).succeeds();
    }
    drop(churn);
}
