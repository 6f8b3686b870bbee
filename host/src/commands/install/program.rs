//! A program in its place: by one rename over the one before, which whoever runs it keeps.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use drivebay::sys;

/// The program that runs, whatever lies by now at the path by which it was started: a package that is installed, or
/// another `install`, may have replaced it.
pub(super) const THIS: &str = "/proc/self/exe";

/// Copies a program to its place, unless it lies there already.
pub(super) fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let program = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    let directory = to.parent().context("an executable needs a directory")?;
    make_directory(directory)?;
    // What lies there is run as root.
    sys::check_directory(directory).with_context(|| format!("cannot install {}", to.display()))?;
    remove_unfinished(directory, to);
    if is_installed(to, &program) {
        return Ok(());
    }
    sys::write_program_durably(to, &program)
        .with_context(|| format!("cannot write {}", to.display()))
}

/// For everyone to look into and for root to write, whatever the umask is.
pub(super) fn make_directory(directory: &Path) -> anyhow::Result<()> {
    let mut made = fs::DirBuilder::new();
    made.recursive(true)
        .mode(0o755)
        .create(directory)
        .with_context(|| format!("cannot create {}", directory.display()))
}

/// What installs that were killed have left.
fn remove_unfinished(directory: &Path, program: &Path) {
    sys::remove_leftovers(directory, program);
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // Of a version that had this one name for it.
    let _ = fs::remove_file(directory.join(format!(".{name}.new")));
}

/// Whether it is that very program already, and nobody else's to write.
fn is_installed(file: &Path, program: &[u8]) -> bool {
    let is_ours =
        |found: fs::Metadata| found.is_file() && found.permissions().mode() & 0o7777 == 0o755;
    fs::symlink_metadata(file).is_ok_and(is_ours)
        && sys::read_trusted(file).is_ok_and(|present| present == program)
}
