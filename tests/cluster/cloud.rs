//! The emulated cloud, past its API.

use serde_json::Value;

use crate::kubectl::node_says;

/// Where it can be asked what it keeps.
const STATE: &str = "http://10.99.0.2:7003/state";

/// The instance that the cluster's node is.
pub(crate) const INSTANCE: &str = "i-bp1drivebaynode00001";

/// A disk, if the cloud has it.
#[track_caller]
pub(crate) fn disk(id: &str) -> Option<Value> {
    let disk = state()["disks"].get(id).cloned();
    disk.filter(|disk| disk["status"] != "Deleted")
}

/// To which instances a disk is attached.
#[track_caller]
pub(crate) fn attachments(id: &str) -> Vec<String> {
    let disk = disk(id).unwrap_or_default();
    let attachments = disk["attachments"].as_array().cloned().unwrap_or_default();
    let instances = attachments.iter().filter_map(|it| it["instance"].as_str());
    instances.map(str::to_owned).collect()
}

/// All data disks' ids.
#[track_caller]
pub(crate) fn disks() -> Vec<String> {
    let state = state();
    let disks = state["disks"].as_object().expect("the cloud has disks");
    let data = disks.iter().filter(|(_, disk)| disk["usage"] == "Data");
    data.map(|(id, _)| id.clone()).collect()
}

/// All snapshots' ids.
#[track_caller]
pub(crate) fn snapshots() -> Vec<String> {
    keys(&state()["snapshots"])
}

/// The serial numbers of the disks whose devices the node sees.
#[track_caller]
pub(crate) fn devices() -> Vec<String> {
    keys(&state()["devices"])
}

/// What went wrong when devices came and went.
#[track_caller]
pub(crate) fn device_errors() -> Vec<Value> {
    let errors = state()["device_errors"].as_array().cloned();
    errors.expect("the cloud says what went wrong")
}

#[track_caller]
fn keys(object: &Value) -> Vec<String> {
    let object = object.as_object().expect("the cloud knows them by name");
    object.keys().cloned().collect()
}

#[track_caller]
fn state() -> Value {
    let said = node_says(&["busybox", "wget", "-q", "-O", "-", STATE]);
    serde_json::from_str(&said).expect("the emulator speaks JSON")
}
