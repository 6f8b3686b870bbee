//! Programs that a test puts somewhere and runs.
//!
//! Each is written by a process of its own. What this process has open for writing a child has too that another test
//! starts just then, and until that child runs its program nobody can run ours (ETXTBSY).

use std::fs;
use std::path::Path;

use crate::{Node, text};

/// A copy of a program.
#[track_caller]
pub fn copy_program(from: &Path, to: &Path) {
    let arguments = ["-m", "755", "-T", text(from), text(to)];
    let output = Node::run("install", &arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", to.display());
}

/// A script.
#[track_caller]
pub fn write_script(path: &Path, script: &str) {
    let beside = path.with_extension("script");
    fs::write(&beside, script).expect("writable");
    copy_program(&beside, path);
    fs::remove_file(&beside).expect("ours");
}
