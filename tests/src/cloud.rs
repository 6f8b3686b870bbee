//! A cloud of a test's own: the ECS emulator as a process, with real block devices on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::repository;

/// The emulator, and everything it keeps. Gone with its devices when dropped.
#[derive(Debug)]
pub struct Cloud {
    state: TempDir,
    running: Option<Running>,
    endpoints: Value,
}

#[derive(Debug)]
struct Running {
    process: Child,
    /// The emulator ends when this closes, also if the test is killed.
    _alive: ChildStdin,
}

/// The instance that this machine is.
pub const INSTANCE: &str = "i-bp1drivebaynode00001";

/// An instance that is not this machine.
pub const OTHER_INSTANCE: &str = "i-bp1drivebaynode00002";

/// The name that this machine has as a node: what ACK calls its nodes.
pub const NODE_NAME: &str = "cn-hangzhou.i-bp1drivebaynode00001";

impl Cloud {
    /// With a loop device for each disk that is attached to this machine.
    pub fn start() -> Self {
        Self::start_with(&["--devices", "loop"])
    }

    /// With these arguments and an empty state.
    pub fn start_with(arguments: &[&str]) -> Self {
        // Not in /tmp: that may be a tmpfs, and disks are large if sparse files.
        let place = repository().join("target/dist/tests/clouds");
        fs::create_dir_all(&place).expect("writable");
        let state = tempfile::Builder::new()
            .prefix("cloud-")
            .tempdir_in(place)
            .expect("a directory");
        let mut cloud = Self {
            state,
            running: None,
            endpoints: Value::Null,
        };
        cloud.run(arguments);
        cloud
    }

    /// Ends the emulator and starts it again on the same ports, with everything it kept.
    pub fn restart(&mut self) {
        let port = |name: &str| {
            self.endpoint(name)
                .rsplit('/')
                .next()
                .map(str::to_owned)
                .unwrap_or_default()
        };
        let (listen, metadata, control) = (port("ecs"), port("metadata"), port("control"));
        self.end();
        self.run(&[
            "--devices",
            "loop",
            "--listen",
            &listen,
            "--metadata",
            &metadata,
            "--control",
            &control,
        ]);
    }

    fn run(&mut self, arguments: &[&str]) {
        let program = repository().join("target/dist/tests/ecs-emulator");
        assert!(
            program.exists(),
            "{} is missing; run `cargo xtask build` first",
            program.display()
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are the callers from outside"
        )]
        let mut command = Command::new(program);
        command
            .arg("--until-stdin-closes")
            .arg("--state")
            .arg(self.state.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("the emulator runs");
        let alive = process.stdin.take().expect("piped");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it is");
        self.running = Some(Running {
            process,
            _alive: alive,
        });
        self.endpoints = serde_json::from_str(&line).expect("one JSON object");
    }

    /// Ends the emulator; what it kept stays.
    pub fn end(&mut self) {
        if let Some(Running {
            mut process,
            _alive,
        }) = self.running.take()
        {
            drop(_alive);
            process.wait().expect("ours");
        }
    }

    /// `ecs`, `metadata`, `control`: where they are.
    pub fn endpoint(&self, name: &str) -> &str {
        self.endpoints[name].as_str().expect("an address")
    }

    /// A file of the emulator's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    /// The access key's secret.
    pub fn secret(&self) -> String {
        let text = fs::read_to_string(self.file("secret")).expect("readable");
        text.trim().to_owned()
    }

    /// What the driver needs to speak to this cloud, and to see its devices. `key` is the table
    /// `[grants.signing.access-key]`, without its head.
    pub fn grants(&self, key: &str) -> String {
        let (ecs, metadata) = (self.endpoint("ecs"), self.endpoint("metadata"));
        let ca = self.file("ca.pem");
        format!(
            r#"
component = "alicloud-disk"
flexvolume = "alicloud/disk"
csi-name = "diskplugin.csi.alibabacloud.com"
[grants.mounts]
[grants.block-devices]
devices = ["virtio-*", "loop-*"]
filesystems = ["ext4", "xfs"]
mount-options = ["noatime", "nouuid", "discard"]
[grants.https.ecs]
origin = "{ecs}"
region = "cn-hangzhou"
methods = ["POST"]
paths = ["/"]
addresses = ["127.0.0.1"]
ca = "{ca}"
rate = 60000
[grants.https.metadata]
origin = "{metadata}"
methods = ["GET", "PUT"]
paths = ["/latest/api/token", "/latest/dynamic/instance-identity/document", "/latest/meta-data/hostname"]
addresses = ["127.0.0.1"]
[grants.signing.access-key]
{key}
"#,
            ca = ca.display()
        )
    }

