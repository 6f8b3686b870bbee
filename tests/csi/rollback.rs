//! A new version whose calls break down gives way to the one before, by itself: calls are counted over all processes of
//! the node, and what a backend refuses is not the version's fault.

use std::fs;
use std::path::PathBuf;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::csi_proto::{NodeStageVolumeRequest, VolumeCapability};
use drivebay_tests::{Csi, Node, WatGuest, mounted, text};
use serde_json::Value;

const GRANTS: &str = "component = \"guest\"\nflexvolume = \"drivebay/guest\"\ncsi-name = \"guest.example.com\"\n[grants.mounts]\n[versions.rollback]\ncalls = 10\n";
const SHIM: &str = "drivebay~guest/guest";
const OPTIONS: &str = r#"{"kubernetes.io/pvOrVolumeName":"data"}"#;

const UNAVAILABLE: u32 = 5;
const FAILED_PRECONDITION: u32 = 7;
const INTERNAL: u32 = 10;

/// One that says its version when it is asked to stage a volume, as an error of that number.
fn saying(version: u32, condition: u32) -> WatGuest {
    let words = format!("this is version {version}");
    WatGuest::named("guest")
        .version(&format!("{version}.0.0"))
        .core(&format!("(data (i32.const 1024) \"{words}\")"))
        .stage(&WatGuest::failing(condition, 1024, words.len()))
}

/// One that breaks down when it is asked to stage a volume.
fn broken(version: u32) -> WatGuest {
    saying(version, FAILED_PRECONDITION).stage("unreachable")
}

/// A node on which that version serves, and `drivebay serve` beside the shim.
struct Site {
    csi: Csi,
    node: Node,
}

impl Site {
    #[track_caller]
    fn of(guest: &WatGuest) -> Self {
        let node = Node::empty();
        node.add_driver("guest", GRANTS);
        node.install(&[&guest.write(node.path("guest.wasm"))]);
        fs::create_dir(node.path("source")).expect("writable");
        activate(&node, guest);
        let csi = node.serve("guest");
        Self { csi, node }
    }

    /// What a call of the shim says.
    #[track_caller]
    fn mount(&self) -> String {
        let pod = self.node.pod("web");
        let answer = self.node.call_driver(SHIM, &["mount", text(&pod), OPTIONS]);
        answer.message().to_owned()
    }

    /// What a call of `serve` says.
    #[track_caller]
    fn stage(&self) -> String {
        let staging: PathBuf = self.node.pod("staging");
        let capability: VolumeCapability = mounted(Mode::SingleNodeWriter);
        let request = NodeStageVolumeRequest {
            volume_id: "data".to_owned(),
            staging_target_path: text(&staging).to_owned(),
            volume_capability: Some(capability),
            ..NodeStageVolumeRequest::default()
        };
        let answer = self.csi.node_stage_volume(request);
        answer.expect_err("it stages nothing").message().to_owned()
    }

    /// As many calls, by the shim and by `serve` in turn; those that were of a guest that broke down.
    fn failures(&self, calls: usize) -> usize {
        let said = (0..calls).map(|call| match call % 2 {
            0 => self.mount(),
            _ => self.stage(),
        });
        said.filter(|said| said.contains("unreachable")).count()
    }

    fn record(&self) -> Value {
        let record = fs::read(self.node.path("state/versions/guest.json")).expect("there");
        serde_json::from_slice(&record).expect("JSON")
    }

    #[track_caller]
    fn is_served_by(&self, version: u32) {
        let words = format!("this is version {version}");
        let said = [self.mount(), self.stage()];
        assert!(said.iter().all(|said| said.contains(&words)), "{said:?}");
    }

    /// How often that was logged, by whichever process.
    fn told(&self, words: &str) -> usize {
        let logs = [self.node.log(), self.csi.log()].concat();
        logs.matches(words).count()
    }
}

/// Delivers a version, which serves from then on.
#[track_caller]
fn activate(node: &Node, guest: &WatGuest) {
    let source = node.path("source");
    guest.write(source.join("guest.wasm"));
    look(node);
}

#[track_caller]
fn look(node: &Node) {
    let source = node.path("source");
    let arguments = ["install", "--components-from", text(&source)];
    let output = node.drivebay(&arguments).output().expect("drivebay runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn the_version_before_serves_again_after_so_many_calls_of_whatever_process() {
    let site = Site::of(&saying(1, FAILED_PRECONDITION));
    site.is_served_by(1);
    activate(&site.node, &broken(2));
    assert_eq!(site.failures(14), 10, "the tenth decides");
    site.is_served_by(1);

    let record = site.record();
    assert_eq!(record["active"]["version"], "1.0.0", "{record:#}");
    let rejected = &record["rejected"][0];
    assert_eq!(
        (&rejected["version"], &rejected["by"]),
        (&"2.0.0".into(), &"calls".into())
    );
    assert_eq!(
        rejected["reason"],
        "10 of its 10 calls broke down, and 0 of the last 2 of version 1.0.0 before it"
    );
    assert_eq!(site.told("the version before serves again"), 1);

    look(&site.node);
    site.is_served_by(1);
}

#[test]
fn a_guest_breaks_down_by_its_limits_by_its_word_and_by_what_it_answers_too() {
    let all_memory = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";
    for (guest, words) in [
        (
            saying(2, FAILED_PRECONDITION).stage(all_memory),
            "limits.memory",
        ),
        (saying(2, INTERNAL), "this is version 2"),
        (
            saying(2, FAILED_PRECONDITION).stage(""),
            "but nothing is mounted at",
        ),
    ] {
        let site = Site::of(&saying(1, FAILED_PRECONDITION));
        activate(&site.node, &guest);
        for _ in 0..5 {
            let said = [site.mount(), site.stage()];
            assert!(said.iter().all(|said| said.contains(words)), "{said:?}");
        }
        site.is_served_by(1);
    }
}

#[test]
fn what_a_backend_refuses_is_not_the_versions_fault() {
    let site = Site::of(&saying(1, FAILED_PRECONDITION));
    activate(&site.node, &saying(2, UNAVAILABLE));
    for _ in 0..12 {
        site.is_served_by(2);
    }
}

#[test]
fn where_the_version_before_broke_down_as_well_the_new_one_goes_on_and_each_is_told_of_once() {
    let site = Site::of(&broken(1));
    assert_eq!(site.failures(12), 12);
    activate(&site.node, &broken(2));
    assert_eq!(site.failures(24), 24);
    let record = site.record();
    assert_eq!(record["active"]["version"], "2.0.0", "{record:#}");
    // Of each version: the first had none before it.
    assert_eq!(site.told("it goes on serving"), 2);
}

/// The volume is released by the version that made it, whichever serves.
#[test]
fn what_an_earlier_version_fails_to_undo_is_not_the_new_ones_fault() {
    let site = Site::of(&saying(1, FAILED_PRECONDITION).attaches("unreachable"));
    let callout = |arguments: &[&str]| site.node.call_driver(SHIM, arguments);
    callout(&["attach", OPTIONS, "node-1"]).succeeds();
    activate(&site.node, &saying(2, FAILED_PRECONDITION).attaches(""));
    for _ in 0..24 {
        callout(&["detach", "data", "node-1"]).fails_with("unreachable");
    }
    let record = site.record();
    assert_eq!(record["active"]["version"], "2.0.0", "{record:#}");
    assert_eq!(record["rejected"], Value::Array(Vec::new()));
}
