//! Callers at once, and death anywhere: the retry converges, and nothing is mounted twice or left behind.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use drivebay_tests::{
    Answer, DEVICE, NODE_ID, Node, Volume, all_succeed_at_once, killed_after, moments, text,
};
use nix::sys::signal::Signal;

const SHIM: &str = "drivebay~local/local";

#[test]
fn two_pods_mount_one_volume_at_once() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pods = [node.pod("db"), node.pod("web")];
    let json = volume.pod_options();
    for _ in 0..20 {
        let mounts = pods
            .each_ref()
            .map(|pod| node.callout(SHIM, &["mount", text(pod), &json]));
        all_succeed_at_once(mounts);
        let mut mounted = Node::mounts_beneath(&node.path("pods"));
        mounted.sort();
        assert_eq!(mounted, pods);
        all_succeed_at_once(
            pods.each_ref()
                .map(|pod| node.callout(SHIM, &["unmount", text(pod)])),
        );
        Node::holds_no_mount(&node.path("pods"));
    }
}

#[test]
fn each_call_made_five_times_at_once_is_made_once() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let (staging, pod) = (node.pod("staging"), node.pod("web"));
    let json = volume.options();
    let five_times = |arguments: &[&str]| {
        all_succeed_at_once(std::iter::repeat_with(|| node.callout(SHIM, arguments)).take(5));
    };
    for _ in 0..10 {
        five_times(&["attach", &json, NODE_ID]);
        five_times(&["mountdevice", text(&staging), DEVICE, &json]);
        five_times(&["mount", text(&pod), &json]);
        Node::holds_one_mount(&pod);
        Node::holds_one_mount(&staging);
        five_times(&["unmount", text(&pod)]);
        five_times(&["unmountdevice", text(&staging)]);
        five_times(&["detach", "v1", NODE_ID]);
        node.is_clean();
    }
}

#[test]
fn sixteen_volumes_come_and_go_at_once() {
    let node = Node::with_local("v0");
    let names: Vec<String> = (0..16).map(|number| format!("v{number}")).collect();
    let node = &node;
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(move || {
                fs::create_dir_all(node.path("pool").join(name)).expect("writable");
                let volume = Volume::new(node, name, &[]);
                let pod = node.pod(name);
                for _ in 0..3 {
                    volume.attach().succeeds();
                    volume.mount_device().succeeds();
                    volume.mount(&pod).succeeds();
                    write_elsewhere(&pod.join("owner"), name);
                    volume.unmount(&pod).succeeds();
                    volume.unmount_device().succeeds();
                    volume.detach().succeeds();
                }
            });
        }
    });
    for name in &names {
        let owner = fs::read_to_string(node.path("pool").join(name).join("owner"));
        assert_eq!(
            &owner.expect("written"),
            name,
            "a pod wrote to another's volume"
        );
    }
    node.is_clean();
}

