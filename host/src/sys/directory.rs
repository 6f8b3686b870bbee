//! Directories in which files of ours lie.
//!
//! Whoever may write one of them, or one above it, may put a link where we are about to write, or exchange what we
//! are about to read. So each is root's (or ours, where we are not root) and nobody else's to write, and so is each
//! one on the way to it; one where everybody may add but not exchange, as /tmp, may lie on the way.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::unistd::geteuid;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::TrustError;

/// What a group and all others may write.
const OTHERS_WRITE: u32 = 0o022;

/// Nobody but its owner may remove or rename an entry (S_ISVTX).
const STICKY: u32 = 0o1000;

/// Links on the way to a directory; the kernel follows 40.
const MAX_LINKS: usize = 40;

/// Makes a directory, with its parents, that only its owner can enter. One that is there already is closed to
/// others, as by [`close_directory`].
///
/// # Errors
/// From the file system; where somebody else may write there, in words.
pub fn create_root_only_directory(path: &Path) -> io::Result<()> {
    check_parents(path).map_err(untrusted)?;
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    close_directory(path)
}

/// Makes a directory beneath another one that is there, with those between them, for its owner and its group as kubelet
/// makes its own.
///
/// # Errors
/// From the file system; `NotFound` where the one above it is not there.
pub fn create_directories_beneath(above: &Path, path: &Path) -> io::Result<()> {
    if !above.is_dir() {
        let missing = format!("{} is not a directory that is there", above.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, missing));
    }
    DirBuilder::new().recursive(true).mode(0o750).create(path)
}

/// The same once a process for each directory: for those that are used in every call.
pub(super) fn create_once(path: &Path) -> io::Result<()> {
    static MADE: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let lock = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if lock().as_ref().is_some_and(|made| made.contains(path)) {
        return Ok(());
    }
    create_root_only_directory(path)?;
    lock().get_or_insert_default().insert(path.to_owned());
    Ok(())
}

/// Sees to it that nobody else may write in a directory of ours: where others may, that right is taken away, and
/// said so in the log, if nothing of theirs lies there. A directory that is missing is none of theirs.
///
/// # Errors
/// From the file system; where somebody else owns it, may write above it, or has put something there, in words.
pub fn close_directory(path: &Path) -> io::Result<()> {
    check_parents(path).map_err(untrusted)?;
    close_directory_itself(path)
}

/// The same for one that lies in a directory that was closed just now.
pub fn close_directory_beneath(path: &Path) -> io::Result<()> {
    let is_closed = |found: &Metadata| {
        found.is_dir() && found.mode() & OTHERS_WRITE == 0 && check_owner(path, found).is_ok()
    };
    match fs::symlink_metadata(path) {
        Ok(found) if is_closed(&found) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A link, or something that has to be told.
        _ => close_directory(path),
    }
}

/// The same, whatever may be done above it.
pub(super) fn close_directory_itself(path: &Path) -> io::Result<()> {
    let directory = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let found = directory.metadata()?;
    check_owner(path, &found).map_err(untrusted)?;
    if found.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    let mode = found.mode() & 0o7777;
    let closed = Permissions::from_mode(mode & !OTHERS_WRITE);
    check_entries(path)?;
    directory.set_permissions(closed)?;
    // Somebody may have been quicker; the next one who looks has to see it too.
    check_entries(path).inspect_err(|_| {
        let _ = directory.set_permissions(Permissions::from_mode(mode));
    })?;
    tracing::warn!(directory = %path.display(), mode = format!("{mode:04o}"), "others could write in a directory of the host's; that right was taken away");
    Ok(())
}

/// Whether nobody else may write in a directory, nor exchange it. Nothing is changed.
///
/// # Errors
/// [`TrustError::Untrusted`] with the directory, its mode or owner, and what to do; [`TrustError::Io`].
pub fn check_directory(path: &Path) -> Result<(), TrustError> {
    check_parents(path)?;
    check_directory_itself(path)
}

/// The same, whatever may be done above it.
pub fn check_directory_itself(path: &Path) -> Result<(), TrustError> {
    let found = fs::metadata(path)?;
    check_owner(path, &found)?;
    match found.mode() & OTHERS_WRITE == 0 || cannot_be_written(path) {
        true => Ok(()),
        false => Err(too_open(path, &found)),
    }
}

/// Whether nobody else can put another directory, or another file, where that path leads.
pub fn check_parents(path: &Path) -> Result<(), TrustError> {
    follow(path, MAX_LINKS)
}

fn follow(path: &Path, links: usize) -> Result<(), TrustError> {
    let mut way = PathBuf::new();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        way.push(part);
        let Some(found) = if_there(fs::symlink_metadata(&way))? else {
            return Ok(());
        };
        let mut leads_to = Some(found);
        if let Some(found) = leads_to.take_if(|found| found.is_symlink()) {
            check_owner(&way, &found)?;
            let target = way
                .parent()
                .unwrap_or(Path::new("/"))
                .join(fs::read_link(&way)?);
            let links = links.checked_sub(1).ok_or_else(|| too_many_links(path))?;
            follow(&target, links)?;
            leads_to = if_there(fs::metadata(&way))?;
        }
        if let Some(found) = leads_to
            && parts.peek().is_some()
        {
            check_passage(&way, &found)?;
        }
    }
    Ok(())
}

