//! A call is of one version from its first check to its last line, also while versions are swapped to and fro.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Csi, WatGuest, csi_proto as proto, mounted};

use crate::backend::{NAME, checking};
use crate::site::{FILE, Kind, Site, Watcher, prepared};

const CALLS: usize = 10_000;
const CALLERS: usize = 8;

/// With the parameter in a spelling that is neither version's: the host gives it that of the version that is called.
fn validate(csi: &Csi) -> Result<(), String> {
    let request = proto::ValidateVolumeCapabilitiesRequest {
        volume_id: "data".to_owned(),
        volume_context: [("MARK".to_owned(), "x".to_owned())].into(),
        volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
        ..proto::ValidateVolumeCapabilitiesRequest::default()
    };
    let answer = csi.validate_volume_capabilities(request);
    let answer = answer.map_err(|status| format!("{status:?}"))?;
    match answer.confirmed {
        Some(_) => Ok(()),
        None => Err(answer.message),
    }
}

/// Ten thousand calls while somebody swaps, once after the other, to the version of each number: each call succeeds, and
/// each has lines of one version only.
#[track_caller]
fn are_each_of_one_version(csi: &Csi, swap_to: impl Fn(usize, &AtomicBool) + Sync) {
    let (made, swaps) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (is_over, failed) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while made.fetch_add(1, Ordering::Relaxed) < CALLS {
                    if let Err(why) = validate(csi) {
                        failed.lock().expect("no caller panics").push(why);
                    }
                }
                is_over.store(true, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let next = 1 + swaps.fetch_add(1, Ordering::Relaxed);
                swap_to(next % 2, &is_over);
            }
        });
    });
    let failed = failed.into_inner().expect("no caller panicked");
    assert!(
        failed.is_empty(),
        "{} failed: {:?}",
        failed.len(),
        failed[0]
    );
    let swaps = swaps.into_inner();
    assert!(swaps > 3, "only {swaps} swaps");
    name_one_version_each(&csi.log());
}

const VERSIONS: [&str; 2] = ["1.0.0", "2.0.0"];

/// Two versions that each spell their parameter in their own way.
fn versions() -> [WatGuest; 2] {
    [checking("1.0.0", "mark"), checking("2.0.0", "Mark")]
}

/// So that the log says of each call what it was answered by.
const TELLING: &str = "[limits]\nlog-lines = 20\n";
const EACH_CALL: [&str; 2] = ["--v", "4"];

#[test]
fn ten_thousand_calls_are_each_of_one_version_while_a_source_shows_two_by_turns() {
    let two = versions().map(|version| version.component());
    let (node, source) = prepared(TELLING);
    source.write(&[(FILE, &two[0])]);
    let site = Site::watched(Watcher::Serve, Kind::Mounted, node, source, &EACH_CALL);
    site.serves("1.0.0");
    let csi = site.csi().expect("it is serve");
    are_each_of_one_version(csi, |number, is_over| {
        site.show(&two[number]);
        let serves = || site.csi_version().as_deref() == Some(VERSIONS[number]);
        while !is_over.load(Ordering::Relaxed) && !serves() {
            thread::yield_now();
        }
    });
}

#[test]
fn ten_thousand_calls_are_each_of_one_version_while_two_are_installed_by_turns() {
    let (node, _source) = prepared(TELLING);
    // Of one name, and so in directories of their own.
    let write = |(guest, version): (&WatGuest, &str)| {
        let directory = node.path("versions").join(version);
        fs::create_dir_all(&directory).expect("writable");
        guest.write(directory.join(FILE))
    };
    let files: Vec<PathBuf> = versions().iter().zip(VERSIONS).map(write).collect();
    node.install(&[&files[0]]);
    let csi = node.serve_with(NAME, &EACH_CALL);
    are_each_of_one_version(&csi, |number, _| node.install(&[&files[number]]));
}

/// Of all lines with one request's number, no two name different versions; and both versions had many.
#[track_caller]
fn name_one_version_each(log: &str) {
    let mut requests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in log.lines() {
        let Some(request) = between(line, "request.id=", &[' ', '}']) else {
            continue;
        };
        let versions = requests.entry(request).or_default();
        versions.extend(all_between(line, "component.version=\"", '"'));
        if line.contains(" validates") {
            versions.extend(all_between(line, "version ", ' '));
        }
    }
    let mixed: Vec<_> = requests
        .iter()
        .filter(|(_, versions)| versions.len() > 1)
        .take(5)
        .collect();
    assert!(mixed.is_empty(), "{mixed:?}");
    for version in VERSIONS {
        let named = requests.values().filter(|of| of.contains(version));
        let named = named.count();
        assert!(named > 100, "{version} is named by {named} calls");
    }
}

fn between<'a>(line: &'a str, begins: &str, ends: &[char]) -> Option<&'a str> {
    let (_, rest) = line.split_once(begins)?;
    Some(rest.split(ends).next().unwrap_or(rest))
}

fn all_between<'a>(line: &'a str, begins: &str, ends: char) -> Vec<&'a str> {
    let parts = line.split(begins).skip(1);
    let version = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts = parts.filter(version);
    parts
        .map(|part| part.split(ends).next().unwrap_or(part))
        .collect()
}
