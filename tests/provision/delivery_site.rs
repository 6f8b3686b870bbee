//! A namespace with pods that mount ConfigMaps, and `drivebay-provision deliver` with the shipped rights and no others. No
//! kubelet: what a pod is and where it listens is what a test says.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drivebay_tests::{
    Api, ControlPlane, Node, Running, becomes, digest, dist, kubeconfig_of_proxy, repository,
};
use serde_json::{Value, json};

use crate::site::{Provisioner, bring_in, token};
use crate::told::Told;

const ACCOUNT: &str = "drivebay-deliver";

/// As shipped.
pub(crate) const COMPONENT: &str = "drivebay-component-nfs";

const ANNOTATION: &str = "drivebay.dev/delivered";

pub(crate) struct DeliverySite {
    name: &'static str,
    node: Node,
    /// Where the deliverer tells how it is.
    pub(crate) at: Told,
    /// The API server, asked as the deliverer's own account.
    pub(crate) as_deliverer: Api,
    _proxy: Running,
}

impl DeliverySite {
    #[track_caller]
    pub(crate) fn new(name: &'static str) -> Self {
        let plane = ControlPlane::get();
        let api = plane.api();
        let namespace = json!({ "metadata": { "name": name } });
        api.create("/api/v1/namespaces", &namespace);
        // Pods are refused without it, and the controller that makes it does not run here.
        let account = json!({ "metadata": { "name": "default" } });
        let accounts = format!("/api/v1/namespaces/{name}/serviceaccounts");
        api.create(&accounts, &account);
        let rights = repository().join("deploy/options/deliver/rbac.yaml");
        let rights = fs::read_to_string(rights).expect("readable");
        let here =
            |from: &str, to: &str| (format!("{from}drivebay{to}"), format!("{from}{name}{to}"));
        let places = [here("namespace: ", "\n"), here("namespace: ", " }")];
        let rights = { places.iter() }.fold(rights, |text, (from, to)| text.replace(from, to));
        bring_in(api, name, &rights);
        let proxy_name = format!("deliver-{name}");
        let (address, proxy) = plane.proxy_for(&proxy_name, &token(api, name, ACCOUNT));
        let node = Node::empty();
        fs::write(node.path("kubeconfig"), kubeconfig_of_proxy(&address)).expect("writable");
        let as_deliverer = Api::at(&address);
        // Rights that were just given are known a moment later.
        let maps = format!("/api/v1/namespaces/{name}/configmaps");
        assert!(
            becomes(|| as_deliverer.find(&maps).is_some()),
            "it has no rights"
        );
        Self {
            name,
            at: Told::at(node.path("deliver.sock")),
            node,
            as_deliverer,
            _proxy: proxy,
        }
    }

    pub(crate) fn api(&self) -> &'static Api {
        ControlPlane::get().api()
    }

    #[track_caller]
    pub(crate) fn deliverer(&self) -> Provisioner {
        let mut command = self.node.command(&dist("drivebay-provision"));
        command.args(["deliver", "--namespace", self.name]);
        command.args(["--metrics-address", &self.at.address()]);
        command.env("KUBECONFIG", self.node.path("kubeconfig"));
        Provisioner::start(command, &self.node.path("deliver.log"))
    }

    /// What all of them said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.node.path("deliver.log")).unwrap_or_default()
    }

    /// A ConfigMap of one file, as `kubectl apply` makes or changes it.
    #[track_caller]
    pub(crate) fn apply(&self, map: &str, file: &str, content: &[u8]) {
        let path = self.path("configmaps", map);
        let data = json!({ "binaryData": { file: STANDARD.encode(content) } });
        match self.api().find(&path) {
            Some(_) => self.api().patch(&path, &data),
            None => {
                let mut object = json!({ "metadata": { "name": map } });
                object["binaryData"] = data["binaryData"].clone();
                self.api().create(&self.path("configmaps", ""), &object);
            }
        }
    }

    /// One that mounts the shipped ConfigMaps and runs on a node, with what differs; and where it listens, if it does.
    #[track_caller]
    pub(crate) fn pod(&self, name: &str, port: Option<u16>) {
        let ports = port.map_or(
            json!([]),
            |port| json!([{ "name": "metrics", "containerPort": port }]),
        );
        let pod = json!({
            "metadata": {
                "name": name,
                "ownerReferences": [
                    { "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "drivebay-node", "uid": "u" },
                ],
            },
            "spec": {
                "nodeName": format!("node-of-{name}"),
                "containers": [{ "name": "drivebay", "image": "drivebay:1", "ports": ports }],
                "volumes": [
                    { "name": "drivers", "configMap": { "name": "drivebay-drivers" } },
                    { "name": "components", "projected": { "sources": [
                        { "configMap": { "name": COMPONENT, "optional": true } },
                    ] } },
                ],
            },
        });
        self.api().create(&self.path("pods", ""), &pod);
        let status = json!({ "status": { "phase": "Running", "podIP": "127.0.0.1",
            "podIPs": [{ "ip": "127.0.0.1" }] } });
        self.api()
            .patch(&format!("{}/status", self.path("pods", name)), &status);
    }

    /// What a pod was told of the component's ConfigMap last.
    #[track_caller]
    pub(crate) fn told(&self, pod: &str) -> Option<String> {
        let pod = self.find_pod(pod);
        let told = pod["metadata"]["annotations"][ANNOTATION].as_str()?;
        let mut pairs = told.split(' ').filter_map(|pair| pair.split_once('='));
        let digest = pairs.find_map(|(name, digest)| (name == COMPONENT).then_some(digest));
        digest.map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn find_pod(&self, name: &str) -> Value {
        self.api()
            .find(&self.path("pods", name))
            .expect("it is there")
    }

    /// Waits until each was told something of the component; what.
    #[track_caller]
    pub(crate) fn are_told(&self, pods: &[&str]) -> Vec<String> {
        self.eventually("all pods to be told", || {
            pods.iter().all(|pod| self.told(pod).is_some())
        });
        pods.iter().filter_map(|pod| self.told(pod)).collect()
    }

    /// Waits until one of them was told something else than before; which one.
    #[track_caller]
    pub(crate) fn is_first<'a>(&self, pods: &[&'a str], before: &str) -> &'a str {
        let mut first = None;
        self.eventually("one pod to be told", || {
            let mut pods = pods.iter();
            first = pods.find(|pod| self.told(pod).is_some_and(|told| told != before));
            first.is_some()
        });
        first.expect("it was waited for")
    }

    /// Waits for an event of that ConfigMap with all of those parts.
    #[track_caller]
    pub(crate) fn is_told_of(&self, map: &str, parts: &[&str]) -> String {
        let mut found = None;
        self.eventually(&format!("{map} to have an event {parts:?}"), || {
            let events = self.api().events_of(self.name, map).into_iter();
            found = { events }.find(|event| parts.iter().all(|part| event.contains(part)));
            found.is_some()
        });
        found.expect("it was waited for")
    }

    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, is_so: impl FnMut() -> bool) {
        assert!(becomes(is_so), "waited in vain for {what}\n{}", self.log());
    }

    pub(crate) fn path(&self, kind: &str, name: &str) -> String {
        let path = format!("/api/v1/namespaces/{}/{kind}/{name}", self.name);
        path.trim_end_matches('/').to_owned()
    }
}

/// As a node tells what it is offered: a file without a signature.
pub(crate) fn offered(content: &[u8]) -> String {
    digest(format!("{} ", digest(content)).as_bytes())
}
