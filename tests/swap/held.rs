//! A version that takes something away waits until somebody says so.

use serde_json::Value;

use crate::backend::{attaching, describing, parameter};
use crate::site::{Site, Watcher, for_both};

const OPTIONAL: Value = Value::Bool(false);
const REQUIRED: Value = Value::Bool(true);

/// What is shown is held for a reason with these words, and the old version serves; its digest.
#[track_caller]
fn is_held(site: &Site, words: &str, version: &str) -> String {
    let status = site.tells(&format!("that it is held with {words:?}"), |status| {
        let reasons = status.each("held", "reason");
        reasons.iter().any(|reason| reason.contains(words))
    });
    site.keeps(version);
    site.is_whole();
    status.each("held", "sha256").remove(0)
}

#[test]
fn a_version_without_a_parameter_of_the_active_one_waits_until_it_is_activated() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let with = describing("2.0.0", &[parameter("share", OPTIONAL)]);
        site.show(&with.component());
        // One more takes nothing away.
        site.serves("2.0.0");
        site.show_version("3.0.0");
        let held = is_held(&site, "share", "2.0.0");
        site.drivebay(&["activate", "swap", &held]);
        assert_eq!(site.version(), "3.0.0");
        site.serves("3.0.0");
        assert!(site.status().each("held", "sha256").is_empty());
    });
}

#[test]
fn a_version_that_makes_a_parameter_required_waits() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.show(&describing("2.0.0", &[parameter("share", OPTIONAL)]).component());
        site.serves("2.0.0");
        site.show(&describing("3.0.0", &[parameter("share", REQUIRED)]).component());
        is_held(&site, "share", "2.0.0");
        // A new one that is required was never given by anybody.
        let other = [parameter("share", OPTIONAL), parameter("server", REQUIRED)];
        site.show(&describing("4.0.0", &other).component());
        is_held(&site, "server", "2.0.0");
        site.show(&describing("5.0.0", &[parameter("SHARE", OPTIONAL)]).component());
        // Keys are compared without regard to case.
        site.serves("5.0.0");
        assert!(site.status().each("held", "sha256").is_empty());
    });
}

#[test]
fn a_version_that_lacks_an_export_of_the_active_one_waits() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let attaches = attaching("2.0.0").component();
        site.show(&attaches);
        site.tells("the one that attaches", |status| {
            status.active_version() == Some("2.0.0")
        });
        site.show_version("3.0.0");
        site.tells("that it is held for attachment", |status| {
            let reasons = status.each("held", "reason");
            reasons.iter().any(|reason| reason.contains("attachment"))
        });
        assert_eq!(site.status().active_version(), Some("2.0.0"));
    });
}

#[test]
fn what_is_held_is_named_by_the_beginning_of_its_digest_too() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.show(&describing("2.0.0", &[parameter("share", OPTIONAL)]).component());
        site.serves("2.0.0");
        site.show_version("3.0.0");
        let held = is_held(&site, "share", "2.0.0");
        for wrong in [&held[..7], "zzzzzzzzzz", "0000000000", ""] {
            site.drivebay_fails(&["activate", "swap", wrong]);
            site.keeps("2.0.0");
        }
        site.drivebay_fails(&["activate", "no-such-driver", &held]);
        site.drivebay(&["activate", "swap", &format!("sha256:{}", &held[..8])]);
        site.serves("3.0.0");
    });
}

#[test]
fn what_was_held_and_is_no_longer_shown_is_forgotten() {
    let site = Site::new(Watcher::Serve);
    let with = describing("2.0.0", &[parameter("share", OPTIONAL)]);
    site.show(&with.component());
    site.serves("2.0.0");
    site.show_version("3.0.0");
    is_held(&site, "share", "2.0.0");
    site.show(&describing("4.0.0", &[parameter("share", OPTIONAL)]).component());
    site.serves("4.0.0");
    assert!(site.status().each("held", "sha256").is_empty());
}
