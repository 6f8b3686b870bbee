//! The example `filer` in each of its languages: built by its own commands on a skeleton, against a server that is such a
//! filer, mounted for a pod, and held to the contract's rules.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use drivebay_tests::csi_proto as proto;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Csi, WebServer, mounted, read, text};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::author::Author;
use crate::guide;

const NAME: &str = "filer";
const TOKEN: &str = "a-token-that-only-the-account-has";
const GIB: i64 = 1 << 30;

/// The appliance: volumes with their sizes, for whoever has the token, and the directory that it exports.
struct Filer {
    server: WebServer,
    volumes: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Filer {
    fn start(exports: PathBuf) -> Self {
        let volumes: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let its = Arc::clone(&volumes);
        let server = WebServer::plain(move |request, wire| {
            let mut volumes = its.lock().expect("no panic");
            let (status, body) = answer(&mut volumes, &exports, request);
            let length = body.len();
            let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}");
            wire.write_all(text.as_bytes()).is_ok()
        });
        Self { server, volumes }
    }

    fn has(&self) -> BTreeMap<String, u64> {
        self.volumes.lock().expect("no panic").clone()
    }
}

fn answer(volumes: &mut BTreeMap<String, u64>, exports: &Path, request: &str) -> (u16, String) {
    if !request.contains(&format!("\nauthorization: Bearer {TOKEN}\n")) {
        return (401, String::new());
    }
    let mut words = request.split_whitespace();
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let Some(id) = path.strip_prefix("/volumes/").map(str::to_owned) else {
        return (404, String::new());
    };
    let body = request.split_once("\n\n").map_or("", |(_, body)| body);
    let asked: Value = serde_json::from_str(body).unwrap_or_default();
    let there = volumes.get(&id).copied();
    let bytes = match (method, there, asked["bytes"].as_u64()) {
        (Some("PUT"), None, Some(bytes)) => bytes,
        (Some("PUT"), Some(there), Some(bytes)) if there == bytes => there,
        (Some("PATCH"), Some(there), Some(bytes)) if there <= bytes => bytes,
        (Some("PUT" | "PATCH"), Some(_), Some(_)) => return (409, String::new()),
        (Some("GET"), Some(there), None) => there,
        (Some("DELETE"), Some(_), None) => {
            volumes.remove(&id);
            // It was mounted or not.
            let _ = fs::remove_dir_all(exports.join(id));
            return (204, String::new());
        }
        (Some("GET" | "DELETE" | "PATCH"), None, _) => return (404, String::new()),
        _ => return (400, String::new()),
    };
    volumes.insert(id.clone(), bytes);
    (200, json!({ "id": id, "bytes": bytes }).to_string())
}

/// A node with the component, the filer that it speaks to, and kubelet and the sidecars as callers.
struct Site {
    author: Author,
    filer: Filer,
    csi: Csi,
}

impl Site {
    fn built_by(section: &str) -> Self {
        let author = Author::of(NAME);
        let commands = guide::commands_of_file("guests/examples/filer/README.md", section);
        author.types(&commands);
        let exports = author.node().path("pool");
        let filer = Filer::start(exports.clone());
        let port = filer.server.port();
        author.delivers(|grants| {
            grants
                .replace(
                    "https://filer.example.com",
                    &format!("http://127.0.0.1:{port}"),
                )
                .replace("192.0.2.0/24", "127.0.0.1")
        });
        let csi = author.node().serve_with(NAME, &["--node-id", "n1"]);
        Self { author, filer, csi }
    }

    fn create(&self, token: &str) -> Result<proto::Volume, Status> {
        let request = proto::CreateVolumeRequest {
            name: "pvc-1".to_owned(),
            volume_capabilities: vec![mounted(Mode::MultiNodeMultiWriter)],
            secrets: secret(token),
            ..proto::CreateVolumeRequest::default()
        };
        Ok(self.csi.create_volume(request)?.volume.expect("a volume"))
    }

    fn grow(&self) -> i64 {
        let request = proto::ControllerExpandVolumeRequest {
            volume_id: "pvc-1".to_owned(),
            capacity_range: Some(proto::CapacityRange {
                required_bytes: 2 * GIB,
                limit_bytes: 0,
            }),
            secrets: secret(TOKEN),
            ..proto::ControllerExpandVolumeRequest::default()
        };
        let grown = self.csi.controller_expand_volume(request).expect("grown");
        grown.capacity_bytes
    }

    fn publish(&self, target: &Path, token: &str) -> Result<(), Status> {
        let request = proto::NodePublishVolumeRequest {
            volume_id: "pvc-1".to_owned(),
            target_path: text(target).to_owned(),
            volume_capability: Some(mounted(Mode::MultiNodeMultiWriter)),
            secrets: secret(token),
            ..proto::NodePublishVolumeRequest::default()
        };
        self.csi.node_publish_volume(request).map(drop)
    }

    fn unpublish(&self, target: &Path) {
        let request = proto::NodeUnpublishVolumeRequest {
            volume_id: "pvc-1".to_owned(),
            target_path: text(target).to_owned(),
        };
        self.csi
            .node_unpublish_volume(request)
            .expect("unpublished");
    }

    fn delete(&self) {
        let request = proto::DeleteVolumeRequest {
            volume_id: "pvc-1".to_owned(),
            secrets: secret(TOKEN),
        };
        self.csi.delete_volume(request).expect("deleted");
    }

    fn volumes_live(&self) {
        for _ in 0..2 {
            let made = self.create(TOKEN).expect("made");
            assert_eq!((&*made.volume_id, made.capacity_bytes), ("pvc-1", GIB));
        }
        for _ in 0..2 {
            assert_eq!(self.grow(), 2 * GIB);
        }
        let pod = self.author.pod();
        for _ in 0..2 {
            self.publish(&pod, TOKEN).expect("published");
        }
        fs::write(pod.join("greeting"), "hello").expect("writable");
        let exported = self.author.node().path("pool/pvc-1");
        assert_eq!(read(&exported.join("greeting")), "hello");
        self.unpublish(&pod);
        for _ in 0..2 {
            self.delete();
        }
        assert!(self.filer.has().is_empty() && !exported.exists());
    }

    fn a_wrong_token_is_explained(&self) {
        let refused = self.create("wrong").expect_err("nobody's token");
        let cure = "look at the token in the StorageClass's Secret";
        assert!(refused.message().contains(cure), "{refused:?}");
        let refused = self
            .publish(&self.author.pod(), "wrong")
            .expect_err("nobody's token");
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
        assert!(self.filer.has().is_empty());
    }

    /// Against the same filer, on a model of the node.
    fn conforms(&self) {
        let token = self.author.node().path("token");
        fs::write(&token, TOKEN).expect("writable");
        let driver_file = self.author.node().path("etc/drivers.d/filer.toml");
        let secret = format!("token={}", text(&token));
        let live = [
            "--live",
            "--grants",
            text(&driver_file),
            "--secret",
            &secret,
        ];
        self.author.conforms(&live);
        assert!(self.filer.has().is_empty());
    }
}

fn secret(token: &str) -> HashMap<String, String> {
    HashMap::from([("token".to_owned(), token.to_owned())])
}

fn by_its_commands(section: &str) {
    let site = Site::built_by(section);
    site.volumes_live();
    site.a_wrong_token_is_explained();
    site.conforms();
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn a_filer_in_js_is_spoken_to_and_mounted() {
    by_its_commands("JavaScript");
}

#[test]
#[ignore = "needs toolchains: cargo xtask test --only authors"]
fn a_filer_in_python_is_spoken_to_and_mounted() {
    by_its_commands("Python");
}
