//! A cloud of a test's own: the ECS emulator as a process, with real block devices on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

pub use drivebay_testbed::NODE_NAME;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::repository;

/// The emulator, and everything it keeps. Gone with its devices when dropped.
#[derive(Debug)]
pub struct Cloud {
    running: drivebay_testbed::Cloud,
    _state: TempDir,
}

/// The instance that this machine is.
pub const INSTANCE: &str = "i-bp1drivebaynode00001";

/// An instance that is not this machine.
pub const OTHER_INSTANCE: &str = "i-bp1drivebaynode00002";

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
        let program = repository().join("target/dist/tests/ecs-emulator");
        assert!(
            program.exists(),
            "{} is missing; run `cargo xtask build` first",
            program.display()
        );
        let running = drivebay_testbed::Cloud::start(&program, state.path(), arguments);
        Self {
            running: running.expect("the emulator runs"),
            _state: state,
        }
    }

    /// Ends the emulator and starts it again on the same ports, with everything it kept.
    pub fn restart(&mut self) {
        let again = self.running.restart(&["--devices", "loop"]);
        again.expect("the emulator runs");
    }

    /// Ends the emulator; what it kept stays.
    pub fn end(&mut self) {
        self.running.end();
    }

    /// `ecs`, `metadata`, `control`: where they are.
    pub fn endpoint(&self, name: &str) -> &str {
        self.running.endpoint(name).expect("an address")
    }

    /// A file of the emulator's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.running.file(name)
    }

    /// The access key's secret.
    pub fn secret(&self) -> String {
        let text = fs::read_to_string(self.file("secret")).expect("readable");
        text.trim().to_owned()
    }

    /// What the driver needs to speak to this cloud, and to see its devices. `key` is the table
    /// `[grants.signing.access-key]`, without its head.
    pub fn grants(&self, key: &str) -> String {
        self.running.grants(key).expect("endpoints")
    }

    /// The permanent key, from files.
    pub fn key_in_files(&self) -> String {
        self.running.key_in_files().expect("writable")
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

    /// How often each action was asked for.
    #[track_caller]
    pub fn all_requests(&self) -> BTreeMap<String, u64> {
        let requests = self.control("GET", "/requests", "");
        let counts = requests["counts"].as_object().expect("an object").iter();
        counts
            .map(|(action, times)| (action.clone(), times.as_u64().expect("a number")))
            .collect()
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
        self.running.disks().expect("it answers")
    }

    /// Every disk that was made since the start: its `name`, and when it was `made` and `deleted`.
    #[track_caller]
    pub fn disks_made(&self) -> Vec<Value> {
        let made = self.control("GET", "/disks-made", "");
        made.as_array().expect("a list").clone()
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
        self.running.resources("snapshots").expect("it answers")
    }

    /// The groups of snapshots there are.
    #[track_caller]
    pub fn snapshot_groups(&self) -> Vec<Value> {
        self.running
            .resources("snapshot_groups")
            .expect("it answers")
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
        let answer = self.running.control(method, path, body);
        answer.expect("it answers")
    }
}

/// A disk's serial number, which is its id without `d-`.
pub fn serial(disk: &str) -> &str {
    disk.trim_start_matches("d-")
}
