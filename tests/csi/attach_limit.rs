//! How many disks a node can have is told to kubelet without any key where the operator gave it, and never left open.

use drivebay_tests::csi_proto::NodeGetInfoRequest;
use drivebay_tests::{Cloud, Csi, INSTANCE, Node, refused};
use serde_json::json;
use tonic::Code;

/// The driver's file on a node that has no key.
const NO_KEY: &str = "source = \"environment\"\nid = \"NO_SUCH_ID\"\nsecret = \"NO_SUCH_SECRET\"\n";

const TYPE: &str = "ecs.g7.xlarge";

/// Serves disks with that driver's file.
#[track_caller]
fn serve(node: &Node, file: &str, arguments: &[&str]) -> Csi {
    node.add_driver("alicloud-disk", file);
    node.serve_with("alicloud-disk", arguments)
}

#[track_caller]
fn limit(csi: &Csi) -> i64 {
    let info = csi
        .node_get_info(NodeGetInfoRequest {})
        .expect("registered");
    assert_eq!(info.node_id, INSTANCE, "by metadata alone");
    info.max_volumes_per_node
}

#[track_caller]
fn nobody_asked(cloud: &Cloud) {
    for action in ["DescribeInstanceTypes", "DescribeDisks"] {
        assert_eq!(cloud.requests(action), 0, "{action}");
    }
}

#[test]
fn a_node_without_a_key_has_the_limit_that_the_operator_gave() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let table = |text: &str| format!("{}\n[attach-limit]\n{text}\n", cloud.grants(NO_KEY));
    let given = &["--max-volumes-per-node", "7"][..];
    let listed = table(&format!("instance-types = {{ \"{TYPE}\" = 16 }}"));
    let others = table("instance-types = { \"ecs.other\" = 3 }\notherwise = 9");
    for (file, arguments, expected) in [
        (cloud.grants(NO_KEY), given, 7),
        (listed.clone(), given, 7),
        (listed, &[], 16),
        (others, &[], 9),
    ] {
        let csi = serve(&node, &file, arguments);
        assert_eq!(limit(&csi), expected, "{file}\n{arguments:?}");
        assert!(csi.stop());
    }
    nobody_asked(&cloud);
}

#[test]
fn that_a_node_has_no_key_is_told_once() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let key = node.path("no-such-key");
    let of_files = format!("source = \"file\"\nid-file = {key:?}\nsecret-file = {key:?}\n");
    let arguments = ["--max-volumes-per-node", "7"];
    let csi = serve(&node, &cloud.grants(&of_files), &arguments);
    for _ in 0..3 {
        assert_eq!(limit(&csi), 7);
    }
    let log = csi.log();
    let warnings = log.lines().filter(|line| line.contains(" WARN "));
    let told: Vec<&str> = warnings
        .filter(|line| line.contains("no-such-key"))
        .collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(!log.contains("which disks this node takes"), "{log}");
}

#[test]
fn a_node_that_nobody_gave_a_limit_does_not_register_and_says_what_helps() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let other = "[attach-limit]\ninstance-types = { \"ecs.other\" = 3 }\n";
    let file = format!("{}\n{other}", cloud.grants(NO_KEY));
    let csi = serve(&node, &file, &[]);
    let said = refused(
        csi.node_get_info(NodeGetInfoRequest {}),
        Code::FailedPrecondition,
    );
    for part in [
        "MAX_VOLUMES_PERNODE",
        "\"ecs.g7.xlarge\" = NUMBER to [attach-limit.instance-types]",
        "`drivebay attach-limits alicloud-disk`",
        "grant a key",
        "NO_SUCH_ID",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let zero = node
        .drivebay(&["serve", "--driver", "alicloud-disk"])
        .args(["--endpoint", "/x.sock", "--max-volumes-per-node", "0"])
        .output()
        .expect("it runs");
    assert!(!zero.status.success(), "0 would say that there is no limit");
}

#[test]
fn the_clouds_own_numbers_are_asked_for_with_a_key_and_printed_for_the_drivers_file() {
    let cloud = Cloud::start();
    let node = Node::with_disks(&cloud);
    let with_key = cloud.grants(&cloud.key_in_files());
    let csi = serve(&node, &with_key, &[]);
    cloud.set(&json!({ "instance_types": { TYPE: { "disk_quantity": 5 } } }));
    let from_cloud = limit(&csi);
    assert!((1..=5).contains(&from_cloud), "{from_cloud}");
    assert!(csi.stop());
    let printed = node
        .drivebay(&["attach-limits", "alicloud-disk"])
        .output()
        .expect("it runs");
    let table = String::from_utf8(printed.stdout).expect("text");
    assert!(printed.status.success(), "{table}");
    assert!(table.contains(&format!("\n\"{TYPE}\" = 4\n")), "{table}");
    let csi = serve(&node, &format!("{}\n{table}", cloud.grants(NO_KEY)), &[]);
    assert_eq!(limit(&csi), 4);
    let csi_only = node
        .drivebay(&["attach-limits", "alicloud-disk"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&csi_only.stderr).into_owned();
    assert!(
        !csi_only.status.success() && said.contains("denied: "),
        "{said}"
    );
}
