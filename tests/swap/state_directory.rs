//! A state directory that cannot be written, or is full, or tells of another time: what serves goes on serving, and what
//! was begun is finished when there is room.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use drivebay_tests::{ConfigMap, Node, csi_proto as proto};
use nix::mount::{MsFlags, mount, umount};

use crate::backend::backend;
use crate::site::{FILE, Kind, SHIM, Site, for_both, prepared, read_json, set_time};
use crate::status::Status;

const NONE: Option<&str> = None;
const PAGE: u64 = 4096;

fn read_only(directory: &Path) {
    mount(Some(directory), directory, NONE, MsFlags::MS_BIND, NONE).expect("root");
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(NONE, directory, NONE, flags, NONE).expect("root");
}

/// The shim and CSI answer what needs no volume, which would need the journal.
#[track_caller]
fn still_answers(site: &Site, version: &str) {
    site.node.call_driver(SHIM, &["init"]).succeeds();
    if let Some(csi) = site.csi() {
        let info = csi.get_plugin_info(proto::GetPluginInfoRequest {});
        let info = info.expect("it answers");
        assert_eq!(info.manifest["component-version"], version);
    }
    assert_eq!(site.status().active_version(), Some(version));
}

/// Whatever cannot be written, `status` says why nothing changes.
#[track_caller]
fn is_told(site: &Site, words: &str) {
    site.tells(words, |status| {
        status.get("refused").to_string().contains(words)
    });
}

#[test]
fn a_read_only_state_directory_leaves_the_old_version_serving_until_it_can_be_written() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let state = site.node.path("state");
        read_only(&state);
        site.show_version("2.0.0");
        is_told(&site, "Read-only file system");
        still_answers(&site, "1.0.0");
        umount(&state).expect("mounted");
        site.serves("2.0.0");
        site.is_whole();
    });
}

/// The state directory on a small filesystem of its own, and the journal on another, so that calls go on.
fn on_a_small_disk() -> (Node, ConfigMap) {
    let (node, source) = prepared("");
    let (state, kept) = (node.path("state"), node.path("kept"));
    fs::rename(&state, &kept).expect("ours");
    fs::create_dir(&state).expect("writable");
    let tmpfs = |on: &Path, size: &str| {
        mount(
            Some("state"),
            on,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(size),
        )
        .expect("root");
    };
    // The host's own program is the largest part of it.
    let program = fs::metadata(kept.join("bin/drivebay")).expect("installed");
    let size = (program.len() >> 20) + 32;
    tmpfs(&state, &format!("size={size}m"));
    let copied = Node::run(
        "cp",
        &[
            "-a",
            &format!("{}/.", kept.display()),
            &state.to_string_lossy(),
        ],
    );
    assert!(copied.status.success(), "{copied:?}");
    fs::remove_dir_all(kept).expect("ours");
    fs::create_dir_all(state.join("journal")).expect("writable");
    tmpfs(&state.join("journal"), "size=1m");
    (node, source)
}

/// Leaves room for so many pages and no more.
fn fill(site: &Site, pages: u64) {
    let name = site.node.path("state/filler");
    let mut filler = File::create(&name).expect("writable");
    let block = vec![0; 1 << 16];
    while filler.write_all(&block).is_ok() {}
    while filler.write_all(&block[..512]).is_ok() {}
    let size = filler.metadata().expect("ours").len();
    filler
        .set_len((size / PAGE).saturating_sub(pages) * PAGE)
        .expect("ours");
}

#[test]
fn a_full_disk_at_any_step_leaves_the_old_version_serving_and_nothing_half_done() {
    for_both(|watcher| {
        let (node, source) = on_a_small_disk();
        source.write(&[(FILE, &backend("1.0.0").component())]);
        let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
        site.serves("1.0.0");
        let mut serving = "1.0.0".to_owned();
        // From no room for a record up to enough for all: whatever does not fit, each time it is something else.
        for pages in [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96] {
            fill(&site, pages);
            let version = format!("2.{pages}.0");
            let shown = site.show_version(&version);
            let status = site.tells("whether there was room", |status| {
                status.active_digest() == Some(shown.as_str())
                    || status.get("refused").to_string().contains("No space")
            });
            let now = status.active_version().unwrap_or_default();
            assert!(now == serving || now == version, "{pages} pages: {now:?}");
            still_answers(&site, now);
            site.is_whole();
            fs::remove_file(site.node.path("state/filler")).expect("ours");
            // What was lacking is there: nobody has to touch the source.
            site.serves(&version);
            site.is_whole();
            serving = version;
        }
    });
}