/// Written by another process: a file that is open in this one is open in every child that is just being
/// started for another call-out, and its mount is busy until that child execs.
#[track_caller]
fn write_elsewhere(file: &Path, content: &str) {
    let script = r#"printf %s "$1" > "$0""#;
    let output = Node::run("sh", &["-c", script, text(file), content]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn kill_9_while_a_pod_gets_its_volume() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let json = volume.pod_options();
    let staged = node.traces();
    for delay in moments() {
        killed_after(delay, node.callout(SHIM, &["mount", text(&pod), &json]));
        volume.mount(&pod).succeeds();
        Node::holds_one_mount(&pod);
        fs::write(pod.join("probe"), "").expect("writable");
        fs::remove_file(pod.join("probe")).expect("there");

        killed_after(delay, node.callout(SHIM, &["unmount", text(&pod)]));
        volume.unmount(&pod).succeeds();
        node.is_left_alone();
        assert_eq!(node.traces(), staged, "killed after {delay:?}");
    }
}

#[test]
fn kill_9_while_the_node_gets_its_volume() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let staging = volume.staging();
    let json = volume.options();
    // The directory in which the guest keeps its claims stays.
    volume.attach().succeeds();
    volume.detach().succeeds();
    fs::create_dir_all(&staging).expect("writable");
    let clean = node.traces();
    for delay in moments() {
        killed_after(delay, node.callout(SHIM, &["attach", &json, NODE_ID]));
        volume.attach().succeeds();
        assert_eq!(
            volume.is_attached().json["attached"],
            true,
            "killed after {delay:?}"
        );

        killed_after(
            delay,
            node.callout(SHIM, &["mountdevice", text(&staging), DEVICE, &json]),
        );
        volume.mount_device().succeeds();
        Node::holds_one_mount(&staging);

        killed_after(
            delay,
            node.callout(SHIM, &["unmountdevice", text(&staging)]),
        );
        volume.unmount_device().succeeds();
        killed_after(delay, node.callout(SHIM, &["detach", "v1", NODE_ID]));
        volume.detach().succeeds();
        node.is_left_alone();
        assert_eq!(node.traces(), clean, "killed after {delay:?}");
    }
}

#[test]
fn kill_9_of_the_pods_last_call_leaves_what_unmount_takes_away() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let staged = node.traces();
    // No retry: the pod was deleted meanwhile, and kubelet only unmounts.
    for delay in moments() {
        killed_after(
            delay,
            node.callout(SHIM, &["mount", text(&pod), &volume.pod_options()]),
        );
        volume.unmount(&pod).succeeds();
        node.is_left_alone();
        assert_eq!(node.traces(), staged, "killed after {delay:?}");
    }
}

#[test]
fn kill_9_of_the_worker_is_a_failure_or_too_late_and_the_retry_converges() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let (staging, json) = (volume.staging(), volume.options());
    volume.attach().succeeds();
    fs::create_dir_all(&staging).expect("writable");
    let attached = node.traces();
    let (mut attempts, mut hits) = (0, 0);
    // As often as it takes to meet one alive, which on a busy machine is a matter of luck.
    while attempts < 50 || hits == 0 {
        assert!(
            attempts < 2000,
            "no worker was met alive in {attempts} attempts"
        );
        attempts += 1;
        let arguments = ["mountdevice", text(&staging), DEVICE, &json];
        let mut shim = node
            .callout(SHIM, &arguments)
            .spawn()
            .expect("the shim runs");
        let mut worker = Vec::new();
        while worker.is_empty() && shim.try_wait().expect("ours").is_none() {
            worker = node.workers();
        }
        for id in worker {
            let _ = nix::sys::signal::kill(id, Signal::SIGKILL);
        }
        let answer = Answer::of(&shim.wait_with_output().expect("ours"));
        if answer.status() == "Failure" {
            answer.fails_with("the worker process failed");
            hits += 1;
            assert_eq!(node.traces(), attached, "a failure that left something");
        }
        volume.mount_device().succeeds();
        Node::holds_one_mount(&staging);
        volume.unmount_device().succeeds();
        assert_eq!(node.traces(), attached);
    }
}

#[test]
fn a_caller_that_closed_its_pipe_costs_the_answer_and_not_the_work() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let mut shim = node
        .callout(SHIM, &["mount", text(&pod), &volume.pod_options()])
        .spawn()
        .expect("the shim runs");
    drop((shim.stdout.take(), shim.stderr.take()));
    assert!(shim.wait().expect("ours").success());
    Node::holds_one_mount(&pod);
    volume.unmount(&pod).succeeds();
}

#[test]
fn a_caller_whose_disk_is_full_costs_the_answer_and_not_the_work() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a Linux");
    let mut callout = node.callout(SHIM, &["mount", text(&pod), &volume.pod_options()]);
    callout.stdout(Stdio::from(full)).stderr(Stdio::null());
    assert!(callout.status().expect("the shim runs").success());
    Node::holds_one_mount(&pod);
}
