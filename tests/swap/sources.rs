//! Where components come from: mounted ConfigMaps and directories, which change while they are read, vanish and come
//! back, and contradict each other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use drivebay_tests::{ConfigMap, Node, digest, text};

use crate::backend::backend;
use crate::site::{FILE, Kind, Site, Watcher, for_both, prepared, read_json};

/// A plain directory as the source, as a hostPath or an image volume is; version 1.0.0 serves.
#[track_caller]
fn plain(watcher: Watcher) -> (Site, PathBuf) {
    let (node, source) = prepared("");
    let directory = source.directory().to_owned();
    backend("1.0.0").write(directory.join(FILE));
    let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
    site.serves("1.0.0");
    (site, directory)
}

/// Written beside and renamed, as installers do.
fn put(node: &Node, content: &[u8], to: &Path) {
    let beside = node.path("beside");
    fs::write(&beside, content).expect("writable");
    fs::rename(beside, to).expect("writable");
}

#[test]
fn a_plain_directory_is_a_source_too() {
    for_both(|watcher| {
        let (site, directory) = plain(watcher);
        let second = backend("2.0.0").component();
        put(&site.node, &second, &directory.join(FILE));
        site.serves("2.0.0");
    });
}

#[test]
fn a_file_that_is_being_written_serves_when_it_is_whole_and_not_before() {
    for_both(|watcher| {
        let (site, directory) = plain(watcher);
        let second = backend("2.0.0").component();
        let half = second.len() / 2;
        site.under_calls(2, || {
            fs::write(directory.join(FILE), &second[..half]).expect("writable");
            thread::sleep(Duration::from_secs(2));
            site.keeps("1.0.0");
            site.is_whole();
            fs::write(directory.join(FILE), &second).expect("writable");
            site.serves("2.0.0");
        });
        let refused = site.status().each("refused", "step");
        assert!(refused.is_empty(), "{refused:?}");
    });
}

#[test]
fn a_source_that_vanishes_leaves_its_version_serving_and_is_followed_when_it_is_back() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let away = site.node.path("away");
        for (number, version) in ["2.0.0", "3.0.0"].into_iter().enumerate() {
            let before = if number == 0 { "1.0.0" } else { "2.0.0" };
            fs::rename(site.source.directory(), &away).expect("ours");
            thread::sleep(Duration::from_secs(1));
            site.keeps(before);
            fs::rename(&away, site.source.directory()).expect("ours");
            site.swap_to(version);
        }
        fs::remove_dir_all(site.source.directory()).expect("ours");
        thread::sleep(Duration::from_secs(1));
        site.keeps("3.0.0");
        fs::create_dir(site.source.directory()).expect("ours");
        site.swap_to("4.0.0");
        site.is_whole();
    });
}

#[test]
fn a_source_that_is_not_there_yet_is_waited_for() {
    for_both(|watcher| {
        let (node, source) = prepared("");
        fs::remove_dir_all(source.directory()).expect("ours");
        let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
        thread::sleep(Duration::from_secs(1));
        fs::create_dir(site.source.directory()).expect("ours");
        site.swap_to("1.0.0");
    });
}

#[test]
fn a_config_map_that_no_longer_has_the_component_leaves_it_serving() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        site.source.write(&[("README.md", b"nothing here")]);
        thread::sleep(Duration::from_secs(2));
        site.keeps("1.0.0");
        site.swap_to("2.0.0");
    });
}

/// Each payload has a file beside the component that says which it is of, as a signature does.
#[test]
fn two_swaps_of_a_config_map_within_one_read_never_mix() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let components: Vec<Vec<u8>> = (0..8)
            .map(|number| backend(&format!("2.{number}.0")).component())
            .collect();
        let is_known = |digest: &str| {
            components
                .iter()
                .any(|component| drivebay_tests::digest(component) == digest)
        };
        for round in 0..40 {
            let (one, other) = (&components[round % 8], &components[(round + 1) % 8]);
            let payloads = [[(FILE, &one[..])], [(FILE, &other[..])]];
            site.source.write_each(&[&payloads[0], &payloads[1]]);
            let status = site.status();
            assert!(status.each("refused", "step").is_empty(), "{status:?}");
        }
        let last = digest(&components[0]);
        site.tells("the last of them", |status| {
            status.active_digest() == Some(last.as_str())
        });
        let previous = site.status().each("previous", "sha256");
        let first = digest(&backend("1.0.0").component());
        let unknown: Vec<_> = previous
            .iter()
            .filter(|digest| !is_known(digest) && **digest != first)
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    });
}

