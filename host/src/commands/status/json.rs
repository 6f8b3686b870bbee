//! `drivebay status --json`. What it prints is promised: the operators' guide has each field, and a later host may add
//! some and takes none away.

use drivebay::csi::Samples;
use drivebay::store::{
    ActiveVersion, HeldVersion, PendingVersion, RefusedVersion, RejectedBy, RejectedVersion,
};
use serde_json::{Value, json};

use super::moment::rfc3339;
use super::processes::Process;
use super::versions::{DriverVersions, ServingVersion};

/// Changes where a field goes or comes to mean something else.
const FORMAT: u32 = 1;

pub(super) fn json(drivers: &[DriverVersions], processes: &[Process]) -> Value {
    json!({
        "format": FORMAT,
        "drivers": drivers.iter().map(driver).collect::<Value>(),
        "processes": processes.iter().map(process).collect::<Value>(),
    })
}

fn driver(driver: &DriverVersions) -> Value {
    let (record, progress) = (&driver.record, &driver.progress);
    json!({
        "name": driver.name.0,
        "component": driver.component,
        "ready": driver.is_ready,
        "reason": driver.reason.as_deref(),
        "active": driver.active.as_ref().map(serving),
        "previous": record.previous.iter().map(activated).collect::<Value>(),
        "pending": progress.pending.as_ref().map(pending),
        "held": record.held.iter().map(held).collect::<Value>(),
        "rejected": record.rejected.iter().map(rejected).collect::<Value>(),
        "refused": progress.refused.iter().map(refused).collect::<Value>(),
    })
}

fn serving(version: &ServingVersion) -> Value {
    json!({
        "sha256": version.sha256,
        "version": version.version.as_deref(),
        "since": version.since.map(rfc3339),
        "source": version.source,
    })
}

fn activated(version: &ActiveVersion) -> Value {
    serving(&version.into())
}

fn pending(version: &PendingVersion) -> Value {
    json!({
        "sha256": version.sha256,
        "step": version.step.name(),
        "since": rfc3339(version.since),
        "source": version.source,
        "not-before": version.not_before.map(rfc3339),
    })
}

fn held(version: &HeldVersion) -> Value {
    json!({
        "sha256": version.sha256,
        "version": version.version.as_str(),
        "since": rfc3339(version.since),
        "source": version.source,
        "reason": version.reason.as_str(),
    })
}

fn rejected(version: &RejectedVersion) -> Value {
    json!({
        "sha256": version.sha256,
        "version": version.version.as_str(),
        "since": rfc3339(version.since),
        "source": version.source,
        "reason": version.reason,
        "by": by(version.by),
    })
}

pub(super) fn by(by: RejectedBy) -> &'static str {
    match by {
        RejectedBy::Operator => "operator",
        RejectedBy::Calls => "calls",
        RejectedBy::DriverFile => "driver-file",
    }
}

fn refused(version: &RefusedVersion) -> Value {
    json!({
        "sha256": version.sha256,
        "step": version.step.name(),
        "reason": version.reason.as_str(),
        "since": rfc3339(version.since),
        "source": version.source,
    })
}

fn process(process: &Process) -> Value {
    let samples = process.answer.as_ref().ok();
    json!({
        "pid": process.id.parse::<u32>().ok(),
        "answers": samples.is_some(),
        "drivers": samples.map_or_else(|| json!([]), loaded_of_each),
    })
}

fn loaded_of_each(samples: &Samples) -> Value {
    let of = |driver: &str| json!({ "name": driver, "loaded": loaded(samples, driver) });
    samples.served().into_iter().map(of).collect()
}

fn loaded(samples: &Samples, driver: &str) -> Value {
    let loaded = samples.loaded(driver);
    loaded
        .map(|sample| json!({ "sha256": sample.label("sha256"), "version": sample.label("version") }))
        .collect()
}
