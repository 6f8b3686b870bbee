//! What `drivebay serve` tells of itself, asked of one that has something to tell of everything; and what the two programs
//! beside the API server do, which here is away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use drivebay_tests::csi_proto::NodePublishVolumeRequest;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{
    HOSTILE_GRANTS, Node, WatGuest, dist, eventually, hostile_node, mounted, text,
};

/// Where no API server is.
const NOWHERE: &str = "apiVersion: v1\nkind: Config\nclusters: [{ name: c, cluster: { server: \"http://127.0.0.1:1\" } }]\n\
                       users: [{ name: u, user: {} }]\ncontexts: [{ name: x, context: { cluster: c, user: u } }]\n\
                       current-context: x\n";

/// Metrics with the labels that they have, and the values of these.
#[derive(Debug, Default)]
pub(super) struct Served(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Served {
    /// Of a node whose driver is called, is offered a version that waits for its moment, and then one that is none.
    #[track_caller]
    pub(super) fn ask() -> Self {
        let first = "component = \"hostile\"\n";
        let named = format!("{first}csi-name = \"hostile.drivebay.dev\"\n");
        let grants = HOSTILE_GRANTS.replace(first, &named);
        let grants = format!("{grants}[versions]\nactivate-within = \"24h\"\n");
        let node = hostile_node(&WatGuest::named("hostile"), &grants);
        let source = node.path("source");
        fs::create_dir(&source).expect("writable");
        let sockets = node.path("plugins_registry");
        let arguments = [
            "--components-from",
            text(&source),
            "--register-at",
            text(&sockets),
        ];
        let csi = node.serve_with("hostile", &arguments);
        let request = NodePublishVolumeRequest {
            volume_id: "volume-1".to_owned(),
            target_path: text(&node.pod("web").join("mount")).to_owned(),
            volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
            ..NodePublishVolumeRequest::default()
        };
        let _ = csi.node_publish_volume(request);
        let mut served = Self::default();
        let offered = source.join("hostile.wasm");
        let later = WatGuest::named("hostile").version("2.0.0");
        later.write(offered.clone());
        served.add_what_comes("drivebay_component_pending{", &node);
        fs::write(&offered, "no component").expect("writable");
        served.add_what_comes("drivebay_component_refused{", &node);
        served.add_what_is_told_without_a_cluster();
        served
    }

    /// Both tell of everything before they have seen anything.
    #[track_caller]
    fn add_what_is_told_without_a_cluster(&mut self) {
        let node = hostile_node(&WatGuest::named("hostile"), HOSTILE_GRANTS);
        fs::write(node.path("kubeconfig"), NOWHERE).expect("writable");
        for words in [&["--driver", "hostile"][..], &["deliver"]] {
            let socket = node.path("told.sock");
            let mut command = node.command(&dist("drivebay-provision"));
            command.args(words).args(["--namespace", "none"]);
            command.args(["--metrics-address", &format!("unix://{}", text(&socket))]);
            command.env("KUBECONFIG", node.path("kubeconfig"));
            let mut process = command.spawn().expect("it starts");
            eventually("it to tell", || UnixStream::connect(&socket).is_ok());
            for line in page(&socket).lines() {
                self.add(line);
            }
            process.kill().expect("ours");
            process.wait().expect("ours");
            fs::remove_file(&socket).expect("it was there");
        }
    }

    #[track_caller]
    fn add_what_comes(&mut self, series: &str, node: &Node) {
        eventually(series, || metrics(node).contains(series));
        for line in metrics(node).lines() {
            self.add(line);
        }
    }

    /// `name{label="value",…} 1`, or `# TYPE name kind`.
    fn add(&mut self, line: &str) {
        let (Some((series, _)), false) = (line.rsplit_once(' '), line.starts_with('#')) else {
            return;
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let known = self.0.entry(name.to_owned()).or_default();
        let parts: Vec<&str> = labels.split('"').collect();
        for pair in parts.chunks_exact(2) {
            let label = pair[0].trim_start_matches(',').trim_end_matches('=');
            let values = known.entry(label.to_owned()).or_default();
            values.insert(pair[1].to_owned());
        }
    }

    pub(super) fn metrics(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The labels of a metric; none where nothing serves it.
    pub(super) fn labels(&self, metric: &str) -> Option<Vec<&str>> {
        let labels = self.0.get(metric)?;
        Some(labels.keys().map(String::as_str).collect())
    }

    pub(super) fn has_value(&self, metric: &str, label: &str, value: &str) -> bool {
        let values = self.0.get(metric).and_then(|labels| labels.get(label));
        values.is_some_and(|values| values.contains(value))
    }
}

/// By the socket that `drivebay status` asks.
#[track_caller]
fn metrics(node: &Node) -> String {
    let entries = fs::read_dir(node.path("run/serve")).expect("somebody serves");
    let mut paths = entries.map(|entry| entry.expect("readable").path());
    let socket = paths.find(|path| path.extension().is_some_and(|it| it == "sock"));
    page(&socket.expect("a socket"))
}

#[track_caller]
fn page(socket: &Path) -> String {
    let mut connection = UnixStream::connect(socket).expect("alive");
    connection
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: drivebay\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    body.to_owned()
}
