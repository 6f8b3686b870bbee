//! A namespace with claims of FlexVolumes, a CSI driver that the cluster knows of, and `drivebay-provision migrate` with the
//! rights that the guide names and no others.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;

use drivebay_tests::{
    Api, ControlPlane, Node, Running, becomes, dist, kubeconfig_of_proxy, repository,
};
use serde_json::{Value, json};
use yaml_rust2::YamlLoader;

use crate::gate::Gate;
use crate::site::{VOLUMES, as_json, token};

const ACCOUNT: &str = "migrate";

/// Where kubelet and the controllers would be, of which there are none here.
pub(crate) const NODE: &str = "a-node";

pub(crate) struct Migration {
    name: &'static str,
    /// FlexVolume's name of the driver of its disks.
    driver: String,
    pub(crate) gate: Gate,
    node: Node,
    _proxy: Running,
}

/// What a run said, and its code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) said: String,
    pub(crate) code: Option<i32>,
}

impl Migration {
    /// Of disks of a driver that nobody makes any of.
    #[track_caller]
    pub(crate) fn new(name: &'static str) -> Self {
        Self::of(name, &format!("{name}/disk"))
    }

    #[track_caller]
    pub(crate) fn of(name: &'static str, driver: &str) -> Self {
        let plane = ControlPlane::get();
        let api = plane.api();
        api.create(
            "/api/v1/namespaces",
            &json!({ "metadata": { "name": name } }),
        );
        for account in [ACCOUNT, "default"] {
            // Pods are refused without the latter, and the controller that makes it does not run here.
            let account = json!({ "metadata": { "name": account } });
            api.create(
                &format!("/api/v1/namespaces/{name}/serviceaccounts"),
                &account,
            );
        }
        grant(api, name);
        let node = Node::empty();
        let (address, proxy) =
            plane.proxy_for(&format!("migrate-{name}"), &token(api, name, ACCOUNT));
        // Rights that were just given are known a moment later.
        let (who, records) = (
            Api::at(&address),
            format!("/api/v1/namespaces/{name}/configmaps"),
        );
        let has_rights = || who.find(&records).is_some() && who.find(VOLUMES).is_some();
        assert!(becomes(has_rights), "it has no rights");
        let gate = Gate::before(&address);
        let kubeconfig = kubeconfig_of_proxy(gate.address());
        fs::write(node.path("kubeconfig"), kubeconfig).expect("writable");
        Self {
            name,
            driver: driver.to_owned(),
            gate,
            node,
            _proxy: proxy,
        }
    }

    /// With the CSI driver that its disks go to.
    #[track_caller]
    pub(crate) fn with_csi_driver(name: &'static str) -> Self {
        let migration = Self::new(name);
        migration.install_csi_driver();
        migration
    }

    #[track_caller]
    pub(crate) fn install_csi_driver(&self) {
        let driver = json!({ "metadata": { "name": self.csi_driver() }, "spec": { "attachRequired": true } });
        self.api()
            .create("/apis/storage.k8s.io/v1/csidrivers", &driver);
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn csi_driver(&self) -> String {
        format!("{}.csi.test", self.name)
    }

    pub(crate) fn api(&self) -> &'static Api {
        ControlPlane::get().api()
    }