#[test]
fn a_thousand_updates_end_with_the_last_one_and_are_not_each_activated() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let two = [backend("2.0.0").component(), backend("3.0.0").component()];
        let last = backend("4.0.0").component();
        let payloads: Vec<[(&str, &[u8]); 1]> = (0..999)
            .map(|number| [(FILE, &two[number % 2][..])])
            .chain([[(FILE, &last[..])]])
            .collect();
        let payloads: Vec<_> = payloads.iter().map(|payload| &payload[..]).collect();
        let (is_over, mut activations) = (AtomicBool::new(false), 0);
        thread::scope(|scope| {
            let count = scope.spawn(|| activations_until(&site, &is_over));
            site.under_calls(2, || {
                site.source.write_each(&payloads);
                site.serves("4.0.0");
            });
            is_over.store(true, Ordering::Relaxed);
            activations = count.join().expect("it counts");
        });
        assert!(activations <= 100, "{activations} activations");
        site.is_whole();
        site.swap_to("5.0.0");
    });
}

/// How often the record named another version.
fn activations_until(site: &Site, is_over: &AtomicBool) -> usize {
    let (mut last, mut changes) = (String::new(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let active = read_json(&site.record())["active"]["sha256"].to_string();
        if active != last {
            changes += 1;
            last = active;
        }
        thread::sleep(Duration::from_micros(500));
    }
    changes
}

#[test]
fn two_sources_with_one_name_are_refused_and_both_are_named_until_one_goes() {
    for_both(|watcher| {
        let (node, source) = prepared("");
        let other = ConfigMap::at(&node, "other-source");
        source.write(&[(FILE, &backend("1.0.0").component())]);
        let arguments = ["--components-from", text(other.directory())];
        let site = Site::watched(watcher, Kind::Mounted, node, source, &arguments);
        site.serves("1.0.0");
        other.write(&[(FILE, &backend("2.0.0").component())]);
        for directory in [site.source.directory(), other.directory()] {
            site.refuses("read", text(directory), "1.0.0");
        }
        // One of them changes, and still nobody can tell which is meant.
        site.show_version("3.0.0");
        thread::sleep(Duration::from_secs(2));
        site.keeps("1.0.0");
        other.write(&[("other.wasm", b"another name")]);
        site.serves("3.0.0");
        assert!(site.status().each("refused", "step").is_empty());
    });
}

#[test]
fn two_spellings_of_one_name_are_refused_and_both_are_named() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let component = backend("2.0.0").component();
        let file = backend("2.0.0").write(site.node.path(FILE));
        let compressed = Node::run("zstd", &["-q", "-c", text(&file)]).stdout;
        let files = [(FILE, &component[..]), ("swap.wasm.zst", &compressed)];
        site.source.write(&files);
        site.refuses("read", "swap.wasm.zst", "1.0.0");
        site.source.write(&files[..1]);
        site.serves("2.0.0");
    });
}

#[test]
fn links_that_lead_out_of_the_source_are_refused() {
    for_both(|watcher| {
        let (site, directory) = plain(watcher);
        let outside = backend("2.0.0").write(site.node.path("outside.wasm"));
        let file = directory.join(FILE);
        for target in [outside.clone(), PathBuf::from("../outside.wasm")] {
            fs::remove_file(&file).expect("there");
            symlink(target, &file).expect("writable");
            site.refuses("read", FILE, "1.0.0");
            fs::remove_file(&file).expect("there");
            put(&site.node, &backend("1.0.0").component(), &file);
            site.tells("nothing refused", |status| {
                status.each("refused", "step").is_empty()
            });
        }
        // A link to itself, to a device and to a directory ends in the same way, and none hangs.
        for target in [
            file.clone(),
            PathBuf::from("/dev/zero"),
            site.node.path("pods"),
        ] {
            fs::remove_file(&file).expect("there");
            symlink(target, &file).expect("writable");
            site.refuses("read", FILE, "1.0.0");
        }
        fs::remove_file(&file).expect("there");
        put(&site.node, &backend("3.0.0").component(), &file);
        site.serves("3.0.0");
    });
}

#[test]
fn a_config_map_whose_data_leads_elsewhere_is_refused() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let elsewhere = site.node.path("elsewhere");
        fs::create_dir(&elsewhere).expect("writable");
        backend("2.0.0").write(elsewhere.join(FILE));
        let data = site.source.directory().join("..data");
        let before = fs::read_link(&data).expect("a link");
        let replace = |target: &Path| {
            let beside = site.source.directory().join("..data_tmp");
            symlink(target, &beside).expect("writable");
            fs::rename(beside, &data).expect("writable");
        };
        replace(&elsewhere);
        site.tells("a refusal", |status| {
            status.each("refused", "step").contains(&"read".to_owned())
        });
        site.keeps("1.0.0");
        replace(&before);
        site.tells("nothing refused", |status| {
            status.each("refused", "step").is_empty()
        });
        site.swap_to("3.0.0");
    });
}

#[test]
fn a_fifo_in_the_place_of_a_component_hangs_nobody() {
    for_both(|watcher| {
        let (site, directory) = plain(watcher);
        let file = directory.join(FILE);
        fs::remove_file(&file).expect("there");
        assert!(Node::run("mkfifo", &[text(&file)]).status.success());
        site.refuses("read", FILE, "1.0.0");
        fs::remove_file(&file).expect("there");
        put(&site.node, &backend("2.0.0").component(), &file);
        site.serves("2.0.0");
    });
}
