//! A driver that attaches, for callers that only mount and unmount: the first pod's mount attaches, the last
//! pod's unmount detaches, and nothing in between can lose the attachment.

use std::fs;
use std::path::Path;
use std::process::Command;

use drivebay_tests::{
    Answer, NODE_ID, Node, all_succeed_at_once, killed_after, moments, options, pod_options, text,
};

const SHIM: &str = "drivebay~local/local";

/// A node of `drivebay/local` with volumes `v1` and `v2`, attached on mount.
struct OnMount {
    node: Node,
}

impl OnMount {
    fn new() -> Self {
        let node = Node::with_local("v1");
        fs::create_dir(node.path("pool/v2")).expect("writable");
        let this = Self { node };
        this.attach("on-mount");
        // The directory in which the guest keeps its claims stays from the first mount on.
        let pod = this.node.pod("first");
        this.mount(&pod, "v1", &[]).succeeds();
        this.unmount(&pod).succeeds();
        this
    }

    /// The operator changes the driver's file.
    fn attach(&self, by: &str) {
        let line = "flexvolume = \"drivebay/local\"";
        let grants = self.node.local_grants();
        let grants = grants.replace(line, &format!("{line}\nflexvolume-attach = \"{by}\""));
        self.node.add_driver("local", &grants);
    }

    fn mounting(&self, pod: &Path, name: &str, user: &[(&str, &str)]) -> Command {
        self.node
            .callout(SHIM, &["mount", text(pod), &pod_options(name, user)])
    }

    #[track_caller]
    fn mount(&self, pod: &Path, name: &str, user: &[(&str, &str)]) -> Answer {
        let output = self.mounting(pod, name, user).output();
        Answer::of(&output.expect("the shim runs"))
    }

    #[track_caller]
    fn unmount(&self, pod: &Path) -> Answer {
        self.node.call(&["unmount", text(pod)])
    }

    /// Directories of the pool that a node has claimed, each with the node.
    fn claims(&self) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.node.path("pool/.drivebay")).expect("made by the guest");
        let mut claims: Vec<(String, String)> = entries
            .flatten()
            .map(|entry| {
                let content = fs::read_to_string(entry.path()).expect("readable");
                let node = content.lines().last().unwrap_or_default();
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, node.to_owned())
            })
            .collect();
        claims.sort();
        claims
    }

    fn claimed(&self) -> Vec<String> {
        self.claims().into_iter().map(|(name, _)| name).collect()
    }

    /// Power is cut and comes back: mounts and /run are gone, disks and attachments are not.
    fn reboot(&self) {
        for point in Node::mounts_beneath(&self.node.path("")) {
            nix::mount::umount2(&point, nix::mount::MntFlags::MNT_DETACH).expect("root");
        }
        fs::remove_dir_all(self.node.path("run")).expect("writable");
    }

    #[track_caller]
    fn is_released(&self) {
        assert_eq!(self.claimed(), Vec::<String>::new());
        self.node.is_clean();
    }
}

#[test]
fn kubelet_is_told_that_there_is_nothing_to_attach() {
    let on_mount = OnMount::new();
    on_mount.node.call(&["init"]).is(concat!(
        r#"{"status":"Success","capabilities":{"attach":false,"selinuxRelabel":false,"#,
        r#""supportsMetrics":false,"fsGroup":false,"requiresFSResize":true}}"#
    ));
    let json = options("v1", &[]);
    for callout in [
        &["attach", &json, NODE_ID][..],
        &["detach", "v1", NODE_ID],
        &["isattached", &json, NODE_ID],
        &["waitforattach", "", &json],
        &["mountdevice", "/nowhere", "", &json],
        &["unmountdevice", "/nowhere"],
    ] {
        let answer = on_mount.node.call(callout);
        assert_eq!(answer.status(), "Not supported", "{callout:?}");
    }
    on_mount.is_released();
}

