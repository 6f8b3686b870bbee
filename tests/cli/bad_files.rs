//! Directories that are not what they should be, and disks that cannot be written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use drivebay_tests::{Answer, DEVICE, NODE_ID, Node, Volume, text};
use nix::mount::{MsFlags, mount};

const NONE: Option<&str> = None;

fn tmpfs(on: &Path, size: &str) {
    mount(
        Some("other"),
        on,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(size),
    )
    .expect("root");
}

/// Makes a directory refuse writes, to root too.
fn read_only(directory: &Path) {
    fs::create_dir_all(directory).expect("writable");
    mount(Some(directory), directory, NONE, MsFlags::MS_BIND, NONE).expect("root");
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(NONE, directory, NONE, flags, NONE).expect("root");
}

/// A file system of 64 KiB with nothing left on it.
fn full(directory: &Path) {
    fs::create_dir_all(directory).expect("writable");
    tmpfs(directory, "size=64k");
    let mut file = fs::File::create(directory.join("filler")).expect("empty yet");
    while file.write_all(&[0; 512]).is_ok() {}
}

fn give_back(directory: &Path) {
    nix::mount::umount(directory).expect("mounted");
}

#[test]
fn a_target_that_is_missing_is_made_as_kubelet_would() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let target = node.path("pods/web");
    volume.mount(&target).succeeds();
    Node::holds_one_mount(&target);
    volume.unmount(&target).succeeds();
    assert!(target.is_dir(), "kubelet removes it");
}

#[test]
fn a_missing_target_is_not_left_behind_by_a_failure() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    volume.attach().succeeds();
    let target = node.path("pods/web");
    node.unchanged_by(|| {
        volume
            .mount(&target)
            .fails_with("mountdevice comes before mount")
    });
    fs::remove_dir(node.path("pool/v1")).expect("empty");
    node.unchanged_by(|| {
        node.call(&["mountdevice", text(&target), DEVICE, &volume.options()])
            .fails_with("v1");
    });
    assert!(!target.exists());
}

#[test]
fn a_target_whose_parent_is_missing() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    node.unchanged_by(|| {
        volume
            .mount(&node.path("pods/a/b/web"))
            .fails_with("cannot make target directory");
    });
}

#[test]
fn a_target_that_is_a_file_keeps_its_content() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let target = node.path("pods/web");
    fs::write(&target, "precious").expect("writable");
    node.unchanged_by(|| {
        volume.mount(&target).fails_with("is not a directory");
        volume
            .mount(&target.join("beneath"))
            .fails_with("is not a directory");
        volume.unmount(&target).succeeds();
    });
    assert_eq!(fs::read_to_string(target).expect("readable"), "precious");
}

#[test]
fn a_target_that_is_a_symlink_is_not_followed() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let elsewhere = node.pod("elsewhere");
    let (link, dangling) = (node.path("pods/web"), node.path("pods/dangling"));
    symlink(&elsewhere, &link).expect("writable");
    symlink("nowhere", &dangling).expect("writable");
    node.unchanged_by(|| {
        for target in [&link, &dangling] {
            volume.mount(target).fails_with("is a symlink");
            volume.unmount(target).succeeds();
        }
    });
}

#[test]
fn parents_may_be_symlinks_as_kubelets_root_often_is() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    symlink(node.path("pods"), node.path("kubelet")).expect("writable");
    let same = node.path("kubelet/web");
    for _ in 0..2 {
        volume.mount(&same).succeeds();
        Node::holds_one_mount(&pod);
    }
    volume.unmount(&same).succeeds();
    Node::holds_no_mount(&pod);
}

#[test]
fn a_target_with_something_in_it_is_covered_and_uncovered() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    fs::write(pod.join("precious"), "kept").expect("writable");
    volume.mount(&pod).succeeds();
    assert!(!pod.join("precious").exists());
    volume.unmount(&pod).succeeds();
    assert_eq!(
        fs::read_to_string(pod.join("precious")).expect("readable"),
        "kept"
    );
}

#[test]
fn a_target_that_holds_something_else_is_named_and_left_alone() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let (pod, staging) = (node.pod("web"), node.pod("staging"));
    for taken in [&pod, &staging] {
        tmpfs(taken, "size=64k");
        fs::write(taken.join("precious"), "kept").expect("writable");
    }
    node.unchanged_by(|| {
        let words = "already holds a tmpfs mount of other; unmount it first";
        volume.mount(&pod).fails_with(words);
        let arguments = ["mountdevice", text(&staging), DEVICE, &volume.options()];
        node.call(&arguments)
            .fails_with("already holds something else; unmount it first");
    });
    assert_eq!(
        fs::read_to_string(pod.join("precious")).expect("readable"),
        "kept"
    );
}

