//! What a call may ask of the cloud, which counts requests by the minute and throttles whoever has too many.

use drivebay_tests::{Site, created, disk_request};
use serde_json::json;

/// How many requests a disk by that name takes.
#[track_caller]
fn requests_for(site: &Site, name: &str) -> u64 {
    let count = || site.cloud.all_requests().values().sum::<u64>();
    let before = count();
    created(&site.csi, disk_request(name));
    count() - before
}

#[test]
fn a_disk_is_made_by_three_requests_and_found_by_one() {
    let site = Site::new();
    site.cloud.set(&json!({ "delay_ms": 0 }));
    // Whether there is one by that name; to make it; how far it is and whether it is the only one.
    assert_eq!(requests_for(&site, "data"), 3);
    assert_eq!(requests_for(&site, "data"), 1);
}