    /// A disk's FlexVolume of that name, as the provisioner makes them, with what differs in its specification; its claim,
    /// which has the same name, is bound to it.
    #[track_caller]
    pub(crate) fn disk(&self, name: &str, differs: &Value) -> Value {
        let options = json!({ "VolumeId": format!("d-{}", name.replace('-', "")) });
        let mut spec = json!({
            "capacity": { "storage": "20Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": self.name,
            "claimRef": { "kind": "PersistentVolumeClaim", "namespace": self.name, "name": name },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "topology.kubernetes.io/zone", "operator": "In", "values": ["z"] },
            ] }] } },
            "flexVolume": { "driver": self.driver, "fsType": "ext4", "options": options },
        });
        let fields = spec.as_object_mut().expect("an object");
        fields.extend(differs.as_object().expect("an object").clone());
        let volume = json!({
            "metadata": {
                "name": name,
                "labels": { "zone": "z" },
                "annotations": { "pv.kubernetes.io/provisioned-by": self.driver },
                "finalizers": ["external-provisioner.volume.kubernetes.io/finalizer"],
            },
            "spec": spec,
        });
        self.api().create(VOLUMES, &volume);
        let claim = json!({ "metadata": { "name": name }, "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": self.name,
            "volumeName": name,
            "resources": { "requests": { "storage": "20Gi" } },
        } });
        self.api()
            .create(&self.path("persistentvolumeclaims", ""), &claim);
        self.is_bound(name);
        self.volume(name)
    }

    /// A pod that has a claim; on the node or waiting for one.
    #[track_caller]
    pub(crate) fn pod(&self, name: &str, claim: &str, node: Option<&str>) {
        let mut spec = json!({
            "containers": [{ "name": "c", "image": "none" }],
            "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": claim } }],
        });
        if let Some(node) = node {
            spec["nodeName"] = json!(node);
        }
        let pod = json!({ "metadata": { "name": name }, "spec": spec });
        self.api().create(&self.path("pods", ""), &pod);
    }

    /// As a kubelet does that has ended it.
    #[track_caller]
    pub(crate) fn remove_pod(&self, name: &str) {
        let path = self.path("pods", name);
        self.api().delete(&format!("{path}?gracePeriodSeconds=0"));
        assert!(
            becomes(|| self.api().find(&path).is_none()),
            "pod {name} stays"
        );
    }

    /// A node, of which there are none here.
    #[track_caller]
    pub(crate) fn node(&self, name: &str) {
        let node = json!({ "metadata": { "name": name } });
        self.api().create("/api/v1/nodes", &node);
    }

    /// As the attach-detach controller says of a node.
    #[track_caller]
    pub(crate) fn has_attached(&self, node: &str, volumes: &Value) {
        let status = json!({ "status": { "volumesAttached": volumes } });
        self.api()
            .patch(&format!("/api/v1/nodes/{node}/status"), &status);
    }

    #[track_caller]
    pub(crate) fn volume(&self, name: &str) -> Value {
        let found = self.api().find(&format!("{VOLUMES}/{name}"));
        found.unwrap_or_else(|| panic!("PersistentVolume {name} is there"))
    }

    pub(crate) fn has_volume(&self, name: &str) -> bool {
        self.api().find(&format!("{VOLUMES}/{name}")).is_some()
    }

    #[track_caller]
    pub(crate) fn claim(&self, name: &str) -> Value {
        let found = self.api().find(&self.path("persistentvolumeclaims", name));
        found.unwrap_or_else(|| panic!("claim {name} is there"))
    }

    /// Waits until claim and volume of that name have each other.
    #[track_caller]
    pub(crate) fn is_bound(&self, name: &str) {
        let bound = |object: Value| object["status"]["phase"] == "Bound";
        let both = || bound(self.claim(name)) && bound(self.volume(name));
        assert!(becomes(both), "{} {}", self.claim(name), self.volume(name));
    }

    /// That it is a volume of CSI, whole and bound, of which nothing is left to do.
    #[track_caller]
    pub(crate) fn is_of_csi(&self, name: &str) {
        self.is_bound(name);
        let volume = self.volume(name);
        let id = format!("d-{}", name.replace('-', ""));
        assert_eq!(
            volume["spec"]["csi"]["volumeHandle"],
            id.as_str(),
            "{volume}"
        );
        self.is_whole(&volume, &self.csi_driver());
    }

    /// That it is a FlexVolume, whole and bound.
    #[track_caller]
    pub(crate) fn is_flexvolume(&self, name: &str) {
        self.is_bound(name);
        let volume = self.volume(name);
        assert_eq!(
            volume["spec"]["flexVolume"]["driver"],
            self.driver.as_str(),
            "{volume}"
        );
        self.is_whole(&volume, &self.driver);
    }

    #[track_caller]
    fn is_whole(&self, volume: &Value, deleted_by: &str) {
        let metadata = &volume["metadata"];
        assert_eq!(
            metadata["annotations"]["pv.kubernetes.io/provisioned-by"], deleted_by,
            "{volume}"
        );
        assert_eq!(
            volume["spec"]["persistentVolumeReclaimPolicy"], "Delete",
            "{volume}"
        );
        let finalizers = metadata["finalizers"].to_string();
        for finalizer in [
            "kubernetes.io/pv-protection",
            "external-provisioner.volume.kubernetes.io/finalizer",
        ] {
            assert!(finalizers.contains(finalizer), "{volume}");
        }
        assert_eq!(metadata["deletionTimestamp"], Value::Null, "{volume}");
        let records = self.records();
        assert!(records.is_empty(), "{records:?}");
    }

    /// What is written down and not done.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.api().list(&format!(
            "{}?labelSelector=drivebay.dev/migration",
            self.path("configmaps", "")
        ))
    }

    /// The API server takes no new PersistentVolume for which that holds, a sentence of CEL.
    #[track_caller]
    pub(crate) fn forbid_new(&self, name: &str, which: &str) {
        let admission = "/apis/admissionregistration.k8s.io/v1";
        let policy = json!({
            "metadata": { "name": name },
            "spec": {
                "matchConstraints": { "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["persistentvolumes"],
                }] },
                "validations": [
                    { "expression": format!("!({which})"), "message": "not in this cluster" },
                    // By which it is seen whether the policy is asked already.
                    { "expression": format!("object.metadata.name != 'any-{name}'"), "message": "not in this cluster" },
                ],
            },
        });
        self.api()
            .create(&format!("{admission}/validatingadmissionpolicies"), &policy);
        let binding = json!({
            "metadata": { "name": name },
            "spec": { "policyName": name, "validationActions": ["Deny"] },
        });
        self.api().create(
            &format!("{admission}/validatingadmissionpolicybindings"),
            &binding,
        );
        let csi = json!({ "driver": "any", "volumeHandle": "any" });
        let any = json!({ "metadata": { "name": format!("any-{name}") }, "spec": {
            "capacity": { "storage": "1Gi" }, "accessModes": ["ReadOnlyMany"], "csi": csi,
        } });
        let dry_run = format!("{VOLUMES}?dryRun=All");
        assert!(
            becomes(|| self.api().refuses(&dry_run, &any)),
            "the policy is not asked"
        );
    }

    /// What was told of an object, as `REASON: text`.
    pub(crate) fn events_of(&self, name: &str) -> Vec<String> {
        self.api().events_of(self.name, name)
    }

    /// `drivebay-provision migrate` of these, to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.start(arguments).wait_with_output().expect("it ends");
        let said = [output.stdout, output.stderr].concat();
        Ended {
            said: String::from_utf8_lossy(&said).into_owned(),
            code: output.status.code(),
        }
    }

    #[track_caller]
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.node.command(&dist("drivebay-provision"));
        let names = format!("{}={}", self.driver, self.csi_driver());
        let share = format!("{}/nfs={}", self.name, self.csi_driver());
        command.arg("migrate").args(arguments);
        command.args([
            "--namespace",
            self.name,
            "--disk",
            &names,
            "--share",
            &share,
        ]);
        command.env("KUBECONFIG", self.node.path("kubeconfig"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("it starts")
    }

    /// Starts it, and kills it when the trap springs; whether that was before its end.
    #[track_caller]
    pub(crate) fn is_killed(&self, arguments: &[&str], sprung: &Receiver<()>) -> bool {
        let mut child = self.start(arguments);
        let mut was_sprung = false;
        let over = || {
            was_sprung = sprung.try_recv().is_ok();
            was_sprung || child.try_wait().expect("ours").is_some()
        };
        assert!(becomes(over), "it neither ends nor comes to the trap");
        let _ = child.kill();
        child.wait().expect("ours");
        self.gate.open();
        was_sprung
    }

    pub(crate) fn path(&self, kind: &str, name: &str) -> String {
        let path = format!("/api/v1/namespaces/{}/{kind}/{name}", self.name);
        path.trim_end_matches('/').to_owned()
    }
}

