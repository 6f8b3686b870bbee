//! Every call-out of the contract through a driver that attaches, in kubelet's order and spelling.

use std::fs;
use std::path::Path;

use drivebay_tests::{DEVICE, NODE_ID, Node, Volume, options, pod_options, text};

#[test]
fn init_says_what_the_component_can_do() {
    let node = Node::with_local("v1");
    node.call(&["init"]).is(concat!(
        r#"{"status":"Success","capabilities":{"attach":true,"selinuxRelabel":false,"#,
        r#""supportsMetrics":false,"fsGroup":false,"requiresFSResize":true}}"#
    ));
}

#[test]
fn a_volumes_life_is_the_calls_that_kubelet_makes() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "pv-1", &[("pool", "pool"), ("volume", "v1")]);
    let (web, db) = (node.pod("web"), node.pod("db"));

    node.call(&["getvolumename", &volume.options()])
        .is(r#"{"status":"Not supported","message":"the volume's own name is used"}"#);
    volume
        .is_attached()
        .is(r#"{"status":"Success","attached":false}"#);
    volume
        .attach()
        .is(&format!(r#"{{"status":"Success","device":"{DEVICE}"}}"#));
    volume
        .is_attached()
        .is(r#"{"status":"Success","attached":true}"#);
    node.call(&["waitforattach", DEVICE, &volume.options()])
        .is(&format!(r#"{{"status":"Success","device":"{DEVICE}"}}"#));
    volume.mount_device().is(r#"{"status":"Success"}"#);
    volume.mount(&web).is(r#"{"status":"Success"}"#);
    volume.mount(&db).is(r#"{"status":"Success"}"#);

    fs::write(web.join("greeting"), "hello").expect("writable");
    assert_eq!(
        fs::read_to_string(node.path("pool/v1/greeting")).expect("in the pool"),
        "hello"
    );
    assert_eq!(
        fs::read_to_string(db.join("greeting")).expect("in the other pod"),
        "hello"
    );

    volume.unmount(&web).is(r#"{"status":"Success"}"#);
    assert!(
        fs::read_dir(&web)
            .expect("left for kubelet")
            .next()
            .is_none()
    );
    assert!(
        db.join("greeting").exists(),
        "the other pod lost its volume"
    );
    volume.unmount(&db).is(r#"{"status":"Success"}"#);
    volume.unmount_device().is(r#"{"status":"Success"}"#);
    volume.detach().is(r#"{"status":"Success"}"#);
    volume
        .is_attached()
        .is(r#"{"status":"Success","attached":false}"#);
    node.is_clean();
}

#[test]
fn repeating_any_call_changes_nothing() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let pod = node.pod("web");
    type Call<'a> = &'a dyn Fn() -> drivebay_tests::Answer;
    let calls: [Call<'_>; 6] = [
        &|| volume.attach(),
        &|| volume.mount_device(),
        &|| volume.mount(&pod),
        &|| volume.unmount(&pod),
        &|| volume.unmount_device(),
        &|| volume.detach(),
    ];
    for call in calls {
        let first = call().succeeds().text;
        let after_first = node.traces();
        for _ in 0..2 {
            assert_eq!(call().text, first);
            assert_eq!(node.traces(), after_first);
        }
    }
    node.is_clean();
}

#[test]
fn a_read_only_persistent_volume_cannot_be_written() {
    read_only_by(&[("kubernetes.io/readwrite", "ro")]);
}

#[test]
fn the_users_readonly_option_makes_any_volume_read_only() {
    read_only_by(&[("readonly", "true")]);
    read_only_by(&[("readOnly", "Yes")]);
}

#[track_caller]
fn read_only_by(user: &[(&str, &str)]) {
    let node = Node::with_local("v1");
    fs::write(node.path("pool/v1/greeting"), "hello").expect("writable");
    let volume = Volume::new(&node, "v1", user).staged();
    let pod = node.pod("web");
    for _ in 0..2 {
        volume.mount(&pod).succeeds();
        for path in [&volume.staging(), &pod] {
            let error = fs::write(path.join("more"), "no").expect_err("read-only");
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::ReadOnlyFilesystem,
                "{user:?}"
            );
            assert_eq!(
                fs::read_to_string(path.join("greeting")).expect("readable"),
                "hello"
            );
        }
    }
    volume.unmount(&pod).succeeds();
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    node.is_clean();
}

#[test]
fn one_pod_may_read_what_another_writes() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let (writer, reader) = (node.pod("writer"), node.pod("reader"));
    volume.mount(&writer).succeeds();
    let read_only = pod_options("v1", &[("kubernetes.io/readwrite", "ro")]);
    node.call(&["mount", text(&reader), &read_only]).succeeds();
    fs::write(writer.join("greeting"), "hello").expect("writable");
    assert!(reader.join("greeting").exists());
    assert!(fs::write(reader.join("more"), "no").is_err());
    node.call(&["mount", text(&writer), &read_only])
        .fails_with("with another access mode");
    assert!(
        fs::write(writer.join("more"), "yes").is_ok(),
        "the writer's mount was touched"
    );
}

#[test]
fn after_a_restart_of_kubelet_names_and_paths_are_enough() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "pv-1", &[("volume", "v1")]).staged();
    let pod = node.pod("web");
    volume.mount(&pod).succeeds();
    assert_eq!(claims(&node), ["v1.claim"]);

    // kubelet rebuilds its view from directories; the options are gone.
    assert_eq!(
        node.call(&["getvolumename", &options("pv-1", &[])])
            .status(),
        "Not supported"
    );
    node.call(&["init"]).succeeds();
    node.call(&["unmount", text(&pod)]).succeeds();
    node.call(&["unmountdevice", text(&volume.staging())])
        .succeeds();
    node.call(&["detach", "pv-1", NODE_ID]).succeeds();
    assert_eq!(
        claims(&node),
        Vec::<String>::new(),
        "the journal did not know directory v1"
    );
    node.is_clean();
}

fn claims(node: &Node) -> Vec<String> {
    let names = fs::read_dir(node.path("pool/.drivebay"))
        .expect("made by the guest")
        .flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn after_a_restart_with_the_pod_alive_the_same_calls_come_again() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    volume.mount(&pod).succeeds();
    let before = node.traces();
    node.call(&["waitforattach", DEVICE, &volume.options()])
        .succeeds();
    volume.mount_device().succeeds();
    volume.mount(&pod).succeeds();
    assert_eq!(node.traces(), before);
}

#[test]
fn unmounting_what_was_never_mounted_is_success() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    node.unchanged_by(|| {
        node.call(&["unmount", text(&pod)])
            .is(r#"{"status":"Success"}"#);
        node.call(&["unmount", text(&node.path("pods/nobody"))])
            .succeeds();
        node.call(&["unmount", text(&node.path("nowhere/at/all"))])
            .succeeds();
        node.call(&["unmountdevice", text(&node.path("mounts/v1"))])
            .succeeds();
        node.call(&["detach", "v1", NODE_ID]).succeeds();
        node.call(&["detach", "never-heard-of", NODE_ID]).succeeds();
    });
}

#[test]
fn mounts_made_by_the_driver_before_us_are_taken_away_too() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    bind(&node.path("pool/v1"), &pod);
    node.call(&["unmount", text(&pod)]).succeeds();
    node.is_clean();
}

#[test]
fn mounts_made_by_the_driver_before_us_are_taken_over() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    volume.attach().succeeds();
    fs::create_dir_all(volume.staging()).expect("writable");
    bind(&node.path("pool/v1"), &volume.staging());
    volume.mount_device().succeeds();
    Node::holds_one_mount(&volume.staging());
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    node.is_clean();
}

fn bind(from: &Path, onto: &Path) {
    let none = None::<&str>;
    nix::mount::mount(Some(from), onto, none, nix::mount::MsFlags::MS_BIND, none).expect("root");
}

#[test]
fn option_keys_are_found_in_any_case() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "pv-1", &[("POOL", "pool"), ("Volume", "v1")]).staged();
    let pod = node.pod("web");
    volume.mount(&pod).succeeds();
    fs::write(pod.join("greeting"), "hello").expect("writable");
    assert!(node.path("pool/v1/greeting").exists());
}

#[test]
fn an_unknown_option_is_refused_by_name_with_the_nearest_known_one() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[("voluem", "v1")]);
    let words = r#"driver local has no volume parameter "voluem"; did you mean "volume"?"#;
    node.unchanged_by(|| {
        volume.attach().fails_with(words);
        volume.is_attached().fails_with(words);
        node.call(&["expandvolume", &volume.options(), "x", "2", "1"])
            .fails_with(words);
    });
    fs::create_dir_all(volume.staging()).expect("writable");
    node.unchanged_by(|| volume.mount_device().fails_with(words));
}

#[test]
fn a_pod_cannot_have_a_volume_that_was_not_staged() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let pod = node.pod("web");
    node.unchanged_by(|| {
        volume
            .mount(&pod)
            .fails_with("mountdevice comes before mount")
    });
    volume.attach().succeeds();
    node.unchanged_by(|| {
        volume
            .mount(&pod)
            .fails_with("mountdevice comes before mount")
    });
}

#[test]
fn a_volume_of_another_node_is_refused_and_the_node_is_named() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    volume.attach().succeeds();
    let before = node.traces();
    node.call(&["attach", &volume.options(), "node-2"])
        .fails_with("node node-1 uses it");
    assert_eq!(
        node.call(&["isattached", &volume.options(), "node-2"]).json["attached"],
        false
    );
    node.call(&["detach", "v1", "node-2"]).succeeds();
    assert_eq!(
        node.traces(),
        before,
        "the refused node took something away"
    );
    assert_eq!(volume.is_attached().json["attached"], true);
}

#[test]
fn a_volume_that_does_not_exist_is_refused_before_anything_is_noted() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v2", &[]);
    node.unchanged_by(|| volume.attach().fails_with("pool pool has no volume v2"));
}

