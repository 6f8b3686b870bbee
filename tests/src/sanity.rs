//! csi-sanity as the caller, and what came of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{Csi, Node, repository};

/// One run of csi-sanity against a running driver.
#[derive(Debug)]
pub struct Sanity {
    command: Command,
    directory: PathBuf,
}

/// What each of its tests came to.
#[derive(Debug)]
pub struct SanityOutcome {
    passed: Vec<String>,
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl Sanity {
    /// Against that driver, with mount points beneath the node's own directory.
    pub fn new(node: &Node, csi: &Csi) -> Self {
        let program = repository().join("target/dist/tests/csi-sanity");
        assert!(
            program.exists(),
            "{} is missing; run `cargo xtask test --only outside`, which builds it",
            program.display()
        );
        let directory = node.path("sanity");
        fs::create_dir_all(&directory).expect("writable");
        let mut command = node.command(&program);
        command
            .arg(format!("--csi.endpoint={}", csi.socket().display()))
            .arg(format!(
                "--csi.mountdir={}",
                directory.join("target").display()
            ))
            .arg(format!(
                "--csi.stagingdir={}",
                directory.join("staging").display()
            ))
            .arg(format!(
                "--ginkgo.json-report={}",
                directory.join("report.json").display()
            ))
            .arg("--ginkgo.no-color");
        Self { command, directory }
    }

    /// What a StorageClass would say.
    #[must_use]
    pub fn parameters(self, pairs: &[(&str, &str)]) -> Self {
        self.file("testvolumeparameters", pairs)
    }

    /// What a VolumeSnapshotClass would say.
    #[must_use]
    pub fn snapshot_parameters(self, pairs: &[(&str, &str)]) -> Self {
        self.file("testsnapshotparameters", pairs)
    }

    /// What a VolumeAttributesClass would say.
    #[must_use]
    pub fn mutable_parameters(self, pairs: &[(&str, &str)]) -> Self {
        self.file("testvolumemutableparameters", pairs)
    }

    /// Volumes of that many bytes, grown to that many.
    #[must_use]
    pub fn sizes(mut self, bytes: u64, grown: u64) -> Self {
        self.command.arg(format!("--csi.testvolumesize={bytes}"));
        self.command
            .arg(format!("--csi.testvolumeexpandsize={grown}"));
        self
    }

    /// Volumes without a filesystem.
    #[must_use]
    pub fn raw_devices(mut self) -> Self {
        self.command.arg("--csi.testvolumeaccesstype=block");
        self
    }

    /// Also attaches as many volumes as the node says it can hold, and one more.
    #[must_use]
    pub fn attach_limit(mut self) -> Self {
        self.command.arg("--csi.testnodevolumeattachlimit");
        self
    }

    fn file(mut self, flag: &str, pairs: &[(&str, &str)]) -> Self {
        let file = self.directory.join(format!("{flag}.yaml"));
        let lines: String = pairs
            .iter()
            .map(|(key, value)| format!("{key}: {value:?}\n"))
            .collect();
        fs::write(&file, lines).expect("writable");
        self.command.arg(format!("--csi.{flag}={}", file.display()));
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(mut self) -> SanityOutcome {
        let output = self.command.output().expect("csi-sanity runs");
        let report = fs::read(self.directory.join("report.json"));
        let report = report.unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            panic!("csi-sanity left no report: {error}\n{said}")
        });
        SanityOutcome::of(&serde_json::from_slice(&report).expect("JSON"))
    }
}

impl SanityOutcome {
    fn of(report: &Value) -> Self {
        let mut outcome = Self {
            passed: Vec::new(),
            skipped: Vec::new(),
            failed: Vec::new(),
        };
        let specs = report[0]["SpecReports"].as_array().cloned();
        for spec in specs.unwrap_or_default() {
            let words = spec["ContainerHierarchyTexts"].as_array().cloned();
            let mut name: Vec<String> = words
                .unwrap_or_default()
                .iter()
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect();
            name.push(spec["LeafNodeText"].as_str().unwrap_or_default().to_owned());
            let name = name.join(" / ");
            match spec["State"].as_str() {
                Some("passed") => outcome.passed.push(name),
                // "pending" is a test that its authors have switched off.
                Some("skipped" | "pending") => outcome.skipped.push(name),
                _ => {
                    let failure = &spec["Failure"];
                    let message = failure["Message"].as_str().unwrap_or_default();
                    outcome.failed.push(format!("{name}\n    {message}"));
                }
            }
        }
        outcome
    }

    /// That every test passed which the suite itself did not skip, and that it skipped as many as are named.
    #[track_caller]
    pub fn assert_passes(&self, skipped: &[&str]) {
        assert!(
            self.failed.is_empty(),
            "failed:\n{}",
            self.failed.join("\n")
        );
        assert!(!self.passed.is_empty(), "nothing ran");
        let unexpected: Vec<&String> = self
            .skipped
            .iter()
            .filter(|name| !skipped.iter().any(|group| name.contains(group)))
            .collect();
        assert!(unexpected.is_empty(), "skipped: {unexpected:#?}");
        for group in skipped {
            let is_skipped = self.skipped.iter().any(|name| name.contains(group));
            assert!(is_skipped, "{group:?} is not skipped any more");
        }
    }
}
