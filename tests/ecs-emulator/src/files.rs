//! Everything in the state directory: disks, snapshots, the state itself.
//!
//! Disks and snapshots are sparse files, copied by reference where the filesystem can and otherwise without
//! their holes. Other files are replaced as a whole, so that a killed emulator finds either the old or the new, or
//! grow by one line at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom;

use crate::words::{Gib, Serial, SnapshotId};

/// How much is read at once, and how much has to be zero to become a hole.
const CHUNK: usize = 1 << 16;

/// The state directory.
#[derive(Clone, Debug)]
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("disks"))?;
        fs::create_dir_all(root.join("snapshots"))?;
        // Whoever else sees these files, be it a loop device or QEMU, needs the path from the root.
        root.canonicalize().map(Self)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn disk(&self, serial: &Serial) -> PathBuf {
        self.0.join("disks").join(serial.as_str())
    }

    fn snapshot(&self, id: &SnapshotId) -> PathBuf {
        self.0.join("snapshots").join(id.as_str())
    }

    /// Makes a disk's file, with a snapshot's data in it or empty.
    pub(crate) fn make_disk(
        &self,
        serial: &Serial,
        size: Gib,
        source: Option<&SnapshotId>,
    ) -> io::Result<()> {
        let path = self.disk(serial);
        match source {
            Some(snapshot) => copy_sparse(&self.snapshot(snapshot), &path)?,
            None => drop(File::create(&path)?),
        }
        set_length(&path, size.bytes())
    }

    pub(crate) fn remove_disk(&self, serial: &Serial) -> io::Result<()> {
        remove(&self.disk(serial))
    }

    pub(crate) fn resize_disk(&self, serial: &Serial, bytes: u64) -> io::Result<()> {
        set_length(&self.disk(serial), bytes)
    }

    /// Copies what has reached the disk by now; what the node still has in its caches is not part of it.
    pub(crate) fn cut_snapshot(&self, serial: &Serial, snapshot: &SnapshotId) -> io::Result<()> {
        copy_sparse(&self.disk(serial), &self.snapshot(snapshot))
    }

    pub(crate) fn remove_snapshot(&self, id: &SnapshotId) -> io::Result<()> {
        remove(&self.snapshot(id))
    }

    /// A file of the state directory; none if there is none.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file of the state directory, which only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let unfinished = format!(".{name}.new");
        self.create(&unfinished)?.write_all(text.as_bytes())?;
        fs::rename(self.path(&unfinished), self.path(name))
    }

    /// A file of the state directory with nothing in it, which only its owner may read, to add to.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path(name))
    }
}

fn set_length(path: &Path, bytes: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(bytes)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, target) = (File::open(from)?, File::create(to)?);
    // Where blocks can be shared, this is all: a copy of any size at once.
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut position = 0;
    while let Some((start, end)) = next_data(&source, position, length)? {
        copy_range(&mut source, &target, start, end)?;
        position = end;
    }
    Ok(())
}

/// The next stretch of the file that is not a hole.
fn next_data(file: &File, from: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(from)) {
        Ok(start) => start,
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
    Ok((start < length).then_some((start, end.min(length))))
}

fn copy_range(source: &mut File, target: &File, start: u64, end: u64) -> io::Result<()> {
    source.seek(io::SeekFrom::Start(start))?;
    let mut range = source.take(end - start);
    let mut chunk = vec![0; CHUNK];
    let mut position = start;
    loop {
        let length = range.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        // Not every filesystem tells its holes: 9p, through which a VM sees this directory, does not.
        if chunk[..length].iter().any(|byte| *byte != 0) {
            target.write_all_at(&chunk[..length], position)?;
        }
        position += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn disk_from_a_snapshot_holds_what_the_source_held_at_the_cut() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        let (one, two) = (Serial::from("one"), Serial::from("two"));
        let snapshot = SnapshotId::from("s-1");
        files.make_disk(&one, Gib(1), None).unwrap();
        let disk = OpenOptions::new()
            .write(true)
            .open(files.disk(&one))
            .unwrap();
        disk.write_all_at(b"early", 500 << 20).unwrap();
        files.cut_snapshot(&one, &snapshot).unwrap();
        disk.write_all_at(b"later", 500 << 20).unwrap();
        files.make_disk(&two, Gib(2), Some(&snapshot)).unwrap();

        let restored = File::open(files.disk(&two)).unwrap();
        let mut data = [0; 5];
        restored.read_exact_at(&mut data, 500 << 20).unwrap();
        assert_eq!(&data, b"early");
        let metadata = restored.metadata().unwrap();
        assert_eq!(metadata.len(), 2 << 30);
        assert!(metadata.blocks() * 512 < 1 << 20, "the holes were filled");
    }

    #[test]
    fn written_files_are_read_back_and_absent_ones_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        assert_eq!(files.read("secret").unwrap(), None);
        files.write("secret", "one").unwrap();
        files.write("secret", "two").unwrap();
        assert_eq!(files.read("secret").unwrap().as_deref(), Some("two"));
        let mode = fs::metadata(files.path("secret")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
