//! What the provisioner tells of itself, to Prometheus and to kubelet's probes.

use serde_json::json;

use crate::site::{Pod, Site};

const DRIVER: &str = "driver=\"alicloud-disk\"";

fn series(name: &str, labels: &str) -> String {
    format!("drivebay_provision_{name}{{{DRIVER}{labels}}}")
}

#[test]
fn who_leads_tells_what_waits_what_was_made_and_what_was_deleted() {
    let site = Site::with_class("tells-work");
    let (_provisioner, told) = site.provisioner_that_tells(Pod::First);
    site.eventually("it to lead", || {
        told.figure(&series("leads", "")) == Some(1)
    });
    assert!(told.is_well("/livez") && told.is_well("/healthz"));
    site.eventually("it to be ready", || told.is_well("/readyz"));
    site.claim("data", &json!({}));
    site.is_bound("data");
    let made = series("volumes_total", ",change=\"made\"");
    site.eventually("it to tell that it made one", || {
        told.figure(&made) == Some(1)
    });
    let calls = series("call_duration_seconds_count", ",operation=\"create\"");
    assert_eq!(told.figure(&calls), Some(1));
    site.eventually("nothing to be before it", || {
        let states = ["waiting", "under-way"].map(|it| format!(",state=\"{it}\""));
        let claims = states.map(|state| told.figure(&series("claims", &state)));
        claims == [Some(0); 2] && told.figure(&series("intents", "")) == Some(0)
    });
    site.delete_claim("data");
    let deleted = series("volumes_total", ",change=\"deleted\"");
    site.eventually("it to tell that it deleted one", || {
        told.figure(&deleted) == Some(1)
    });
}

#[test]
fn who_waits_for_the_lease_is_ready_and_has_nothing_before_it() {
    let site = Site::with_class("tells-standby");
    let (first, told) = site.provisioner_that_tells(Pod::First);
    site.eventually("the first one to lead", || {
        told.figure(&series("leads", "")) == Some(1)
    });
    let (_second, told) = site.provisioner_that_tells(Pod::Second);
    site.eventually("the second one to be ready", || told.is_well("/readyz"));
    assert_eq!(told.figure(&series("leads", "")), Some(0));
    assert!(told.is_well("/livez"));
    first.stop();
    site.eventually("the second one to lead", || {
        told.figure(&series("leads", "")) == Some(1)
    });
}

#[test]
fn what_fails_is_counted_by_its_reason() {
    let site = Site::with_class("tells-failures");
    let (_provisioner, told) = site.provisioner_that_tells(Pod::First);
    site.claim("block", &json!({ "volumeMode": "Block" }));
    site.eventually("the claim's words to be counted", || {
        let failures = told.figure(&series("failures_total", ",reason=\"claim\""));
        failures.is_some_and(|count| count > 0)
    });
    site.eventually("the claim to wait", || {
        told.figure(&series("claims", ",state=\"waiting\"")) == Some(1)
    });
    assert!(told.is_well("/livez") && told.is_well("/readyz"));
}
