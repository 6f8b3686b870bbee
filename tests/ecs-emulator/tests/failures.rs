//! Faults on demand, and going on after a restart.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod support;

use serde_json::{Value, json};
use support::{Emulator, REGION, eventually, text};
use tempfile::TempDir;

fn emulator() -> (Emulator, TempDir) {
    let state = tempfile::tempdir().expect("writable");
    (Emulator::start(state.path(), &[]), state)
}

/// A request for a disk, as a client would repeat it.
fn create(emulator: &Emulator) -> Option<support::Reply> {
    let pairs = [
        REGION,
        ("ZoneId", "cn-hangzhou-g"),
        ("DiskCategory", "cloud_essd"),
        ("Size", "20"),
        ("ClientToken", "again"),
    ];
    let request = emulator.request("CreateDisk", &pairs);
    emulator.try_send(&request, &emulator.key)
}

fn data_disks(emulator: &Emulator) -> Value {
    let asked = [REGION, ("DiskType", "data")];
    emulator.call("DescribeDisks", &asked).succeeds()["TotalCount"].clone()
}

fn fault(kind: &str, action: &str) -> Value {
    json!({ "kind": kind, "action": action })
}

#[test]
fn lost_reply_has_had_its_effect_and_a_cut_connection_has_not() {
    let (emulator, _state) = emulator();
    emulator.order(&fault("cut-before", "CreateDisk"));
    assert!(create(&emulator).is_none());
    assert_eq!(data_disks(&emulator), 0);
    emulator.order(&fault("lost-reply", "CreateDisk"));
    assert!(create(&emulator).is_none());
    assert_eq!(data_disks(&emulator), 1);
    create(&emulator).expect("an answer").succeeds();
    assert_eq!(data_disks(&emulator), 1);
    let faults = emulator.control("GET", "/faults", &Value::Null);
    assert_eq!(
        (&faults[0]["fired"], &faults[1]["fired"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn errors_come_before_or_after_the_effect() {
    let (emulator, _state) = emulator();
    emulator.order(&fault("throttling", "*"));
    create(&emulator)
        .expect("an answer")
        .refused_with(400, "Throttling.User");
    emulator.order(&json!({
        "kind": "throttling", "action": "*", "code": "Throttling", "status": 503,
    }));
    create(&emulator)
        .expect("an answer")
        .refused_with(503, "Throttling");
    emulator.order(&fault("error-before", "CreateDisk"));
    create(&emulator)
        .expect("an answer")
        .refused_with(500, "InternalError");
    assert_eq!(data_disks(&emulator), 0);
    emulator.order(&fault("error-after", "CreateDisk"));
    create(&emulator)
        .expect("an answer")
        .refused_with(500, "InternalError");
    assert_eq!(data_disks(&emulator), 1);
}

#[test]
fn token_is_in_flight_while_its_answer_is_slow() {
    let (emulator, _state) = emulator();
    emulator.order(&fault("slow-reply", "CreateDisk"));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| create(&emulator).expect("an answer").succeeds());
        eventually("the disk", || data_disks(&emulator) == 1);
        create(&emulator)
            .expect("an answer")
            .refused_with(403, "LastTokenProcessing");
        emulator.control("DELETE", "/faults", &Value::Null);
        let first = slow.join().expect("an answer");
        let again = create(&emulator).expect("an answer").succeeds();
        assert_eq!(first["DiskId"], again["DiskId"]);
    });
}

#[test]
fn broken_and_huge_bodies_are_what_was_ordered() {
    let (emulator, _state) = emulator();
    emulator.order(&fault("garbage-body", "DescribeRegions"));
    let reply = emulator.call("DescribeRegions", &[]);
    assert!(reply.body.is_string(), "{}", reply.body);
    emulator.order(&json!({ "kind": "huge-body", "action": "*", "bytes": 3_000_000 }));
    let body = emulator.call("DescribeRegions", &[]).succeeds();
    assert_eq!(text(&body["Padding"]).len(), 3_000_000);
    assert_eq!(body["Regions"]["Region"][0]["RegionId"], "cn-hangzhou");
}

#[test]
fn stale_description_shows_what_was_before_the_last_request() {
    let (emulator, _state) = emulator();
    let disk = emulator.new_disk(&[]);
    emulator.attach(&disk);
    emulator.becomes(&disk, "In_use");
    emulator.detach(&disk);
    emulator.becomes(&disk, "Available");
    let stale = json!({ "kind": "stale-describe", "action": "DescribeDisks", "times": 2 });
    emulator.order(&stale);
    assert_eq!(
        [emulator.status(&disk), emulator.status(&disk)],
        ["In_use", "In_use"]
    );
    assert_eq!(emulator.status(&disk), "Available");
}

#[test]
fn attachment_that_stays_ends_when_faults_are_cleared() {
    let (emulator, _state) = emulator();
    let disk = emulator.new_disk(&[]);
    emulator.order(&fault("stays-attaching", "AttachDisk"));
    emulator.attach(&disk);
    emulator.becomes(&disk, "Attaching");
    emulator.step();
    assert_eq!(emulator.status(&disk), "Attaching");
    emulator.control("DELETE", "/faults", &Value::Null);
    emulator.becomes(&disk, "In_use");
}

#[test]
fn requests_are_counted_and_shown_without_their_secrets() {
    let (emulator, _state) = emulator();
    create(&emulator).expect("an answer").succeeds();
    let log = emulator.control("GET", "/requests", &Value::Null);
    assert_eq!(log["counts"]["CreateDisk"], 1);
    assert_eq!(log["last"][0]["signature"], "v3");
    assert_eq!(log["last"][0]["parameters"]["ClientToken"], "again");
}

#[test]
fn everything_goes_on_after_a_kill_and_on_the_same_port() {
    let state = tempfile::tempdir().expect("writable");
    let emulator = Emulator::start(state.path(), &["--delay-ms", "60000"]);
    let disk = text(&create(&emulator).expect("an answer").succeeds()["DiskId"]);
    assert_eq!(emulator.status(&disk), "Creating");
    let listen = text(&emulator.ready["ecs"]).replace("https://", "");
    let ready = emulator.ready.clone();
    emulator.kill();
    let emulator = Emulator::start(state.path(), &["--delay-ms", "1", "--listen", &listen]);
    for kept in ["ecs", "ca", "secret_file", "access_key_id"] {
        assert_eq!(emulator.ready[kept], ready[kept]);
    }
    emulator.becomes(&disk, "Available");
    assert_eq!(
        create(&emulator).expect("an answer").succeeds()["DiskId"],
        disk
    );
}

#[test]
fn slow_things_are_not_waited_for_on_the_way_out() {
    let state = tempfile::tempdir().expect("writable");
    let emulator = Emulator::start(state.path(), &["--delay-ms", "60000"]);
    create(&emulator).expect("an answer").succeeds();
    // What is under way takes twice as long as this waits.
    assert!(emulator.ends());
}
