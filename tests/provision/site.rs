//! One provisioner with a driver name, a cloud and namespaces of its own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use drivebay_tests::{
    Api, Cloud, ControlPlane, INSTANCE, Node, Running, becomes, dist, guest, kubeconfig_of_proxy,
    repository,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use crate::gate::Gate;
use crate::told::Told;

pub(crate) const CLAIMS: &str = "persistentvolumeclaims";
pub(crate) const VOLUMES: &str = "/api/v1/persistentvolumes";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";

/// How long a call of the driver may take here: whoever comes after one that was killed waits for that where it undoes.
const DEADLINE: &str = "8s";

/// A pod of the provisioner's, which has locks of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pod {
    First,
    Second,
    /// Which the gate does not stand before.
    PastTheGate,
}

/// For how long whoever works may be silent, as shipped: on a busy machine none loses it.
const LEASE: &str = "15s";

/// The same of one that is going to be killed, which whoever follows waits for.
const SHORT_LEASE: &str = "2s";

/// The controller of old, which here is in the site's own namespace.
pub(crate) const PREDECESSOR: &str = "alicloud-disk-controller";

const ONE_AT_ONCE: &[&str] = &["--at-once", "1"];

/// The cloud's.
pub(crate) const REGION: &str = "cn-hangzhou";

pub(crate) struct Site {
    name: &'static str,
    deadline: &'static str,
    pub(crate) cloud: Cloud,
    pub(crate) gate: Gate,
    node: Node,
    _proxy: Running,
}

/// A running `drivebay-provision`, which is killed when this is dropped.
pub(crate) struct Provisioner(Child);

impl Site {
    /// With the shipped rights, and without a class.
    #[track_caller]
    pub(crate) fn new(name: &'static str) -> Self {
        Self::with_deadline(name, DEADLINE)
    }

    /// The same, where a call of the driver may take so long.
    #[track_caller]
    pub(crate) fn with_deadline(name: &'static str, deadline: &'static str) -> Self {
        let plane = ControlPlane::get();
        let cloud = Cloud::start_with(&[]);
        let node = Node::empty();
        node.add_driver(
            "alicloud-disk",
            &driver_file(name, &cloud, (REGION, deadline)),
        );
        node.install(&[&guest("alicloud-disk")]);
        let namespace = json!({ "metadata": { "name": name } });
        plane.api().create("/api/v1/namespaces", &namespace);
        grant(plane.api(), name);
        let token = token(plane.api(), name, &account(name));
        let (address, proxy) = plane.proxy_for(name, &token);
        let gate = Gate::before(&address);
        for pod in [Pod::First, Pod::Second, Pod::PastTheGate] {
            let address = match pod {
                Pod::First | Pod::Second => gate.address(),
                Pod::PastTheGate => &address,
            };
            fs::write(node.path(&pod.kubeconfig()), kubeconfig_of_proxy(address))
                .expect("writable");
        }
        Self {
            name,
            deadline,
            cloud,
            gate,
            node,
            _proxy: proxy,
        }
    }

    /// With a class of its own name, whose volumes are deleted with their claims.
    #[track_caller]
    pub(crate) fn with_class(name: &'static str) -> Self {
        let site = Self::new(name);
        site.class(&json!({}));
        site
    }

    /// A class of the site's name, with what differs.
    #[track_caller]
    pub(crate) fn class(&self, differs: &Value) {
        let mut class = json!({
            "metadata": { "name": self.name },
            "provisioner": format!("{}/disk", self.name),
            "parameters": { "type": "cloud_essd", "performanceLevel": "PL0", "zoneid": "cn-hangzhou-g" },
        });
        let fields = class.as_object_mut().expect("an object");
        fields.extend(differs.as_object().expect("an object").clone());
        self.api().create(CLASSES, &class);
    }

