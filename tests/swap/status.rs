//! What `drivebay status --json` says of the driver.

use drivebay_tests::Node;
use serde_json::Value;

use crate::backend::NAME;

/// Of one driver, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    driver: Value,
    processes: Value,
}

impl Status {
    /// It has to be told also where nobody serves.
    #[track_caller]
    pub(crate) fn of(node: &Node) -> Self {
        let output = node
            .drivebay(&["status", "--json"])
            .output()
            .expect("drivebay runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "status: {complaint}{said}");
        let all: Value = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{error} in {said:?}, {complaint}"));
        assert_eq!(all["format"], 1, "{said}");
        let drivers = all["drivers"].as_array().expect("a list");
        let driver = drivers.iter().find(|driver| driver["name"] == NAME);
        Self {
            driver: driver
                .unwrap_or_else(|| panic!("no {NAME} in {said}"))
                .clone(),
            processes: all["processes"].clone(),
        }
    }

    /// One of the driver's keys.
    pub(crate) fn get(&self, key: &str) -> &Value {
        &self.driver[key]
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.get("ready") == true
    }

    /// None where no version is.
    pub(crate) fn active_version(&self) -> Option<&str> {
        self.get("active")["version"].as_str()
    }

    pub(crate) fn active_digest(&self) -> Option<&str> {
        self.get("active")["sha256"].as_str()
    }

    /// What those of a list have under a key, in their order: `previous`, `held`, `rejected`, `refused`.
    pub(crate) fn each(&self, list: &str, key: &str) -> Vec<String> {
        let entries = self.get(list).as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        entries.map(|entry| text(&entry[key])).collect()
    }

    /// Whether something was refused at that step, for a reason with these words.
    pub(crate) fn refused(&self, step: &str, words: &str) -> bool {
        let entries = self.get("refused").as_array().into_iter().flatten();
        let says = |entry: &Value| {
            let reason = entry["reason"].as_str().unwrap_or_default();
            entry["step"] == step && reason.contains(words)
        };
        entries.into_iter().any(says)
    }

    /// The versions that each process says it has loaded of the driver.
    pub(crate) fn loaded(&self) -> Vec<Vec<String>> {
        let processes = self.processes.as_array().into_iter().flatten();
        let of_driver = |process: &Value| {
            let drivers = process["drivers"].as_array().into_iter().flatten();
            let ours = drivers.filter(|driver| driver["name"] == NAME);
            let loaded = ours.flat_map(|driver| driver["loaded"].as_array().into_iter().flatten());
            loaded
                .filter_map(|one| one["version"].as_str())
                .map(str::to_owned)
                .collect()
        };
        processes.map(of_driver).collect()
    }
}
