//! A driver that mounts without attaching, as inline volumes of pods use it: what `mount` alone does, with a
//! guest that binds the directory named like the volume.

use std::fs;
use std::path::Path;
use std::process::Command;

use drivebay_tests::{
    Answer, Node, RESULT, WatGuest, all_succeed_at_once, killed_after, moments, pod_options, text,
};

const SHIM: &str = "acme~plain/plain";

const GRANTS: &str = r#"
component = "plain"
flexvolume = "acme/plain"
[grants.mounts]
directories = { pool = "POOL" }
[grants.files]
access = "read-only"
"#;

/// With volumes `v1` and `v2` in the pool.
struct Inline {
    node: Node,
}

impl Inline {
    fn new() -> Self {
        let node = Node::empty();
        for volume in ["v1", "v2"] {
            fs::create_dir(node.path("pool").join(volume)).expect("writable");
        }
        node.add_driver("plain", &GRANTS.replace("POOL", text(&node.path("pool"))));
        node.install(&[&binding_guest().write(node.path("plain.wasm"))]);
        Self { node }
    }

    fn mounting(&self, pod: &Path, user: &[(&str, &str)]) -> Command {
        self.node
            .callout(SHIM, &["mount", text(pod), &pod_options("v1", user)])
    }

    #[track_caller]
    fn mount(&self, pod: &Path, user: &[(&str, &str)]) -> Answer {
        Answer::of(&self.mounting(pod, user).output().expect("the shim runs"))
    }

    #[track_caller]
    fn unmount(&self, pod: &Path) -> Answer {
        self.node.call_driver(SHIM, &["unmount", text(pod)])
    }
}

/// `open-directory("pool")`, then `target.bind(directory, id)`; the first error is the answer.
fn binding_guest() -> WatGuest {
    let core = r#"
        (import "drivebay:driver/mounts@0.1.0" "open-directory" (func $open (param i32 i32 i32)))
        (import "drivebay:driver/mounts@0.1.0" "[method]target.bind" (func $bind (param i32 i32 i32 i32 i32)))
        (import "drivebay:driver/files@0.1.0" "[resource-drop]directory" (func $drop_directory (param i32)))
        (data (i32.const 1024) "pool")
    "#;
    let stage = format!(
        r#"
        (call $open (i32.const 1024) (i32.const 4) (i32.const 128))
        (if (i32.load8_u (i32.const 128))
            (then (memory.copy (i32.const {RESULT}) (i32.const 128) (i32.const 16)))
            (else
                (call $bind (local.get $target) (i32.load (i32.const 132)) (local.get $id)
                    (local.get $id_length) (i32.const {RESULT}))
                (call $drop_directory (i32.load (i32.const 132)))))
        "#
    );
    WatGuest::named("plain")
        .imports("mounts")
        .imports("files")
        .core(core)
        .stage(&stage)
}

#[test]
fn init_says_that_nothing_is_attached() {
    let inline = Inline::new();
    inline.node.call_driver(SHIM, &["init"]).is(concat!(
        r#"{"status":"Success","capabilities":{"attach":false,"selinuxRelabel":false,"#,
        r#""supportsMetrics":false,"fsGroup":false,"requiresFSResize":false}}"#
    ));
}

#[test]
fn a_pods_volume_comes_and_goes_with_two_calls() {
    let inline = Inline::new();
    let pod = inline.node.pod("web");
    inline.mount(&pod, &[]).is(r#"{"status":"Success"}"#);
    fs::write(pod.join("greeting"), "hello").expect("writable");
    assert!(inline.node.path("pool/v1/greeting").exists());
    let mounted = inline.node.traces();
    for _ in 0..2 {
        inline.mount(&pod, &[]).is(r#"{"status":"Success"}"#);
        assert_eq!(inline.node.traces(), mounted);
    }
    for _ in 0..3 {
        inline.unmount(&pod).is(r#"{"status":"Success"}"#);
        inline.node.is_clean();
    }
    assert!(pod.is_dir(), "kubelet removes it");
}

#[test]
fn inline_volumes_of_two_pods_with_one_name_are_two() {
    let inline = Inline::new();
    let (web, db) = (inline.node.pod("web"), inline.node.pod("db"));
    inline.mount(&web, &[]).succeeds();
    inline
        .mount(&db, &[("kubernetes.io/pvOrVolumeName", "v2")])
        .succeeds();
    fs::write(db.join("mine"), "").expect("writable");
    assert!(!web.join("mine").exists() && inline.node.path("pool/v2/mine").exists());
    inline.unmount(&web).succeeds();
    Node::holds_no_mount(&web);
    Node::holds_one_mount(&db);
    inline.unmount(&db).succeeds();
    inline.node.is_clean();
}

#[test]
fn read_only_is_the_hosts_to_enforce() {
    let inline = Inline::new();
    let pod = inline.node.pod("web");
    for user in [("kubernetes.io/readwrite", "ro"), ("readOnly", "true")] {
        inline.mount(&pod, &[user]).succeeds();
        let error = fs::write(pod.join("more"), "no").expect_err("read-only");
        assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        inline.mount(&pod, &[]).fails_with("unmount it first");
        inline.unmount(&pod).succeeds();
    }
    inline.node.is_clean();
}

#[test]
fn what_a_guest_refuses_leaves_nothing() {
    let inline = Inline::new();
    let (pod, missing) = (inline.node.pod("web"), inline.node.path("pods/missing"));
    for (name, words) in [("v3", "v3"), ("../v1", "../v1"), ("/etc", "/etc")] {
        let user = [("kubernetes.io/pvOrVolumeName", name)];
        inline.node.unchanged_by(|| {
            inline.mount(&pod, &user).fails_with(words);
            inline.mount(&missing, &user).fails_with(words);
        });
    }
    inline.node.unchanged_by(|| {
        inline
            .mount(&pod, &[("volume", "v1")])
            .fails_with("\"volume\"")
    });
}

#[test]
fn one_target_asked_for_five_times_at_once_is_one_mount() {
    let inline = Inline::new();
    let pod = inline.node.pod("web");
    for _ in 0..10 {
        all_succeed_at_once(std::iter::repeat_with(|| inline.mounting(&pod, &[])).take(5));
        Node::holds_one_mount(&pod);
        inline.unmount(&pod).succeeds();
        inline.node.is_clean();
    }
}

#[test]
fn kill_9_at_any_moment_of_a_mount_leaves_one_mount_after_the_retry() {
    let inline = Inline::new();
    let pod = inline.node.pod("web");
    let mut halfway = 0;
    for delay in moments() {
        killed_after(delay, inline.mounting(&pod, &[]));
        halfway += usize::from(!inline.node.journal().is_empty());
        inline.mount(&pod, &[]).succeeds();
        Node::holds_one_mount(&pod);
        killed_after(delay, inline.node.callout(SHIM, &["unmount", text(&pod)]));
        inline.unmount(&pod).succeeds();
        inline.node.is_left_alone();
        inline.node.is_clean();
    }
    assert!(halfway > 0, "no kill met a mount that had begun");
}

#[test]
fn kill_9_without_a_retry_is_taken_away_by_unmount() {
    let inline = Inline::new();
    let pod = inline.node.pod("web");
    for delay in moments() {
        killed_after(delay, inline.mounting(&pod, &[]));
        inline.unmount(&pod).succeeds();
        inline.node.is_left_alone();
        inline.node.is_clean();
        Node::holds_no_mount(&pod);
    }
}
