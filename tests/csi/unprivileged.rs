//! `drivebay serve` in a pod: without privileges where it needs none, and where it lacks one that it needs, that is said
//! before the first volume wants it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use drivebay_tests::csi_proto::ProbeRequest;
use drivebay_tests::{
    Cloud, Csi, Node, SecurityContext, created, disk_request, eventually, guest, refused, text,
};
use tonic::Code;

/// A controller's node: what a pod is given of ConfigMaps and Secrets is root's, and its volumes are everybody's.
fn pod(cloud: &Cloud) -> Node {
    let node = Node::empty().with_empty_dirs(&["state", "run", "csi"]);
    let mut grants = cloud.grants(&cloud.key_in_files());
    for name in ["ca.pem", "access-key-id", "secret"] {
        let (there, here) = (cloud.file(name), node.path("etc").join(name));
        fs::copy(&there, &here).expect("readable");
        fs::set_permissions(&here, Permissions::from_mode(0o644)).expect("ours");
        grants = grants.replace(text(&there), text(&here));
    }
    node.add_driver("alicloud-disk", &grants);
    fs::create_dir(node.path("components")).expect("writable");
    fs::copy(
        guest("alicloud-disk"),
        node.path("components/alicloud-disk.wasm"),
    )
    .expect("writable");
    node
}

#[track_caller]
fn controller(node: &Node, context: SecurityContext) -> Csi {
    let components = node.path("components");
    let arguments = [
        "--mode",
        "controller",
        "--components-from",
        text(&components),
    ];
    node.begin_to_serve_in(context, "alicloud-disk", &arguments)
}

fn is_ready(csi: &Csi) -> bool {
    let answer = csi.probe(ProbeRequest {});
    answer.is_ok_and(|answer| answer.ready == Some(true))
}

/// What `Probe` refuses with, once somebody answers.
#[track_caller]
fn probe_refused(csi: &Csi) -> String {
    eventually("drivebay serve to answer", || {
        csi.probe(ProbeRequest {})
            .map_or_else(|status| status.code() != Code::Unavailable, |_| true)
    });
    refused(csi.probe(ProbeRequest {}), Code::FailedPrecondition)
}

#[test]
fn a_controller_without_any_privilege_makes_a_disk_over_https() {
    let cloud = Cloud::start();
    let node = pod(&cloud);
    let csi = controller(&node, SecurityContext::RESTRICTED);
    eventually("the driver to be ready", || is_ready(&csi));
    let volume = created(&csi, disk_request("pvc-1"));
    assert_eq!(cloud.disk(&volume.volume_id)["usage"], "Data");
    let workers = node.network_workers();
    assert!(!workers.is_empty(), "nobody made the request");
    for worker in workers {
        let status = fs::read_to_string(format!("/proc/{worker}/status")).expect("it runs");
        for line in [
            "Uid:\t65532\t65532\t65532\t65532",
            "CapPrm:\t0000000000000000",
            "NoNewPrivs:\t1",
        ] {
            assert!(status.contains(line), "{status}");
        }
    }
    let check = ["check", "--mode", "controller"];
    let check = node
        .drivebay_in(SecurityContext::RESTRICTED, &check)
        .output();
    let said = check.expect("drivebay runs");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{text}");
    assert!(text.contains("1 of 1 drivers are sound"), "{text}");
}

#[test]
fn a_file_of_a_third_user_is_not_believed_by_a_process_that_is_not_root() {
    let cloud = Cloud::start();
    let node = pod(&cloud);
    let file = node.path("etc/drivers.d/alicloud-disk.toml");
    chown(&file, Some(1000), None).expect("root");
    let csi = controller(&node, SecurityContext::RESTRICTED);
    eventually("drivebay serve to end", || {
        csi.log()
            .contains("it belongs to user 1000, not to user 0 or user 65532")
    });
    // In a directory that everybody may write, what is somebody else's is seen.
    chown(&file, Some(0), None).expect("root");
    fs::write(node.path("state/theirs"), "").expect("writable");
    chown(node.path("state/theirs"), Some(1000), None).expect("root");
    let csi = controller(&node, SecurityContext::RESTRICTED);
    eventually("drivebay serve to end", || {
        csi.log().contains("state/theirs belongs to user 1000")
    });
}

