//! Calls that come twice, at once, or after someone else's.

use std::thread;
use std::time::{Duration, Instant};

use drivebay_tests::Answer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failures::listen;
use crate::lab::HASTY;
use crate::pod::{Access, Pod, expect_nothing_left, expect_shared, mount_by_hand};

const SHARE: [(&str, &str); 2] = [("server", "127.0.0.1"), ("share", "/alpha")];

#[test]
#[ignore = "needs the VM's NFS"]
fn mounting_and_unmounting_twice_is_success() {
    let pod = Pod::new("twice");
    pod.mount(&SHARE).succeeds();
    pod.mount(&SHARE).succeeds();
    pod.mounted();
    pod.unmount().succeeds();
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_mount_of_the_same_share_by_another_tool_is_taken_over() {
    let pod = Pod::new("same");
    mount_by_hand("127.0.0.1:/alpha", &pod.directory);
    pod.mount(&SHARE).succeeds();
    pod.mounted();
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_mount_of_another_share_is_named_and_left_alone() {
    let pod = Pod::new("other");
    mount_by_hand("127.0.0.1:/beta", &pod.directory);
    pod.mount(&SHARE)
        .fails_with("nfs4 mount of 127.0.0.1:/beta");
    assert_eq!(pod.mounted().source, "127.0.0.1:/beta");
    // It is still what kubelet's next unmount takes away.
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_writable_mount_is_not_taken_over_as_a_read_only_one() {
    let pod = Pod::new("mode");
    mount_by_hand("127.0.0.1:/alpha", &pod.directory);
    pod.mount_for(Access::ReadOnly, &SHARE)
        .fails_with("already holds a read-write nfs4 mount");
    pod.unmount().succeeds();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn two_calls_for_one_directory_at_once_make_one_mount() {
    let pod = Pod::new("at-once");
    let calls: Vec<_> = (0..2).map(|_| pod.start_mount(&SHARE)).collect();
    for call in calls {
        Answer::of(&call.wait_with_output().expect("ours")).succeeds();
    }
    pod.mounted();
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn many_pods_share_one_volume() {
    let pods: Vec<_> = (0..12)
        .map(|number| Pod::new(&format!("many-{number}")))
        .collect();
    thread::scope(|scope| {
        for pod in &pods {
            scope.spawn(|| pod.mount(&SHARE).succeeds());
        }
    });
    expect_shared(&pods[0], "/alpha");
    assert!(pods[11].file("written by many-0").exists());
    thread::scope(|scope| {
        for pod in &pods[1..] {
            scope.spawn(|| pod.unmount().succeeds());
        }
    });
    // The last one still has it.
    assert!(pods[0].file("written by many-0").exists());
    pods[0].unmount().succeeds();
    pods.iter().for_each(expect_nothing_left);
}

/// The call-out is killed while its worker waits for a server that never answers; the next one must
/// neither mount twice nor wait for ever.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_killed_call_out_does_not_stop_the_next_one_for_long() {
    let pod = Pod::of(HASTY, "killed");
    let (listener, port) = listen();
    let mut call = pod.start_mount(&[SHARE[0], SHARE[1], ("mountOptions", &port)]);
    // Twice: once to see that the server is there, then by the kernel, to mount.
    for _ in 0..2 {
        drop(listener.accept().map(std::mem::forget));
    }
    kill(Pid::from_raw(call.id().cast_signed()), Signal::SIGKILL).expect("ours");
    call.wait().expect("ours");

    let started = Instant::now();
    let mut attempts = Vec::new();
    while started.elapsed() < Duration::from_secs(40) {
        let answer = pod.mount(&SHARE);
        attempts.push(answer.text.clone());
        if answer.status() == "Success" {
            break;
        }
        thread::sleep(Duration::from_millis(500));
    }
    let last = attempts.last().expect("tried");
    assert!(last.contains("Success"), "{attempts:?}");
    pod.mounted();
    expect_shared(&pod, "/alpha");
    pod.unmount().succeeds();
    expect_nothing_left(&pod);
}

/// Killed right after the kernel mounted and before that was noted.
#[test]
#[ignore = "needs the VM's NFS"]
fn a_call_out_killed_at_any_moment_is_made_good_by_the_next() {
    for milliseconds in [20, 60, 100, 150, 200, 300] {
        let pod = Pod::new("any-moment");
        let mut call = pod.start_mount(&SHARE);
        thread::sleep(Duration::from_millis(milliseconds));
        let _ = kill(Pid::from_raw(call.id().cast_signed()), Signal::SIGKILL);
        call.wait().expect("ours");
        pod.mount(&SHARE).succeeds();
        pod.mounted();
        pod.unmount().succeeds();
        expect_nothing_left(&pod);
    }
}
