//! An SMB share with a user's password, from a FlexVolume Secret and from CSI's: the example `smb` against Samba, by the
//! kernel's own client. The password is nowhere but with the server.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{self as proto};
use drivebay_tests::{
    Node, descendants, eventually, guest, memory_holds, mounted, pod_options, text, untold_beneath,
    untold_by,
};
use tonic::Code;

use crate::lab::shell;

const SHARE: &str = "/srv/smb";
const USER: &str = "ann";
/// A comma separates mount options, and is part of this one's value.
const PASSWORD: &str = "correct,,horse,battery";
const WRONG: &str = "wrong-horse-battery";
const SMB: &str = "test~smb/smb";

/// As FlexVolume has them.
const USER_BASE64: &str = "YW5u";
const PASSWORD_BASE64: &str = "Y29ycmVjdCwsaG9yc2UsYmF0dGVyeQ==";
const WRONG_BASE64: &str = "d3JvbmctaG9yc2UtYmF0dGVyeQ==";

const WORDS: [&str; 4] = [PASSWORD, PASSWORD_BASE64, WRONG, WRONG_BASE64];

const GRANTS: &str = r#"
component = "smb"
flexvolume = "test/smb"
csi-name = "smb.example.com"
[grants.mounts]
filesystems = ["cifs"]
sources = ["127.0.0.1:/data", "127.0.0.1:/data/granted/**"]
options = ["vers", "seal"]
[grants.secrets.username]
mount-options = ["username"]
[grants.secrets.password]
mount-options = ["password"]
"#;

/// A node of these tests' own, on a machine where the server runs.
fn node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(|| {
        assert!(
            Path::new("/dev/virtio-ports/output").exists(),
            "these tests change the machine; run them by `cargo xtask test --only vm`"
        );
        shell(&format!(
            ". tests/vm/smb-server.sh; smb_start {SHARE} {USER} {PASSWORD}"
        ));
        let node = Node::empty();
        node.add_driver("smb", GRANTS);
        node.install(&[&guest("smb")]);
        node
    })
}

/// A mounter's options for the share, with a secret in base64.
fn options(user: &[(&str, &str)], password: &str) -> String {
    let share = [
        ("server", "127.0.0.1"),
        ("share", "data"),
        ("mountOptions", "vers=3.1.1"),
        ("kubernetes.io/secret/username", USER_BASE64),
        ("kubernetes.io/secret/password", password),
    ];
    pod_options("pv-smb", &[&share[..], user].concat())
}