/// One that lies on the way: others may add to it, but not exchange what is there.
fn check_passage(directory: &Path, found: &Metadata) -> Result<(), TrustError> {
    check_owner(directory, found)?;
    let is_open = found.mode() & OTHERS_WRITE != 0 && found.mode() & STICKY == 0;
    match is_open && !cannot_be_written(directory) {
        true => Err(too_open(directory, found)),
        false => Ok(()),
    }
}

fn if_there(found: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn too_many_links(path: &Path) -> TrustError {
    let path = path.display();
    TrustError::Untrusted(format!("{path} leads through too many links"))
}

/// Whether it is mounted read-only, as what kubelet writes for a pod is: its mode says nothing then.
fn cannot_be_written(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn check_owner(path: &Path, found: &Metadata) -> Result<(), TrustError> {
    let own = geteuid().as_raw();
    match found.uid() {
        0 => Ok(()),
        owner if owner == own => Ok(()),
        owner => Err(TrustError::Untrusted(format!(
            "{} belongs to user {owner}, who can put there what he likes; chown it to root, or remove it",
            path.display()
        ))),
    }
}

fn check_entries(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        check_owner(&entry.path(), &entry.metadata()?).map_err(untrusted)?;
    }
    Ok(())
}

fn too_open(path: &Path, found: &Metadata) -> TrustError {
    TrustError::Untrusted(format!(
        "others can put files and links into {}, which has mode {:04o}; chmod go-w {}",
        path.display(),
        found.mode() & 0o7777,
        path.display()
    ))
}

fn untrusted(error: TrustError) -> io::Error {
    match error {
        TrustError::Io(error) => error,
        TrustError::Untrusted(reason) => io::Error::new(io::ErrorKind::PermissionDenied, reason),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    /// The directory goes with the first value.
    fn directory() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("a/b");
        create_root_only_directory(&path).expect("writable");
        (root, path)
    }

    fn open(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").mode() & 0o7777
    }

    #[track_caller]
    fn refused(answer: Result<(), TrustError>, path: &Path, words: &str) {
        let error = answer.expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn a_directory_that_others_may_write_is_named_with_its_mode_and_closed() {
        let (_root, path) = directory();
        check_directory(&path).expect("closed");
        for others in [0o777, 0o720, 0o1777] {
            open(&path, others);
            refused(
                check_directory(&path),
                &path,
                &format!("mode {others:04o}; chmod go-w"),
            );
            close_directory(&path).expect("ours");
            assert_eq!(mode(&path), others & !0o022);
            check_directory(&path).expect("closed");
        }
    }

    #[test]
    fn what_lies_above_is_not_closed_but_refused() {
        let (_root, path) = directory();
        let above = path.parent().expect("one");
        open(above, 0o777);
        refused(check_directory(&path), above, "mode 0777; chmod go-w");
        assert!(
            close_directory(&path).is_err() && create_root_only_directory(&path.join("c")).is_err()
        );
        assert!(!path.join("c").exists());
        assert_eq!(mode(above), 0o777);
        open(above, 0o1777);
        check_directory(&path).expect("others can only add");
    }

    #[test]
    fn what_others_have_put_there_is_named_and_keeps_the_directory_as_it_is() {
        let (_root, path) = directory();
        open(&path, 0o777);
        let theirs = path.join("theirs");
        symlink("/etc/passwd", &theirs).expect("writable");
        std::os::unix::fs::lchown(&theirs, Some(65_534), None).expect("root");
        for _ in 0..2 {
            let error = close_directory(&path).expect_err("theirs").to_string();
            assert!(error.contains("theirs belongs to user 65534"), "{error}");
            assert_eq!(mode(&path), 0o777);
        }
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused_also_behind_a_link() {
        let (root, path) = directory();
        let link = root.path().join("link");
        symlink(&path, &link).expect("writable");
        check_directory(&link).expect("all ours");
        chown(&path, Some(65_534), None).expect("root");
        for way in [&path, &link] {
            assert!(check_directory(way).is_err());
            assert!(close_directory(way).is_err());
        }
        refused(
            check_directory(&link.join("c")),
            &link,
            "belongs to user 65534",
        );
    }

    #[test]
    fn a_link_that_leads_to_itself_is_refused() {
        let (root, _) = directory();
        let link = root.path().join("link");
        symlink("link", &link).expect("writable");
        refused(
            check_parents(&link.join("x")),
            Path::new("link"),
            "too many links",
        );
    }

    #[test]
    fn what_is_missing_is_made_for_its_owner_alone_and_closing_it_is_success() {
        let (root, _) = directory();
        let path = root.path().join("c/d");
        close_directory(&path).expect("nothing to close");
        create_once(&path).expect("made");
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn directories_are_made_beneath_one_that_is_there_for_their_owner_and_its_group() {
        let root = tempfile::tempdir().expect("a directory");
        let made = root.path().join("plugins/csi");
        for _ in 0..2 {
            create_directories_beneath(root.path(), &made).expect("writable");
        }
        assert_eq!(
            (mode(&made), mode(&root.path().join("plugins"))),
            (0o750, 0o750)
        );
        let missing = root.path().join("missing");
        let error =
            create_directories_beneath(&missing, &missing.join("csi")).expect_err("missing");
        assert!(error.to_string().contains(&missing.display().to_string()));
        assert!(!missing.exists());
    }
}
