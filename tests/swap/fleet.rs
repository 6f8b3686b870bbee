//! What a fleet says once, in the driver's file: which versions serve, which never, which wait, and how nodes spread.

use std::time::Duration;

use drivebay_tests::{digest, text};

use crate::backend::backend;
use crate::site::{FILE, Kind, Site, Watcher, for_both, grants, prepared};

fn digest_of(version: &str) -> String {
    digest(&backend(version).component())
}

/// Long enough for a watcher to do what it must not.
fn let_pass() {
    std::thread::sleep(Duration::from_secs(2));
}

#[test]
fn a_version_that_the_drivers_file_rejects_is_never_activated_by_itself() {
    for_both(|watcher| {
        let second = digest_of("2.0.0");
        let site = Site::granted(watcher, &format!("[versions]\nrejected = [\"{second}\"]\n"));
        site.show_version("2.0.0");
        let status = site.tells("what is rejected", |status| {
            status.each("rejected", "sha256").contains(&second)
        });
        let by = status.each("rejected", "by").join(" ");
        assert!(by.contains("driver-file"), "{status:?}");
        let_pass();
        site.keeps("1.0.0");
        site.rewrite_grants("");
        site.serves("2.0.0");
    });
}

#[test]
fn a_version_that_the_drivers_file_rejects_makes_way_for_the_one_before() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let second = site.swap_to("2.0.0");
        site.rewrite_grants(&format!("[versions]\nrejected = [\"sha256:{second}\"]\n"));
        site.serves("1.0.0");
    });
}

#[test]
fn a_version_that_the_drivers_file_holds_waits_until_it_is_activated() {
    for_both(|watcher| {
        let second = digest_of("2.0.0");
        let site = Site::granted(watcher, &format!("[versions]\nheld = [\"{second}\"]\n"));
        site.show_version("2.0.0");
        site.tells("what is held", |status| {
            status.each("held", "sha256").contains(&second)
        });
        let_pass();
        site.keeps("1.0.0");
        site.drivebay(&["activate", "swap", &second]);
        site.serves("2.0.0");
    });
}

#[test]
fn a_new_node_takes_the_version_that_the_drivers_file_names_and_no_other() {
    for_both(|watcher| {
        let (first, second) = (digest_of("1.0.0"), digest_of("2.0.0"));
        let site = Site::granted(watcher, &format!("[versions]\nactive = \"{first}\"\n"));
        site.show_version("2.0.0");
        let_pass();
        site.keeps("1.0.0");
        site.rewrite_grants(&format!("[versions]\nactive = \"{second}\"\n"));
        site.serves("2.0.0");
        // It is kept, so no source has to show it.
        site.rewrite_grants(&format!("[versions]\nactive = \"{first}\"\n"));
        site.serves("1.0.0");
    });
}

#[test]
fn what_is_no_digest_in_the_drivers_file_is_an_error_that_names_the_key() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        for (more, key) in [
            ("[versions]\nrejected = [\"1.0.0\"]\n", "versions.rejected"),
            ("[versions]\nheld = [7]\n", "versions.held"),
            ("[versions]\nactive = [\"x\"]\n", "versions.active"),
            (
                "[versions]\nactivate-within = \"soon\"\n",
                "versions.activate-within",
            ),
            (
                "[versions.rollback]\nfailures = \"150%\"\n",
                "versions.rollback.failures",
            ),
            ("[versions]\nrejectet = []\n", "versions.rejectet"),
        ] {
            site.rewrite_grants(more);
            let check = site.drivebay_fails(&["check"]);
            assert!(check.contains(key), "{check}");
            // What serves was checked with another file, which still counts.
            site.keeps("1.0.0");
            site.tells(key, |status| {
                status.get("refused").to_string().contains(key)
            });
        }
        site.rewrite_grants("");
        site.swap_to("2.0.0");
    });
}

/// A node of that name whose driver's file spreads activations over an hour.
#[track_caller]
fn spread(name: &str) -> Site {
    let (node, source) = prepared("");
    source.write(&[(FILE, &backend("1.0.0").component())]);
    let site = Site::watched(
        Watcher::Serve,
        Kind::Mounted,
        node,
        source,
        &["--node-id", name],
    );
    site.serves("1.0.0");
    let file = site.node.path("etc/drivers.d/swap.toml");
    let window = "[versions]\nactivate-within = \"1h\"\n";
    std::fs::write(file, grants(&site.node, window)).expect("writable");
    site
}

/// When a node is going to activate what its source shows now.
#[track_caller]
fn moment(site: &Site) -> String {
    let status = site.tells("when it is going to be activated", |status| {
        status.get("pending")["not-before"].is_string()
    });
    let pending = status.get("pending");
    let since = pending["since"].as_str().expect("since when");
    let moment = pending["not-before"].as_str().expect("a moment");
    assert!(since <= moment, "{status:?}");
    moment.to_owned()
}

#[test]
fn nodes_of_different_names_choose_different_moments_and_one_node_the_same_again() {
    let (one, other) = (spread("node-one"), spread("node-two"));
    for site in [&one, &other] {
        site.show_version("2.0.0");
    }
    let (of_one, of_other) = (moment(&one), moment(&other));
    assert_ne!(of_one, of_other);
    for site in [&one, &other] {
        site.keeps("1.0.0");
    }
    one.kill();
    one.start_again();
    assert_eq!(moment(&one), of_one, "a restart chose anew");
}

#[test]
fn activate_overrides_the_window() {
    let site = spread("node-one");
    let second = site.show_version("2.0.0");
    moment(&site);
    // The window is an hour.
    site.drivebay(&["activate", "swap", &second]);
    site.serves("2.0.0");
    assert!(site.status().get("pending").is_null());
}

#[test]
fn a_version_that_waits_and_is_no_longer_shown_is_not_activated() {
    let site = spread("node-one");
    site.show_version("2.0.0");
    moment(&site);
    site.show_version("1.0.0");
    site.tells("that nothing waits", |status| {
        status.get("pending").is_null()
    });
    site.keeps("1.0.0");
}

#[test]
fn within_a_short_window_it_is_activated_by_itself() {
    for_both(|watcher| {
        let site = Site::granted(watcher, "[versions]\nactivate-within = \"2s\"\n");
        site.swap_to("2.0.0");
    });
}

#[test]
fn a_node_without_a_version_does_not_wait_for_its_moment() {
    for_both(|watcher| {
        let (node, source) = prepared("[versions]\nactivate-within = \"1h\"\n");
        source.write(&[(FILE, &backend("1.0.0").component())]);
        assert!(text(source.directory()).ends_with("source"));
        let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
        site.serves("1.0.0");
    });
}