impl Ended {
    /// That all went well, and it said that.
    #[track_caller]
    pub(crate) fn is_done(&self, part: &str) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        assert!(self.said.contains(part), "{part:?} is not in {}", self.said);
    }

    /// That something was left, for a reason with all of those parts.
    #[track_caller]
    pub(crate) fn is_left(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(3), "{}", self.said);
        for part in parts {
            assert!(self.said.contains(part), "{part:?} is not in {}", self.said);
        }
    }
}

/// The guide's own rights, for the account here and with the records in the namespace here.
fn grant(api: &Api, name: &str) {
    let guide = fs::read_to_string(repository().join("deploy/migrate.md")).expect("readable");
    let rights = guide.split("```yaml\n").skip(1).find_map(|block| {
        let text = block.split("```").next()?;
        text.contains("kind: ClusterRole").then(|| text.to_owned())
    });
    let text = rights.expect("the guide names the rights");
    let (text, subject) = (
        text.replace("name: drivebay-migrate", &format!("name: migrate-{name}"))
            .replace("namespace: kube-system", &format!("namespace: {name}")),
        json!([{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": name }]),
    );
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    for document in YamlLoader::load_from_str(&text).expect("YAML") {
        let role = as_json(&document);
        let kind = role["kind"].as_str().expect("a kind").to_owned();
        let place = match kind.as_str() {
            "ClusterRole" => rbac.to_owned(),
            "Role" => format!("{rbac}/namespaces/{name}"),
            other => panic!("the guide's rights have a {other}"),
        };
        api.create(&format!("{place}/{}s", kind.to_lowercase()), &role);
        let binding = json!({
            "metadata": { "name": role["metadata"]["name"] },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"] },
            "subjects": subject,
        });
        api.create(
            &format!("{place}/{}bindings", kind.to_lowercase()),
            &binding,
        );
    }
}
