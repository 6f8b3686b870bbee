//! The state of a host that is later than this one, as after going back to an earlier version: nothing is touched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use drivebay_tests::{Node, Volume, guest, text};

/// Whatever lies in the state directory: when it was changed last, and what it says.
fn state(node: &Node) -> BTreeMap<PathBuf, ((i64, i64), Vec<u8>)> {
    let mut found = BTreeMap::new();
    walk(&node.path("state"), &mut found);
    found
}

fn walk(path: &Path, found: &mut BTreeMap<PathBuf, ((i64, i64), Vec<u8>)>) {
    let metadata = fs::symlink_metadata(path).expect("there");
    let content = match metadata.is_file() {
        true => fs::read(path).expect("readable"),
        false => Vec::new(),
    };
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    found.insert(path.to_owned(), (changed, content));
    if metadata.is_dir() {
        for entry in fs::read_dir(path).expect("readable").flatten() {
            walk(&entry.path(), found);
        }
    }
}

fn says(node: &Node, format: &str) {
    fs::write(node.path("state/format"), format).expect("writable");
}

/// What a command says that has to fail.
#[track_caller]
fn refused(node: &Node, arguments: &[&str]) -> String {
    let output = node.drivebay(arguments).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?}: {said}");
    said
}

/// Nobody uses that state, and everybody says these words.
#[track_caller]
fn is_left_alone(node: &Node, volume: &Volume<'_>, words: &[&str]) {
    let before = state(node);
    let endpoint = format!("unix://{}", node.path("csi.sock").display());
    let target = node.path("pods/by-hand");
    let component = guest("local");
    let mut said = vec![
        refused(
            node,
            &["serve", "--driver", "local", "--endpoint", &endpoint],
        ),
        refused(node, &["install", text(&component)]),
        refused(node, &["compile", text(&component)]),
        refused(
            node,
            &[
                "run",
                "local",
                "publish-volume",
                "v1",
                "--path",
                text(&target),
            ],
        ),
    ];
    let pod = node.pod("db");
    let answers = [
        node.call(&["init"]),
        volume.mount(&pod),
        volume.unmount(&node.path("pods/web")),
        volume.detach(),
    ];
    said.extend(answers.map(|answer| {
        assert_eq!(answer.status(), "Failure");
        answer.message().to_owned()
    }));
    for said in said {
        assert!(words.iter().all(|words| said.contains(words)), "{said}");
    }
    assert!(!node.path("csi.sock").exists());
    Node::holds_no_mount(&pod);
    assert_eq!(state(node), before);
}

#[test]
fn the_state_of_a_later_host_is_left_alone_until_that_host_is_back() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    volume.mount(&node.pod("web")).succeeds();
    says(&node, "2\n");
    is_left_alone(
        &node,
        &volume,
        &[
            "has format 2",
            "knows formats up to 1",
            "Install that drivebay again",
        ],
    );
    says(&node, "1\n");
    volume.unmount(&node.path("pods/web")).succeeds();
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
    node.is_clean();
}

#[test]
fn a_state_that_does_not_say_which_it_is_is_left_alone() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    volume.mount(&node.pod("web")).succeeds();
    says(&node, "later");
    is_left_alone(
        &node,
        &volume,
        &["\"later\"", "no format of a state directory"],
    );
    says(&node, "1\n");
    volume.unmount(&node.path("pods/web")).succeeds();
}

#[test]
fn the_state_of_an_earlier_host_is_used_and_marked() {
    let node = Node::with_local("v1");
    let format = node.path("state/format");
    assert_eq!(fs::read(&format).expect("installing marked it"), b"1\n");
    fs::remove_file(&format).expect("there");
    let volume = Volume::new(&node, "v1", &[]).staged();
    volume.unmount_device().succeeds();
    node.install(&[]);
    assert_eq!(fs::read(&format).expect("marked again"), b"1\n");
}

#[test]
fn a_journal_entry_of_a_later_host_is_refused_and_stays() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let entries = node.journal();
    let entry = entries
        .iter()
        .find(|file| file.extension().is_some_and(|end| end == "json"))
        .expect("staged");
    let later = r#"{"format": 2, "volume": "v1"}"#;
    let ours = fs::read(entry).expect("readable");
    fs::write(entry, later).expect("writable");
    let pod = node.pod("web");
    let words = "has format 2, and this host knows 1";
    volume.mount(&pod).fails_with(words);
    volume.detach().fails_with(words);
    Node::holds_no_mount(&pod);
    assert_eq!(fs::read(entry).expect("still there"), later.as_bytes());
    fs::write(entry, ours).expect("writable");
    volume.unmount_device().succeeds();
    volume.detach().succeeds();
}
