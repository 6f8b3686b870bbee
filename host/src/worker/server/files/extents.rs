//! What regular files hold, with their holes.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::{SeekFrom, copy_file_range, fstat, ioctl_ficlone, seek};
use rustix::io::Errno;

use crate::worker::server::work_limits::Bounds;

/// Per call into the kernel: large enough to cost nothing, small enough that a kill is not kept waiting.
const CHUNK: usize = 64 << 20;

/// For file systems where the kernel does not copy.
const BUFFER: usize = 1 << 20;

/// Where a file has data. A hole may be reported as data, never the reverse; a file in more pieces than `most` is
/// reported as if it had no holes.
pub(crate) fn extents(file: &File, size: u64, most: usize) -> io::Result<Vec<Range<u64>>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(extent) = next_extent(file, at, size)? {
        if found.len() == most {
            return Ok(std::iter::once(0..size).collect());
        }
        at = extent.end;
        found.push(extent);
    }
    Ok(found)
}

/// The first data at or after an offset.
fn next_extent(file: &File, at: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    if at >= size {
        return Ok(None);
    }
    // Units of 512 bytes (stat(3type)): a file that uses all it could has no holes.
    let dense = at == 0
        && fstat(file)?
            .st_blocks
            .saturating_mul(512)
            .try_into()
            .is_ok_and(|used: u64| used >= size);
    if dense {
        return Ok(Some(0..size));
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // No such notion there: all is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, SeekFrom::Hole(start)).unwrap_or(size).min(size);
    Ok((start < end).then_some(start..end))
}

/// Copies content by the cheapest means the file system has, and remembers which those are.
#[derive(Debug)]
pub(crate) struct ContentCopier {
    shares_blocks: bool,
    kernel_copies: bool,
}

impl ContentCopier {
    pub(crate) fn new() -> Self {
        Self {
            shares_blocks: true,
            kernel_copies: true,
        }
    }

    /// Fills an empty file. A source that shrinks meanwhile leaves a hole at the end.
    pub(crate) fn copy(
        &mut self,
        from: &File,
        to: &File,
        size: u64,
        bounds: &Bounds,
    ) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        if self.shares_blocks {
            match ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                Err(_) => self.shares_blocks = false,
            }
        }
        let mut at = 0;
        // One after the other: a file can be in more pieces than there is memory for.
        while let Some(extent) = next_extent(from, at, size)? {
            at = extent.end;
            self.copy_extent(from, to, extent, bounds)?;
        }
        to.set_len(size)
    }

    fn copy_extent(
        &mut self,
        from: &File,
        to: &File,
        extent: Range<u64>,
        bounds: &Bounds,
    ) -> io::Result<()> {
        let mut at = extent.start;
        while self.kernel_copies && at < extent.end {
            let (mut source, mut target) = (at, at);
            let length = usize::try_from(extent.end - at).unwrap_or(CHUNK).min(CHUNK);
            match copy_file_range(from, Some(&mut source), to, Some(&mut target), length) {
                // The end of a file that shrank, or of one whose file system only pretends to copy.
                Ok(0) => break,
                Ok(_) => {
                    bounds.write(source - at).map_err(io::Error::other)?;
                    at = source;
                }
                Err(Errno::INTR) => {}
                Err(
                    Errno::XDEV
                    | Errno::INVAL
                    | Errno::NOSYS
                    | Errno::OPNOTSUPP
                    | Errno::PERM
                    | Errno::IO,
                ) => {
                    self.kernel_copies = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        copy_by_hand(from, to, at..extent.end, bounds)
    }
}

fn copy_by_hand(from: &File, to: &File, extent: Range<u64>, bounds: &Bounds) -> io::Result<()> {
    let mut at = extent.start;
    if at >= extent.end {
        return Ok(());
    }
    let mut buffer = vec![
        0;
        usize::try_from(extent.end - at)
            .unwrap_or(BUFFER)
            .min(BUFFER)
    ];
    while at < extent.end {
        let length = usize::try_from(extent.end - at)
            .unwrap_or(BUFFER)
            .min(buffer.len());
        match from.read_at(&mut buffer[..length], at) {
            Ok(0) => break,
            Ok(count) => {
                bounds.write(count as u64).map_err(io::Error::other)?;
                to.write_all_at(&buffer[..count], at)?;
                at += u64::try_from(count).unwrap_or_default();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn sparse() -> File {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"head", 0).expect("written");
        file.write_all_at(b"tail", 8 * MIB).expect("written");
        file.set_len(16 * MIB).expect("longer");
        file
    }

    #[test]
    fn holes_stay_holes_by_every_means() {
        let from = sparse();
        for (shares_blocks, kernel_copies) in [(true, true), (false, true), (false, false)] {
            let to = tempfile::tempfile().expect("a file");
            ContentCopier {
                shares_blocks,
                kernel_copies,
            }
            .copy(&from, &to, 16 * MIB, &Bounds::of_a_call())
            .expect("copied");
            let metadata = to.metadata().expect("stat");
            assert_eq!(metadata.len(), 16 * MIB);
            assert!(
                metadata.blocks() * 512 < MIB,
                "{} blocks",
                metadata.blocks()
            );
            let mut bytes = [0; 4];
            to.read_exact_at(&mut bytes, 8 * MIB).expect("read");
            assert_eq!(&bytes, b"tail");
        }
    }

    #[test]
    fn a_file_that_shrinks_leaves_a_hole_and_no_error() {
        let from = tempfile::tempfile().expect("a file");
        from.write_all_at(b"short", 0).expect("written");
        for kernel_copies in [true, false] {
            let to = tempfile::tempfile().expect("a file");
            ContentCopier {
                shares_blocks: false,
                kernel_copies,
            }
            .copy_extent(&from, &to, 0..100, &Bounds::of_a_call())
            .expect("copied");
            assert_eq!(to.metadata().expect("stat").len(), 5);
        }
    }

    #[test]
    fn a_file_without_data_has_no_extents() {
        let file = tempfile::tempfile().expect("a file");
        assert_eq!(extents(&file, 0, 9).expect("read"), []);
        file.set_len(MIB).expect("longer");
        assert_eq!(extents(&file, MIB, 9).expect("read"), []);
    }

    #[test]
    fn a_file_in_more_pieces_than_are_wanted_is_taken_as_a_whole() {
        let file = sparse();
        let pieces = extents(&file, 16 * MIB, 2).expect("read");
        assert_eq!(pieces.len(), 2);
        let whole = extents(&file, 16 * MIB, 1).expect("read");
        assert_eq!((whole.len(), &whole[0]), (1, &(0..16 * MIB)));
    }
}