    /// The permanent key, from files.
    pub fn key_in_files(&self) -> String {
        let id = self.file("access-key-id");
        fs::write(&id, self.endpoint("access_key_id")).expect("writable");
        format!(
            "source = \"file\"\nid-file = \"{}\"\nsecret-file = \"{}\"",
            id.display(),
            self.file("secret").display()
        )
    }

    /// Orders a fault: what it is and which requests it hits.
    #[track_caller]
    pub fn fault(&self, order: &Value) {
        self.control("POST", "/faults", &order.to_string());
    }

    /// Faults go, and what they held up goes on.
    #[track_caller]
    pub fn clear_faults(&self) {
        self.control("DELETE", "/faults", "");
    }

    /// How often the faults ordered have struck.
    #[track_caller]
    pub fn fired(&self) -> u64 {
        let faults = self.control("GET", "/faults", "");
        let faults = faults.as_array().expect("a list");
        faults
            .iter()
            .filter_map(|fault| fault["fired"].as_u64())
            .sum()
    }

    /// How often an action was asked for.
    #[track_caller]
    pub fn requests(&self, action: &str) -> u64 {
        let requests = self.control("GET", "/requests", "");
        requests["counts"][action].as_u64().unwrap_or(0)
    }

    /// The last requests, with their parameters.
    #[track_caller]
    pub fn last_requests(&self) -> Vec<Value> {
        let requests = self.control("GET", "/requests", "");
        requests["last"].as_array().expect("a list").clone()
    }

    /// Changes the emulator's settings.
    #[track_caller]
    pub fn set(&self, settings: &Value) {
        self.control("POST", "/settings", &settings.to_string());
    }

    /// A temporary key that the API accepts.
    #[track_caller]
    pub fn temporary_key(&self) -> Value {
        self.control("POST", "/credentials", &json!({}).to_string())
    }

    /// The data disks there are.
    #[track_caller]
    pub fn disks(&self) -> Vec<Value> {
        let state = self.control("GET", "/state", "");
        let disks = state["disks"].as_object().expect("an object");
        let data = disks.values().filter(|disk| disk["usage"] == "Data");
        data.cloned().collect()
    }

    /// One of them.
    #[track_caller]
    pub fn disk(&self, id: &str) -> Value {
        let found = self.disks().into_iter().find(|disk| disk["id"] == id);
        found.expect("it is there")
    }

    /// The snapshots there are.
    #[track_caller]
    pub fn snapshots(&self) -> Vec<Value> {
        let state = self.control("GET", "/state", "");
        let snapshots = state["snapshots"].as_object().expect("an object");
        snapshots.values().cloned().collect()
    }

    /// The groups of snapshots there are.
    #[track_caller]
    pub fn snapshot_groups(&self) -> Vec<Value> {
        let state = self.control("GET", "/state", "");
        let groups = state["snapshot_groups"].as_object().expect("an object");
        groups.values().cloned().collect()
    }

    /// To which instances a disk is attached.
    #[track_caller]
    pub fn attachments(&self, disk: &str) -> Vec<String> {
        let disks = self.disks();
        let found = disks.iter().find(|known| known["id"] == disk);
        let attachments = found
            .and_then(|disk| disk["attachments"].as_array())
            .cloned();
        let instance = |attachment: &Value| attachment["instance"].as_str().map(str::to_owned);
        attachments
            .unwrap_or_default()
            .iter()
            .filter_map(instance)
            .collect()
    }

    /// The file behind a disk, which is what a device of it holds.
    pub fn backing(&self, disk: &str) -> PathBuf {
        self.file("disks").join(serial(disk))
    }

    /// The first bytes of a disk.
    #[track_caller]
    pub fn head(&self, disk: &str, bytes: u64) -> Vec<u8> {
        let file = fs::File::open(self.backing(disk)).expect("it is there");
        let mut head = Vec::new();
        file.take(bytes).read_to_end(&mut head).expect("readable");
        head
    }

    #[track_caller]
    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let address = self.endpoint("control").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {path} {body}: {answer}"
        );
        serde_json::from_str(body).expect("JSON")
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.end();
    }
}

/// A disk's serial number, which is its id without `d-`.
pub fn serial(disk: &str) -> &str {
    disk.trim_start_matches("d-")
}
