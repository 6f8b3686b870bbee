//! The access key's secret is in the host alone: not in the guest's memory, a log, an argument, the journal or
//! an error. A session token is in the request and in the call that makes it, and nowhere afterwards.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::process::Child;

use drivebay_tests::{
    Answer, Cloud, DISK, Disk, NODE_NAME, Node, eventually, holds, options, pod_options, text,
    untold_beneath,
};
use serde_json::json;

/// Not to be mistaken for anything else in a process's memory.
const KEY_ID: &str = "LTAI5tDrivebayTestKeyId0";

/// What kubelet hands to `mount` from a Secret, base64 and plain.
const MOUNT_SECRET: (&str, &str) = ("c2VzYW1lLW9wZW4tdGhlLWRvb3I=", "sesame-open-the-door");

/// Arguments and environment of a process and all its children.
#[track_caller]
fn untold_by_processes(parent: u32, secret: &str) {
    let mut seen = 0;
    for process in family(parent) {
        for file in ["cmdline", "environ"] {
            let content = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            seen += content.len();
            assert!(!holds(&content, secret), "{file} of {process} tells");
        }
    }
    assert!(seen > 0, "no process was looked at");
}

fn family(parent: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let mut all = vec![parent];
    for child in children.unwrap_or_default().split_whitespace() {
        all.extend(child.parse().map(family).unwrap_or_default());
    }
    all
}

/// The guest's linear memories. The engine reserves 64 MiB for each between two guards of 64 KiB; what is used of
/// it is readable, the rest is not.
fn linear_memory(process: u32) -> Vec<u8> {
    const RESERVED: u64 = 64 << 20;
    const GUARD: u64 = 64 << 10;
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("ours");
    let regions: Vec<(u64, u64, &str)> = maps.lines().filter_map(region).collect();
    let closed = |mode: &str| mode.starts_with("---");
    let mut memory = fs::File::open(format!("/proc/{process}/mem")).expect("ours");
    let mut content = Vec::new();
    for (start, base, mode) in &regions {
        let end = base.saturating_add(RESERVED);
        let guarded = regions
            .iter()
            .any(|(_, last, mode)| closed(mode) && *last == end.saturating_add(GUARD));
        if !closed(mode) || base - start != GUARD || !guarded {
            continue;
        }
        let within = |(start, last, _): &&(u64, u64, &str)| start >= base && *last <= end;
        let used = regions.iter().filter(within);
        for (start, last, _) in used.filter(|(_, _, mode)| mode.starts_with("rw")) {
            memory.seek(SeekFrom::Start(*start)).expect("mapped");
            (&mut memory)
                .take(last - start)
                .read_to_end(&mut content)
                .expect("readable");
        }
    }
    content
}

fn region(line: &str) -> Option<(u64, u64, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?, rest))
}

/// A call-out that waits for the cloud's answer, its request being sent, until it is let go.
#[track_caller]
fn waiting(node: &Node, cloud: &Cloud, arguments: &[&str]) -> Child {
    cloud.clear_faults();
    cloud.fault(&json!({ "action": "DescribeDisks", "kind": "slow-reply" }));
    let shim = node.callout(DISK, arguments).spawn().expect("it runs");
    eventually("the request to arrive", || cloud.fired() == 1);
    shim
}

/// Lets it go.
fn answer(cloud: &Cloud, shim: Child) -> Answer {
    cloud.clear_faults();
    Answer::of(&shim.wait_with_output().expect("ours"))
}

fn cloud() -> Cloud {
    Cloud::start_with(&["--devices", "loop", "--access-key-id", KEY_ID])
}

