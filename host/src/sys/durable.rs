//! Files that must survive a crash, and files that only root may have written.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{owner, program, random_bytes};

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Someone else could have written it.
    #[error("{0}")]
    Untrusted(String),
}

/// Replaces a file so that a crash leaves the old one or the new one, never a mixture: written beside it,
/// synced, renamed, and the directory synced. The file is readable by its owner alone.
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    write_durably_by_way_of(directory_of(path), path, content)
}

/// The same, written in another directory of the same file system until it is whole. Of a directory with many
/// files, what killed writers left could only be found by listing all of them.
///
/// # Errors
/// From the file system; the old file is then untouched. [`io::ErrorKind::NotFound`] where either directory is
/// missing.
pub fn write_durably_by_way_of(unfinished: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    replace(unfinished, path, content, 0o600)
}

/// The same for a file that everyone may read.
pub fn write_readable_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(directory_of(path), path, content, 0o644)
}

/// The same for a program that everyone may run, as soon as it is there.
pub fn write_program_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let written = |temporary: &Path| write_program(temporary, content);
    replace_by(directory_of(path), path, written)
}

/// Makes a file that survives a crash, whole or not at all, readable by its owner alone.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something has that name, which is then untouched; from the file system.
pub fn create_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    remove_leftovers(directory, path);
    let temporary = unfinished_name(directory, path)?;
    let created = write_new(&temporary, content, 0o600)
        // A rename would replace what another process has made since.
        .and_then(|_written| fs::hard_link(&temporary, path));
    let _ = fs::remove_file(&temporary);
    created?;
    File::open(directory)?.sync_all()
}

fn replace(unfinished: &Path, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    replace_by(unfinished, path, |temporary| {
        write_new(temporary, content, mode)
    })
}

fn replace_by(
    unfinished: &Path,
    path: &Path,
    write: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<()> {
    let temporary = unfinished_name(unfinished, path)?;
    let written = (|| {
        let _written = write(&temporary)?;
        fs::rename(&temporary, path)?;
        File::open(directory_of(path))?.sync_all()
    })();
    if written.is_err() {
        // Best effort: a full disk is the usual reason to be here, and the name is ours alone.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Locked until it is closed.
fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<File> {
    let file = write_unsynced(path, content, mode)?;
    file.sync_all()?;
    Ok(file)
}

/// The same, but by a file that is open for reading alone: nobody has it open for writing any more.
fn write_program(path: &Path, content: &[u8]) -> io::Result<File> {
    let alone = program::while_no_process_starts();
    let written = write_unsynced(path, content, 0o755)?;
    let file = File::open(path)?;
    file.lock_shared()?;
    drop(written);
    drop(alone);
    file.sync_all()?;
    Ok(file)
}

fn write_unsynced(path: &Path, content: &[u8], mode: u32) -> io::Result<File> {
    // Never one that is there, nor through a link, whoever made it.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // By this [`remove_unfinished`] tells it from what a killed writer left.
    file.lock_shared()?;
    file.write_all(content)?;
    // Of the open file, and whatever the umask is.
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Replaces a symbolic link, which is either the old or the new one at each moment.
pub fn replace_link(target: &Path, path: &Path) -> io::Result<()> {
    let temporary = unfinished_name(directory_of(path), path)?;
    std::os::unix::fs::symlink(target, &temporary)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// A name that nobody can foresee, and that [`remove_leftovers`] finds. Process ids say nothing: containers that
/// share the directory have ids of their own.
fn unfinished_name(directory: &Path, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let [one, two, three, four, five, six, seven, eight, ..] = random_bytes()?;
    let number = u64::from_le_bytes([one, two, three, four, five, six, seven, eight]);
    Ok(directory.join(format!(".{name}.{number:016x}.tmp")))
}

/// Removes a file so that it stays removed, and what writers left of it that were killed before their
/// rename; one that is missing is success. No other process may be writing it.
pub fn remove_durably(path: &Path) -> io::Result<()> {
    remove_durably_by_way_of(directory_of(path), path)
}

/// The same for a file that is written in another directory until it is whole.
pub fn remove_durably_by_way_of(unfinished: &Path, path: &Path) -> io::Result<()> {
    remove_leftovers(unfinished, path);
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(directory_of(path))?.sync_all(),
    }
}

/// Removes what writers of a file left where they wrote, because they were killed before their rename. Best effort:
/// what stays costs a few bytes. Another process that is writing the file fails.
pub fn remove_leftovers(unfinished: &Path, path: &Path) {
    let begins = format!(
        ".{}.",
        path.file_name().unwrap_or_default().to_string_lossy()
    );
    let Ok(entries) = fs::read_dir(unfinished) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&begins) && name.ends_with(".tmp") && !is_being_written(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes from a directory what writers of any file left there because they were killed before their rename, and nothing
/// that somebody is writing. Best effort.
pub fn remove_unfinished(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with('.') && name.ends_with(".tmp")) {
            continue;
        }
        if !is_being_written(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether somebody has it locked. A link is nobody's to write.
fn is_being_written(path: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    !is_link && File::open(path).is_ok_and(|file| file.try_lock().is_err())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Checks that a directory belongs to us or to root and that nobody else can enter it.
pub fn check_root_only_directory(path: &Path) -> Result<(), TrustError> {
    let metadata = fs::metadata(path)?;
    if !owner::is_trusted(metadata.uid()) || metadata.mode() & 0o077 != 0 {
        return Err(TrustError::Untrusted(format!(
            "the directory belongs to user {} with mode {:04o}; it has to be {} and 0700",
            metadata.uid(),
            metadata.mode() & 0o7777,
            owner::whose()
        )));
    }
    Ok(())
}

/// Reads a file that must belong to us or to root and be writable by nobody else.
pub fn read_trusted(path: &Path) -> Result<Vec<u8>, TrustError> {
    let mut content = Vec::new();
    open_trusted(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Opens a file that must belong to us or to root and be writable by nobody else. Checked on the open
/// descriptor, so that what was checked is what is read.
pub fn open_trusted(path: &Path) -> Result<File, TrustError> {
    let file = File::open(path)?;
    check_trusted(&file)?;
    Ok(file)
}

pub(super) fn check_trusted(file: &File) -> Result<(), TrustError> {
    let metadata = file.metadata()?;
    if !owner::is_trusted(metadata.uid()) {
        return Err(TrustError::Untrusted(format!(
            "it belongs to user {}, not to {}",
            metadata.uid(),
            owner::whose()
        )));
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(TrustError::Untrusted(format!(
            "its mode {mode:04o} lets others write it; chmod go-w"
        )));
    }
    Ok(())
}
