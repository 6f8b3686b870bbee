//! A new version of a component comes by `kubectl apply`, and every pod that comes or goes meanwhile is served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::component::{deliver, metrics, status, version};
use crate::installation::{CLASS, is_ready};
use crate::kubectl::eventually;
use crate::site::{Site, claim, pod};
use crate::turns::alone;

pub(crate) const DRIVER: &str = "alicloud-disk";

#[test]
#[ignore = "needs a cluster"]
fn a_version_that_is_applied_serves_and_no_call_fails_meanwhile() {
    let _turn = alone();
    is_ready();
    let _after = Restored;
    let site = Site::new("swap");
    let others = ["one", "two"];
    for name in others {
        site.apply(&[claim(name, CLASS, 20)]);
    }
    let failed = failed_calls();
    let is_over = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let callers = others.map(|name| {
            let (site, is_over) = (&site, &is_over);
            scope.spawn(move || come_and_go(site, name, is_over))
        });
        for number in 1..=3 {
            let wanted = format!("0.1.{}", number + 3);
            deliver(DRIVER, &version(DRIVER, &wanted));
            eventually(&format!("version {wanted} to serve"), || {
                status(DRIVER)["active"]["version"] == wanted.as_str()
            });
        }
        is_over.store(true, Ordering::Relaxed);
        callers.map(|caller| caller.join().expect("a caller that was content"))
    });
    assert!(
        rounds.iter().all(|rounds| *rounds > 0),
        "nobody came and went: {rounds:?}"
    );
    assert_eq!(
        failed_calls(),
        failed,
        "calls failed; the node's pod says:\n{}",
        metrics()
    );
    for name in others {
        let events = site.events_of(name);
        assert!(!events.contains("Failed"), "{events}");
    }
}

#[test]
#[ignore = "needs a cluster"]
fn a_broken_build_is_named_and_the_version_before_goes_on() {
    let _turn = alone();
    is_ready();
    let _after = Restored;
    let before = status(DRIVER)["active"].clone();
    let mut broken = version(DRIVER, "0.1.9");
    broken.truncate(broken.len() / 2);
    deliver(DRIVER, &broken);
    eventually("the broken build to be refused", || {
        status(DRIVER)["refused"]
            .as_array()
            .is_some_and(|refused| !refused.is_empty())
    });
    assert_eq!(status(DRIVER)["active"], before);
    let metrics = metrics();
    let refused = metrics
        .lines()
        .filter(|line| line.contains("refused") && line.contains(DRIVER));
    assert!(
        refused.clone().any(|line| line.ends_with(" 1")),
        "{metrics}"
    );
    let site = Site::new("broken-build");
    site.apply(&[claim("data", CLASS, 20), pod("app", "data")]);
    site.is_ready("app");
}

/// Pods on one claim, one after the other, until it is over; how many.
fn come_and_go(site: &Site, name: &str, is_over: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !is_over.load(Ordering::Relaxed) {
        site.apply(&[pod(name, name)]);
        site.is_ready(name);
        site.exec(name, "echo line >> /data/lines");
        site.delete_pod(name);
        rounds += 1;
    }
    rounds
}

/// Calls of kubelet's that the node's pod could not answer as they should be.
fn failed_calls() -> u64 {
    let metrics = metrics();
    let calls = metrics
        .lines()
        .filter(|line| line.starts_with("drivebay_rpcs_total{"));
    let failed = calls.filter(|line| line.contains(DRIVER) && !line.contains("code=\"OK\""));
    let counts = failed.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

/// Afterwards what is shipped serves again.
pub(crate) struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        deliver(DRIVER, &version(DRIVER, env!("CARGO_PKG_VERSION")));
        if !thread::panicking() {
            eventually("the shipped version to serve", || {
                status(DRIVER)["active"]["version"] == env!("CARGO_PKG_VERSION")
            });
        }
    }
}
