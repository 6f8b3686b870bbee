//! kubelet's own code as the caller; tests/kubelet builds the program.

use std::fs;

use crate::{Node, repository};

/// Runs the program on a node whose drivers are installed, and prints what it printed. What it finds wrong
/// is a panic, and so is finding nothing to test.
///
/// `arguments` say which driver and volume, and which scenarios.
#[track_caller]
pub fn run_kubelet(node: &Node, arguments: &[&str]) {
    let program = repository().join("target/dist/tests/kubelet-flexvolume");
    assert!(
        program.exists(),
        "{} is missing; `cargo xtask test --only kubelet` builds it",
        program.display()
    );
    let (plugins, kubelet) = (node.path("plugins"), node.path("kubelet"));
    let mut command = node.command(&program);
    command
        .arg("-plugin-dir")
        .arg(&plugins)
        .arg("-kubelet-dir")
        .arg(&kubelet)
        .args(arguments);
    let output = command.output().expect("the program runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    #[expect(
        clippy::print_stdout,
        reason = "the harness shows it if the test fails"
    )]
    {
        println!("{text}");
    }
    assert!(output.status.success(), "kubelet is not content; see above");
    assert!(text.contains("\n--- PASS: "), "kubelet tested nothing");
    let left = Node::mounts_beneath(&kubelet);
    assert!(left.is_empty(), "left mounted: {left:?}");
    fs::remove_dir_all(&kubelet).expect("empty but for directories");
}