#[test]
fn a_mount_that_somebody_replaced_is_not_taken_for_ours() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    volume.mount(&pod).succeeds();
    nix::mount::umount(&pod).expect("mounted");
    tmpfs(&pod, "size=64k");
    volume
        .mount(&pod)
        .fails_with("already holds a tmpfs mount of other; unmount it first");
    nix::mount::umount(&pod).expect("left alone");
    volume.mount(&pod).succeeds();
    volume.unmount(&pod).succeeds();
}

#[test]
fn a_volume_in_use_is_not_torn_away() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    volume.mount(&pod).succeeds();
    let open = fs::File::create(pod.join("open")).expect("writable");
    node.unchanged_by(|| volume.unmount(&pod).fails_with("a process still uses it"));
    drop(open);
    volume.unmount(&pod).succeeds();
}

#[test]
fn a_state_directory_that_cannot_be_written_stops_the_mount_before_it_happens() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let target = node.path("pods/web");
    read_only(&node.path("state"));
    node.unchanged_by(|| {
        volume
            .attach()
            .fails_with("cannot keep track of the volume")
    });
    give_back(&node.path("state"));
    volume.attach().succeeds();
    read_only(&node.path("state"));
    node.unchanged_by(|| {
        node.call(&["mountdevice", text(&target), DEVICE, &volume.options()])
            .fails_with("check space and permissions of the state directory");
    });
    give_back(&node.path("state"));
    volume.staged().unmount_device().succeeds();
}

#[test]
fn a_full_disk_stops_the_mount_before_it_happens_and_never_the_unmount() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let (journal, target) = (node.path("state/journal"), node.path("pods/web"));
    full(&journal);
    node.unchanged_by(|| {
        volume.attach().fails_with("No space left on device");
        node.call(&["mountdevice", text(&target), "", &volume.options()])
            .fails_with("No space left");
    });
    fs::remove_file(journal.join("filler")).expect("there");
    let volume = volume.staged();
    volume.mount(&target).succeeds();

    let mut filler = fs::File::create(journal.join("filler")).expect("some left");
    while filler.write_all(&[0; 512]).is_ok() {}
    node.unchanged_by(|| {
        volume
            .mount(&node.path("pods/db"))
            .fails_with("No space left on device")
    });
    volume.mount(&target).succeeds();
    volume.unmount(&target).succeeds();
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    fs::remove_file(journal.join("filler")).expect("there");
    assert_eq!(node.journal(), Vec::<PathBuf>::new());
}

#[test]
fn a_run_directory_that_cannot_be_written_is_a_failure() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    fs::remove_dir_all(node.path("run")).expect("ours");
    read_only(&node.path("run"));
    let pod = node.pod("web");
    node.unchanged_by(|| volume.mount(&pod).fails_with("Read-only file system"));
    give_back(&node.path("run"));
    volume.mount(&pod).succeeds();
}

#[test]
fn a_log_that_cannot_be_written_costs_the_lines_and_nothing_else() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let pod = node.pod("web");
    let round = || {
        volume.attach().succeeds();
        volume.mount_device().succeeds();
        volume.mount(&pod).succeeds();
        volume
            .mount(&node.path("no/parent/here"))
            .fails_with("cannot make target directory");
        volume.unmount(&pod).succeeds();
        volume.unmount_device().succeeds();
        volume.detach().succeeds();
    };
    let log = node.path("log");
    round();
    assert!(node.log().contains("cannot make target directory"));

    fs::remove_dir_all(&log).expect("ours");
    read_only(&log);
    round();
    give_back(&log);
    full(&log);
    round();
    give_back(&log);
    fs::remove_dir_all(&log).expect("ours");
    fs::write(&log, "a file").expect("writable");
    round();
    node.is_clean();
}

#[test]
fn a_damaged_journal_entry_is_named_and_nothing_is_done() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let entries = node.journal();
    let record = entries
        .iter()
        .find(|file| file.extension().is_some())
        .expect("one volume");
    let damaged = [
        (&b""[..], "is corrupt"),
        (b"{", "is corrupt"),
        (b"\xff", "is corrupt"),
        (b"{\"format\":99}", "has format 99"),
    ];
    for (damage, words) in damaged {
        fs::write(record, damage).expect("writable");
        node.unchanged_by(|| {
            volume.mount(&pod).fails_with(text(record));
            volume.attach().fails_with(words);
        });
    }
}

#[test]
fn a_process_that_may_open_next_to_nothing_still_answers() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let shim = node.path("plugins/drivebay~local/local");
    let mut failures = 0;
    for limit in 3..24 {
        let mut limited = node.command(Path::new("prlimit"));
        limited.arg(format!("--nofile={limit}")).arg(&shim);
        limited.args(["attach", &volume.options(), NODE_ID]);
        let answer = Answer::of(&limited.output().expect("util-linux is installed"));
        failures += usize::from(answer.status() == "Failure");
    }
    assert!(
        failures > 0,
        "the limits were too generous to prove anything"
    );
    volume.attach().succeeds();
    volume.detach().succeeds();
    node.is_clean();
}