    pub(crate) fn api(&self) -> &'static Api {
        ControlPlane::get().api()
    }

    /// Grants another region to whoever is started from now on.
    #[track_caller]
    pub(crate) fn grant_region(&self, region: &str) {
        let file = driver_file(self.name, &self.cloud, (region, self.deadline));
        self.node.add_driver("alicloud-disk", &file);
    }

    /// The name of its account, and of its roles.
    pub(crate) fn account(&self) -> String {
        account(self.name)
    }

    /// Starts one more process, as a container that was started anew in its pod.
    #[track_caller]
    pub(crate) fn provisioner(&self) -> Provisioner {
        self.provisioner_with(Pod::First, LEASE, &[])
    }

    /// One that is going to be killed.
    #[track_caller]
    pub(crate) fn doomed_provisioner(&self) -> Provisioner {
        self.provisioner_in(Pod::First)
    }

    /// One that makes and deletes one volume after the other.
    #[track_caller]
    pub(crate) fn provisioner_of_one_at_once(&self) -> Provisioner {
        self.provisioner_with(Pod::First, LEASE, ONE_AT_ONCE)
    }

    /// One that makes and deletes so many volumes at once.
    #[track_caller]
    pub(crate) fn provisioner_of_many_at_once(&self, at_once: usize) -> Provisioner {
        self.provisioner_with(Pod::First, LEASE, &["--at-once", &at_once.to_string()])
    }

    /// One that lets claims choose snapshots.
    #[track_caller]
    pub(crate) fn provisioner_that_restores(&self) -> Provisioner {
        self.provisioner_with(Pod::First, LEASE, &["--named-snapshots", "restore"])
    }

    /// The same, with another lease.
    #[track_caller]
    pub(crate) fn provisioner_of_one_at_once_for(&self, lease: &'static str) -> Provisioner {
        self.provisioner_with(Pod::First, lease, ONE_AT_ONCE)
    }

    /// One in another pod, which has locks and a way to the API server of its own.
    #[track_caller]
    pub(crate) fn provisioner_elsewhere(&self) -> Provisioner {
        self.provisioner_with(Pod::PastTheGate, LEASE, ONE_AT_ONCE)
    }

    /// One more process in that pod, which is going to be killed.
    #[track_caller]
    pub(crate) fn provisioner_in(&self, pod: Pod) -> Provisioner {
        self.provisioner_with(pod, SHORT_LEASE, &[])
    }

    /// One in that pod that tells how it is, and where.
    #[track_caller]
    pub(crate) fn provisioner_that_tells(&self, pod: Pod) -> (Provisioner, Told) {
        let told = Told::at(self.node.path(&format!("{}.sock", pod.locks())));
        let arguments = ["--metrics-address", &told.address()];
        (self.provisioner_with(pod, LEASE, &arguments), told)
    }

    #[track_caller]
    fn provisioner_with(&self, pod: Pod, lease: &str, arguments: &[&str]) -> Provisioner {
        let mut command = self.node.command(&dist("drivebay-provision"));
        command.args(["--driver", "alicloud-disk", "--namespace", self.name]);
        command.args(["--lease-duration", lease]).args(arguments);
        command.args(["--not-beside", &format!("{}/{PREDECESSOR}", self.name)]);
        command.env("DRIVEBAY_RUN_DIR", self.node.path(pod.locks()));
        command.env("KUBECONFIG", self.node.path(&pod.kubeconfig()));
        Provisioner::start(command, &self.node.path("provisioner.log"))
    }

    /// Who holds the lease.
    pub(crate) fn leader(&self) -> Option<String> {
        let lease = self.api().find(&format!(
            "/apis/coordination.k8s.io/v1/namespaces/{}/leases/drivebay-provision-alicloud-disk",
            self.name
        ))?;
        lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }

    /// What all of them said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.node.path("provisioner.log")).unwrap_or_default()
    }

    /// A claim of 20 GiB, with what differs in its specification.
    #[track_caller]
    pub(crate) fn claim(&self, name: &str, differs: &Value) {
        let mut spec = self.specification();
        let fields = spec.as_object_mut().expect("an object");
        fields.extend(differs.as_object().expect("an object").clone());
        let claim = json!({ "metadata": { "name": name }, "spec": spec });
        self.api().create(&self.path(CLAIMS, ""), &claim);
    }

    /// A claim of 20 GiB with these annotations.
    #[track_caller]
    pub(crate) fn annotated_claim(&self, name: &str, annotations: &Value) {
        let claim = json!({
            "metadata": { "name": name, "annotations": annotations },
            "spec": self.specification(),
        });
        self.api().create(&self.path(CLAIMS, ""), &claim);
    }

    /// Of a claim of the site's class.
    fn specification(&self) -> Value {
        json!({
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": self.name,
            "resources": { "requests": { "storage": "20Gi" } },
        })
    }

    /// Cuts a snapshot, by the driver; its id. The cloud cuts none of a disk that nobody ever wrote to.
    #[track_caller]
    pub(crate) fn snapshot_of(&self, disk: &str) -> String {
        self.by_hand(&["attach-volume", disk, "--node", INSTANCE]);
        self.by_hand(&["detach-volume", disk, "--node", INSTANCE]);
        let cut = self.by_hand(&["create-snapshot", "--name", "cut", "--source", disk]);
        cut["id"].as_str().expect("an id").to_owned()
    }

    /// `drivebay run` of the driver.
    #[track_caller]
    fn by_hand(&self, operation: &[&str]) -> Value {
        let command = [&["run", "alicloud-disk"], operation].concat();
        let output = self.node.drivebay(&command).output();
        let output = output.expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).expect("an object")
    }

    pub(crate) fn found_claim(&self, name: &str) -> Option<Value> {
        self.api().find(&self.path(CLAIMS, name))
    }

    #[track_caller]
    pub(crate) fn patch_claim(&self, name: &str, patch: &Value) {
        self.api().patch(&self.path(CLAIMS, name), patch);
    }

    /// Deletes a claim, and waits until it is gone.
    #[track_caller]
    pub(crate) fn delete_claim(&self, name: &str) {
        self.api().delete(&self.path(CLAIMS, name));
        self.eventually("the claim to be gone", || self.found_claim(name).is_none());
    }

    /// Waits until a claim is bound; its volume.
    #[track_caller]
    pub(crate) fn is_bound(&self, name: &str) -> Value {
        let mut volume = None;
        self.eventually("the claim to be bound", || {
            let Some(claim) = self.found_claim(name) else {
                return false;
            };
            if claim["status"]["phase"] == "Bound" {
                let name = claim["spec"]["volumeName"].as_str().expect("a name");
                volume = self.api().find(&format!("{VOLUMES}/{name}"));
            }
            volume.is_some()
        });
        volume.expect("it was waited for")
    }

    /// The disk of a claim that is bound.
    #[track_caller]
    pub(crate) fn disk_of(&self, name: &str) -> String {
        let volume = self.is_bound(name);
        let disk = volume["spec"]["flexVolume"]["options"]["VolumeId"].as_str();
        disk.expect("an id").to_owned()
    }

    /// The site's volumes.
    pub(crate) fn volumes(&self) -> Vec<Value> {
        let all = self.api().list(VOLUMES).into_iter();
        let driver = format!("{}/disk", self.name);
        all.filter(|volume| volume["spec"]["flexVolume"]["driver"] == driver.as_str())
            .collect()
    }

    /// What is written down and not done.
    pub(crate) fn intents(&self) -> Vec<Value> {
        self.api().list(&format!(
            "{}?labelSelector=drivebay.dev/provisioned-driver",
            self.path("configmaps", "")
        ))
    }

    /// Ids of the cloud's disks.
    pub(crate) fn disks(&self) -> Vec<String> {
        let ids = self.cloud.disks().into_iter();
        ids.filter_map(|disk| disk["id"].as_str().map(str::to_owned))
            .collect()
    }

    /// Waits until nothing is left of claims that are gone: no volume, no disk, no intent.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        self.eventually("nothing to be left", || {
            self.disks().is_empty() && self.volumes().is_empty() && self.intents().is_empty()
        });
    }

    /// What was told of an object, as `REASON: text`.
    pub(crate) fn events_of(&self, name: &str) -> Vec<String> {
        self.api().events_of(self.name, name)
    }

    /// Waits for an event with all of those parts.
    #[track_caller]
    pub(crate) fn is_told(&self, name: &str, parts: &[&str]) -> String {
        let mut found = None;
        self.eventually(&format!("{name} to be told {parts:?}"), || {
            let events = self.events_of(name).into_iter();
            found = { events }.find(|event| parts.iter().all(|part| event.contains(part)));
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// Waits; says what there is if that is in vain.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, is_so: impl FnMut() -> bool) {
        assert!(
            becomes(is_so),
            "waited in vain for {what}\n{}",
            self.report()
        );
    }

    fn report(&self) -> String {
        let claims = self.api().list(&self.path(CLAIMS, ""));
        let parts = [
            ("disks", json!(self.disks())),
            ("claims", json!(claims)),
            ("volumes", json!(self.volumes())),
            ("intents", json!(self.intents())),
            ("writes", json!(self.gate.writes())),
        ];
        let parts = parts.map(|(name, value)| format!("--- {name}\n{value:#}\n"));
        format!("{}--- said\n{}", parts.concat(), self.log())
    }

    pub(crate) fn path(&self, kind: &str, name: &str) -> String {
        let path = format!("/api/v1/namespaces/{}/{kind}/{name}", self.name);
        path.trim_end_matches('/').to_owned()
    }
}

impl Pod {
    fn locks(self) -> &'static str {
        match self {
            Self::First => "run",
            Self::Second => "run-second",
            Self::PastTheGate => "run-elsewhere",
        }
    }

    fn kubeconfig(self) -> String {
        format!("kubeconfig-{}", self.locks())
    }
}

