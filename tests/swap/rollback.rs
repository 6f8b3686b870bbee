//! Back to an earlier version: when somebody says so, and by itself where the new one breaks down.

use std::thread;
use std::time::Duration;

use drivebay_tests::{Answer, options, text};

use crate::backend::{backend, trapping};
use crate::site::{FILE, SHIM, Site, Watcher, for_both};
use crate::status::Status;

/// Breaks down after few calls, so that a test need not make many.
const SOON: &str = "[versions.rollback]\nwithin = \"10m\"\ncalls = 6\nfailures = \"50%\"\n";

#[test]
fn a_rollback_is_at_once_also_while_the_source_still_shows_the_bad_one() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let bad = site.swap_to("2.0.0");
        site.under_calls(2, || {
            site.drivebay(&["rollback", "swap"]);
            assert_eq!(site.version(), "1.0.0");
            thread::sleep(Duration::from_secs(3));
            site.serves("1.0.0");
        });
        let status = site.status();
        assert_eq!(status.each("rejected", "sha256"), [bad], "{status:?}");
        assert_eq!(status.each("rejected", "version"), ["2.0.0"], "{status:?}");
        for told in ["since", "by", "reason"] {
            let told = status.each("rejected", told);
            assert!(!told[0].is_empty(), "{status:?}");
        }
        site.is_whole();
    });
}

#[test]
fn a_rejected_version_stays_rejected_after_a_restart_and_in_other_clothes() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.swap_to("2.0.0");
        site.drivebay(&["rollback", "swap"]);
        site.kill();
        site.start_again();
        let component = backend("2.0.0").component();
        site.source
            .write(&[(FILE, &component), ("README.md", b"another update")]);
        thread::sleep(Duration::from_secs(3));
        site.serves("1.0.0");
    });
}

#[test]
fn a_rejected_version_serves_again_when_its_source_showed_another_meanwhile() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.swap_to("2.0.0");
        site.drivebay(&["rollback", "swap"]);
        site.swap_to("3.0.0");
        assert!(site.status().each("rejected", "sha256").is_empty());
        site.swap_to("2.0.0");
    });
}

#[test]
fn a_rejected_version_serves_again_when_it_is_activated_by_name() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let second = site.swap_to("2.0.0");
        site.drivebay(&["rollback", "swap"]);
        site.drivebay(&["activate", "swap", &second]);
        assert_eq!(site.version(), "2.0.0");
        site.serves("2.0.0");
        assert!(site.status().each("rejected", "sha256").is_empty());
    });
}

#[test]
fn a_rollback_goes_to_the_version_that_is_named_and_to_none_that_is_not_kept() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let first = site.status().active_digest().expect("one").to_owned();
        site.swap_to("2.0.0");
        site.swap_to("3.0.0");
        site.drivebay_fails(&["rollback", "swap", "--to", &"0".repeat(64)]);
        site.keeps("3.0.0");
        site.drivebay(&["rollback", "swap", "--to", &first]);
        assert_eq!(site.version(), "1.0.0");
        site.serves("1.0.0");
    });
}

#[test]
fn without_a_version_to_go_back_to_a_rollback_says_so() {
    let site = Site::new(Watcher::Serve);
    let said = site.drivebay_fails(&["rollback", "swap"]);
    assert!(said.contains("swap"), "{said}");
    site.keeps("1.0.0");
}

/// A call that the new version cannot carry out, and the old one could.
fn mount(site: &Site, number: usize) -> Answer {
    let volume = format!("volume-{number}");
    let target = site.node.pod(&volume);
    let json = options(&volume, &[]);
    let answer = site
        .node
        .call_driver(SHIM, &["mount", text(&target), &json]);
    if answer.status() == "Success" {
        let unmounted = site.node.call_driver(SHIM, &["unmount", text(&target)]);
        unmounted.succeeds();
    }
    answer
}

#[test]
fn a_version_whose_calls_break_down_is_rolled_back_by_itself() {
    for_both(|watcher| {
        let site = Site::granted(watcher, SOON);
        for number in 0..6 {
            mount(&site, number).succeeds();
        }
        site.show(&trapping("2.0.0").component());
        site.serves("2.0.0");
        let failures = (0..40)
            .map(|number| mount(&site, number))
            .take_while(|answer| answer.status() == "Failure")
            .count();
        // Whoever asked which version serves made calls too, and those went well.
        assert!((4..20).contains(&failures), "{failures} failures");
        site.serves("1.0.0");
        mount(&site, 0).succeeds();
        let status = site.status();
        assert_eq!(status.each("rejected", "version"), ["2.0.0"], "{status:?}");
        let (by, reason) = (
            status.each("rejected", "by").remove(0),
            status.each("rejected", "reason").remove(0),
        );
        assert!(!by.is_empty() && reason.contains('6'), "{status:?}");
        // It is still shown, and does not come back.
        thread::sleep(Duration::from_secs(2));
        site.serves("1.0.0");
        site.swap_to("3.0.0");
    });
}

#[test]
fn failures_that_are_nobodys_fault_roll_nothing_back() {
    for_both(|watcher| {
        let site = Site::granted(watcher, SOON);
        site.swap_to("2.0.0");
        // `failed-precondition` is an answer like others.
        for _ in 0..20 {
            site.ask().fails_with("this is version 2.0.0");
        }
        site.serves("2.0.0");
        assert!(site.status().each("rejected", "sha256").is_empty());
    });
}

#[test]
fn fewer_calls_than_the_minimum_and_fewer_failures_than_the_threshold_roll_nothing_back() {
    for_both(|watcher| {
        let site = Site::granted(watcher, SOON);
        site.show(&trapping("2.0.0").component());
        site.serves("2.0.0");
        // The calls that ask for the version are answered well, and there are more of them.
        for number in 0..12 {
            for _ in 0..2 {
                site.ask().fails_with("this is version 2.0.0");
            }
            if number % 4 == 1 {
                mount(&site, number).fails_with("");
            }
        }
        site.serves("2.0.0");
    });
}

#[test]
fn a_version_that_breaks_down_as_the_old_one_did_is_not_rolled_back() {
    for_both(|watcher| {
        let site = Site::granted(watcher, SOON);
        // To ask a volume would be a call that goes well.
        let is_active =
            |version: &'static str| move |status: &Status| status.active_version() == Some(version);
        site.show(&trapping("2.0.0").component());
        site.tells("that the second serves", is_active("2.0.0"));
        // Too few to be rolled back for, and all of them failures.
        for number in 0..4 {
            mount(&site, number).fails_with("");
        }
        site.show(&trapping("3.0.0").component());
        site.tells("that the third serves", is_active("3.0.0"));
        for number in 0..12 {
            mount(&site, number).fails_with("");
        }
        assert!(is_active("3.0.0")(&site.status()));
    });
}

#[test]
fn after_its_first_minutes_a_version_is_not_rolled_back() {
    for_both(|watcher| {
        let within = SOON.replace("10m", "3s");
        let site = Site::granted(watcher, &within);
        site.show(&trapping("2.0.0").component());
        site.serves("2.0.0");
        thread::sleep(Duration::from_secs(4));
        for number in 0..12 {
            mount(&site, number).fails_with("");
        }
        site.serves("2.0.0");
    });
}
