//! Prometheus' own checker.

use drivebay_tests::{Node, repository, text};

/// Runs it in the repository. What it says is shown where it is not content.
#[track_caller]
pub(super) fn promtool(arguments: &[&str]) {
    let program = repository().join("target/promtool/usr/bin/promtool");
    assert!(
        program.exists(),
        "{} is missing; run `cargo xtask setup promtool` first",
        program.display()
    );
    let output = Node::run(text(&program), arguments);
    assert!(
        output.status.success(),
        "promtool {arguments:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
