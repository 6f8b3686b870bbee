//! A call is of one version from its first check to its last line, also while versions are swapped to and fro.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{Csi, csi_proto as proto, mounted};

use crate::backend::checking;
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

#[test]
fn ten_thousand_calls_are_each_of_one_version_while_two_are_swapped_to_and_fro() {
    let two = [
        checking("1.0.0", "mark").component(),
        checking("2.0.0", "Mark").component(),
    ];
    let (node, source) = prepared("[limits]\nlog-lines = 20\n");
    source.write(&[(FILE, &two[0])]);
    let site = Site::watched(Watcher::Serve, Kind::Mounted, node, source, &["--v", "4"]);
    let csi = site.csi().expect("it is serve");
    site.serves("1.0.0");
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
                site.show(&two[next % 2]);
                let wanted = ["1.0.0", "2.0.0"][next % 2];
                while !is_over.load(Ordering::Relaxed)
                    && site.csi_version().as_deref() != Some(wanted)
                {
                    thread::yield_now();
                }
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
    for version in ["1.0.0", "2.0.0"] {
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
