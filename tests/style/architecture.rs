//! The rules of the source tree that no compiler checks: who may import whom, who may use which crate, and
//! how large a file may grow.
//!
//! Read from the source as text. A rule that is broken is reported with file, line and the rule's own words.

mod confined;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use drivebay_tests::{
    ImportGraph, Line, files_beneath, host_code, host_source, read, repository, rust_files,
};

use confined::CONFINED;

/// Who may import whom, from top to bottom; everything may import itself.
const LAYERS: [(&str, &[&str]); 17] = [
    // The binaries and the command line wire the parts together.
    ("main", &["commands", "sys", "worker"]),
    (
        "shim",
        &[
            "config",
            "driver",
            "error",
            "flexvolume",
            "log_file",
            "sys",
            "worker",
        ],
    ),
    (
        "commands",
        &[
            "config",
            "csi",
            "driver",
            "error",
            "grant",
            "log_file",
            "log_stream",
            "store",
            "sys",
            "volume",
            "worker",
        ],
    ),
    ("flexvolume", &["driver", "volume", "error"]),
    ("csi", &["driver", "sys", "volume", "error"]),
    (
        "driver",
        &[
            "runtime", "broker", "store", "journal", "sys", "worker", "config", "grant", "volume",
            "error",
        ],
    ),
    (
        "runtime",
        &[
            "bindings", "broker", "store", "config", "grant", "sys", "worker", "volume", "error",
        ],
    ),
    (
        "store",
        &[
            "bindings", "config", "grant", "sys", "worker", "volume", "error", "digest",
        ],
    ),
    // Between the two of them is the line.
    ("bindings", &[]),
    ("broker", &["grant", "sys", "worker", "volume", "error"]),
    ("config", &["grant", "sys", "worker", "volume", "digest"]),
    ("journal", &["sys", "volume", "digest"]),
    ("worker", &["sys", "volume", "error", "digest"]),
    ("grant", &[]),
    ("log_file", &["sys"]),
    ("log_stream", &[]),
    ("sys", &[]),
];

/// Words every layer shares; they import nothing of ours.
const WORDS: [&str; 3] = ["volume", "error", "digest"];

/// What `grant` may not name: it decides, and never acts.
const ACTIONS: [&str; 6] = [
    "std::fs",
    "std::process",
    "std::env",
    "std::thread",
    "std::os",
    "std::io",
];

/// What everybody may know of `grant`: which capabilities there are, not what was granted.
const WORD_OF_GRANTS: &str = "grant::Capability";

/// Who knows grants: who reads them, who decides by them, who prints them.
const GRANTS: [&str; 5] = [
    "grant",
    "config",
    "broker",
    "commands/check.rs",
    "commands/check/secret.rs",
];

/// Who has a driver's grants in its hands besides.
const WITH_GRANTS: [(&str, &str); 4] = [
    (
        "driver/operation.rs",
        "hands them to the broker of each call",
    ),
    (
        "driver/session.rs",
        "keeps those of a call's secrets that are granted",
    ),
    (
        "driver/filesystem.rs",
        "has the broker judge a caller's wish",
    ),
    (
        "driver/privileges.rs",
        "tells what a process has to be allowed for what is granted",
    ),
];

/// Where `unsafe` may stand, and for what.
const UNSAFE: [(&str, &str); 2] = [
    ("store/compiled.rs", "mapping native code"),
    (
        "sys/mountinfo/statmount.rs",
        "a system call that no crate wraps",
    ),
];

const MAX_LINES: usize = 600;

/// Broken rules, collected so that all are seen at once.
#[derive(Default)]
struct Complaints(String);

impl Complaints {
    fn add(&mut self, line: &Line, rule: &str) {
        let (file, number, text) = (line.file.display(), line.number, line.text.trim());
        writeln!(self.0, "host/src/{file}:{number}: {rule}\n    {text}").expect("a string grows");
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        assert!(
            self.0.is_empty() || std::thread::panicking(),
            "\n{}",
            self.0
        );
    }
}