/// Nobody can see the password: not in the table of mounts, not in a file of the host's.
#[track_caller]
fn untold() {
    untold_by(nix::unistd::Pid::this(), &WORDS);
    for file in ["/proc/mounts", "/proc/self/mountinfo"] {
        let table = fs::read_to_string(file).expect("readable");
        assert!(!WORDS.iter().any(|word| table.contains(word)), "{table}");
    }
    untold_beneath(&node().path(""), &WORDS);
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_share_is_mounted_with_a_password_from_a_flexvolume_secret() {
    let pod = node().pod("smb");
    let call = |arguments: &[&str]| node().call_driver(SMB, arguments);
    call(&["mount", text(&pod), &options(&[], PASSWORD_BASE64)]).succeeds();
    fs::write(pod.join("from-a-pod"), "hello").expect("writable");
    let there = Path::new(SHARE).join("from-a-pod");
    assert_eq!(fs::read_to_string(there).expect("on the server"), "hello");
    let lines = Node::mount_lines_beneath(&pod);
    assert!(lines[0].contains(" cifs //127.0.0.1/data "), "{lines:?}");
    // kubelet repeats it.
    call(&["mount", text(&pod), &options(&[], PASSWORD_BASE64)]).succeeds();
    Node::holds_one_mount(&pod);
    untold();
    call(&["unmount", text(&pod)]).succeeds();
    assert!(Node::mounts_beneath(&pod).is_empty());
    untold();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_wrong_password_is_refused_and_named_nowhere() {
    let pod = node().pod("smb-wrong");
    let mount = ["mount", text(&pod), &options(&[], WRONG_BASE64)];
    let answer = node().call_driver(SMB, &mount);
    let answer = answer.fails_with("cannot mount //127.0.0.1/data: Permission denied (the server refuses the user, the password");
    assert!(!WORDS.iter().any(|word| answer.text.contains(word)));
    assert!(Node::mounts_beneath(&pod).is_empty());
    untold();
}

#[test]
#[ignore = "needs the VM's NFS"]
fn what_is_not_granted_of_a_share_is_denied() {
    let pod = node().pod("smb-denied");
    for (user, said) in [
        (
            &[("path", "elsewhere")][..],
            "source \"127.0.0.1\" \"/data/elsewhere\" is not granted",
        ),
        (
            &[("server", "127.0.0.2")][..],
            "source \"127.0.0.2\" \"/data\" is not granted",
        ),
        (
            &[("mountOptions", "vers=3.1.1,uid=0")][..],
            "mount option \"uid\" is not granted",
        ),
        (
            &[("mountOptions", "ip=127.0.0.2")][..],
            "mount option \"ip\"",
        ),
        (
            &[("mountOptions", "password=x")][..],
            "mount option \"password\"",
        ),
    ] {
        let mount = ["mount", text(&pod), &options(user, PASSWORD_BASE64)];
        node().call_driver(SMB, &mount).fails_with(said);
        assert!(Node::mounts_beneath(&pod).is_empty(), "{said}");
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_directory_of_a_share_is_a_volume_of_its_own() {
    let inside = Path::new(SHARE).join("granted/team");
    let _ = node();
    fs::create_dir_all(&inside).expect("writable");
    fs::write(inside.join("greeting"), "hello").expect("writable");
    let pod = node().pod("smb-team");
    let beneath = [("path", "granted/team"), ("kubernetes.io/readwrite", "ro")];
    let mount = ["mount", text(&pod), &options(&beneath, PASSWORD_BASE64)];
    node().call_driver(SMB, &mount).succeeds();
    let greeting = fs::read_to_string(pod.join("greeting"));
    assert_eq!(greeting.expect("mounted"), "hello");
    assert!(fs::write(pod.join("new"), "x").is_err(), "it is writable");
    node().call_driver(SMB, &["unmount", text(&pod)]).succeeds();
}

/// kubelet sends the secret of NodePublishVolume to a driver that does not stage.
fn publish(name: &str, password: &str) -> proto::NodePublishVolumeRequest {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let parent = node().path("pods").join(name);
    fs::create_dir_all(&parent).expect("writable");
    proto::NodePublishVolumeRequest {
        volume_id: name.to_owned(),
        target_path: text(&parent.join("mount")).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        volume_context: HashMap::from([pair("server", "127.0.0.1"), pair("share", "data")]),
        secrets: HashMap::from([pair("username", USER), pair("password", password)]),
        ..proto::NodePublishVolumeRequest::default()
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_share_is_mounted_with_a_password_from_a_secret_of_csi() {
    let csi = node().serve_with("smb", &["--node-id", "vm"]);
    let volume = publish("smb-csi", PASSWORD);
    csi.node_publish_volume(volume.clone()).expect("published");
    let pod = Path::new(&volume.target_path);
    fs::write(pod.join("from-csi"), "hello").expect("writable");
    let there = Path::new(SHARE).join("from-csi");
    assert_eq!(fs::read_to_string(there).expect("on the server"), "hello");
    untold();
    let refused = csi
        .node_publish_volume(publish("smb-csi-wrong", WRONG))
        .expect_err("the wrong one");
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    assert!(!WORDS.iter().any(|word| refused.message().contains(word)));
    let serve = csi.process();
    for _ in 0..200 {
        csi.probe(proto::ProbeRequest {}).expect("it serves on");
    }
    eventually("the last of the secrets to be gone from memory", || {
        let all = descendants(serve).into_iter().chain([serve]);
        let mut held = all.flat_map(|process| memory_holds(process, &WORDS));
        held.next().is_none()
    });
    csi.node_unpublish_volume(proto::NodeUnpublishVolumeRequest {
        volume_id: volume.volume_id.clone(),
        target_path: volume.target_path.clone(),
    })
    .expect("unpublished");
    assert!(csi.stop());
    untold();
}