impl Provisioner {
    /// What it says is added to a log.
    #[track_caller]
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let log = fs::File::options().create(true).append(true).open(log);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("writable"));
        Self(command.spawn().expect("it starts"))
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("ours");
        self.0.wait().expect("ours");
    }

    #[track_caller]
    pub(crate) fn send(&self, signal: Signal) {
        let id = i32::try_from(self.0.id()).expect("a number");
        kill(Pid::from_raw(id), signal).expect("it still runs");
    }

    /// Bytes of memory that it holds.
    #[track_caller]
    pub(crate) fn resident_bytes(&self) -> u64 {
        let file = format!("/proc/{}/smaps_rollup", self.0.id());
        let text = fs::read_to_string(file).expect("it still runs");
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib.and_then(|kib| kib.parse().ok()).expect("a number");
        kib * 1024
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("ours").is_some()
    }

    /// Whether it has ended by itself, and said that it did not go well.
    pub(crate) fn has_failed(&mut self) -> bool {
        let ended = self.0.try_wait().expect("ours");
        ended.is_some_and(|status| status.code() == Some(1))
    }

    /// SIGTERM, and its end.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.send(Signal::SIGTERM);
        let status = self.0.wait().expect("ours");
        assert!(status.success(), "it ended badly: {status}");
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn driver_file(name: &str, cloud: &Cloud, (region, deadline): (&str, &str)) -> String {
    let grants = cloud.grants(&cloud.key_in_files());
    let grants = grants
        .replace("alicloud/disk", &format!("{name}/disk"))
        .replace(
            &format!("region = {REGION:?}"),
            &format!("region = {region:?}"),
        );
    format!("{grants}[limits]\ndeadline = {deadline:?}\n")
}