#[test]
fn each_layer_imports_only_those_below_it() {
    let table: BTreeMap<&str, &[&str]> = LAYERS
        .into_iter()
        .chain(WORDS.map(|word| (word, &[][..])))
        .collect();
    let mut complaints = Complaints::default();
    for line in host_code() {
        let layer = line.layer();
        if layer == "lib" {
            continue;
        }
        let Some(allowed) = table.get(layer.as_str()) else {
            complaints.add(
                &line,
                "this file belongs to no layer; give it a row in LAYERS",
            );
            continue;
        };
        for imported in line.paths.iter().filter_map(|path| ours(path)) {
            if imported != layer && table.contains_key(imported) && !allowed.contains(&imported) {
                complaints.add(
                    &line,
                    &format!("{layer} may import {allowed:?}, not {imported}"),
                );
            }
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let root = repository();
    let mut manifests = manifests_beneath(&root.join("guests"));
    manifests.push(root.join("host/Cargo.toml"));
    let mut circles = String::new();
    for manifest in manifests {
        let sources = manifest.with_file_name("src");
        if !sources.exists() {
            continue;
        }
        for circle in ImportGraph::of_crate(&package(&manifest), &sources).circles() {
            let sources = sources.strip_prefix(&root).unwrap_or(&sources);
            writeln!(circles, "{}: {circle}", sources.display()).expect("a string grows");
        }
    }
    assert!(
        circles.is_empty(),
        "files import each other in a circle, the shortest first:\n{circles}"
    );
}

#[test]
fn who_knows_grants_is_named_and_others_know_which_capabilities_there_are() {
    let mut complaints = Complaints::default();
    let others = host_code()
        .into_iter()
        .filter(|line| !GRANTS.iter().any(|place| line.lies_in(place)));
    for line in others {
        for path in line.paths.iter().filter(|path| ours(path) == Some("grant")) {
            if !path.contains(WORD_OF_GRANTS) {
                complaints.add(
                    &line,
                    &format!("of grants {GRANTS:?} know more than Capability"),
                );
            }
        }
        let has_them = line.text.contains(".grants") || line.text.contains("{ grants");
        if has_them && !WITH_GRANTS.iter().any(|(place, _)| line.lies_in(place)) {
            let rule = format!("besides {GRANTS:?} only these have grants: {WITH_GRANTS:?}");
            complaints.add(&line, &rule);
        }
    }
}

#[test]
fn no_layer_may_import_one_above_it() {
    let place = |name: &str| LAYERS.iter().position(|(layer, _)| *layer == name);
    for (index, (layer, imports)) in LAYERS.iter().enumerate() {
        for import in *imports {
            let is_below = place(import).is_none_or(|place| place > index);
            assert!(is_below, "{layer} imports {import}, which is above it");
        }
    }
}

#[test]
fn what_is_confined_stays_where_it_belongs() {
    let mut complaints = Complaints::default();
    for line in host_code() {
        for (name, places, reason) in CONFINED {
            let names = line.paths.iter().any(|path| begins_with(path, name));
            if names && !places.iter().any(|place| line.lies_in(place)) {
                complaints.add(
                    &line,
                    &format!("{name} may be used in {places:?} only: {reason}"),
                );
            }
        }
    }
}

#[test]
fn grants_decide_and_never_act() {
    let mut complaints = Complaints::default();
    for line in host_code().iter().filter(|line| line.lies_in("grant")) {
        for path in &line.paths {
            let foreign = !["std", "core", "self", "super", "crate"].contains(&first(path))
                && path.starts_with(|c: char| c.is_lowercase());
            if line.text.trim_start().starts_with("use ") && foreign && first(path) != "source" {
                complaints.add(
                    line,
                    "grant imports std alone, so that it can be reviewed alone",
                );
            }
            if ACTIONS.iter().any(|action| begins_with(path, action)) {
                complaints.add(
                    line,
                    "grant decides, never acts: no files, processes or threads",
                );
            }
        }
    }
}

#[test]
fn unsafe_code_is_where_there_is_no_other_way() {
    let mut complaints = Complaints::default();
    for line in host_code() {
        let is_unsafe = line
            .text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "unsafe");
        if is_unsafe && !UNSAFE.iter().any(|(place, _)| line.lies_in(place)) {
            complaints.add(&line, &format!("unsafe may stand for {UNSAFE:?} only"));
        }
    }
}

#[test]
fn no_file_is_longer_than_it_can_be_read() {
    let rooms = ["guests", "host", "tests"].map(|room| repository().join(room));
    let files = rooms.iter().flat_map(|room| rust_files(room));
    let long = files.filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > MAX_LINES).then(|| {
            format!(
                "{} has {lines} lines, more than {MAX_LINES}",
                file.display()
            )
        })
    });
    let long: Vec<String> = long.collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn host_and_guests_share_the_contract_and_nothing_else() {
    let root = repository();
    let manifests = [
        manifests_beneath(&root.join("guests")),
        manifests_beneath(&root.join("host")),
    ]
    .concat();
    assert!(manifests.len() > 3, "found only {manifests:?}");
    for manifest in manifests {
        let own = if manifest.starts_with(root.join("guests")) {
            "guests"
        } else {
            "host"
        };
        for (number, line) in read(&manifest).lines().enumerate() {
            let Some((_, path)) = line.split_once("path = \"") else {
                continue;
            };
            let directory = manifest.parent().expect("a manifest lies somewhere");
            let target = directory.join(path.split('"').next().unwrap_or_default());
            let inside = target
                .canonicalize()
                .unwrap_or(target)
                .starts_with(root.join(own));
            assert!(
                inside,
                "{}:{}: {own} may depend on nothing outside itself but wit/",
                manifest.display(),
                number + 1
            );
        }
    }
}

#[test]
fn the_table_names_layers_that_exist() {
    let root = host_source();
    for (layer, imports) in LAYERS {
        for name in imports.iter().chain([&layer]) {
            assert!(
                root.join(format!("{name}.rs")).exists(),
                "LAYERS names {name}, and there is no host/src/{name}.rs"
            );
        }
    }
    for (name, places, _) in CONFINED {
        for place in places {
            let exists = root.join(place).exists() || root.join(format!("{place}.rs")).exists();
            assert!(
                exists,
                "CONFINED allows {name} in {place}, which does not exist"
            );
        }
    }
}

/// The layer that a path of ours leads to. The binaries name the library as a crate.
fn ours(path: &str) -> Option<&str> {
    let mut parts = path.split("::");
    let is_ours = matches!(parts.next(), Some("crate" | "drivebay"));
    parts.next().filter(|_| is_ours)
}

fn first(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

fn begins_with(path: &str, name: &str) -> bool {
    path.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Its name, by which binaries name their library.
fn package(manifest: &Path) -> String {
    let text = read(manifest);
    let mut lines = text.lines();
    let name = lines.find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    name.expect("a package has a name").to_owned()
}

fn manifests_beneath(directory: &Path) -> Vec<PathBuf> {
    files_beneath(directory, &|file| {
        file.file_name().is_some_and(|name| name == "Cargo.toml")
    })
}