#[test]
fn the_first_mount_attaches_and_the_last_unmount_detaches() {
    let on_mount = OnMount::new();
    let (web, db) = (on_mount.node.pod("web"), on_mount.node.pod("db"));
    on_mount
        .mount(&web, "v1", &[])
        .is(r#"{"status":"Success"}"#);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a Linux");
    let this_node = host.trim_end().to_lowercase();
    assert_eq!(on_mount.claims(), [("v1.claim".to_owned(), this_node)]);
    on_mount.mount(&db, "v1", &[]).succeeds();
    fs::write(web.join("greeting"), "hello").expect("writable");
    assert!(db.join("greeting").exists() && on_mount.node.path("pool/v1/greeting").exists());

    on_mount.unmount(&web).is(r#"{"status":"Success"}"#);
    assert!(
        db.join("greeting").exists(),
        "the other pod lost its volume"
    );
    assert_eq!(on_mount.claimed(), ["v1.claim"]);
    on_mount.unmount(&db).succeeds();
    on_mount.is_released();
    assert!(web.is_dir() && db.is_dir(), "kubelet removes them");
}

#[test]
fn repeating_a_call_changes_nothing() {
    let on_mount = OnMount::new();
    let (web, db) = (on_mount.node.pod("web"), on_mount.node.pod("db"));
    on_mount.mount(&db, "v1", &[]).succeeds();
    on_mount.mount(&web, "v1", &[]).succeeds();
    let mounted = on_mount.node.traces();
    for _ in 0..3 {
        on_mount.mount(&web, "v1", &[]).succeeds();
        assert_eq!(on_mount.node.traces(), mounted);
    }
    on_mount.unmount(&web).succeeds();
    let one_left = on_mount.node.traces();
    for _ in 0..3 {
        on_mount.unmount(&web).succeeds();
        assert_eq!(on_mount.node.traces(), one_left);
    }
    on_mount.unmount(&db).succeeds();
    on_mount.unmount(&db).succeeds();
    on_mount.is_released();
}

#[test]
fn a_mount_that_fails_leaves_nothing_attached() {
    let on_mount = OnMount::new();
    let (pod, missing) = (on_mount.node.pod("web"), on_mount.node.path("pods/a/b"));
    on_mount.node.unchanged_by(|| {
        on_mount
            .mount(&pod, "v3", &[])
            .fails_with("has no volume v3");
        on_mount
            .mount(&pod, "v1", &[("voluem", "v1")])
            .fails_with("did you mean \"volume\"?");
        // Attaching works, staging does not.
        on_mount
            .mount(&pod, "v1", &[("kubernetes.io/fsType", "ext4")])
            .fails_with("filesystem type ext4");
        // Attaching and staging work, the pod's directory cannot be made.
        on_mount
            .mount(&missing, "v1", &[])
            .fails_with("cannot make target");
    });
    on_mount.is_released();
}

#[test]
fn a_mount_that_fails_takes_nothing_from_another_pod() {
    let on_mount = OnMount::new();
    let web = on_mount.node.pod("web");
    on_mount.mount(&web, "v1", &[]).succeeds();
    on_mount.node.unchanged_by(|| {
        on_mount
            .mount(&on_mount.node.path("pods/a/b"), "v1", &[])
            .fails_with("cannot make target");
    });
    Node::holds_one_mount(&web);
    assert_eq!(on_mount.claimed(), ["v1.claim"]);
}

#[test]
fn a_volume_of_another_node_is_refused_and_stays_there() {
    let on_mount = OnMount::new();
    let claim = on_mount.node.path("pool/.drivebay/v1.claim");
    let pod = on_mount.node.pod("web");
    on_mount.mount(&pod, "v1", &[]).succeeds();
    let content = fs::read_to_string(&claim).expect("made by the guest");
    let host = content.lines().last().expect("a node").to_owned();
    on_mount.unmount(&pod).succeeds();
    let other = content.replace(&format!("\n{host}"), "\nnode-2");
    fs::write(&claim, other).expect("writable");
    on_mount.node.unchanged_by(|| {
        on_mount
            .mount(&pod, "v1", &[])
            .fails_with("node node-2 uses it");
    });
    assert!(claim.exists(), "another node's claim was taken away");
}

#[test]
fn what_is_mounted_on_the_pods_directory_already_is_left_alone() {
    let on_mount = OnMount::new();
    let pod = on_mount.node.pod("web");
    let none = None::<&str>;
    let other = on_mount.node.path("pool/v2");
    nix::mount::mount(Some(&other), &pod, none, nix::mount::MsFlags::MS_BIND, none).expect("root");
    on_mount.node.unchanged_by(|| {
        on_mount
            .mount(&pod, "v1", &[])
            .fails_with("unmount it first");
    });
    on_mount.unmount(&pod).succeeds();
    on_mount.is_released();
}

#[test]
fn inline_volumes_of_one_name_that_say_different_things_are_two() {
    let on_mount = OnMount::new();
    let (web, db) = (on_mount.node.pod("web"), on_mount.node.pod("db"));
    on_mount.mount(&web, "data", &[("volume", "v1")]).succeeds();
    on_mount.mount(&db, "data", &[("VOLUME", "v2")]).succeeds();
    fs::write(db.join("mine"), "").expect("writable");
    assert!(!web.join("mine").exists() && on_mount.node.path("pool/v2/mine").exists());
    assert_eq!(on_mount.claimed(), ["v1.claim", "v2.claim"]);
    on_mount.unmount(&web).succeeds();
    assert_eq!(on_mount.claimed(), ["v2.claim"]);
    on_mount.unmount(&db).succeeds();
    on_mount.is_released();
}

#[test]
fn one_pod_may_read_what_another_writes_and_not_the_other_way() {
    let on_mount = OnMount::new();
    let (first, second) = (on_mount.node.pod("first"), on_mount.node.pod("second"));
    let read_only = [("kubernetes.io/readwrite", "ro")];
    on_mount.mount(&first, "v1", &[]).succeeds();
    on_mount.mount(&second, "v1", &read_only).succeeds();
    assert!(fs::write(second.join("more"), "no").is_err());
    assert!(fs::write(first.join("more"), "yes").is_ok());
    on_mount.unmount(&first).succeeds();
    on_mount.unmount(&second).succeeds();

    on_mount.mount(&first, "v1", &read_only).succeeds();
    on_mount.node.unchanged_by(|| {
        on_mount
            .mount(&second, "v1", &[])
            .fails_with("the pod that had it first on this node only reads");
    });
    on_mount.unmount(&first).succeeds();
    on_mount.is_released();
}

#[test]
fn what_was_attached_on_mount_is_detached_also_after_the_operator_changed_his_mind() {
    let on_mount = OnMount::new();
    let pod = on_mount.node.pod("web");
    on_mount.mount(&pod, "v1", &[]).succeeds();
    on_mount.attach("by-kubelet");
    assert_eq!(
        on_mount.node.call(&["init"]).json["capabilities"]["attach"],
        true
    );
    on_mount.unmount(&pod).succeeds();
    on_mount.is_released();
}

#[test]
fn after_a_reboot_the_same_mount_comes_again() {
    let on_mount = OnMount::new();
    let (web, db) = (on_mount.node.pod("web"), on_mount.node.pod("db"));
    on_mount.mount(&web, "v1", &[]).succeeds();
    on_mount.mount(&db, "v1", &[]).succeeds();
    on_mount.reboot();
    on_mount.mount(&web, "v1", &[]).succeeds();
    Node::holds_one_mount(&web);
    // The other pod is gone; kubelet cleans its directory.
    on_mount.unmount(&db).succeeds();
    assert_eq!(on_mount.claimed(), ["v1.claim"]);
    on_mount.unmount(&web).succeeds();
    on_mount.is_released();
}

#[test]
fn after_a_reboot_unmount_alone_detaches() {
    let on_mount = OnMount::new();
    let (web, db) = (on_mount.node.pod("web"), on_mount.node.pod("db"));
    on_mount.mount(&web, "v1", &[]).succeeds();
    on_mount.mount(&db, "v1", &[]).succeeds();
    on_mount.reboot();
    assert_eq!(on_mount.claimed(), ["v1.claim"]);
    on_mount.unmount(&web).succeeds();
    on_mount.unmount(&db).succeeds();
    on_mount.is_released();
}

#[test]
fn two_pods_come_and_go_at_once() {
    let on_mount = OnMount::new();
    let pods = [on_mount.node.pod("db"), on_mount.node.pod("web")];
    for _ in 0..10 {
        all_succeed_at_once(pods.each_ref().map(|pod| on_mount.mounting(pod, "v1", &[])));
        for pod in &pods {
            Node::holds_one_mount(pod);
        }
        let unmounts = pods
            .each_ref()
            .map(|pod| on_mount.node.callout(SHIM, &["unmount", text(pod)]));
        all_succeed_at_once(unmounts);
        on_mount.is_released();
    }
}

#[test]
fn kill_9_at_any_moment_and_the_retry_converges() {
    let on_mount = OnMount::new();
    let pod = on_mount.node.pod("web");
    let mut halfway = 0;
    for delay in moments().chain(moments().map(|delay| delay * 4)) {
        killed_after(delay, on_mount.mounting(&pod, "v1", &[]));
        halfway += usize::from(!on_mount.node.journal().is_empty());
        on_mount.mount(&pod, "v1", &[]).succeeds();
        Node::holds_one_mount(&pod);
        assert_eq!(on_mount.claimed(), ["v1.claim"], "killed after {delay:?}");
        killed_after(delay, on_mount.node.callout(SHIM, &["unmount", text(&pod)]));
        on_mount.unmount(&pod).succeeds();
        on_mount.node.is_left_alone();
        on_mount.is_released();
    }
    assert!(halfway > 0, "no kill met a mount that had begun");
}

#[test]
fn kill_9_without_a_retry_is_undone_by_unmount() {
    let on_mount = OnMount::new();
    let pod = on_mount.node.pod("web");
    for delay in moments().chain(moments().map(|delay| delay * 4)) {
        killed_after(delay, on_mount.mounting(&pod, "v1", &[]));
        on_mount.unmount(&pod).succeeds();
        on_mount.node.is_left_alone();
        on_mount.is_released();
    }
}

#[test]
fn a_volume_grows_under_the_key_it_is_mounted_by() {
    let on_mount = OnMount::new();
    let record = on_mount.node.path("pool/.drivebay/v1.record");
    fs::write(&record, "1073741824\n\npvc-1").expect("writable");
    let pod = on_mount.node.pod("web");
    on_mount.mount(&pod, "v1", &[]).succeeds();
    let json = options("v1", &[]);
    on_mount
        .node
        .call(&["expandvolume", &json, "", "2147483648", "1073741824"])
        .is(r#"{"status":"Success","volumeNewSize":2147483648}"#);
    let arguments = [
        "expandfs",
        &json,
        "",
        text(&pod),
        "2147483648",
        "1073741824",
    ];
    on_mount.node.call(&arguments).succeeds();
}
