//! Claims of a class whose provisioner is `k8s/nfs` become directories of a share, which pods mount by FlexVolume, and
//! volumes of CSI later, with what was written into them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use drivebay_tests::csi_proto::NodePublishVolumeRequest;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Api, ControlPlane, becomes, dist, mounted, text};
use serde_json::{Value, json};

use crate::csi::{serve, unpublish};
use crate::lab::node;
use crate::pod::Pod;
use crate::provisioner::{SERVER, Share};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

/// Who makes directories for claims, as long as it lives.
struct Provisioner(Child);

impl Provisioner {
    fn start(plane: &ControlPlane) -> Self {
        let mut command = node().command(&dist("drivebay-provision"));
        command.args(["--driver", "nfs", "--namespace", "default"]);
        command.env("KUBECONFIG", plane.kubeconfig());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A class of a share, with one directory for each claim.
fn class(api: &Api, name: &str, share: &Share) {
    let parameters = json!({
        "server": SERVER,
        "share": share.name,
        "subDir": "${pvc.metadata.namespace}/${pvc.metadata.name}",
    });
    let class =
        json!({ "metadata": { "name": name }, "provisioner": "k8s/nfs", "parameters": parameters });
    api.create("/apis/storage.k8s.io/v1/storageclasses", &class);
}

/// A claim that got its volume.
#[track_caller]
fn bound(api: &Api, name: &str, class: &str) -> Value {
    let claim = json!({ "metadata": { "name": name }, "spec": {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": class,
        "resources": { "requests": { "storage": "1Gi" } },
    } });
    api.create(CLAIMS, &claim);
    let path = format!("{CLAIMS}/{name}");
    let is_bound = || {
        api.find(&path)
            .is_some_and(|claim| claim["status"]["phase"] == "Bound")
    };
    assert!(
        becomes(is_bound),
        "{:?} {:?}",
        api.find(&path),
        api.events_of("default", name)
    );
    let claim = api.find(&path).expect("it was there");
    volume(api, claim["spec"]["volumeName"].as_str().expect("a name"))
}

#[track_caller]
fn volume(api: &Api, name: &str) -> Value {
    let found = api.find(&format!("{VOLUMES}/{name}"));
    found.unwrap_or_else(|| panic!("PersistentVolume {name} is there"))
}

/// What kubelet hands on of a FlexVolume.
fn options(volume: &Value) -> Vec<(&str, &str)> {
    let options = volume["spec"]["flexVolume"]["options"].as_object();
    let options = options.expect("a FlexVolume").iter();
    options
        .map(|(key, value)| (key.as_str(), value.as_str().expect("a text")))
        .collect()
}

/// `drivebay-provision migrate`; what it said.
#[track_caller]
fn migrate(plane: &ControlPlane, arguments: &[&str], code: i32) -> String {
    let mut command = node().command(&dist("drivebay-provision"));
    command
        .arg("migrate")
        .args(arguments)
        .args(["--namespace", "default"]);
    command.env("KUBECONFIG", plane.kubeconfig());
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// What kubelet asks CSI's driver for, of a PersistentVolume.
fn published_at(volume: &Value, target: &Path) -> NodePublishVolumeRequest {
    let source = &volume["spec"]["csi"];
    let attributes = source["volumeAttributes"].as_object().expect("attributes");
    let attributes = attributes.iter();
    let attributes =
        attributes.map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned()));
    NodePublishVolumeRequest {
        volume_id: source["volumeHandle"]
            .as_str()
            .expect("a handle")
            .to_owned(),
        target_path: text(target).to_owned(),
        volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
        volume_context: attributes.collect::<HashMap<_, _>>(),
        ..NodePublishVolumeRequest::default()
    }
}

#[test]
#[ignore = "needs the VM's NFS"]
fn a_claims_directory_is_made_written_to_migrated_with_its_data_turned_back_and_removed() {
    let share = Share::new("claims");
    // An emulated machine is slow enough without it.
    let plane = &ControlPlane::start();
    let api = plane.api();
    let provisioner = Provisioner::start(plane);
    class(api, "claims", &share);
    let made = bound(api, "data", "claims");
    let name = made["metadata"]["name"].as_str().expect("a name");
    assert_eq!(share.directories(), ["default"]);

    let pod = Pod::new("claims");
    pod.mount(&options(&made)).succeeds();
    fs::write(pod.file("greeting"), "hello").expect("writable");
    pod.unmount().succeeds();
    let written = || fs::read_to_string(share.at("default/data/greeting")).ok();
    assert_eq!(written().as_deref(), Some("hello"));

    // Its directory goes with its claim, which CSI's driver would not do by the volume's name.
    let driver =
        json!({ "metadata": { "name": "nfs.csi.k8s.io" }, "spec": { "attachRequired": false } });
    api.create("/apis/storage.k8s.io/v1/csidrivers", &driver);
    let said = migrate(plane, &["--apply", name], 3);
    assert!(said.contains("set its reclaim policy to Retain"), "{said}");
    let path = format!("{VOLUMES}/{name}");
    let policy = |policy: &str| json!({ "spec": { "persistentVolumeReclaimPolicy": policy } });
    api.patch(&path, &policy("Retain"));
    migrate(plane, &["--apply", name], 0);

    let csi = serve();
    let target = node().path("pods").join("claims-csi");
    let request = published_at(&volume(api, name), &target);
    csi.node_publish_volume(request.clone()).expect("published");
    let greeting = target.join("greeting");
    assert_eq!(fs::read_to_string(&greeting).expect("mounted"), "hello");
    fs::write(&greeting, "hello again").expect("writable");
    unpublish(&csi, &request);
    assert!(csi.stop());

    migrate(plane, &["--undo", "--apply", name], 0);
    let back = volume(api, name);
    assert_eq!(back["spec"]["flexVolume"], made["spec"]["flexVolume"]);
    pod.mount(&options(&back)).succeeds();
    let found = fs::read_to_string(pod.file("greeting")).expect("mounted");
    assert_eq!(found, "hello again");
    pod.unmount().succeeds();

    api.patch(&path, &policy("Delete"));
    api.delete(&format!("{CLAIMS}/data"));
    assert!(
        becomes(|| api.find(&path).is_none()),
        "{:?}",
        api.find(&path)
    );
    assert_eq!(written(), None);
    drop(provisioner);
}
