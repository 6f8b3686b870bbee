//! Versions of a driver as lines for people.

use drivebay::error::GuestText;

use super::json::by;
use super::moment::rfc3339;
use super::versions::{DriverVersions, ServingVersion};

/// Digits of a digest that tell versions apart.
const SHORT_DIGEST: usize = 12;

/// One paragraph.
pub(super) fn lines(driver: &DriverVersions) -> String {
    let name = &driver.name;
    let ready = match driver.is_ready {
        true => "ready",
        false => "not ready",
    };
    let mut text = match &driver.reason {
        None => format!("driver {name}: {ready}\n"),
        Some(reason) => format!("driver {name}: {ready}: {reason}\n"),
    };
    let mut line = |what: &str, version: String| {
        text.push_str(&format!("  {what:<9}  {version}\n"));
    };
    match &driver.active {
        Some(active) => line("active", serving(active)),
        None => line("active", "none".to_owned()),
    }
    for version in &driver.record.previous {
        line("previous", serving(&version.into()));
    }
    if let Some(pending) = &driver.progress.pending {
        let until = pending.not_before.map(rfc3339);
        let until = until.map_or_else(String::new, |until| format!(", not before {until}"));
        let digest = digest(pending.sha256.as_deref());
        let which = origin(Some(pending.since), &pending.source);
        line(
            "pending",
            format!("{digest} at {}{which}{until}", pending.step.name()),
        );
    }
    for held in &driver.record.held {
        let which = version(Some(&held.version), &held.sha256);
        let origin = origin(Some(held.since), &held.source);
        let activate = format!("`drivebay activate {name} {}`", short(&held.sha256));
        line(
            "held",
            format!("{which}{origin}: {}; {activate}", held.reason),
        );
    }
    for rejected in &driver.record.rejected {
        let which = version(Some(&rejected.version), &rejected.sha256);
        let origin = origin(Some(rejected.since), &rejected.source);
        let reason = GuestText::sentence(&rejected.reason);
        line(
            "rejected",
            format!("{which} by {}{origin}: {reason}", by(rejected.by)),
        );
    }
    for refused in &driver.progress.refused {
        let digest = digest(refused.sha256.as_deref());
        let origin = origin(Some(refused.since), &refused.source);
        line(
            "refused",
            format!(
                "{digest} at {}{origin}: {}",
                refused.step.name(),
                refused.reason
            ),
        );
    }
    text
}

fn serving(serving: &ServingVersion) -> String {
    let which = version(serving.version.as_ref(), &serving.sha256);
    format!("{which}{}", origin(serving.since, &serving.source))
}

/// `0.2.0 (sha256 0123456789ab)`
fn version(version: Option<&GuestText>, sha256: &str) -> String {
    let version = version.map_or("unknown version", |version| version.as_str());
    format!("{version} ({})", digest(Some(sha256)))
}

fn digest(sha256: Option<&str>) -> String {
    sha256.map_or_else(
        || "sha256 unknown".to_owned(),
        |sha256| format!("sha256 {}", short(sha256)),
    )
}

pub(super) fn short(sha256: &str) -> &str {
    sha256.get(..SHORT_DIGEST).unwrap_or(sha256)
}

/// Names of files are chosen by whoever delivers them.
fn origin(since: Option<u64>, source: &str) -> String {
    let source = GuestText::sentence(source);
    match since {
        Some(since) => format!(" since {} from {source}", rfc3339(since)),
        None => format!(" from {source}"),
    }
}