#[test]
fn a_group_is_accepted_in_kubelets_spelling_and_in_the_documentations() {
    let node = Node::with_local("v1");
    for key in ["kubernetes.io/mounterArgs.FsGroup", "kubernetes.io/fsGroup"] {
        let volume = Volume::new(&node, "v1", &[(key, "4242")]).staged();
        let pod = node.pod("web");
        volume.mount(&pod).succeeds();
        volume.unmount(&pod).succeeds();
        volume.unmount_device().succeeds();
        volume.detach().succeeds();
    }
    node.is_clean();
}

#[test]
fn the_argument_order_of_older_kubelets_works() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    let staging = volume.staging();
    fs::create_dir_all(&staging).expect("writable");
    node.call(&["attach", &volume.options(), NODE_ID])
        .succeeds();
    node.call(&["isattached", NODE_ID, &volume.options()])
        .succeeds();
    node.call(&["waitforattach", &volume.options(), DEVICE])
        .succeeds();
    node.call(&["mountdevice", &volume.options(), text(&staging), DEVICE])
        .succeeds();
    Node::holds_one_mount(&staging);
}

#[test]
fn two_drivers_share_one_component_and_nothing_else() {
    let node = Node::with_local("v1");
    fs::create_dir_all(node.path("other/v1")).expect("writable");
    let grants = node
        .local_grants()
        .replace("drivebay/local", "acme/fast")
        .replace("local.drivebay.dev", "fast.example.com");
    let other = grants.replace(text(&node.path("pool")), text(&node.path("other")));
    node.add_driver("fast", &other);
    node.install(&[]);

    let volume = Volume::new(&node, "v1", &[]).staged();
    let fast = |arguments: &[&str]| node.call_driver("acme~fast/fast", arguments);
    let staging = node.pod("staging-of-fast");
    fast(&["attach", &volume.options(), NODE_ID]).succeeds();
    fast(&["mountdevice", text(&staging), DEVICE, &volume.options()]).succeeds();
    fs::write(staging.join("mine"), "").expect("writable");
    assert!(node.path("other/v1/mine").exists() && !node.path("pool/v1/mine").exists());

    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    Node::holds_no_mount(&volume.staging());
    Node::holds_one_mount(&staging);
    assert_eq!(
        fast(&["isattached", &volume.options(), NODE_ID]).json["attached"],
        true
    );
    fast(&["unmountdevice", text(&staging)]).succeeds();
    fast(&["detach", "v1", NODE_ID]).succeeds();
    node.is_clean();
}
