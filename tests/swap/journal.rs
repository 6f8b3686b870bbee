//! A volume is released by the version that made it, after any number of swaps and rollbacks.

use std::fs;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Csi, NODE_ID, csi_proto as proto, mounted, options, text};

use crate::backend::detaches;
use crate::site::{Kind, SHIM, Site, Watcher, for_both};
use crate::whole::kept;

#[track_caller]
fn attach(site: &Site, volume: &str) {
    let json = options(volume, &[]);
    site.node
        .call_driver(SHIM, &["attach", &json, NODE_ID])
        .succeeds();
    let staging = site.node.pod(&format!("staging-{volume}"));
    site.node
        .call_driver(SHIM, &["mountdevice", text(&staging), "", &json])
        .succeeds();
}

/// Unmounts and detaches it; that version has to be the one that did.
#[track_caller]
fn is_released_by(site: &Site, volume: &str, version: &str) {
    let before = site.node.log().len();
    let staging = site.node.pod(&format!("staging-{volume}"));
    site.node
        .call_driver(SHIM, &["unmountdevice", text(&staging)])
        .succeeds();
    site.node
        .call_driver(SHIM, &["detach", volume, NODE_ID])
        .succeeds();
    let log = site.node.log();
    let said = &log[before..];
    assert!(said.contains(&detaches(version)), "{said}");
}

#[test]
fn a_volume_is_released_by_the_version_that_attached_it_after_swaps_and_rollbacks() {
    for_both(|watcher| {
        let site = Site::of(watcher, Kind::Attached, "");
        attach(&site, "of-1");
        site.swap_to("2.0.0");
        attach(&site, "of-2");
        site.drivebay(&["rollback", "swap"]);
        attach(&site, "of-1-again");
        site.swap_to("3.0.0");
        attach(&site, "of-3");
        site.swap_to("4.0.0");
        for (volume, version) in [
            ("of-1-again", "1.0.0"),
            ("of-3", "3.0.0"),
            ("of-1", "1.0.0"),
            ("of-2", "2.0.0"),
        ] {
            is_released_by(&site, volume, version);
        }
        site.node.is_clean();
    });
}

#[test]
fn a_volume_of_a_version_that_is_long_gone_from_the_source_keeps_it() {
    for_both(|watcher| {
        let site = Site::of(watcher, Kind::Attached, "");
        let first = site.status().active_digest().expect("one").to_owned();
        attach(&site, "of-1");
        for number in 2..8 {
            site.swap_to(&format!("{number}.0.0"));
        }
        assert!(kept(&site.node).contains(&first), "its version is gone");
        is_released_by(&site, "of-1", "1.0.0");
        site.node.is_clean();
    });
}

/// As after an upgrade of the host, which trusts no code that an earlier one compiled.
#[test]
fn code_of_an_old_version_is_made_again_from_what_is_kept() {
    for_both(|watcher| {
        let site = Site::of(watcher, Kind::Attached, "");
        attach(&site, "of-1");
        site.swap_to("2.0.0");
        let compiled = site.node.path("state/compiled");
        for entry in fs::read_dir(&compiled).expect("there").flatten() {
            fs::remove_file(entry.path()).expect("ours");
        }
        is_released_by(&site, "of-1", "1.0.0");
        site.serves("2.0.0");
        site.node.is_clean();
    });
}

#[test]
fn what_csis_callers_attached_is_detached_by_the_same_version() {
    let site = Site::of(Watcher::Serve, Kind::Attached, "");
    let csi = site.csi().expect("it is serve");
    published(csi, "of-1");
    site.swap_to("2.0.0");
    published(csi, "of-2");
    site.drivebay(&["rollback", "swap"]);
    for (volume, version) in [("of-2", "2.0.0"), ("of-1", "1.0.0")] {
        let before = csi.log().len();
        let request = proto::ControllerUnpublishVolumeRequest {
            volume_id: volume.to_owned(),
            node_id: NODE_ID.to_owned(),
            ..proto::ControllerUnpublishVolumeRequest::default()
        };
        csi.controller_unpublish_volume(request).expect("detached");
        let log = csi.log();
        assert!(log[before..].contains(&detaches(version)), "{log}");
    }
}

#[track_caller]
fn published(csi: &Csi, volume: &str) {
    let request = proto::ControllerPublishVolumeRequest {
        volume_id: volume.to_owned(),
        node_id: NODE_ID.to_owned(),
        volume_capability: Some(mounted(Mode::SingleNodeWriter)),
        ..proto::ControllerPublishVolumeRequest::default()
    };
    csi.controller_publish_volume(request).expect("attached");
}
