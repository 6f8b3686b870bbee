//! Drivers' files are watched as components are, and the two switch together.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use drivebay_tests::{Node, digest, options, text};

use crate::backend::backend;
use crate::callers::{publish, unpublish};
use crate::site::{Kind, SHIM, Site, Watcher, for_both, grants, prepared};

fn listed(versions: &[&str]) -> String {
    let digests = versions
        .iter()
        .map(|version| digest(&backend(version).component()));
    let digests: Vec<String> = digests.collect();
    format!("[require]\nsha256 = {digests:?}\n")
}

#[test]
fn a_new_require_counts_without_a_restart() {
    for_both(|watcher| {
        let site = Site::granted(watcher, &listed(&["1.0.0"]));
        site.show_version("2.0.0");
        site.refuses("verify", "require.sha256", "1.0.0");
        site.rewrite_grants(&listed(&["1.0.0", "2.0.0"]));
        site.serves("2.0.0");
        // And what no longer is required is no longer asked for.
        site.rewrite_grants("");
        site.swap_to("3.0.0");
    });
}

#[test]
fn a_new_grant_lets_in_what_waited_for_it() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let signer = backend("2.0.0").imports("signing").core(
            r#"(import "drivebay:driver/signing@0.1.0" "sha256" (func $sha256 (param i32 i32 i32)))"#,
        );
        site.show(&signer.component());
        site.refuses("check", "signing", "1.0.0");
        let secret = site.node.path("secret");
        fs::write(&secret, "a secret").expect("writable");
        let id = site.node.path("id");
        fs::write(&id, "an id").expect("writable");
        site.rewrite_grants(&format!(
            "[grants.signing.key]\nsource = \"file\"\nid-file = \"{}\"\nsecret-file = \"{}\"\n",
            text(&id),
            text(&secret)
        ));
        site.serves("2.0.0");
    });
}

/// What a pod sees of its volume.
#[track_caller]
fn holds(site: &Site, name: &str) -> bool {
    let target = site.node.pod("look");
    let json = options("look", &[]);
    let mounted = site
        .node
        .call_driver(SHIM, &["mount", text(&target), &json]);
    mounted.succeeds();
    let holds = target.join(name).exists();
    let unmounted = site.node.call_driver(SHIM, &["unmount", text(&target)]);
    unmounted.succeeds();
    holds
}

/// Another directory in place of the pool that is granted.
fn moved(node: &Node) -> String {
    let other = node.path("other-pool");
    fs::create_dir_all(&other).expect("writable");
    fs::write(other.join("moved"), "").expect("writable");
    grants(node, "").replace(text(&node.path("pool")), text(&other))
}

#[test]
fn another_directory_that_is_granted_is_the_one_that_the_next_call_gets() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        assert!(!holds(&site, "moved"));
        site.under_calls(2, || {
            let beside = site.node.path("etc/new.toml");
            fs::write(&beside, moved(&site.node)).expect("writable");
            fs::rename(beside, site.node.path("etc/drivers.d/swap.toml")).expect("writable");
            drivebay_tests::eventually("the other directory", || holds(&site, "moved"));
        });
        assert_eq!(site.status().active_version(), Some("1.0.0"));
    });
}

#[test]
fn the_file_of_a_component_that_was_installed_by_hand_is_followed_by_serve_too() {
    let (node, source) = prepared("");
    let component = node.path("swap.wasm");
    fs::write(&component, backend("1.0.0").component()).expect("writable");
    node.install(&[&component]);
    let site = Site::watched(Watcher::Serve, Kind::Mounted, node, source, &[]);
    site.serves("1.0.0");
    let csi = site.csi().expect("serve watches");
    let holds = |name: &str| {
        let target = publish(csi, &site.node, "by-csi").expect("mounted");
        let holds = target.join(name).exists();
        unpublish(csi, &target, "by-csi").expect("unmounted");
        holds
    };
    assert!(!holds("moved"));
    let file = site.node.path("etc/drivers.d/swap.toml");
    fs::write(file, moved(&site.node)).expect("writable");
    drivebay_tests::eventually("the other directory", || holds("moved"));
    assert_eq!(site.status().active_version(), Some("1.0.0"));
}

#[test]
fn a_drivers_file_that_the_active_version_does_not_fit_leaves_the_old_pair_serving() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let good = grants(&site.node, "");
        let file = site.node.path("etc/drivers.d/swap.toml");
        for (bad, words) in [
            (
                good.replace("[grants.files]\naccess = \"read-write\"\n", ""),
                "[grants.files]",
            ),
            (good.replace("read-write", "write"), "grants.files.access"),
            (format!("{good}\n\"half"), "TOML"),
            (good.replace("\"swap\"", "7"), "component"),
        ] {
            assert_ne!(bad, good);
            site.under_calls(2, || {
                fs::write(&file, &bad).expect("writable");
                site.tells(words, |status| {
                    status.get("refused").to_string().contains(words)
                });
                site.keeps("1.0.0");
            });
            fs::write(&file, &good).expect("writable");
            site.tells("nothing refused", |status| {
                status.each("refused", "step").is_empty()
            });
        }
        site.swap_to("2.0.0");
    });
}

#[test]
fn a_component_and_the_file_that_it_needs_switch_together_in_either_order() {
    for_both(|watcher| {
        let site = Site::granted(watcher, &listed(&["1.0.0"]));
        // The file first: the version that serves is not in it, and goes on serving.
        site.under_calls(2, || {
            site.rewrite_grants(&listed(&["2.0.0"]));
            thread::sleep(Duration::from_secs(2));
            site.keeps("1.0.0");
            site.show_version("2.0.0");
            site.serves("2.0.0");
            // The component first: it waits for its file.
            site.show_version("3.0.0");
            site.refuses("verify", "require.sha256", "2.0.0");
            site.rewrite_grants(&listed(&["3.0.0"]));
            site.serves("3.0.0");
        });
    });
}

#[test]
fn some_time_after_the_last_watcher_the_file_counts_as_it_is() {
    let site = Site::new(Watcher::Install);
    site.kill();
    fs::write(site.node.path("etc/drivers.d/swap.toml"), moved(&site.node)).expect("writable");
    // Whoever replaces the watcher comes within that time.
    assert!(!holds(&site, "moved"));
    let lock = site.node.path("run/watch.lock");
    let lock = fs::File::options().write(true).open(lock).expect("there");
    let long_ago = SystemTime::now() - Duration::from_secs(600);
    lock.set_modified(long_ago).expect("ours");
    assert!(holds(&site, "moved"));
    assert_eq!(site.version(), "1.0.0");
}

#[test]
fn a_drivers_file_that_is_removed_is_a_driver_that_is_gone_until_it_is_back() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let file = site.node.path("etc/drivers.d/swap.toml");
        let away = site.node.path("etc/away.toml");
        fs::rename(&file, &away).expect("ours");
        site.ask().fails_with("drivebay/swap");
        // Who serves goes on: what was removed may be about to be written anew.
        if site.csi().is_some() {
            assert_eq!(site.csi_version().as_deref(), Some("1.0.0"));
        }
        fs::rename(&away, &file).expect("ours");
        site.swap_to("2.0.0");
    });
}