#[test]
fn root_that_cannot_become_nobody_says_so_at_once_to_whoever_asks() {
    let cloud = Cloud::start();
    let node = pod(&cloud);
    let csi = controller(&node, SecurityContext::POWERLESS_ROOT);
    let said = probe_refused(&csi);
    assert!(
        said.contains("runs as root without CAP_SETUID and CAP_SETGID"),
        "{said}"
    );
    assert!(
        said.contains("add SETUID and SETGID to capabilities.add"),
        "{said}"
    );
    assert!(csi.log().contains(&said), "{}", csi.log());
    let check = ["check", "--mode", "controller"];
    let check = node
        .drivebay_in(SecurityContext::POWERLESS_ROOT, &check)
        .output()
        .expect("drivebay runs");
    let printed = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(!check.status.success(), "{printed}");
    assert!(printed.contains(&said), "{printed}");
    assert!(printed.contains("0 of 1 drivers are sound"), "{printed}");
}

#[test]
fn root_with_what_the_network_takes_makes_a_disk_as_controller_and_is_refused_on_a_node() {
    let cloud = Cloud::start();
    let node = pod(&cloud);
    let context = SecurityContext {
        user: 0,
        add: "+setuid,+setgid",
    };
    let csi = controller(&node, context);
    eventually("the driver to be ready", || is_ready(&csi));
    created(&csi, disk_request("pvc-1"));
    drop(csi);
    let csi = node.begin_to_serve_in(context, "alicloud-disk", &["--mode", "node"]);
    let said = probe_refused(&csi);
    assert!(said.contains("without CAP_SYS_ADMIN (to mount)"), "{said}");
    assert!(said.contains("set privileged: true"), "{said}");
}

/// A node on which nothing was ever installed.
fn fresh() -> Node {
    let node = Node::empty();
    node.add_driver("local", &node.local_grants());
    node
}

#[test]
fn serve_alone_gets_ready_with_the_first_component_and_compiles_again_what_is_lost() {
    let node = fresh();
    let components = node.path("components");
    let from = ["--components-from", text(&components)];
    let csi = node.begin_to_serve("local", &from);
    csi.answers();
    assert!(!is_ready(&csi), "there is no component");
    fs::create_dir(&components).expect("writable");
    fs::copy(guest("local"), components.join("local.wasm")).expect("writable");
    eventually("the component to serve", || is_ready(&csi));
    assert!(csi.stop());
    // As after an upgrade of the host: no code is of its making.
    fs::remove_dir_all(node.path("state/compiled")).expect("there");
    fs::remove_dir_all(&components).expect("there");
    let csi = node.begin_to_serve("local", &from);
    eventually("the component to be compiled", || is_ready(&csi));
    assert!(!node.path("state/bin/drivebay").exists());
}

#[test]
fn a_read_only_store_serves_and_what_served_from_it_can_be_gone_back_to() {
    let node = fresh();
    fs::create_dir_all(node.path("state/components")).expect("writable");
    fs::copy(guest("local"), node.path("state/components/local.wasm")).expect("writable");
    node.make_read_only("state/components");
    let components = node.path("components");
    fs::create_dir(&components).expect("writable");
    let csi = node.begin_to_serve("local", &["--components-from", text(&components)]);
    eventually("what lies in the store to serve", || is_ready(&csi));
    let serving = || status(&node)["drivers"][0]["active"]["sha256"].clone();
    let first = serving();
    // Another version of the same: a section that says nothing.
    let mut other = fs::read(guest("local")).expect("readable");
    other.extend(*b"\0\x05\x04none");
    fs::write(components.join("local.wasm"), other).expect("writable");
    eventually("another version to serve", || serving() != first);
    let back = node.drivebay(&["rollback", "local"]).output();
    let back = back.expect("drivebay runs");
    assert!(back.status.success(), "{back:?}");
    assert_eq!(serving(), first);
    assert!(is_ready(&csi));
}

#[track_caller]
fn status(node: &Node) -> serde_json::Value {
    let output = node.drivebay(&["status", "--json"]).output();
    let output = output.expect("drivebay runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn check_calls_no_driver_sound_whose_code_could_not_be_kept() {
    let node = fresh();
    fs::create_dir_all(node.path("state/components")).expect("writable");
    fs::copy(guest("local"), node.path("state/components/local.wasm")).expect("writable");
    let check = || {
        let output = node.drivebay(&["check"]).output().expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (said, output.status.success())
    };
    let (said, is_sound) = check();
    assert!(is_sound, "{said}");
    node.make_read_only("state");
    let (said, is_sound) = check();
    assert!(!is_sound, "{said}");
    assert!(said.contains("cannot be kept in"), "{said}");
    assert!(said.contains("0 of 1 drivers are sound"), "{said}");
}