/// Brings the shipped rights in, with names and namespaces of the site's own.
fn grant(api: &Api, name: &str) {
    let shipped = fs::read_to_string(repository().join("deploy/bases/provisioner/rbac.yaml"));
    let text = shipped.expect("readable");
    let text = text
        .replace("drivebay-controller", name)
        .replace("drivebay-provisioning", name)
        // Where its own Deployment is, which other sites must not see.
        .replace("namespace: kube-system", &format!("namespace: {name}"))
        .replace(
            "name: drivebay-alicloud-disk-provisioner",
            &format!("name: {}", account(name)),
        );
    bring_in(api, name, &text);
}

/// Makes the objects of a manifest, those of a namespace in that one.
pub(crate) fn bring_in(api: &Api, namespace: &str, manifest: &str) {
    for document in YamlLoader::load_from_str(manifest).expect("YAML") {
        let object = as_json(&document);
        let kind = object["kind"].as_str().expect("a kind");
        let path = match kind {
            "ServiceAccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
            "ClusterRole" | "ClusterRoleBinding" => {
                format!(
                    "/apis/rbac.authorization.k8s.io/v1/{}s",
                    kind.to_lowercase()
                )
            }
            "Role" | "RoleBinding" => format!(
                "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/{}s",
                kind.to_lowercase()
            ),
            other => panic!("no place is known for a {other}"),
        };
        api.create(&path, &object);
    }
}

fn account(name: &str) -> String {
    format!("drivebay-{name}")
}

/// Of an account in that namespace.
pub(crate) fn token(api: &Api, namespace: &str, account: &str) -> String {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let asked =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let made = api.create(&path, &asked);
    made["status"]["token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

pub(crate) fn as_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Hash(pairs) => {
            let pair = |(key, value): (&Yaml, &Yaml)| {
                (key.as_str().unwrap_or_default().to_owned(), as_json(value))
            };
            Value::Object(pairs.iter().map(pair).collect())
        }
        Yaml::Array(items) => items.iter().map(as_json).collect(),
        Yaml::String(text) => json!(text),
        Yaml::Boolean(truth) => json!(truth),
        Yaml::Integer(number) => json!(number),
        Yaml::Real(_) | Yaml::Alias(_) | Yaml::Null | Yaml::BadValue => Value::Null,
    }
}
