//! Whoever reads what a command prints may go before the end: the command does its work, and ends as it would have.

use std::io;
use std::process::{Output, Stdio};

use drivebay_tests::{Node, guest, text};

/// What a command did whose output nobody reads.
#[track_caller]
fn unread(node: &Node, arguments: &[&str]) -> Output {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut command = node.drivebay(arguments);
    command.stdout(writer).output().expect("drivebay runs")
}

#[test]
fn no_command_breaks_down_where_nobody_reads_what_it_prints() {
    let node = Node::with_local("v1");
    let component = guest("local");
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["check"],
        &["check", "--markdown"],
        &["inspect", text(&component)],
        &["compile", text(&component)],
        &["install", text(&component)],
        &["run", "local", "available-capacity"],
        &["rollback", "local"],
        &["--help"],
    ] {
        let read = node.drivebay(arguments).output().expect("drivebay runs");
        let unread = unread(&node, arguments);
        assert_eq!(read.status.code(), unread.status.code(), "{arguments:?}");
        let said = String::from_utf8_lossy(&unread.stderr).into_owned();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn what_is_installed_is_installed_whoever_reads_of_it() {
    let node = Node::empty();
    node.add_driver("local", &node.local_grants());
    let plugins = node.path("plugins");
    let component = guest("local");
    let arguments = ["install", "--plugin-dir", text(&plugins), text(&component)];
    assert!(unread(&node, &arguments).status.success());
    node.call(&["init"]).succeeds();
}

#[test]
fn an_answer_that_a_full_disk_does_not_take_is_no_success() {
    let node = Node::with_local("v1");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = node.drivebay(&["check"]);
    command.stdout(full.expect("there")).stderr(Stdio::piped());
    let output = command.output().expect("drivebay runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not all was printed"), "{said}");
}
