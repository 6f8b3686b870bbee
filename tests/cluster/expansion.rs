//! Claims grow: while a pod uses them, and with the next pod.

use serde_json::json;

use crate::class::Class;
use crate::installation::CLASS;
use crate::kubectl::eventually;
use crate::site::{Site, claim, pod};
use crate::turns::beside_others;

#[test]
#[ignore = "needs a cluster"]
fn a_claim_grows_while_a_pod_uses_it() {
    let _turn = beside_others();
    let class = Class::of_xfs("test-xfs");
    let site = Site::new("expansion");
    site.apply(&[claim("data", class.name(), 40), pod("app", "data")]);
    site.is_ready("app");
    site.exec("app", "echo kept > /data/file");
    let before = size(&site, "app");
    ask_for(&site, "60Gi");
    eventually("the filesystem to grow", || size(&site, "app") > before);
    eventually("the claim to say so", || {
        site.get("pvc", "data")["status"]["capacity"]["storage"] == "60Gi"
    });
    assert_eq!(site.exec("app", "cat /data/file"), "kept");
    let pod = site.get("pod", "app");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[test]
#[ignore = "needs a cluster"]
fn a_claim_that_nobody_uses_grows_with_the_next_pod() {
    let _turn = beside_others();
    let site = Site::new("expansion-later");
    site.apply(&[claim("data", CLASS, 20), pod("app", "data")]);
    site.is_ready("app");
    let before = size(&site, "app");
    site.delete_pod("app");
    ask_for(&site, "40Gi");
    eventually("the disk to grow", || {
        site.get("pvc", "data")["status"]["conditions"]
            .to_string()
            .contains("FileSystemResizePending")
    });
    site.apply(&[pod("next", "data")]);
    site.is_ready("next");
    eventually("the filesystem to grow", || {
        size(&site, "next") > before * 3 / 2
    });
    eventually("the claim to say so", || {
        site.get("pvc", "data")["status"]["capacity"]["storage"] == "40Gi"
    });
}

/// Has claim `data` ask for that much.
#[track_caller]
pub(crate) fn ask_for(site: &Site, size: &str) {
    let patch = json!({ "spec": { "resources": { "requests": { "storage": size } } } });
    site.kubectl(&["patch", "pvc", "data", "--patch", &patch.to_string()]);
}

/// Of the filesystem at a pod's /data, in KiB.
#[track_caller]
pub(crate) fn size(site: &Site, pod: &str) -> u64 {
    let blocks = site.exec(pod, "df -P /data | tail -1 | awk '{ print $2 }'");
    blocks.parse().expect("a number")
}
