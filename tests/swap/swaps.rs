//! What a ConfigMap shows serves soon, with no failed call, and `status` says what and since when.

use drivebay_tests::{csi_proto as proto, digest, text};

use crate::backend::backend;
use crate::site::{FILE, Kind, Site, Watcher, for_both, prepared};
use crate::status::Status;

#[test]
fn a_new_version_serves_and_no_call_fails_meanwhile() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.under_calls(4, || {
            site.swap_to("2.0.0");
        });
        site.is_whole();
    });
}

#[test]
fn status_tells_digest_version_since_when_and_from_which_source() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let first = digest(&backend("1.0.0").component());
        assert_eq!(site.status().active_digest(), Some(first.as_str()));
        let second = site.swap_to("2.0.0");
        let status = site.status();
        assert!(status.is_ready(), "{status:?}");
        let active = status.get("active");
        assert_eq!(active["sha256"], second.as_str(), "{status:?}");
        let source = active["source"].as_str().unwrap_or_default();
        let directory = text(site.source.directory());
        assert!(source.contains(directory), "{status:?}");
        let since = active["since"].as_str().unwrap_or_default();
        assert!(is_rfc_3339(since), "{status:?}");
        assert_eq!(status.each("previous", "sha256"), [first], "{status:?}");
        for nothing in ["held", "rejected", "refused"] {
            assert!(status.each(nothing, "source").is_empty(), "{status:?}");
        }
        assert!(status.get("pending").is_null(), "{status:?}");
    });
}

fn is_rfc_3339(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape.starts_with("0000-00-00T00:00:00") && (text.ends_with('Z') || text.contains('+'))
}

#[test]
fn status_tells_what_a_process_has_really_loaded() {
    let site = Site::new(Watcher::Serve);
    site.swap_to("2.0.0");
    site.under_calls(2, || {
        site.tells("that 2.0.0 is loaded", |status| {
            status.loaded().iter().flatten().any(|one| one == "2.0.0")
        });
    });
}

#[test]
fn without_any_component_the_driver_is_not_ready_and_says_why_until_one_is_shown() {
    for_both(|watcher| {
        let (node, source) = prepared("");
        let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
        let status = site.tells("why it is not ready", |status| {
            !status.is_ready()
                && status
                    .get("reason")
                    .as_str()
                    .is_some_and(|why| why.len() > 10)
        });
        assert!(status.get("active").is_null(), "{status:?}");
        site.ask().fails_with("swap");
        if let Some(csi) = site.csi() {
            let ready = csi.probe(proto::ProbeRequest {}).map(|answer| answer.ready);
            assert!(
                ready.clone().is_err() || ready.is_ok_and(|ready| ready == Some(false)),
                "it is ready"
            );
        }
        site.show_version("1.0.0");
        site.serves("1.0.0");
        assert!(site.status().is_ready());
    });
}

#[test]
fn with_an_empty_source_the_component_of_the_image_serves_until_another_is_shown() {
    for_both(|watcher| {
        let (node, source) = prepared("");
        let file = backend("0.9.0").write(node.path(FILE));
        node.install(&[&file]);
        let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
        site.serves("0.9.0");
        site.swap_to("1.0.0");
    });
}

#[test]
fn install_without_watch_takes_what_the_source_shows_once() {
    let (node, source) = prepared("");
    source.write(&[(FILE, &backend("1.0.0").component())]);
    let arguments = ["install", "--components-from", text(source.directory())];
    let output = node.drivebay(&arguments).output().expect("drivebay runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(Status::of(&node).active_version(), Some("1.0.0"));
}

#[test]
fn a_file_given_to_install_goes_through_the_same_steps() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let file = backend("3.0.0").write(site.node.path(FILE));
        site.drivebay(&["install", text(&file)]);
        assert_eq!(site.status().active_version(), Some("3.0.0"));
        assert_eq!(site.version(), "3.0.0");
    });
}

/// kubelet's probe for drivers runs, and can crash kubelet, at each event in the plugin directory.
#[test]
fn a_swap_leaves_kubelets_plugin_directory_alone() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let names = || {
            let listed = drivebay_tests::Node::run(
                "find",
                &[text(&site.node.path("plugins")), "-printf", "%p %i %C@\n"],
            );
            String::from_utf8_lossy(&listed.stdout).into_owned()
        };
        let before = names();
        site.swap_to("2.0.0");
        site.drivebay(&["rollback", "swap"]);
        assert_eq!(site.version(), "1.0.0");
        assert_eq!(names(), before);
    });
}
