//! What the host keeps on disk is whole: nothing is left of what was begun and not finished.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use drivebay_tests::{Node, digest, eventually};
use serde_json::Value;

use crate::site::{Site, record};

impl Site {
    /// Nothing is left half done, at a moment when nothing is going on.
    #[track_caller]
    pub(crate) fn is_whole(&self) {
        is_whole(&self.node);
    }
}

/// No unfinished file, no version that is not what its name says, no code without a manifest or the other way round,
/// and a record that can be read.
#[track_caller]
pub(crate) fn is_whole(node: &Node) {
    // A watcher that looks at this moment writes; what is left stays.
    eventually("nothing unfinished", || unfinished(node).is_empty());
    for version in kept(node) {
        let file = node
            .path("state/components/sha256")
            .join(format!("{version}.wasm"));
        let found = digest(&fs::read(&file).expect("readable"));
        assert_eq!(found, version, "{} is another", file.display());
    }
    // What nobody keeps any more goes after the new version serves, one file after the other.
    let each = || (compiled(node, "cwasm"), compiled(node, "json"));
    eventually("code and manifests to be of the same versions", || {
        let (code, manifests) = each();
        code == manifests
    });
    let record = record(node);
    if record.exists() {
        let text = fs::read_to_string(&record).expect("readable");
        let read = serde_json::from_str::<Value>(&text);
        assert!(read.is_ok(), "{text:?}");
    }
}

fn unfinished(node: &Node) -> Vec<PathBuf> {
    let kept_in = ["state", "run/versions"];
    let files = kept_in.map(|directory| files_beneath(&node.path(directory)));
    // Calls write their journal all the while.
    let journal = node.path("state/journal");
    let is_left = |file: &PathBuf| is_unfinished(file) && !file.starts_with(&journal);
    files.into_iter().flatten().filter(is_left).collect()
}

/// As whoever writes a file beside and renames it names it until then.
fn is_unfinished(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".tmp", ".partial", ".new", ".zst", ".gz"];
    name.starts_with('.') || ends.iter().any(|end| name.ends_with(end))
}

/// Digests of the versions in the store.
pub(crate) fn kept(node: &Node) -> BTreeSet<String> {
    stems(&node.path("state/components/sha256"), "wasm")
}

/// Digests of the versions whose code is there, by the file's name up to what compiled it.
pub(crate) fn compiled(node: &Node, extension: &str) -> BTreeSet<String> {
    let stems = stems(&node.path("state/compiled"), extension);
    let digest = |stem: &String| stem.split('-').next().unwrap_or_default().to_owned();
    stems.iter().map(digest).collect()
}

fn stems(directory: &Path, extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = files.map(|entry| entry.path());
    let matching = files.filter(|file| file.extension().is_some_and(|other| other == extension));
    let stem = |file: PathBuf| Some(file.file_stem()?.to_string_lossy().into_owned());
    matching.filter_map(stem).collect()
}

fn files_beneath(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).map(|path| {
        let is_directory = path.is_dir() && !path.is_symlink();
        if is_directory {
            files_beneath(&path)
        } else {
            vec![path]
        }
    });
    files.flatten().collect()
}