#[test]
fn the_secret_never_enters_the_guest_which_has_the_keys_id() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    let arguments = ["isattached", &options(&disk.id, &[]), NODE_NAME];
    let shim = waiting(&node, &cloud, &arguments);
    let memory = linear_memory(shim.id());
    untold_by_processes(shim.id(), &cloud.secret());
    let said = answer(&cloud, shim).succeeds();
    assert!(
        holds(&memory, KEY_ID),
        "this is not the memory of a guest that signs"
    );
    assert!(!holds(&memory, &cloud.secret()), "the guest has the secret");
    assert!(!holds(said.text.as_bytes(), &cloud.secret()));
    untold_beneath(&node.path(""), &[&cloud.secret()]);
}

#[test]
fn the_secret_is_not_told_by_refusals_of_any_kind() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1");
    for fault in [
        json!({ "action": "DescribeDisks", "kind": "error-before", "status": 400, "code": "SignatureDoesNotMatch" }),
        json!({ "action": "DescribeDisks", "kind": "error-before", "status": 403, "code": "Forbidden.RAM" }),
        json!({ "action": "DescribeDisks", "kind": "garbage-body", "times": 9 }),
    ] {
        cloud.clear_faults();
        cloud.fault(&fault);
        let answer = disk.is_attached();
        assert_eq!(answer.status(), "Failure", "{}", answer.text);
        assert!(!holds(answer.text.as_bytes(), &cloud.secret()));
    }
    untold_beneath(&node.path(""), &[&cloud.secret()]);
}

#[test]
fn a_session_token_is_nowhere_after_the_call() {
    let cloud = cloud();
    let key = cloud.temporary_key();
    let part = |name: &str| key[name].as_str().expect("a string").to_owned();
    let file = |name: &str, content: &str| {
        let file = cloud.file(name);
        fs::write(&file, content).expect("writable");
        file
    };
    let (id, secret, token) = (
        file("temporary-id", &part("AccessKeyId")),
        file("temporary-secret", &part("AccessKeySecret")),
        file("temporary-token", &part("SecurityToken")),
    );
    let source = format!(
        "source = \"file\"\nid-file = \"{}\"\nsecret-file = \"{}\"\nsession-token-file = \"{}\"",
        id.display(),
        secret.display(),
        token.display()
    );
    let node = Node::with_disk_grants(&cloud.grants(&source));
    let disk = Disk::made(&node, "pvc-1");
    let arguments = ["isattached", &options(&disk.id, &[]), NODE_NAME];
    let shim = waiting(&node, &cloud, &arguments);
    let memory = linear_memory(shim.id());
    untold_by_processes(shim.id(), &part("SecurityToken"));
    let said = answer(&cloud, shim).succeeds();
    assert!(
        holds(&memory, &part("SecurityToken")),
        "the guest sends the token"
    );
    assert!(!holds(&memory, &part("AccessKeySecret")));
    for secret in [part("AccessKeySecret"), part("SecurityToken")] {
        assert!(!holds(said.text.as_bytes(), &secret));
        untold_beneath(&node.path(""), &[&secret]);
    }
}

#[test]
fn a_mount_secret_never_enters_the_guest() {
    let cloud = cloud();
    let node = Node::with_disks(&cloud);
    let disk = Disk::made(&node, "pvc-1").staged();
    let pod = node.pod("web");
    let (base64, plain) = MOUNT_SECRET;
    let secret = [("kubernetes.io/secret/password", base64)];
    let said = node
        .call_driver(
            DISK,
            &["mount", text(&pod), &pod_options(&disk.id, &secret)],
        )
        .succeeds();
    // Every other call-out that kubelet could hand one to.
    let arguments = ["isattached", &options(&disk.id, &secret), NODE_NAME];
    let shim = waiting(&node, &cloud, &arguments);
    let memory = linear_memory(shim.id());
    answer(&cloud, shim);
    assert!(holds(&memory, KEY_ID));
    for word in [base64, plain] {
        assert!(!holds(&memory, word), "the guest has a mount secret");
        assert!(!holds(said.text.as_bytes(), word));
        untold_beneath(&node.path(""), &[word]);
    }
    disk.release(&pod);
}