/// Seconds since 1970: 2001, and 2100.
const PAST: u64 = 1_000_000_000;
const FUTURE: u64 = 4_102_444_800;

#[test]
fn the_time_of_a_file_says_nothing_about_whether_it_changed() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        for (version, time) in [
            ("2.0.0", PAST),
            ("3.0.0", PAST),
            ("4.0.0", FUTURE),
            ("5.0.0", PAST),
        ] {
            let file = site.source.directory().join("..data").join(FILE);
            set_time(&file, time);
            set_time(&site.record(), time);
            site.swap_to(version);
        }
    });
}

/// As after a clock that was ahead was set right.
#[test]
fn a_record_of_the_future_does_no_harm() {
    for_both(|watcher| {
        let site = Site::granted(watcher, "[versions]\nactivate-within = \"2s\"\n");
        site.swap_to("2.0.0");
        site.kill();
        let mut record = read_json(&site.record());
        record["active"]["since"] = FUTURE.into();
        let previous = record["previous"].as_array_mut().expect("a list");
        for version in previous {
            version["since"] = FUTURE.into();
        }
        fs::write(site.record(), record.to_string()).expect("ours");
        set_time(&site.record(), FUTURE);
        site.start_again();
        site.serves("2.0.0");
        site.swap_to("3.0.0");
        site.drivebay(&["rollback", "swap"]);
        assert_eq!(site.version(), "2.0.0");
    });
}

#[test]
fn a_moment_that_was_chosen_by_a_clock_that_was_ahead_is_not_waited_for() {
    for_both(|watcher| {
        let site = Site::granted(watcher, "[versions]\nactivate-within = \"20s\"\n");
        site.show_version("2.0.0");
        site.tells("what waits", |status| !status.get("pending").is_null());
        site.kill();
        let mut progress = read_json(&site.progress());
        let pending = progress["pending"].as_object_mut().expect("it waits");
        for time in ["since", "not-before"] {
            pending.insert(time.to_owned(), FUTURE.into());
        }
        fs::write(site.progress(), progress.to_string()).expect("ours");
        site.start_again();
        site.serves("2.0.0");
    });
}

#[test]
fn a_record_that_is_damaged_is_named() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.kill();
        let sound = fs::read(site.record()).expect("there");
        for damage in [&b""[..], b"{", b"\xff", b"[]"] {
            fs::write(site.record(), damage).expect("ours");
            let output = site
                .node
                .drivebay(&["status", "--json"])
                .output()
                .expect("drivebay runs");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains("swap.json"), "{said}");
        }
        fs::write(site.record(), sound).expect("ours");
        site.start_again();
        site.swap_to("2.0.0");
    });
}

#[test]
fn a_record_of_a_later_host_is_left_alone_and_named() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.kill();
        let mut record = read_json(&site.record());
        record["format"] = 99.into();
        let later = record.to_string();
        fs::write(site.record(), &later).expect("ours");
        site.source.write(&[(FILE, &backend("2.0.0").component())]);
        let arguments = [
            "install",
            "--components-from",
            drivebay_tests::text(site.source.directory()),
        ];
        let said = site.drivebay_fails(&arguments);
        assert!(said.contains("99"), "{said}");
        let found = fs::read_to_string(site.record()).expect("there");
        assert_eq!(found, later, "it was touched");
    });
}

#[test]
fn status_of_a_node_that_never_had_a_component_names_the_driver() {
    let (node, _source) = prepared("");
    let status = Status::of(&node);
    assert!(!status.is_ready(), "{status:?}");
    assert!(status.get("reason").is_string(), "{status:?}");
}
